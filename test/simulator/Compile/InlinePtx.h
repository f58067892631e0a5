//===- InlinePtx.h - The inline PTX that kernels have -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_INLINEPTX_H
#define VIT_SIMULATOR_INLINEPTX_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace vit::sim {

/// Whether `op` is the barrier of a number of threads, `barrier id, threads`.
inline bool isNamedBarrier(mlir::LLVM::CallIntrinsicOp op) {
  return op.getIntrin() == "llvm.nvvm.barrier.cta.sync.aligned.count";
}

/// wgmma.mma_async m64k16 of bf16 or f16 with the left operand in registers,
/// for which the NVVM dialect has no op: D += A B, or D = A B. The operands of
/// the op are four words of A, the descriptor of B, whether to accumulate
/// (i32), and the sums, which are the results, too.
struct RegisterProduct {
  static constexpr unsigned kWords = 4;
  mlir::OperandRange words;
  unsigned descriptor; ///< number of the operand
  mlir::Value accumulates;
  mlir::OperandRange sums;
  unsigned columns;
  bool transposedB; ///< not contiguous along k
  bool isF16;       ///< the operands, otherwise bf16

  /// Nothing: `op` is no inline PTX, or anything else, or its operands or
  /// constraints are not those of this instruction.
  static std::optional<RegisterProduct> get(mlir::Operation *op);
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_INLINEPTX_H
