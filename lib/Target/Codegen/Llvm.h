//===- Llvm.h - What code generation through LLVM shares --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CODEGEN_LLVM_H
#define VIT_TARGET_CODEGEN_LLVM_H

#include "mlir/IR/Operation.h"

#include "llvm/IR/PassManager.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::vit {

/// Replaces the ops of scf in `root` by branches.
LogicalResult lowerStructured(Operation *root);

/// Runs `passes`, then a few passes on functions: the emitters already decide
/// the structure of the code.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              llvm::ModulePassManager passes);

/// Returns false if the machine cannot emit such a file.
bool emitFile(llvm::Module &module, llvm::TargetMachine &machine,
              llvm::CodeGenFileType type, bool verify,
              SmallVectorImpl<char> &bytes);

} // namespace mlir::vit

#endif // VIT_TARGET_CODEGEN_LLVM_H
