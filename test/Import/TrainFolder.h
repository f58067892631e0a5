//===- TrainFolder.h - Training steps against a folder's numbers *- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_IMPORT_TRAINFOLDER_H
#define VIT_TEST_IMPORT_TRAINFOLDER_H

#include "vit/Import/Weights.h"

namespace mlir::vit {

/// Trains `module` by the reference interpreter as `folder`/train/train.json
/// says (AdamW, decay on everything), on train/data.safetensors, and compares
/// with the double-precision run in the folder: every gradient of the first
/// step within 1e-6, the loss of every step within 1e-9, and the weights after
/// the first and the last step, of which 99.99 % have to be within 2e-5 and all
/// within twice the learning rate. Biases of keys, whose gradient is rounding
/// noise, have to be within learning rate times steps. Prints the differences.
LogicalResult trainFolder(StringRef folder, ModuleOp module,
                          const Weights &weights, std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_TRAINFOLDER_H
