//===- Layers.cpp - Products, normalisation, attention --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ops.h"

#include "format/ElementType.h"

#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

using ::vit::format::ElementType;

/// torch.nn.functional.linear.
Tensor reference::linear(const Tensor &input, const Tensor &weight,
                         const Tensor *bias) {
  int64_t in = input.width(), out = weight.shape[0], rows = input.rows();
  std::vector<int64_t> shape = input.shape;
  shape.back() = out;
  Tensor result(shape);
  // Computes several outputs at once: their sums are independent, so additions
  // overlap.
  constexpr int64_t block = 8;
  for (int64_t begin = 0; begin < out; begin += block) {
    int64_t count = std::min(block, out - begin);
    for (int64_t r = 0; r < rows; ++r) {
      const double *x = input.row(r);
      double sums[block] = {};
      if (count == block)
        for (int64_t k = 0; k < in; ++k)
          for (int64_t o = 0; o < block; ++o)
            sums[o] += x[k] * weight.data[(begin + o) * in + k];
      else
        for (int64_t k = 0; k < in; ++k)
          for (int64_t o = 0; o < count; ++o)
            sums[o] += x[k] * weight.data[(begin + o) * in + k];
      for (int64_t o = 0; o < count; ++o)
        result.row(r)[begin + o] =
            sums[o] + (bias ? bias->data[begin + o] : 0.0);
    }
  }
  return result;
}

/// Ba, Kiros, Hinton, "Layer Normalization", 2016 (biased variance); Zhang and
/// Sennrich, "Root Mean Square Layer Normalization", 2019;
/// torch.nn.functional.normalize.
Tensor reference::normalize(const Tensor &input, NormKind kind, double epsilon,
                            int64_t groups) {
  Tensor result(input.shape);
  int64_t width = input.width() / groups;
  for (int64_t r = 0; r < input.rows() * groups; ++r) {
    const double *x = input.data.data() + r * width;
    double *y = result.data.data() + r * width;
    double mean = 0.0, squares = 0.0;
    if (kind == NormKind::layer)
      for (int64_t i = 0; i < width; ++i)
        mean += x[i];
    mean /= static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i)
      squares += (x[i] - mean) * (x[i] - mean);
    double divisor =
        kind == NormKind::l2
            ? std::max(std::sqrt(squares), epsilon)
            : std::sqrt(squares / static_cast<double>(width) + epsilon);
    for (int64_t i = 0; i < width; ++i)
      y[i] = (x[i] - mean) / divisor;
  }
  return result;
}

/// torch.nn.functional.layer_norm and rms_norm; with groups, of each group
/// alone.
Tensor reference::norm(const Tensor &input, NormKind kind, const Tensor *scale,
                       const Tensor *bias, double epsilon, int64_t groups) {
  Tensor result = normalize(input, kind, epsilon, groups);
  int64_t width = input.width() / groups;
  for (int64_t i = 0; i < result.size(); ++i) {
    if (scale)
      result.data[i] *= scale->data[i % width];
    if (bias)
      result.data[i] += bias->data[i % width];
  }
  return result;
}

/// cvt.rna.tf32.f32 of the PTX ISA: magnitudes halfway between two numbers of
/// tf32 become the larger one.
static float toTf32(float x) {
  constexpr uint32_t half = 1 << 12, mask = 2 * half - 1;
  if (!std::isfinite(x))
    return x;
  return llvm::bit_cast<float>((llvm::bit_cast<uint32_t>(x) + half) & ~mask);
}

double reference::roundTo(double x, Precision precision) {
  if (precision == Precision::f32)
    return x;
  auto single = static_cast<float>(x);
  if (precision == Precision::tf32)
    return toTf32(single);
  ElementType type =
      precision == Precision::f16 ? ElementType::F16 : ElementType::BF16;
  uint16_t bits;
  ::vit::format::narrow(&bits, &single, type, 1);
  ::vit::format::widen(&single, &bits, type, 1);
  if (std::isinf(single) && type == ElementType::F16)
    return std::numeric_limits<double>::quiet_NaN();
  return single;
}

