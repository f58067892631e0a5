//===- VerifyFolder.h - A model folder against its numbers ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_IMPORT_VERIFYFOLDER_H
#define VIT_TEST_IMPORT_VERIFYFOLDER_H

#include "vit/Import/Weights.h"
#include "vit/Reference/Interpreter.h"

namespace mlir::vit {

/// An input for `entry` without a file: element i is sin(0.37 i), as a float.
reference::Tensor makeInput(func::FuncOp entry, int64_t batch);

/// Evaluates `module` with the reference interpreter on `folder`/input.npy (or,
/// where there is none, on makeInput) and compares with what else is there:
///   logits_f64.npy                    within 1e-9 (1e-7 with computed
///                                     positions)
///   logits.npy (where no f64 one is), features.npy, last_hidden_state.npy,
///   pooler_output.npy                 within 1e-5, as they were made in float
///   golden.safetensors                within 1e-9
///   hidden.safetensors, attn.safetensors   the same; attn_i is attention_i
/// each times max(1, largest expected value / 10). Prints one line.
LogicalResult verifyFolder(StringRef folder, ModuleOp module,
                           const Weights &weights, std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_VERIFYFOLDER_H
