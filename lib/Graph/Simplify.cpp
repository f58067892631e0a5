//===- Simplify.cpp - Remove what inference does not need ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_SIMPLIFY
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct SimplifyPass : vit::impl::SimplifyBase<SimplifyPass> {
  using Base::Base;
  void runOnOperation() override {}
};
} // namespace
