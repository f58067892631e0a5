//===- Fuse.cpp - Fewer, larger kernels ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_FUSE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct FusePass : vit::impl::FuseBase<FusePass> {
  using Base::Base;
  void runOnOperation() override {}
};
} // namespace
