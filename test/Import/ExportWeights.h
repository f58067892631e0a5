//===- ExportWeights.h - Writes a checkpoint for a model --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_IMPORT_EXPORTWEIGHTS_H
#define VIT_TEST_IMPORT_EXPORTWEIGHTS_H

#include "vit/Import/Weights.h"

namespace mlir::vit {

/// Writes a value for each parameter of `module` to a safetensors file with its
/// stored name and shape; q, k and v are joined if they are stored so. All
/// values affect the results (biases and positions are not 0, norms not 1):
/// deviation 1/sqrt(fan in) for matrices, 0.1 around 0 for vectors, 0.2 around
/// 1 for scales of norms, 0.5 for tokens.
LogicalResult exportWeights(ModuleOp module, uint64_t seed, StringRef path,
                            std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_EXPORTWEIGHTS_H
