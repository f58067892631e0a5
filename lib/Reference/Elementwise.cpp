//===- Elementwise.cpp - Activations and broadcasting ---------------------===//
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

/// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016;
/// torch.nn.functional.gelu; quick: transformers' QuickGELUActivation.
double reference::gelu(double x, GeluKind kind) {
  constexpr double sqrtHalf = 0.70710678118654752440;
  constexpr double sqrtTwoOverPi = 0.79788456080286535588;
  switch (kind) {
  case GeluKind::erf:
    return 0.5 * x * (1.0 + std::erf(x * sqrtHalf));
  case GeluKind::tanh:
    return 0.5 * x *
           (1.0 + std::tanh(sqrtTwoOverPi * (x + 0.044715 * x * x * x)));
  case GeluKind::quick:
    return x / (1.0 + std::exp(-1.702 * x));
  }
  llvm_unreachable("every kind of GELU is above");
}

/// torch.nn.functional.silu.
double reference::silu(double x) { return x / (1.0 + std::exp(-x)); }

Tensor reference::map(const Tensor &input,
                      llvm::function_ref<double(double)> function) {
  Tensor result(input.shape);
  std::transform(input.data.begin(), input.data.end(), result.data.begin(),
                 function);
  return result;
}

Tensor
reference::broadcast(const Tensor &lhs, const Tensor &rhs,
                     llvm::function_ref<double(double, double)> function) {
  int64_t rank = std::max(lhs.rank(), rhs.rank());
  // Sizes and strides aligned from the last dimension; a stride of 0 repeats.
  auto size = [rank](const Tensor &tensor, int64_t dim) {
    int64_t own = dim - (rank - tensor.rank());
    return own < 0 ? 1 : tensor.shape[own];
  };
  std::vector<int64_t> shape(rank), left(rank), right(rank), index(rank, 0);
  int64_t leftStride = 1, rightStride = 1;
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    int64_t a = size(lhs, dim), b = size(rhs, dim);
    shape[dim] = a == 1 ? b : a;
    left[dim] = a == 1 ? 0 : leftStride;
    right[dim] = b == 1 ? 0 : rightStride;
    leftStride *= a;
    rightStride *= b;
  }
  Tensor result(shape);
  int64_t i = 0, j = 0;
  for (double &element : result.data) {
    element = function(lhs.data[i], rhs.data[j]);
    for (int64_t dim = rank - 1; dim >= 0; --dim) {
      i += left[dim];
      j += right[dim];
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
      i -= left[dim] * shape[dim];
      j -= right[dim] * shape[dim];
    }
  }
  return result;
}
