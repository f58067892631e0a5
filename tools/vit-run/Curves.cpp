//===- Curves.cpp - Draws loss and accuracy over the steps ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Curves.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace vit::tools {

namespace {

using Points = std::vector<std::pair<double, double>>;

// Sizes in pixels. The colours can be told apart by colour-blind people (Okabe,
// Ito).
constexpr double kWidth = 860, kPanel = 250, kLeft = 70, kRight = 20, kTop = 54,
                 kGap = 36, kBottom = 46;
constexpr const char *kTrain = "#0072b2", *kPale = "#a8cfe6",
                     *kTest = "#d55e00";
/// The number of points of a line, and of the pale line behind it.
constexpr size_t kMostMeans = 120, kMostValues = 800;

struct Range {
  double low, high, step;

  std::vector<double> ticks() const {
    int count = static_cast<int>(std::floor((high - low) / step + 1e-6)) + 1;
    std::vector<double> result(count);
    for (int i = 0; i < count; ++i)
      result[i] = low + i * step;
    return result;
  }
};

} // namespace

void Series::add(double step, double value) {
  if (std::isfinite(step) && std::isfinite(value))
    points.emplace_back(step, value);
}

__attribute__((format(printf, 2, 3))) static void
append(std::string &out, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  out += text;
}

static std::string escape(const std::string &text) {
  std::string result;
  for (char c : text)
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (static_cast<unsigned char>(c) >= ' ')
      result += c;
  return result;
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

/// A range of round numbers that contains [low, high], in about five steps of
/// 1, 2 or 5 times a power of ten.
static Range roundRange(double low, double high) {
  if (!(low < high)) {
    low -= 0.5;
    high += 0.5;
  }
  double rough = (high - low) / 5;
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = rough <= power       ? power
                : rough <= 2 * power ? 2 * power
                : rough <= 5 * power ? 5 * power
                                     : 10 * power;
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
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

  std::string out;
  append(out,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
         "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
         "font-size=\"12\" fill=\"#333\">\n"
         "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
         kWidth, height, kWidth, height);
  out += "<text x=\"" + std::to_string(int(kLeft)) +
         "\" y=\"30\" font-size=\"15\">" + escape(curves.title) + "</text>\n";
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
