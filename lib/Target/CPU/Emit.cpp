//===- Emit.cpp - From kernel ops to dispatches of generated code ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"
#include "vit/Target/CPU.h"

namespace mlir::vit {

#define GEN_PASS_DEF_EMITCPU
#include "Passes.h.inc"

namespace {
struct EmitCpu : impl::EmitCpuBase<EmitCpu> {
  using EmitCpuBase::EmitCpuBase;
  void runOnOperation() override {}
};
} // namespace
} // namespace mlir::vit