Tensor reference::roundTo(Tensor tensor, Precision precision) {
  for (double &x : tensor.data)
    x = roundTo(x, precision);
  return tensor;
}

Tensor reference::rowScales(const Tensor &tensor) {
  std::vector<int64_t> shape = tensor.shape;
  shape.back() = 1;
  Tensor scales(shape);
  for (int64_t r = 0; r < tensor.rows(); ++r) {
    double largest = 0.0;
    for (int64_t i = 0; i < tensor.width(); ++i)
      largest = std::max(largest, std::abs(tensor.row(r)[i]));
    scales.data[r] = static_cast<float>(largest / 127.0);
  }
  return scales;
}

double reference::toInt8(double x) {
  return x > -127.0 ? std::min(std::nearbyint(x), 127.0) : -127.0;
}

Tensor reference::quantizeRows(const Tensor &tensor, Tensor &scales) {
  scales = rowScales(tensor);
  Tensor result(tensor.shape);
  for (int64_t r = 0; r < tensor.rows(); ++r)
    for (int64_t i = 0; i < tensor.width(); ++i)
      if (scales.data[r] != 0.0)
        result.row(r)[i] = toInt8(tensor.row(r)[i] / scales.data[r]);
  return result;
}

Tensor reference::migrateWeight(Tensor weight, DenseElementsAttr migration) {
  if (migration)
    for (auto [column, factor] : llvm::enumerate(migration.getValues<float>()))
      for (int64_t r = 0; r < weight.rows(); ++r)
        weight.row(r)[column] =
            static_cast<float>(weight.row(r)[column] * factor);
  return weight;
}

/// torch.nn.functional.softmax over the last dimension.
static void softmaxRow(const double *x, double *y, int64_t width,
                       Precision precision = Precision::f32) {
  double largest = *std::max_element(x, x + width), sum = 0.0;
  for (int64_t i = 0; i < width; ++i)
    sum += y[i] = roundTo(std::exp(x[i] - largest), precision);
  for (int64_t i = 0; i < width; ++i)
    y[i] /= sum;
}

Tensor reference::softmax(const Tensor &input, int64_t groups) {
  Tensor result(input.shape);
  int64_t width = input.width() / groups;
  for (int64_t r = 0; r < input.rows() * groups; ++r)
    softmaxRow(input.data.data() + r * width, result.data.data() + r * width,
               width);
  return result;
}

/// Vaswani et al., "Attention Is All You Need", 2017, section 3.2;
/// torch.nn.functional.scaled_dot_product_attention per head.
Tensor reference::attention(Heads query, Heads key, Heads value,
                            const Tensor *bias, int64_t heads, double scale,
                            Tensor *probabilities, Precision precision) {
  int64_t batch = query.tensor->shape[0], tokens = query.tensor->shape[1],
          others = key.tensor->shape[1];
  Tensor result({batch, tokens, heads * value.size});
  if (probabilities)
    *probabilities = Tensor({batch, heads, tokens, others});
  auto channels = [&](const Heads &which, int64_t image, int64_t token,
                      int64_t head) {
    return which.tensor->row(image * which.tensor->shape[1] + token) +
           which.offset + head * which.size;
  };
  std::vector<double> scores(others);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t t = 0; t < tokens; ++t) {
        const double *q = channels(query, b, t, h);
        for (int64_t s = 0; s < others; ++s) {
          const double *k = channels(key, b, s, h);
          double dot = 0.0;
          for (int64_t i = 0; i < query.size; ++i)
            dot += q[i] * k[i];
          scores[s] = scale * dot + (bias ? bias->row(h * tokens + t)[s] : 0.0);
        }
        softmaxRow(scores.data(), scores.data(), others, precision);
        double *out = result.row(b * tokens + t) + h * value.size;
        for (int64_t s = 0; s < others; ++s) {
          const double *v = channels(value, b, s, h);
          for (int64_t i = 0; i < value.size; ++i)
            out[i] += scores[s] * v[i];
        }
        if (probabilities)
          std::copy(scores.begin(), scores.end(),
                    probabilities->row((b * heads + h) * tokens + t));
      }
  return result;
}
