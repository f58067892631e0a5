//===- Curves.cpp - Draws loss and accuracy over the steps ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Curves.h"

#include "Svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vit::tools {

namespace {

using Points = std::vector<std::pair<double, double>>;

// Sizes in pixels.
constexpr double kWidth = 860, kPanel = 250, kLeft = 70, kRight = 20, kTop = 54,
                 kGap = 36, kBottom = 46;
constexpr const char *kTrain = kBlue, *kPale = kPaleBlue, *kTest = kVermilion;
/// The number of points of a line, and of the pale line behind it.
constexpr size_t kMostMeans = 120, kMostValues = 800;

} // namespace

void Series::add(double step, double value) {
  if (std::isfinite(step) && std::isfinite(value))
    points.emplace_back(step, value);
}

/// At most `most` points: the means of groups of neighbours.
static Points reduce(const Points &points, size_t most) {
  Points result;
  size_t groups = std::min(most, points.size());
  for (size_t g = 0; g < groups; ++g) {
    size_t begin = g * points.size() / groups,
           end = (g + 1) * points.size() / groups;
    double x = 0, y = 0;
    for (size_t i = begin; i < end; ++i) {
      x += points[i].first;
      y += points[i].second;
    }
    double count = static_cast<double>(end - begin);
    result.emplace_back(x / count, y / count);
  }
  return result;
}

namespace {

/// One panel: a range of steps, a range of values, and a place on the page.
class Panel {
public:
  Panel(std::string &out, Range steps, Range values, double top)
      : out(out), steps(steps), values(values), top(top) {}

  void frame(const char *name, const char *format, bool isLast,
             const std::vector<double> &epochs) {
    append(out,
           "<text x=\"18\" y=\"%.1f\" transform=\"rotate(-90 18 %.1f)\" "
           "text-anchor=\"middle\">%s</text>\n",
           top + kPanel / 2, top + kPanel / 2, name);
    if (epochs.size() <= 60)
      for (double epoch : epochs)
        append(out,
               "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#ddd\" "
               "stroke-dasharray=\"2 3\"/>\n",
               x(epoch), top, top + kPanel);
    for (double v : values.ticks()) {
      append(out, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#e6e6e6\"/>\n", kLeft,
             y(v), kWidth - kRight);
      append(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", kLeft - 8,
             y(v) + 4);
      char label[32];
      std::snprintf(label, sizeof(label), format,
                    std::fabs(v) < values.step / 1e6 ? 0.0 : v);
      append(out, "%s</text>\n", label);
    }
    append(out,
           "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
           "fill=\"none\" stroke=\"#888\"/>\n",
           kLeft, top, kWidth - kLeft - kRight, kPanel);
    if (!isLast)
      return;
    for (double v : steps.ticks())
      append(out,
             "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n",
             x(v), top + kPanel + 18, v);
    append(out,
           "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">step</text>\n",
           (kLeft + kWidth - kRight) / 2, top + kPanel + 38);
  }

  void line(const Points &points, const char *colour, double width) {
    if (points.size() < 2)
      return;
    out += "<polyline fill=\"none\" stroke-linejoin=\"round\" points=\"";
    for (const auto &[step, value] : points)
      append(out, "%.1f,%.1f ", x(step), y(value));
    append(out, "\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", colour, width);
  }

  void dots(const Points &points, const char *colour) {
    for (const auto &[step, value] : points)
      append(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
             x(step), y(value), colour);
  }

private:
  double x(double step) const {
    return kLeft + (step - steps.low) / (steps.high - steps.low) *
                       (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    double share = (value - values.low) / (values.high - values.low);
    return top + kPanel * (1 - std::clamp(share, 0.0, 1.0));
  }

  std::string &out;
  Range steps, values;
  double top;
};

} // namespace

/// Draws the panel of one quantity on training and test data.
static void drawPanel(std::string &out, const Curves &curves, Range steps,
                      const char *name, const char *format, bool isLast,
                      const Series &train, const Series &test, double scale,
                      double top) {
  auto scaled = [&](Points points) {
    for (auto &point : points)
      point.second *= scale;
    return points;
  };
  Points values = scaled(reduce(train.points, kMostValues));
  Points means = scaled(reduce(train.points, kMostMeans));
  Points tests = scaled(reduce(test.points, kMostValues));
  double low = INFINITY, high = -INFINITY;
  for (const Points *points : {&values, &tests})
    for (const auto &point : *points) {
      low = std::min(low, point.second);
      high = std::max(high, point.second);
    }
  if (!(low <= high))
    low = 0, high = 1;
  Panel panel(out, steps, roundRange(low, high), top);
  panel.frame(name, format, isLast, curves.epochs);
  if (means.size() < values.size())
    panel.line(values, kPale, 1);
  panel.line(means, kTrain, 2);
  if (means.size() == 1)
    panel.dots(means, kTrain);
  panel.line(tests, kTest, 1.5);
  panel.dots(tests, kTest);
}

std::string drawCurves(const Curves &curves) {
  double last = 1;
  for (const Series *series : {&curves.trainLoss, &curves.testLoss})
    if (!series->points.empty())
      last = std::max(last, series->points.back().first);
  Range steps = roundRange(0, last);
  steps.step = std::max(1.0, steps.step);
  steps.high = last;
  double height = kTop + 2 * kPanel + kGap + kBottom;

  std::string out = beginPicture(kWidth, height, kLeft, curves.title);
  const char *labels[] = {"train", "test"};
  const char *colours[] = {kTrain, kTest};
  for (int i = 0; i < 2; ++i)
    append(out,
           "<rect x=\"%.0f\" y=\"24\" width=\"18\" height=\"4\" fill=\"%s\"/>"
           "<text x=\"%.0f\" y=\"30\">%s</text>\n",
           kWidth - 150 + 65 * i, colours[i], kWidth - 126 + 65 * i, labels[i]);
  drawPanel(out, curves, steps, "loss", "%g", false, curves.trainLoss,
            curves.testLoss, 1, kTop);
  drawPanel(out, curves, steps, "accuracy", "%g %%", true, curves.trainAccuracy,
            curves.testAccuracy, 100, kTop + kPanel + kGap);
  return out + "</svg>\n";
}

} // namespace vit::tools
