//===- UnrollLayers.cpp - Write out each layer ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_UNROLLLAYERS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct UnrollLayersPass : vit::impl::UnrollLayersBase<UnrollLayersPass> {
  using Base::Base;
  void runOnOperation() override {}
};
} // namespace
