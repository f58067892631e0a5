//===- LowerToLLVM.h - From vector code to LLVM IR --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_LOWERTOLLVM_H
#define VIT_TARGET_CPU_LOWERTOLLVM_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace mlir::vit::cpu {

/// Registers the dialects and translations that `lowerToLLVM` needs.
void registerLowering(DialectRegistry &registry);

/// Lowers `module`, which holds the single function `name`, to LLVM IR. Its
/// only external function, `name`, has the C signature of kernels,
///   void (ptr arguments, i64 batch, i64 begin, i64 end, ptr scratch).
/// Emits a diagnostic and returns null on failure. Modifies `module`.
std::unique_ptr<llvm::Module> lowerToLLVM(ModuleOp module, StringRef name,
                                          bool verify,
                                          llvm::LLVMContext &context);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_LOWERTOLLVM_H
