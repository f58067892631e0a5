//===- Iterations.h - How often a kernel's loops run ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CODEGEN_ITERATIONS_H
#define VIT_TARGET_CODEGEN_ITERATIONS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::vit::simt {

/// Linear in the batch.
struct Iterations {
  uint64_t fixed;
  double perImage;
};

/// An upper bound of the loop iterations of one thread of a Vulkan kernel, over
/// all its loops, including the test that ends each loop. A loop that is not
/// entered counts as one iteration, because a device that masks threads
/// executes it once. Nothing if there is a loop without a known bound.
std::optional<Iterations> boundIterations(gpu::GPUFuncOp kernel);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_CODEGEN_ITERATIONS_H
