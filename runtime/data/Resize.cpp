//===- Resize.cpp - Resampling as Pillow does it --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"
#include "format/Form.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace vit::data;

//===----------------------------------------------------------------------===//
// Filters
//===----------------------------------------------------------------------===//

static constexpr double pi = 3.14159265358979323846;

static double sinc(double x) {
  return x == 0 ? 1 : std::sin(x * pi) / (x * pi);
}

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

static double triangle(double x) { return std::max(0.0, 1 - std::fabs(x)); }

static double hamming(double x) {
  x = std::fabs(x);
  if (x == 0)
    return 1;
  if (x >= 1)
    return 0;
  // Pillow's window constants are single precision.
  return sinc(x) * (double(0.54f) + double(0.46f) * std::cos(x * pi));
}

static double cubic(double x) { return vit::format::cubic(x, -0.5); }

static double lanczos(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

namespace {
struct Filter {
  double (*weight)(double);
  double support; ///< Half of its width, in output pixels when shrinking.
};

enum Interpolation { Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming };

constexpr Filter filters[] = {{nullptr, 0}, {lanczos, 3}, {triangle, 1},
                              {cubic, 2},   {box, 0.5},   {hamming, 1}};

//===----------------------------------------------------------------------===//
// Weights of one axis
//===----------------------------------------------------------------------===//

/// Which input samples make up each output sample, in fixed point.
struct Axis {
  /// Of the `count` output samples from `first` on.
  Axis(int32_t inSize, int32_t outSize, const Filter &filter, int32_t first,
       int32_t count);
  Axis(int32_t inSize, int32_t outSize, const Filter &filter)
      : Axis(inSize, outSize, filter, 0, outSize) {}

  struct Window {
    int32_t first, count;
  };
  const int32_t *weights(int32_t out) const {
    return table.data() + size_t(out) * stride;
  }

  /// 8 bits for the sample and two for over- and undershoot of the cubics.
  static constexpr int fractionBits = 32 - 8 - 2;

  std::vector<Window> windows;
  std::vector<int32_t> table;
  std::vector<float> exactTable; ///< The same weights as `table`.
  size_t stride;
};
} // namespace

Axis::Axis(int32_t inSize, int32_t outSize, const Filter &filter,
           int32_t firstOut, int32_t outCount) {
  double scale = double(inSize) / outSize;
  // When shrinking, the filter covers all samples of one output sample.
  double stretch = std::max(scale, 1.0);
  double support = filter.support * stretch;
  stride = size_t(std::ceil(support)) * 2 + 1;
  windows.resize(size_t(outCount));
  table.assign(multiply(size_t(outCount), stride, "the resized picture"), 0);
  exactTable.assign(table.size(), 0);
  std::vector<double> exact(stride);
  for (int32_t out = 0; out < outCount; ++out) {
    double center = (firstOut + out + 0.5) * scale;
    // Rounded towards zero after adding a half, as Pillow does.
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    int32_t first = std::max(0, int32_t(center - support + 0.5));
    int32_t last = int32_t(std::min<double>(inSize, center + support + 0.5));
    int32_t count = last - first;
    double sum = 0;
    for (int32_t i = 0; i < count; ++i) {
      exact[size_t(i)] =
          filter.weight((i + first - center + 0.5) * (1 / stretch));
      sum += exact[size_t(i)];
    }
    for (int32_t i = 0; i < count; ++i) {
      double weight = sum != 0 ? exact[size_t(i)] / sum : exact[size_t(i)];
      exactTable[size_t(out) * stride + size_t(i)] = float(weight);
      double fixed = weight * (1 << fractionBits);
      table[size_t(out) * stride + size_t(i)] =
          int32_t(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    windows[size_t(out)] = {first, count};
  }
}

static uint8_t toSample(int32_t sum) {
  return uint8_t(std::clamp(sum >> Axis::fractionBits, 0, 255));
}

//===----------------------------------------------------------------------===//
// The two passes
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)
template <typename Work>
__attribute__((target("avx2"))) void runAvx2(Work work) {
  work();
}
#endif

/// Runs `work`, which is to be inlined, compiled for AVX2 where the machine has
/// it. Sums of integers do not depend on that.
template <typename Work> static void runVectorized(Work work) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2"))
    return runAvx2(work);
#endif
  work();
}

#define VIT_INLINED __attribute__((always_inline))

/// A vector has the channels of a pixel, and of the next one where there are
/// less than four. `in` may be read up to three bytes beyond its end.
template <int Channels>
VIT_INLINED static inline void resampleRow(const Axis &axis, const uint8_t *in,
                                           uint8_t *out) {
  typedef uint8_t Bytes4 __attribute__((vector_size(4)));
  typedef int32_t Ints4 __attribute__((vector_size(16)));
  for (size_t x = 0; x < axis.windows.size(); ++x, out += Channels) {
    const int32_t *weights = axis.weights(int32_t(x));
    const uint8_t *from = in + size_t(axis.windows[x].first) * Channels;
    Ints4 sums = Ints4{} + (1 << (Axis::fractionBits - 1));
    for (int32_t i = 0; i < axis.windows[x].count; ++i, from += Channels) {
      Bytes4 samples;
      std::memcpy(&samples, from, sizeof(samples));
      sums += __builtin_convertvector(samples, Ints4) * weights[i];
    }
    for (int c = 0; c < Channels; ++c)
      out[c] = toSample(sums[c]);
  }
}

/// The rows of `image` from `first` to before `end`.
static Picture resampleRows(const vit_image &image, const Axis &axis,
                            int32_t first, int32_t end) {
  Picture result(int32_t(axis.windows.size()), end - first, image.channels);
  size_t rowBytes = size_t(image.width) * size_t(image.channels);
  std::vector<uint8_t> padded(rowBytes + 3);
  runVectorized([&]() VIT_INLINED {
    for (int32_t y = first; y < end; ++y) {
      std::memcpy(padded.data(), image.pixels + size_t(y) * rowBytes, rowBytes);
      if (image.channels == 1)
        resampleRow<1>(axis, padded.data(), result.row(y - first));
      else
        resampleRow<3>(axis, padded.data(), result.row(y - first));
    }
  });
  return result;
}

/// `image` begins with row `first` of what `axis` reads, and has the columns
/// from `left` on that are wanted.
static Picture resampleColumns(const vit_image &image, const Axis &axis,
                               int32_t first, int32_t left, int32_t width) {
  Picture result(width, int32_t(axis.windows.size()), image.channels);
  size_t rowBytes = result.rowBytes();
  size_t stride = size_t(image.width) * size_t(image.channels);
  const uint8_t *pixels = image.pixels + size_t(left) * size_t(image.channels);
  std::vector<int32_t> memory(rowBytes);
  int32_t *sums = memory.data();
  runVectorized([&]() VIT_INLINED {
    for (int32_t y = 0; y < result.height; ++y) {
      std::fill_n(sums, rowBytes, 1 << (Axis::fractionBits - 1));
      Axis::Window window = axis.windows[size_t(y)];
      const int32_t *weights = axis.weights(y);
      for (int32_t i = 0; i < window.count; ++i) {
        const uint8_t *in = pixels + size_t(window.first - first + i) * stride;
        for (size_t x = 0; x < rowBytes; ++x)
          sums[x] += in[x] * weights[i];
      }
      uint8_t *out = result.row(y);
      for (size_t x = 0; x < rowBytes; ++x)
        out[x] = toSample(sums[x]);
    }
  });
  return result;
}

static std::vector<int32_t> nearestIndices(int32_t inSize, int32_t outSize) {
  std::vector<int32_t> indices(static_cast<size_t>(outSize));
  // Accumulated and not multiplied, for the same rounding as Pillow.
  double scale = double(inSize) / outSize, position = scale * 0.5;
  for (int32_t &index : indices) {
    index = std::min(int32_t(position), inSize - 1);
    position += scale;
  }
  return indices;
}

static Picture resizeNearest(const vit_image &image, int32_t width,
                             int32_t height, const Region &part) {
  std::vector<int32_t> columns = nearestIndices(image.width, width);
  std::vector<int32_t> rows = nearestIndices(image.height, height);
  Picture result(part.width, part.height, image.channels);
  size_t channels = size_t(image.channels);
  for (int32_t y = 0; y < part.height; ++y) {
    size_t row = size_t(rows[size_t(part.top) + size_t(y)]);
    const uint8_t *in = image.pixels + row * size_t(image.width) * channels;
    uint8_t *out = result.row(y);
    for (int32_t x = part.left; x < part.left + part.width; ++x)
      for (size_t c = 0; c < channels; ++c)
        *out++ = in[size_t(columns[size_t(x)]) * channels + c];
  }
  return result;
}

/// One pass without rounding: each window of samples that lie `step` apart
/// becomes one sample. `lines` such rows or columns begin `next` apart.
static std::vector<float> resampleValues(const Axis &axis,
                                         const std::vector<float> &in,
                                         size_t lines, size_t next, size_t step,
                                         size_t outNext) {
  std::vector<float> out(lines * axis.windows.size());
  for (size_t line = 0; line < lines; ++line)
    for (size_t o = 0; o < axis.windows.size(); ++o) {
      const float *weights = axis.exactTable.data() + o * axis.stride;
      Axis::Window window = axis.windows[o];
      size_t first = line / step * next + line % step;
      const float *from = in.data() + first + size_t(window.first) * step;
      float sum = 0;
      for (int32_t i = 0; i < window.count; ++i, from += step)
        sum += *from * weights[i];
      out[line / step * outNext + line % step + o * step] = sum;
    }
  return out;
}

static void checkResize(int32_t width, int32_t height, int32_t interpolation) {
  if (interpolation < Nearest || interpolation > Hamming)
    invalid("interpolation " + std::to_string(interpolation) +
            " is none of Pillow's: 0 nearest, 1 lanczos, 2 bilinear, "
            "3 bicubic, 4 box, 5 hamming");
  if (width <= 0 || height <= 0)
    invalid("cannot resize to " + sizeText(width, height) + " pixels");
  if (uint64_t(width) * uint64_t(height) > VIT_IMAGE_MAX_PIXELS)
    unsupported("resizing to " + sizeText(width, height) +
                " pixels is more than the limit of " +
                std::to_string(VIT_IMAGE_MAX_PIXELS) + " in all");
}

std::vector<float> vit::data::resizeUnrounded(const vit_image &image,
                                              int32_t width, int32_t height,
                                              int32_t interpolation) {
  checkResize(width, height, interpolation);
  size_t channels = size_t(image.channels), rows = size_t(image.height);
  const vit_image *source = &image;
  Picture nearest;
  vit_image view = {};
  if (interpolation == Nearest) {
    nearest = resizeNearest(image, width, height, {0, 0, width, height});
    view = nearest.view();
    source = &view;
  }
  size_t count =
      size_t(source->width) * size_t(source->height) * size_t(source->channels);
  std::vector<float> values(source->pixels, source->pixels + count);
  const Filter &filter = filters[interpolation];
  if (width != source->width) {
    size_t before = size_t(source->width) * channels;
    values = resampleValues(Axis(source->width, width, filter), values,
                            rows * channels, before, channels,
                            size_t(width) * channels);
  }
  size_t row = size_t(width) * channels;
  if (height != source->height)
    values = resampleValues(Axis(source->height, height, filter), values, row,
                            0, row, 0);
  return values;
}

Picture vit::data::resize(const vit_image &image, int32_t width, int32_t height,
                          int32_t interpolation, const Region &part) {
  checkResize(width, height, interpolation);
  // Also where the size is the same: the result is a copy then.
  if (interpolation == Nearest ||
      (width == image.width && height == image.height))
    return resizeNearest(image, width, height, part);

  // Rows first, then columns, each rounded to 8 bits: the order is part of the
  // result.
  const Filter &filter = filters[interpolation];
  Axis across(image.width, width, filter, part.left, part.width);
  if (height == image.height)
    return resampleRows(image, across, part.top, part.top + part.height);
  Axis down(image.height, height, filter, part.top, part.height);
  if (width == image.width)
    return resampleColumns(image, down, 0, part.left, part.width);
  int32_t first = down.windows.front().first;
  int32_t end = down.windows.back().first + down.windows.back().count;
  Picture narrow = resampleRows(image, across, first, end);
  return resampleColumns(narrow.view(), down, first, 0, part.width);
}

extern "C" vit_status vit_image_resize(const vit_image *image, int32_t height,
                                       int32_t width, int32_t interpolation,
                                       vit_image *out_image, vit_error *error) {
  return guarded(error, [&] {
    checkImage(image);
    if (!out_image)
      invalid("vit_image_resize needs somewhere to put the picture");
    *out_image =
        resize(*image, width, height, interpolation, {0, 0, width, height})
            .release();
  });
}
