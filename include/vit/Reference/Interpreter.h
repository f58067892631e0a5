//===- Interpreter.h - What every op means, in plain loops ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates a function of the vit or kernel dialect in double: slowly, and
// obviously right. It is the oracle of every target and of every pass: what a
// pass makes of a function must evaluate to the same numbers.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_REFERENCE_INTERPRETER_H
#define VIT_REFERENCE_INTERPRETER_H

#include "vit/Dialect/Vit.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mlir::vit::reference {

/// A row-major tensor; `data` has as many elements as the product of `shape`.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> data;

  Tensor() = default;
  /// All zero.
  explicit Tensor(std::vector<int64_t> shape);

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t size() const { return static_cast<int64_t>(data.size()); }
  /// The last dimension, 1 for a scalar.
  int64_t width() const { return shape.empty() ? 1 : shape.back(); }
  /// All dimensions but the last.
  int64_t rows() const { return width() == 0 ? 0 : size() / width(); }
  double *row(int64_t index) { return data.data() + index * width(); }
  const double *row(int64_t index) const {
    return data.data() + index * width();
  }
};

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// Writes the elements of `parameter`, row-major, to `out`, which has exactly
/// as many; `layer` is 0 for a parameter without layers. Sets `error` on
/// failure. `Weights::read` is one.
using ParameterReader = std::function<LogicalResult(
    ParameterOp parameter, int64_t layer, MutableArrayRef<double> out,
    std::string &error)>;

/// What lives from step to step: the parameters and states that have been
/// changed, by "symbol" or, where there are layers, "symbol.layer".
using Store = std::map<std::string, Tensor>;

/// Evaluates `entry` on `inputs`, one per argument, whose shapes must fit the
/// arguments' types; any batch from 1 on.
///
/// `results` become the values called `outputs`, in that order: results of the
/// entry (`vit.name`) or `vit.output`s ("hidden_3"), or, where `outputs` is
/// empty, all results of the entry ("result_0" where it has no name).
/// Attention probabilities are computed where such an output, or another op,
/// needs them. The function may hold ops of both dialects, with layers rolled
/// or unrolled and with any layouts on its types (values are logical), but no
/// generated code. Integers (labels, steps) are doubles, too.
///
/// A parameter or state is what `store` has of it, else what `readParameter`
/// gives, or zero for a state. What the entry changes goes to `store`; without
/// one, a change is an error. On failure the store is partly changed.
///
/// On failure `error` is one line that says what is wrong.
LogicalResult evaluate(func::FuncOp entry, ArrayRef<Tensor> inputs,
                       const ParameterReader &readParameter,
                       ArrayRef<std::string> outputs,
                       std::vector<NamedTensor> &results, std::string &error,
                       Store *store = nullptr);

} // namespace mlir::vit::reference

#endif // VIT_REFERENCE_INTERPRETER_H
