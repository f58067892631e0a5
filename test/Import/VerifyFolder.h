//===- VerifyFolder.h - Compares a model with reference results -*- C++ -*-===//
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

/// An input for `entry` if there is no file: element i is sin(0.37 i) in f32.
reference::Tensor makeInput(func::FuncOp entry, int64_t batch);

/// Evaluates `module` with the reference interpreter on `folder`/input.npy (or,
/// if missing, on makeInput) and compares the results with these files:
///   logits_f64.npy                    within 1e-9 (1e-7 with computed
///                                     positions)
///   logits.npy (without logits_f64), features.npy, last_hidden_state.npy,
///   pooler_output.npy                 within 1e-5, as they were made in float
///   golden.safetensors                within 1e-9
///   hidden.safetensors, attn.safetensors   within 1e-9; attn_i is attention_i
/// Tolerances are times max(1, largest expected value / 10). Prints one line.
LogicalResult verifyFolder(StringRef folder, ModuleOp module,
                           const Weights &weights, std::string &error);

} // namespace mlir::vit

#endif // VIT_TEST_IMPORT_VERIFYFOLDER_H
