//===- Curves.h - Draws loss and accuracy over the steps --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CURVES_H
#define VIT_TOOLS_CURVES_H

#include <string>
#include <utility>
#include <vector>

namespace vit::tools {

/// A quantity over the steps.
struct Series {
  std::vector<std::pair<double, double>> points; ///< Step and value.

  /// NaN values are left out.
  void add(double step, double value);
};

/// The data of the picture of a training run.
struct Curves {
  std::string title;
  Series trainLoss, trainAccuracy;
  Series testLoss, testAccuracy;
  std::vector<double> epochs; ///< The steps at which epochs ended.
};

/// An SVG with two panels, loss and accuracy. Values of single steps are pale,
/// with the means over neighbouring steps as a line over them; test data are
/// points. Its size does not grow with the number of steps.
std::string drawCurves(const Curves &curves);

} // namespace vit::tools

#endif // VIT_TOOLS_CURVES_H
