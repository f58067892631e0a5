//===- Plan.cpp - Slots of the workspace ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_PLAN
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct PlanPass : vit::impl::PlanBase<PlanPass> {
  using Base::Base;
  void runOnOperation() override {}
};
} // namespace
