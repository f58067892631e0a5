//===- Registration.h - The dialects that the compiler speaks ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_REGISTRATION_H
#define VIT_DIALECT_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::vit {

/// The dialects of model text: vit, kernel, func, arith and math.
void registerModelDialects(DialectRegistry &registry);

/// All dialects used in lowering to code: those of model text, and scf, cf,
/// memref, vector, x86vector, index, ub and LLVM, with the interfaces that
/// passes need.
void registerVitDialects(DialectRegistry &registry);

} // namespace mlir::vit

#endif // VIT_DIALECT_REGISTRATION_H
