//===- derive.cpp - The forms of parameters that kernels read -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "derive.h"

#include <cmath>
#include <cstring>

namespace vit::runtime {

//===----------------------------------------------------------------------===//
// Widening
//===----------------------------------------------------------------------===//

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static float widenHalf(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1f;
  uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f)
    return fromBits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0)
    return fromBits(sign | (exponent + 112) << 23 | fraction << 13);
  // Subnormal halves are normal floats: fraction * 2^-24, exactly.
  float magnitude = float(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

void widen(float *target, const void *source, StoredType type, int64_t count) {
  const auto *bytes = static_cast<const unsigned char *>(source);
  if (type == StoredType::F32) {
    std::memcpy(target, bytes, size_t(count) * 4);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    target[i] = type == StoredType::BF16 ? fromBits(uint32_t(bits) << 16)
                                         : widenHalf(bits);
  }
}

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

static constexpr int64_t kLanes = 16;

static int64_t padTo16(int64_t value) {
  return (value + kLanes - 1) / kLanes * kLanes;
}
static int64_t padded(int64_t channels, int64_t group) {
  return group == 0 ? padTo16(channels) : channels / group * padTo16(group);
}
static int64_t paddedIndex(int64_t channel, int64_t group) {
  return group == 0 ? channel
                    : channel / group * padTo16(group) + channel % group;
}

int64_t formElements(const Form &form) {
  switch (form.kind) {
  case FormKind::Panels:
    return padded(form.rows, form.outGroup) * padded(form.width, form.inGroup);
  case FormKind::Channels:
    return form.rows * padded(form.width, form.inGroup);
  case FormKind::RowMajor:
    return form.rows * form.width;
  }
  return 0;
}

const char *checkForm(const Form &form) {
  // Padding makes a number at most 16 times larger, an element has 4 bytes.
  constexpr int64_t limit = INT64_MAX / (16 * 16 * 4);
  if (form.rows < 1 || form.width < 1)
    return "has a dimension below 1";
  if (form.rows > limit / form.width)
    return "is too large";
  bool panels = form.kind == FormKind::Panels;
  if (panels && (form.cols < kLanes || form.cols % kLanes != 0))
    return "has panels that are no multiple of 16 wide";
  if (panels && form.cols > limit / form.width)
    return "has panels that are too wide";
  if (form.outGroup < 0 || form.inGroup < 0 ||
      (form.outGroup != 0 && (!panels || form.rows % form.outGroup != 0)) ||
      (form.inGroup != 0 &&
       (form.kind == FormKind::RowMajor || form.width % form.inGroup != 0)))
    return "has groups that do not divide it";
  if (form.splat && form.kind != FormKind::Channels)
    return "repeats one element in a layout that cannot";
  return nullptr;
}

/// Where the channels of one logical row lie: channel k is at
/// base[paddedIndex(k, inGroup) * stride].
struct RowPlace {
  int64_t base;
  int64_t stride;
};

static RowPlace placeRow(const Form &form, int64_t row) {
  if (form.kind == FormKind::RowMajor)
    return {row * form.width, 1};
  int64_t width = padded(form.width, form.inGroup);
  if (form.kind == FormKind::Channels)
    return {row * width, 1};
  int64_t column = paddedIndex(row, form.outGroup);
  int64_t first = column / form.cols * form.cols;
  int64_t left = padded(form.rows, form.outGroup) - first;
  return {first * width + (column - first),
          left < form.cols ? left : form.cols};
}

/// Calls visit(offset in the form, stride, offset in the range, count) for each
/// run of elements of [begin, begin + count) that lie evenly spaced.
template <typename Visit>
static void forEachRun(const Form &form, int64_t begin, int64_t count,
                       Visit visit) {
  int64_t group = form.kind == FormKind::RowMajor || form.inGroup == 0
                      ? form.width
                      : form.inGroup;
  for (int64_t done = 0; done < count;) {
    int64_t row = (begin + done) / form.width;
    int64_t channel = (begin + done) % form.width;
    int64_t run = group - channel % group;
    if (run > count - done)
      run = count - done;
    RowPlace place = placeRow(form, row);
    int64_t index = paddedIndex(channel, group == form.width ? 0 : group);
    visit(place.base + index * place.stride, place.stride, done, run);
    done += run;
  }
}

//===----------------------------------------------------------------------===//
// Laying out and reading back
//===----------------------------------------------------------------------===//

using Vec4 = float __attribute__((vector_size(16)));

/// Writes the transpose of four rows of four, `stride` apart, to four columns.
static void transpose4(float *to, int64_t toStride, const float *from,
                       int64_t stride) {
  Vec4 a, b, c, d;
  std::memcpy(&a, from, sizeof a);
  std::memcpy(&b, from + stride, sizeof b);
  std::memcpy(&c, from + 2 * stride, sizeof c);
  std::memcpy(&d, from + 3 * stride, sizeof d);
  Vec4 lowAb = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  Vec4 lowCd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  Vec4 highAb = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  Vec4 highCd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  Vec4 columns[4] = {__builtin_shufflevector(lowAb, lowCd, 0, 1, 4, 5),
                     __builtin_shufflevector(lowAb, lowCd, 2, 3, 6, 7),
                     __builtin_shufflevector(highAb, highCd, 0, 1, 4, 5),
                     __builtin_shufflevector(highAb, highCd, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i)
    std::memcpy(to + i * toStride, &columns[i], sizeof(Vec4));
}

/// Sixteen whole rows that are one vector of a panel: reads sixteen streams,
/// writes whole cache lines, which is several times faster than row by row.
static void derivePanelVector(const Form &form, float *target,
                              const unsigned char *source, StoredType type,
                              int64_t row) {
  constexpr int64_t chunk = 64;
  float values[kLanes][chunk];
  RowPlace place = placeRow(form, row);
  int64_t group = form.inGroup == 0 ? form.width : form.inGroup;
  for (int64_t k = 0; k < form.width;) {
    int64_t count = group - k % group;
    if (count > chunk)
      count = chunk;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      widen(values[lane], source + (lane * form.width + k) * storedSize(type),
            type, count);
    float *to =
        target + place.base + paddedIndex(k, form.inGroup) * place.stride;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
      for (int64_t lane = 0; lane < kLanes; lane += 4)
        transpose4(to + i * place.stride + lane, place.stride, &values[lane][i],
                   chunk);
    for (; i < count; ++i)
      for (int64_t lane = 0; lane < kLanes; ++lane)
        to[i * place.stride + lane] = values[lane][i];
    k += count;
  }
}

/// True where rows [row, row + 16) are one vector of a panel.
static bool isPanelVector(const Form &form, int64_t row) {
  int64_t group = form.outGroup == 0 ? form.rows : form.outGroup;
  return form.kind == FormKind::Panels && row % group % kLanes == 0 &&
         row % group + kLanes <= group;
}

void deriveElements(const Form &form, float *target, const void *source,
                    StoredType type, int64_t begin, int64_t count) {
  const auto *bytes = static_cast<const unsigned char *>(source);
  if (form.splat) {
    if (begin != 0 || count < 1)
      return;
    float value;
    widen(&value, bytes, type, 1);
    Form all = form;
    all.splat = false;
    forEachRun(all, 0, form.rows * form.width,
               [&](int64_t at, int64_t stride, int64_t, int64_t run) {
                 for (int64_t i = 0; i < run; ++i)
                   target[at + i * stride] = value;
               });
    return;
  }
  while (count > 0) {
    int64_t row = begin / form.width;
    if (begin % form.width == 0 && count >= kLanes * form.width &&
        isPanelVector(form, row)) {
      derivePanelVector(form, target, bytes, type, row);
      begin += kLanes * form.width;
      count -= kLanes * form.width;
      bytes += kLanes * form.width * storedSize(type);
      continue;
    }
    int64_t part = form.width - begin % form.width;
    if (form.kind != FormKind::Panels || part > count)
      part = count;
    forEachRun(form, begin, part,
               [&](int64_t at, int64_t stride, int64_t done, int64_t run) {
                 const unsigned char *from = bytes + done * storedSize(type);
                 if (stride == 1) {
                   widen(target + at, from, type, run);
                   return;
                 }
                 for (int64_t i = 0; i < run; ++i)
                   widen(target + at + i * stride, from + i * storedSize(type),
                         type, 1);
               });
    begin += part;
    count -= part;
    bytes += part * storedSize(type);
  }
}

void restoreElements(const Form &form, const float *derived, float *target,
                     int64_t begin, int64_t count) {
  if (form.splat) {
    if (begin == 0 && count > 0)
      target[0] = derived[0];
    return;
  }
  forEachRun(form, begin, count,
             [&](int64_t at, int64_t stride, int64_t done, int64_t run) {
               for (int64_t i = 0; i < run; ++i)
                 target[done + i] = derived[at + i * stride];
             });
}

//===----------------------------------------------------------------------===//
// Position tables
//===----------------------------------------------------------------------===//

/// Keys' cubic convolution kernel.
static double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2)
    return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// The taps of one output position along one dimension.
struct Taps {
  double center; ///< in input positions, pixel centres at + 0.5
  double shrink; ///< antialiasing stretches the kernel by its inverse
  double a;
  double total; ///< of the weights
  int64_t first, count, size;

  int64_t index(int64_t tap) const {
    int64_t i = first + tap;
    return i < 0 ? 0 : i >= size ? size - 1 : i;
  }
  double raw(int64_t tap) const {
    return cubic((double(first + tap) - center + 0.5) * shrink, a);
  }
  double weight(int64_t tap) const { return raw(tap) / total; }
};

static Taps makeTaps(int64_t position, int64_t from, int64_t to,
                     bool antialias) {
  double scale = double(from) / double(to);
  Taps taps = {};
  taps.center = scale * (double(position) + 0.5);
  taps.size = from;
  taps.shrink = 1;
  taps.total = 1;
  if (!antialias) {
    // Four neighbours; beyond the border the border's value is repeated.
    taps.a = -0.75;
    taps.first = int64_t(std::floor(taps.center - 0.5)) - 1;
    taps.count = 4;
    return taps;
  }
  taps.a = -0.5;
  double support = scale >= 1 ? 2 * scale : 2;
  taps.shrink = scale >= 1 ? 1 / scale : 1;
  // Taps beyond the border are left out and the others scaled to a sum of 1.
  double begin = taps.center - support + 0.5;
  double end = taps.center + support + 0.5;
  taps.first = begin < 0 ? 0 : int64_t(begin);
  auto last = int64_t(end);
  taps.count = (last < from ? last : from) - taps.first;
  double total = 0;
  for (int64_t i = 0; i < taps.count; ++i)
    total += taps.raw(i);
  taps.total = total != 0 ? total : 1;
  return taps;
}

void resamplePositions(float *target, const float *source, int64_t width,
                       int64_t prefix, const int64_t from[2],
                       const int64_t to[2], bool antialias) {
  std::memcpy(target, source, size_t(prefix * width) * sizeof(float));
  target += prefix * width;
  source += prefix * width;
  constexpr int64_t block = 64;
  for (int64_t y = 0; y < to[0]; ++y) {
    Taps rows = makeTaps(y, from[0], to[0], antialias);
    for (int64_t x = 0; x < to[1]; ++x, target += width) {
      Taps columns = makeTaps(x, from[1], to[1], antialias);
      for (int64_t c = 0; c < width; c += block) {
        int64_t count = width - c < block ? width - c : block;
        double sums[block] = {};
        for (int64_t i = 0; i < rows.count; ++i)
          for (int64_t j = 0; j < columns.count; ++j) {
            double weight = rows.weight(i) * columns.weight(j);
            const float *cell =
                source + (rows.index(i) * from[1] + columns.index(j)) * width;
            for (int64_t k = 0; k < count; ++k)
              sums[k] += weight * double(cell[c + k]);
          }
        for (int64_t k = 0; k < count; ++k)
          target[c + k] = float(sums[k]);
      }
    }
  }
}

} // namespace vit::runtime
