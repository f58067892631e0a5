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

/// How many loop iterations one thread of a Vulkan kernel does at most, all its
/// loops together, each with the test that ends it. Loops whose conditions do
/// not hold count too, as a device that masks threads goes through them once.
/// Nothing where the kernel has a loop that no such number is found for.
std::optional<Iterations> boundIterations(gpu::GPUFuncOp kernel);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_CODEGEN_ITERATIONS_H
