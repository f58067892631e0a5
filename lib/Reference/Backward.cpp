//===- Backward.cpp - The adjoints that are no compositions ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ops.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

//===----------------------------------------------------------------------===//
// Products and sums
//===----------------------------------------------------------------------===//

/// gradient @ weight.
Tensor reference::linearInputGradient(const Tensor &gradient,
                                      const Tensor &weight) {
  int64_t out = gradient.width(), in = weight.shape[1];
  std::vector<int64_t> shape = gradient.shape;
  shape.back() = in;
  Tensor result(shape);
  for (int64_t r = 0; r < gradient.rows(); ++r)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i)
        result.row(r)[i] += gradient.row(r)[o] * weight.row(o)[i];
  return result;
}

/// gradient.flatten(0, -2).T @ input.flatten(0, -2).
Tensor reference::linearWeightGradient(const Tensor &gradient,
                                       const Tensor &input) {
  int64_t out = gradient.width(), in = input.width();
  Tensor result({out, in});
  for (int64_t r = 0; r < gradient.rows(); ++r)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i)
        result.row(o)[i] += gradient.row(r)[o] * input.row(r)[i];
  return result;
}

/// input.sum_to_size(shape).
Tensor reference::sumTo(const Tensor &input, std::vector<int64_t> shape) {
  Tensor result(std::move(shape));
  int64_t missing = input.rank() - result.rank();
  std::vector<int64_t> index(input.rank(), 0);
  for (double element : input.data) {
    int64_t at = 0;
    for (int64_t dim = 0; dim < result.rank(); ++dim)
      at = at * result.shape[dim] +
           (result.shape[dim] == 1 ? 0 : index[missing + dim]);
    result.data[at] += element;
    for (int64_t dim = input.rank() - 1; dim >= 0; --dim) {
      if (++index[dim] < input.shape[dim])
        break;
      index[dim] = 0;
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// torch.ops.aten.native_layer_norm_backward; for the other norms, the
/// derivative of their formula.
NormGradients reference::normBackward(const Tensor &gradient,
                                      const Tensor &input, NormKind kind,
                                      const Tensor *scale, double epsilon,
                                      int64_t groups) {
  int64_t width = input.width() / groups;
  double count = static_cast<double>(width);
  NormGradients result{Tensor(input.shape), Tensor({width}), Tensor({width})};
  Tensor normal = normalize(input, kind, epsilon, groups);
  for (int64_t r = 0; r < input.rows() * groups; ++r) {
    const double *x = input.data.data() + r * width;
    const double *dy = gradient.data.data() + r * width;
    const double *n = normal.data.data() + r * width;
    double mean = 0.0, squares = 0.0, meanG = 0.0, sumGN = 0.0;
    auto scaled = [&](int64_t i) {
      return scale ? dy[i] * scale->data[i] : dy[i];
    };
    if (kind == NormKind::layer)
      for (int64_t i = 0; i < width; ++i) {
        mean += x[i] / count;
        meanG += scaled(i) / count;
      }
    for (int64_t i = 0; i < width; ++i) {
      squares += (x[i] - mean) * (x[i] - mean);
      sumGN += scaled(i) * n[i];
      result.scale.data[i] += dy[i] * n[i];
      result.bias.data[i] += dy[i];
    }
    double divisor = std::sqrt(squares / count + epsilon),
           slope = sumGN / count;
    if (kind == NormKind::l2) {
      double norm = std::sqrt(squares);
      divisor = std::max(norm, epsilon);
      slope = norm > epsilon ? sumGN : 0.0; // else the divisor is constant
    }
    for (int64_t i = 0; i < width; ++i)
      result.input.data[r * width + i] =
          (scaled(i) - meanG - n[i] * slope) / divisor;
  }
  return result;
}

/// torch.ops.aten._softmax_backward_data.
Tensor reference::softmaxBackward(const Tensor &gradient,
                                  const Tensor &output) {
  Tensor result(output.shape);
  for (int64_t r = 0; r < output.rows(); ++r) {
    const double *dy = gradient.row(r), *y = output.row(r);
    double sum = 0.0;
    for (int64_t i = 0; i < output.width(); ++i)
      sum += dy[i] * y[i];
    for (int64_t i = 0; i < output.width(); ++i)
      result.row(r)[i] = y[i] * (dy[i] - sum);
  }
  return result;
}

AttentionGradients
reference::attentionBackward(const Tensor &gradient, const Tensor &query,
                             const Tensor &key, const Tensor &value,
                             const Tensor *bias, int64_t heads, double scale,
                             Precision precision) {
  int64_t batch = query.shape[0], tokens = query.shape[1],
          others = key.shape[1];
  int64_t size = query.width() / heads, valueSize = value.width() / heads;
  AttentionGradients result{Tensor(query.shape), Tensor(key.shape),
                            Tensor(value.shape),
                            Tensor({heads, tokens, others})};
  Tensor probabilities;
  attention({&query, 0, size}, {&key, 0, size}, {&value, 0, valueSize}, bias,
            heads, scale, &probabilities);
  std::vector<double> ds(others);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t t = 0; t < tokens; ++t) {
        const double *p = probabilities.row((b * heads + h) * tokens + t);
        const double *dy = gradient.row(b * tokens + t) + h * valueSize;
        double sum = 0.0; // of dp p over the row
        for (int64_t s = 0; s < others; ++s) {
          const double *v = value.row(b * others + s) + h * valueSize;
          double *dv = result.value.row(b * others + s) + h * valueSize;
          ds[s] = 0.0;
          for (int64_t i = 0; i < valueSize; ++i) {
            ds[s] += dy[i] * v[i]; // dp
            dv[i] += roundTo(p[s], precision) * dy[i];
          }
          sum += ds[s] * p[s];
        }
        const double *q = query.row(b * tokens + t) + h * size;
        double *dq = result.query.row(b * tokens + t) + h * size;
        for (int64_t s = 0; s < others; ++s) {
          const double *k = key.row(b * others + s) + h * size;
          double *dk = result.key.row(b * others + s) + h * size;
          double d = roundTo(scale * p[s] * (ds[s] - sum), precision);
          result.bias.row(h * tokens + t)[s] += p[s] * (ds[s] - sum);
          for (int64_t i = 0; i < size; ++i) {
            dq[i] += d * k[i];
            dk[i] += d * q[i];
          }
        }
      }
  return result;
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// d/dx x sigmoid(a x)
static double swishDerivative(double x, double a) {
  double sigmoid = 1.0 / (1.0 + std::exp(-a * x));
  return sigmoid + a * x * sigmoid * (1.0 - sigmoid);
}

double reference::derivative(double x, ActivationKind activation) {
  constexpr double sqrtHalf = 0.70710678118654752440;
  constexpr double sqrtTwoOverPi = 0.79788456080286535588;
  switch (activation) {
  case ActivationKind::gelu_erf: {
    double density = 0.5 * sqrtTwoOverPi * std::exp(-0.5 * x * x);
    // 0 * infinity would be NaN.
    return 0.5 * (1.0 + std::erf(x * sqrtHalf)) +
           (density == 0.0 ? 0.0 : x * density);
  }
  case ActivationKind::gelu_tanh: {
    double t = std::tanh(sqrtTwoOverPi * (x + 0.044715 * x * x * x));
    double inner = sqrtTwoOverPi * (1.0 + 3.0 * 0.044715 * x * x);
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
  }
  case ActivationKind::gelu_quick:
    return swishDerivative(x, 1.702);
  case ActivationKind::relu:
    return x > 0.0 ? 1.0 : std::isnan(x) ? x : 0.0;
  case ActivationKind::silu:
    return swishDerivative(x, 1.0);
  case ActivationKind::tanh:
    return 1.0 - std::tanh(x) * std::tanh(x);
  }
  llvm_unreachable("every activation is above");
}

//===----------------------------------------------------------------------===//
// Tokens and patches
//===----------------------------------------------------------------------===//

Tensor reference::placeTokens(const Tensor &input, int64_t start,
                              int64_t tokens) {
  int64_t batch = input.shape[0], width = input.width();
  int64_t count = input.rank() == 2 ? 1 : input.shape[1];
  Tensor result({batch, tokens, width});
  for (int64_t b = 0; b < batch; ++b)
    std::copy_n(input.row(b * count), count * width,
                result.row(b * tokens + start));
  return result;
}

Tensor reference::spreadTokens(const Tensor &input, int64_t start,
                               int64_t tokens) {
  int64_t batch = input.shape[0], width = input.width();
  Tensor result({batch, tokens, width});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = start; t < tokens; ++t)
      for (int64_t i = 0; i < width; ++i)
        result.row(b * tokens + t)[i] =
            input.row(b)[i] / static_cast<double>(tokens - start);
  return result;
}
