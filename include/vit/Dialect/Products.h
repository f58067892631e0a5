//===- Products.h - The products of a model by name -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_PRODUCTS_H
#define VIT_DIALECT_PRODUCTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::vit {

/// Calls `visit` with each vit.linear and vit.attention of `entry`, in order,
/// and its name: that of its location, followed by #2 for the second product of
/// this name. `visit` may insert ops.
void forEachProduct(
    func::FuncOp entry,
    llvm::function_ref<void(Operation *product, StringRef name)> visit);

/// The attribute of an entry that lists the products for which the text or the
/// options of vit-narrow state another precision than vit-narrow chooses:
/// [["blocks.0.mlp.fc1", #vit<precision bf16>], ...].
inline constexpr StringLiteral kKeptAttribute = "vit.kept";

/// The largest head of an attention, and the most queries of its backward pass,
/// for which matrix instructions have kernels (lib/Kernel/TensorCores.cpp).
inline constexpr int64_t kMostMatrixHead = 128, kMostMatrixQueries = 2048;

} // namespace mlir::vit

#endif // VIT_DIALECT_PRODUCTS_H
