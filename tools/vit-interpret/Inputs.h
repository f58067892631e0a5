//===- Inputs.h - Pseudo-random inputs and parameters -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_INTERPRET_INPUTS_H
#define VIT_TOOLS_INTERPRET_INPUTS_H

#include "vit/Reference/Interpreter.h"

namespace mlir::vit {

/// How inputs and parameters are generated.
struct InputOptions {
  uint64_t seed = 0;
  int64_t batch = 2;   ///< for sizes given as ?
  int64_t classes = 3; ///< integers lie in [0, classes)
};

/// Numbers in [-scale, scale) that depend on the seed and the name.
void fill(MutableArrayRef<double> values, const std::string &name, double scale,
          uint64_t seed);

/// One tensor per argument: floats in [-1, 1), integers in [0, classes), and 0
/// for a single integer (a step). Sets `error` on failure.
LogicalResult makeInputs(func::FuncOp entry, const InputOptions &options,
                         std::vector<reference::Tensor> &inputs,
                         std::string &error);

/// Weights are scaled by their number of inputs, so that activations stay near
/// 1.
reference::ParameterReader makeParameterReader(uint64_t seed);

/// Compares gradients with finite differences: those computed by the adjoints
/// of ops, or, if `entry` returns gradients ("gradient.fc1.weight.3"), those.
/// Prints a line for each argument and parameter, with at most `samples`
/// elements of each (0: all). Returns whether all agree within `tolerance`,
/// times max(1, largest gradient).
bool checkGradients(func::FuncOp entry, ArrayRef<reference::Tensor> inputs,
                    const InputOptions &options, int64_t samples,
                    double tolerance);

} // namespace mlir::vit

#endif // VIT_TOOLS_INTERPRET_INPUTS_H
