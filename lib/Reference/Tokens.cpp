//===- Tokens.cpp - Patches, tokens and positions -------------------------===//
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

/// Calls `pair` for each pixel that is in a patch, with its index in the
/// pictures and that of its element in the patches.
static void forEachPixel(ArrayRef<int64_t> pictures, int64_t patchHeight,
                         int64_t patchWidth, PixelOrder order,
                         llvm::function_ref<void(int64_t, int64_t)> pair) {
  int64_t batch = pictures[0], channels = pictures[1], height = pictures[2],
          width = pictures[3];
  int64_t rows = height / patchHeight, columns = width / patchWidth;
  int64_t size = channels * patchHeight * patchWidth;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = 0; y < rows * patchHeight; ++y)
        for (int64_t x = 0; x < columns * patchWidth; ++x) {
          int64_t pixel = ((b * channels + c) * height + y) * width + x;
          int64_t patch = (y / patchHeight) * columns + x / patchWidth;
          int64_t py = y % patchHeight, px = x % patchWidth;
          int64_t element = order == PixelOrder::chw
                                ? (c * patchHeight + py) * patchWidth + px
                                : (py * patchWidth + px) * channels + c;
          pair(pixel, (b * rows * columns + patch) * size + element);
        }
}

/// chw: torch.nn.functional.unfold with stride = patch, transposed; hwc:
/// vit-pytorch's einops pattern b c (h p1) (w p2) -> b (h w) (p1 p2 c).
Tensor reference::patchify(const Tensor &pictures, int64_t patchHeight,
                           int64_t patchWidth, PixelOrder order) {
  int64_t patches =
      (pictures.shape[2] / patchHeight) * (pictures.shape[3] / patchWidth);
  Tensor result({pictures.shape[0], patches,
                 pictures.shape[1] * patchHeight * patchWidth});
  forEachPixel(pictures.shape, patchHeight, patchWidth, order,
               [&](int64_t pixel, int64_t element) {
                 result.data[element] = pictures.data[pixel];
               });
  return result;
}

Tensor reference::unpatchify(const Tensor &patches,
                             std::vector<int64_t> pictures, int64_t patchHeight,
                             int64_t patchWidth, PixelOrder order) {
  Tensor result(std::move(pictures));
  forEachPixel(result.shape, patchHeight, patchWidth, order,
               [&](int64_t pixel, int64_t element) {
                 result.data[pixel] = patches.data[element];
               });
  return result;
}

/// torch.cat((tokens.expand(batch, -1, -1), input), dim=1).
Tensor reference::prependTokens(const Tensor &input, const Tensor &tokens) {
  int64_t batch = input.shape[0], count = input.shape[1],
          width = input.shape[2];
  int64_t prefix = tokens.shape[0];
  Tensor result({batch, prefix + count, width});
  for (int64_t b = 0; b < batch; ++b) {
    double *out = result.row(b * (prefix + count));
    out = std::copy(tokens.data.begin(), tokens.data.end(), out);
    std::copy_n(input.row(b * count), count * width, out);
  }
  return result;
}

/// tokens.expand(batch, -1, -1).
Tensor reference::repeatTokens(const Tensor &tokens, int64_t batch) {
  Tensor result({batch, tokens.shape[0], tokens.shape[1]});
  for (int64_t b = 0; b < batch; ++b)
    llvm::copy(tokens.data, result.data.begin() + b * tokens.size());
  return result;
}

/// torch.cat(inputs, dim=-1).
Tensor reference::concatChannels(ArrayRef<const Tensor *> inputs) {
  std::vector<int64_t> shape = inputs.front()->shape;
  shape.back() = 0;
  for (const Tensor *input : inputs)
    shape.back() += input->width();
  Tensor result(shape);
  for (int64_t r = 0; r < result.rows(); ++r) {
    double *out = result.row(r);
    for (const Tensor *input : inputs)
      out = std::copy_n(input->row(r), input->width(), out);
  }
  return result;
}

/// input[..., start:start + count].
Tensor reference::takeChannels(const Tensor &input, int64_t start,
                               int64_t count) {
  std::vector<int64_t> shape = input.shape;
  shape.back() = count;
  Tensor result(shape);
  for (int64_t r = 0; r < input.rows(); ++r)
    std::copy_n(input.row(r) + start, count, result.row(r));
  return result;
}

/// input[:, start:start + count].
Tensor reference::takeTokens(const Tensor &input, int64_t start,
                             int64_t count) {
  int64_t batch = input.shape[0], tokens = input.shape[1],
          width = input.shape[2];
  Tensor result({batch, count, width});
  for (int64_t b = 0; b < batch; ++b)
    std::copy_n(input.row(b * tokens + start), count * width,
                result.row(b * count));
  return result;
}

