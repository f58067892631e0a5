//===- Fidelity.h - How close a precision comes to f32 ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_FIDELITY_H
#define VIT_TOOLS_FIDELITY_H

#include "Support.h"

#include <string>
#include <vector>

namespace vit::tools {

/// Sums over pairs of an exact value x and an approximate one y. They depend on
/// the values and their order, not on how these are divided into batches.
class Fidelity {
public:
  void add(double x, double y);

  /// Signal-to-noise ratio 10 log10(sum x^2 / sum (x - y)^2); infinite if all
  /// are equal.
  double decibels() const;
  /// Of the two vectors; 1 if they are equal, 0 if one of them is zero.
  double cosine() const;
  double maxAbs() const { return largest; }
  double meanAbs() const;

private:
  double signal = 0, noise = 0, other = 0, dot = 0, sum = 0, largest = 0;
  int64_t count = 0;
};

/// A named result of the model over all pictures.
struct ResultFidelity {
  std::string name;
  Fidelity all;
  double cosineSum = 0, leastCosine = 1; ///< Of single pictures.
  int64_t pictures = 0;

  /// Tensors of the same shape, whose first dimension is the picture.
  void add(const Tensor &exact, const Tensor &approximate);
  double meanCosine() const { return cosineSum / double(pictures); }
};

/// The number of rows of two tensors [batch, classes] whose largest values are
/// in the same place; the first one counts if several are largest.
int64_t countSameTop1(const Tensor &exact, const Tensor &approximate);

/// A picture of horizontal bars, one per result: its signal-to-noise ratio.
std::string drawFidelity(const std::string &title,
                         const std::vector<ResultFidelity> &results);

} // namespace vit::tools

#endif // VIT_TOOLS_FIDELITY_H
