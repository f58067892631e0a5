//===- TrainFolder.h - Compares training steps with references --*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_IMPORT_TRAINFOLDER_H
#define VIT_TEST_IMPORT_TRAINFOLDER_H

#include "vit/Import/Weights.h"

namespace mlir::vit {

/// Trains `module` with the reference interpreter as `folder`/train/train.json
/// says (AdamW with decay on everything) on train/data.safetensors, and
/// compares with the double-precision results in the folder: gradients of the
/// first step within 1e-6, the loss of each step within 1e-9, and the weights
/// after the first and the last step: 99.99 % within 2e-5, all within twice the
/// learning rate. Key biases, whose gradients are rounding errors, must be
/// within learning rate times steps. Prints the differences.
LogicalResult trainFolder(StringRef folder, ModuleOp module,
                          const Weights &weights, std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_TRAINFOLDER_H