/// input[:, start:].mean(dim=1).
Tensor reference::meanTokens(const Tensor &input, int64_t start) {
  int64_t batch = input.shape[0], tokens = input.shape[1],
          width = input.shape[2];
  Tensor result({batch, width});
  for (int64_t b = 0; b < batch; ++b) {
    double *sum = result.row(b);
    for (int64_t t = start; t < tokens; ++t)
      for (int64_t i = 0; i < width; ++i)
        sum[i] += input.row(b * tokens + t)[i];
    for (int64_t i = 0; i < width; ++i)
      sum[i] /= static_cast<double>(tokens - start);
  }
  return result;
}

/// vit_pytorch.simple_vit.posemb_sincos_2d; exclusive: transformers'
/// Aimv2VisionEmbeddings.build_2d_sincos_position_embedding.
Tensor reference::sincosPositions(int64_t rows, int64_t columns, int64_t width,
                                  double temperature, bool exclusive) {
  int64_t quarter = width / 4;
  auto last = static_cast<double>(exclusive ? quarter : quarter - 1);
  Tensor result({rows * columns, width});
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      double *out = result.row(y * columns + x);
      for (int64_t i = 0; i < quarter; ++i) {
        double omega = std::pow(temperature, -static_cast<double>(i) / last);
        out[i] = std::sin(static_cast<double>(x) * omega);
        out[quarter + i] = std::cos(static_cast<double>(x) * omega);
        out[2 * quarter + i] = std::sin(static_cast<double>(y) * omega);
        out[3 * quarter + i] = std::cos(static_cast<double>(y) * omega);
      }
    }
  return result;
}

//===----------------------------------------------------------------------===//
// Resampling
//===----------------------------------------------------------------------===//

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981).
static double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1.0)
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0)
    return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// The places of the rows of a table of relative positions, as
/// resize_rel_pos_bias_table of timm lays them out for a result of `to` rows:
/// 0 in the middle, the others at distances 1, 1 + q, 1 + q + q^2, ...
static std::vector<double> geometricPlaces(int64_t from, int64_t to) {
  int64_t half = from / 2;
  double left = 1.01, right = 1.5, q = left;
  while (right - left > 1e-6) {
    q = (left + right) / 2.0;
    double last = (1.0 - std::pow(q, half)) / (1.0 - q);
    (last > static_cast<double>(to / 2) ? right : left) = q;
  }
  std::vector<double> places(from, 0.0);
  double place = 1.0;
  for (int64_t i = 0; i < half; ++i) {
    places[half + 1 + i] = place;
    places[half - 1 - i] = -place;
    place += std::pow(q, i + 1);
  }
  return places;
}

/// The matrix [to, from] that interpolates linearly along one axis. `places`
/// are those of the `from` samples, `targets` those of the results; beyond the
/// border the border is taken.
static Tensor linearMatrix(ArrayRef<double> places, ArrayRef<double> targets) {
  auto from = static_cast<int64_t>(places.size());
  Tensor matrix({static_cast<int64_t>(targets.size()), from});
  for (auto [i, target] : llvm::enumerate(targets)) {
    double *weights = matrix.row(static_cast<int64_t>(i));
    int64_t next = 0;
    while (next < from && places[next] < target)
      ++next;
    if (next == 0 || next == from) {
      weights[next == 0 ? 0 : from - 1] = 1.0;
      continue;
    }
    double share =
        (target - places[next - 1]) / (places[next] - places[next - 1]);
    weights[next] = share;
    weights[next - 1] = 1.0 - share;
  }
  return matrix;
}

static Tensor linearMatrix(int64_t from, int64_t to, ResamplingFilter filter) {
  std::vector<double> places, targets;
  for (int64_t i = 0; i < from; ++i)
    places.push_back(static_cast<double>(i));
  for (int64_t i = 0; i < to; ++i)
    targets.push_back(filter == ResamplingFilter::geometric
                          ? static_cast<double>(i - to / 2)
                          : (static_cast<double>(i) + 0.5) *
                                    static_cast<double>(from) /
                                    static_cast<double>(to) -
                                0.5);
  if (filter == ResamplingFilter::geometric)
    places = geometricPlaces(from, to);
  return linearMatrix(places, targets);
}

