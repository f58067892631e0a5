//===- Fidelity.cpp - How close a precision comes to f32 ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fidelity.h"

#include "Svg.h"

#include <algorithm>
#include <cmath>

namespace vit::tools {

void Fidelity::add(double x, double y) {
  double difference = x - y;
  signal += x * x;
  other += y * y;
  dot += x * y;
  noise += difference * difference;
  sum += std::fabs(difference);
  largest = std::max(largest, std::fabs(difference));
  ++count;
}

double Fidelity::decibels() const {
  return noise > 0 ? 10 * std::log10(signal / noise) : INFINITY;
}

double Fidelity::cosine() const {
  if (noise == 0)
    return 1;
  return signal > 0 && other > 0
             ? std::min(1.0, dot / (std::sqrt(signal) * std::sqrt(other)))
             : 0;
}

double Fidelity::meanAbs() const {
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

void ResultFidelity::add(const Tensor &exact, const Tensor &approximate) {
  if (exact.dims != approximate.dims || exact.dims.empty())
    throw Error("result '" + name + "' has shape " + shapeText(exact.dims) +
                " and " + shapeText(approximate.dims));
  int64_t batch = exact.dims[0], size = batch > 0 ? exact.count() / batch : 0;
  for (int64_t i = 0; i < batch; ++i) {
    Fidelity picture;
    for (int64_t j = i * size; j < (i + 1) * size; ++j) {
      double x = exact.at(j), y = approximate.at(j);
      all.add(x, y);
      picture.add(x, y);
    }
    cosineSum += picture.cosine();
    leastCosine = std::min(leastCosine, picture.cosine());
  }
  pictures += batch;
}

int64_t countSameTop1(const Tensor &exact, const Tensor &approximate) {
  int64_t classes = exact.dims[1], same = 0;
  auto top = [&](const Tensor &logits, int64_t row) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (logits.at(row * classes + c) > logits.at(row * classes + best))
        best = c;
    return best;
  };
  for (int64_t i = 0; i < exact.dims[0]; ++i)
    same += top(exact, i) == top(approximate, i);
  return same;
}

std::string drawFidelity(const std::string &title,
                         const std::vector<ResultFidelity> &results) {
  // Sizes in pixels. Seven per character is wide enough for most fonts.
  constexpr double kWidth = 860, kRow = 18, kTop = 54, kBottom = 46,
                   kRight = 70, kCharacter = 7;
  size_t longest = 0;
  double low = 0, high = 1;
  for (const ResultFidelity &result : results) {
    longest = std::max(longest, result.name.size());
    if (double value = result.all.decibels(); std::isfinite(value)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  double left = std::min(kCharacter * double(longest) + 26, kWidth / 2);
  double bottom = kTop + kRow * double(results.size());
  Range range = roundRange(low, high);
  auto x = [&](double value) {
    return left + (std::clamp(value, range.low, range.high) - range.low) /
                      (range.high - range.low) * (kWidth - left - kRight);
  };
  std::string out = beginPicture(kWidth, bottom + kBottom, 18, title);
  for (double tick : range.ticks()) {
    append(out, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#e6e6e6\"/>\n", x(tick),
           kTop, bottom);
    append(out,
           "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
           x(tick), bottom + 18, std::fabs(tick) < range.step / 1e6 ? 0 : tick);
  }
  double top = kTop;
  for (const ResultFidelity &result : results) {
    double value = result.all.decibels(), zero = x(0), end = x(value);
    append(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", left - 8,
           top + 13);
    out += escape(result.name) + "</text>\n";
    append(out,
           "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
           "fill=\"%s\"/>\n",
           std::min(zero, end), top + 3, std::fabs(end - zero), kRow - 6,
           kBlue);
    append(out, "<text x=\"%.1f\" y=\"%.1f\">", std::max(zero, end) + 6,
           top + 13);
    if (std::isfinite(value))
      append(out, "%.1f</text>\n", value);
    else
      out += value > 0 ? "exact</text>\n" : "lost</text>\n";
    top += kRow;
  }
  append(out, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#888\"/>\n", x(0), kTop,
         bottom);
  append(out,
         "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">signal-to-noise "
         "ratio against f32, dB</text>\n</svg>\n",
         (left + kWidth - kRight) / 2, bottom + 38);
  return out;
}

} // namespace vit::tools
