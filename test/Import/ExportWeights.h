//===- ExportWeights.h - A checkpoint of a model's own ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_IMPORT_EXPORTWEIGHTS_H
#define VIT_TEST_IMPORT_EXPORTWEIGHTS_H

#include "vit/Import/Weights.h"

namespace mlir::vit {

/// Writes a value for each parameter of `module` to a safetensors file under
/// its stored name and shape, q, k and v joined where they are stored in one.
/// The values are drawn so that each one matters (biases and positions are not
/// zero, norms not one): deviation 1/sqrt(fan in) for matrices, 0.1 for
/// vectors around 0, 0.2 around 1 for the scales of norms, 0.5 for tokens.
LogicalResult exportWeights(ModuleOp module, uint64_t seed, StringRef path,
                            std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_EXPORTWEIGHTS_H