/// The matrix [to, from] that resamples one axis. `cubic`: as
/// torch.nn.functional.interpolate(mode="bicubic", align_corners=False) does,
/// with `antialias` or without. Without, samples beyond the border are the
/// border; with it they are left out and the weights normalised.
static Tensor resamplingMatrix(int64_t from, int64_t to,
                               const Resampling &resampling) {
  if (resampling.filter != ResamplingFilter::cubic)
    return linearMatrix(from, to, resampling.filter);
  bool antialias = resampling.antialias;
  Tensor matrix({to, from});
  double scale = static_cast<double>(from) / static_cast<double>(to);
  for (int64_t i = 0; i < to; ++i) {
    double *weights = matrix.row(i);
    double center = scale * (static_cast<double>(i) + 0.5);
    if (!antialias) {
      double position = center - 0.5;
      double base = std::floor(position);
      for (int64_t tap = -1; tap <= 2; ++tap) {
        int64_t source =
            std::clamp<int64_t>(static_cast<int64_t>(base) + tap, 0, from - 1);
        weights[source] +=
            cubic(position - base - static_cast<double>(tap), -0.75);
      }
      continue;
    }
    double stretch = std::max(scale, 1.0), support = 2.0 * stretch;
    int64_t begin =
        std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    int64_t end =
        std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), from);
    double sum = 0.0;
    for (int64_t j = begin; j < end; ++j)
      sum += weights[j] =
          cubic((static_cast<double>(j) - center + 0.5) / stretch, -0.5);
    for (int64_t j = begin; j < end; ++j)
      weights[j] /= sum;
  }
  return matrix;
}

/// Calls `pair` with a row of the resampled table, a row of the learned table,
/// and the weight of the latter in the former, unless that is 0.
static void
forEachSample(const Resampling &resampling,
              llvm::function_ref<void(int64_t, int64_t, double)> pair) {
  ArrayRef<int64_t> from = resampling.from, to = resampling.to;
  int64_t prefix = resampling.prefix;
  Tensor rows = resamplingMatrix(from[0], to[0], resampling);
  Tensor columns = resamplingMatrix(from[1], to[1], resampling);
  for (int64_t i = 0; i < prefix; ++i)
    pair(i, i, 1.0);
  for (int64_t i = 0; i < resampling.suffix; ++i)
    pair(prefix + to[0] * to[1] + i, prefix + from[0] * from[1] + i, 1.0);
  for (int64_t y = 0; y < to[0]; ++y)
    for (int64_t x = 0; x < to[1]; ++x)
      for (int64_t v = 0; v < from[0]; ++v)
        for (int64_t u = 0; u < from[1]; ++u)
          if (double weight = rows.row(y)[v] * columns.row(x)[u]; weight != 0.0)
            pair(prefix + y * to[1] + x, prefix + v * from[1] + u, weight);
}

/// The product of the matrix of the resampling, or its transpose, and a table.
static Tensor multiplyTable(const Tensor &table, const Resampling &resampling,
                            bool isTransposed) {
  ArrayRef<int64_t> grid = isTransposed ? resampling.from : resampling.to;
  Tensor result({resampling.prefix + grid[0] * grid[1] + resampling.suffix,
                 table.width()});
  forEachSample(resampling, [&](int64_t target, int64_t source, double weight) {
    if (isTransposed)
      std::swap(target, source);
    for (int64_t i = 0; i < table.width(); ++i)
      result.row(target)[i] += weight * table.row(source)[i];
  });
  return result;
}

Tensor reference::resamplePositions(const Tensor &table,
                                    const Resampling &resampling) {
  return multiplyTable(table, resampling, /*isTransposed=*/false);
}

Tensor reference::resamplePositionsBackward(const Tensor &gradient,
                                            const Resampling &resampling) {
  return multiplyTable(gradient, resampling, /*isTransposed=*/true);
}

Tensor reference::gridProduct(const Tensor &source, const Tensor &rows,
                              const Tensor &columns, int64_t prefix) {
  int64_t from = rows.width() * columns.width();
  int64_t to = rows.rows() * columns.rows();
  Tensor result({source.rows() - from + to, source.width()});
  auto add = [&](int64_t target, int64_t row, double weight) {
    for (int64_t i = 0; i < source.width(); ++i)
      result.row(target)[i] += weight * source.row(row)[i];
  };
  for (int64_t i = 0; i < prefix; ++i)
    add(i, i, 1.0);
  for (int64_t i = prefix + to; i < result.rows(); ++i)
    add(i, i - to + from, 1.0);
  for (int64_t target = 0; target < to; ++target)
    for (int64_t row = 0; row < from; ++row) {
      int64_t y = target / columns.rows(), x = target % columns.rows();
      int64_t v = row / columns.width(), u = row % columns.width();
      add(prefix + target, prefix + row, rows.row(y)[v] * columns.row(x)[u]);
    }
  return result;
}
