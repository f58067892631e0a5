//===- Curves.h - Loss and accuracy over the steps, drawn -------*- C++ -*-===//
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
  std::vector<std::pair<double, double>> points; ///< step, value

  /// Values that are no number are left out.
  void add(double step, double value);
};

/// What a training run's picture shows.
struct Curves {
  std::string title;
  Series trainLoss, trainAccuracy;
  Series testLoss, testAccuracy;
  std::vector<double> epochs; ///< The steps at which epochs ended.
};

/// An SVG of two panels, loss and accuracy. Values of single steps are shown
/// pale, their means over neighbouring steps as a line over them, those of the
/// test data as points. Its size does not grow with the number of steps.
std::string drawCurves(const Curves &curves);

} // namespace vit::tools

#endif // VIT_TOOLS_CURVES_H
