//===- Form.cpp - The forms of parameters that kernels read ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Form.h"

#include "module_generated.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vit::format {

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

static int64_t roundUp(int64_t value, int64_t pad) {
  return (value + pad - 1) / pad * pad;
}
static int64_t padded(int64_t channels, int64_t group, int64_t pad) {
  return group == 0 ? roundUp(channels, pad)
                    : channels / group * roundUp(group, pad);
}
static int64_t paddedIndex(int64_t channel, int64_t group, int64_t pad) {
  return group == 0 ? channel
                    : channel / group * roundUp(group, pad) + channel % group;
}

/// The channels of a row, and the rows of panels, with their padding.
static int64_t paddedWidth(const Form &form) {
  return padded(form.width, form.inGroup, form.channelPad());
}
/// Whether a word with the sum of the column follows each column of panels.
static bool hasColumnSums(const Form &form) {
  return form.type == ElementType::I8 && form.interleave != 1;
}
/// The elements of a column of panels: those of the inputs, then perhaps a
/// word.
static int64_t columnElements(const Form &form) {
  return paddedWidth(form) + (hasColumnSums(form) ? form.interleave : 0);
}
static int64_t paddedRows(const Form &form) {
  return padded(form.rows, form.outGroup, kPanelGranule);
}

int64_t Form::sourceElements() const {
  if (kind == FormKind::Resample)
    return (resampling.prefix + resampling.from[0] * resampling.from[1] +
            resampling.suffix) *
           width;
  if (kind == FormKind::RelativePositions) // rows are heads * tokens
    return relative.tables * relative.tableRows() * (rows / relative.tokens());
  if (kind == FormKind::RowScales)
    return width * depth;
  return splat ? 1 : rows * width;
}

Form formOf(const schema::Derived &derived) {
  Form form;
  form.kind = FormKind(derived.kind());
  form.type = ElementType(derived.element_type());
  form.width = derived.dims()->Get(derived.dims()->size() - 1);
  form.rows = 1;
  for (uint32_t i = 0; i + 1 < derived.dims()->size(); ++i)
    form.rows *= derived.dims()->Get(i);
  form.cols = derived.cols();
  form.interleave = derived.interleave();
  form.outGroup = derived.out_group();
  form.inGroup = derived.in_group();
  form.splat = derived.splat();
  form.depth = derived.depth();
  if (derived.migration())
    form.migration = derived.migration()->data();
  if (form.kind == FormKind::Resample) {
    form.resampling.prefix = derived.prefix();
    form.resampling.antialias = derived.antialias();
    form.resampling.suffix = derived.suffix();
    form.resampling.filter = Filter(derived.filter());
    for (int i = 0; i < 2; ++i) {
      form.resampling.from[i] = derived.from()->Get(i);
      form.resampling.to[i] = derived.to()->Get(i);
    }
  }
  if (form.kind == FormKind::RelativePositions) {
    form.relative.tables = derived.tables();
    form.relative.prefix = derived.prefix();
    for (int i = 0; i < 2; ++i)
      form.relative.grid[i] = derived.to()->Get(i);
  }
  return form;
}

int64_t formElements(const Form &form) {
  switch (form.kind) {
  case FormKind::Panels:
    return paddedRows(form) * columnElements(form);
  case FormKind::Channels:
    return form.rows * paddedWidth(form);
  case FormKind::RowMajor:
  case FormKind::Resample:
  case FormKind::RelativePositions:
  case FormKind::RowScales:
    return form.rows * form.width;
  }
  return 0;
}

uint64_t formBytes(const Form &form) {
  return uint64_t(formElements(form)) * sizeOf(form.type);
}

static const char *checkResampling(const Form &form) {
  constexpr int64_t most = 1 << 14;
  const Resampling &r = form.resampling;
  for (int i = 0; i < 2; ++i)
    if (r.from[i] < 1 || r.from[i] > most || r.to[i] < 1 || r.to[i] > most)
      return "resamples an impossible grid";
  if (form.rows != r.prefix + r.to[0] * r.to[1] + r.suffix)
    return "resamples a table of another size";
  if (r.filter > Filter::Geometric ||
      (r.antialias && r.filter != Filter::Cubic))
    return "resamples with an unknown filter";
  if (r.filter == Filter::Geometric &&
      (r.from[0] % 2 == 0 || r.from[1] % 2 == 0 || r.to[0] % 2 == 0 ||
       r.to[1] % 2 == 0))
    return "resamples a grid without a middle";
  return nullptr;
}

static const char *checkRelativePositions(const Form &form) {
  constexpr int64_t most = 1 << 10;
  const RelativePositions &r = form.relative;
  if (r.grid[0] < 1 || r.grid[0] > most || r.grid[1] < 1 || r.grid[1] > most ||
      r.prefix < 0 || r.prefix > 1 || r.tables < 1 || r.tables > most)
    return "has relative positions on an impossible grid";
  if (form.width != r.tokens() || form.rows % r.tokens() != 0 ||
      form.rows / r.tokens() > most)
    return "has relative positions of other tokens";
  return nullptr;
}

const char *checkForm(const Form &form) {
  // Padding makes a dimension at most 16 times larger, depths 64 times.
  constexpr int64_t mostInterleaved = 4;
  constexpr int64_t limit =
      INT64_MAX /
      (kPanelGranule * kChannelPad * mostInterleaved * int64_t(sizeof(float)));
  if (form.rows < 1 || form.width < 1)
    return "has a dimension below 1";
  if (form.rows > limit / form.width)
    return "is too large";
  bool isPanels = form.kind == FormKind::Panels;
  bool isInt8 = form.type == ElementType::I8;
  // Interleaved words for CPUs, rows for GPUs.
  bool isInt8Panels =
      isInt8 && isPanels &&
      (form.interleave == 4 || (form.interleave == 1 && form.cols == 1));
  if (!isFloat(form.type) && !isInt8Panels)
    return "has elements that are not f32, bf16, f16 or panels of i8";
  if (form.kind == FormKind::RowScales &&
      (form.rows != 1 || form.type != ElementType::F32 || form.depth < 1 ||
       form.depth > limit / form.width))
    return "has impossible scales of rows";
  if (isPanels && form.cols != 1 &&
      (form.cols < kPanelGranule || form.cols % kPanelGranule != 0))
    return "has panels whose width is neither 1 nor a multiple of 16";
  if (isPanels && form.cols > limit / form.width)
    return "has panels that are too wide";
  if (form.interleave < 1 || mostInterleaved % form.interleave != 0 ||
      (form.interleave != 1 && !isPanels))
    return "interleaves depths in a way that is not possible";
  bool isPadded = isPanels || form.kind == FormKind::Channels;
  if (form.outGroup < 0 || form.inGroup < 0 ||
      (form.outGroup != 0 && (!isPanels || form.rows % form.outGroup != 0)) ||
      (form.inGroup != 0 && (!isPadded || form.width % form.inGroup != 0)))
    return "has groups that do not divide it";
  if (form.splat && form.kind != FormKind::Channels)
    return "repeats one element in a layout that cannot";
  switch (form.kind) {
  case FormKind::Resample:
    return checkResampling(form);
  case FormKind::RelativePositions:
    return checkRelativePositions(form);
  default:
    return nullptr;
  }
}

namespace {
/// Where the channels of one logical row lie: channel k, as a padded index, is
/// at base + k / v * v * stride + k % v with v = interleave.
struct RowPlace {
  int64_t base;
  int64_t stride;
};
} // namespace

static RowPlace placeRow(const Form &form, int64_t row) {
  if (form.kind == FormKind::RowMajor)
    return {row * form.width, 1};
  int64_t width = columnElements(form);
  if (form.kind == FormKind::Channels)
    return {row * width, 1};
  int64_t column = paddedIndex(row, form.outGroup, kPanelGranule);
  int64_t first = column / form.cols * form.cols;
  int64_t left = paddedRows(form) - first;
  return {first * width + (column - first) * form.interleave,
          std::min(left, form.cols)};
}

/// Calls visit(offset in the form, stride, offset in the range, count) for each
/// run of elements of [begin, begin + count) that are evenly spaced.
template <typename Visit>
static void forEachRun(const Form &form, int64_t begin, int64_t count,
                       Visit visit) {
  int64_t group = form.kind == FormKind::RowMajor || form.inGroup == 0
                      ? form.width
                      : form.inGroup;
  int64_t v = form.interleave;
  for (int64_t done = 0; done < count;) {
    int64_t row = (begin + done) / form.width;
    int64_t channel = (begin + done) % form.width;
    int64_t run = std::min(group - channel % group, count - done);
    RowPlace place = placeRow(form, row);
    int64_t index = paddedIndex(channel, group == form.width ? 0 : group,
                                form.channelPad());
    if (v != 1)
      run = std::min(run, v - index % v);
    visit(place.base + index / v * v * place.stride + index % v,
          v == 1 ? place.stride : 1, done, run);
    done += run;
  }
}

//===----------------------------------------------------------------------===//
// Derive and restore
//===----------------------------------------------------------------------===//

/// Four of what panels are transposed by: an element, or the neighbouring
/// depths of a narrower type that lie side by side.
template <typename Unit>
using Vec4 = Unit __attribute__((vector_size(4 * sizeof(Unit))));

/// Writes the transpose of four rows of four, `stride` apart, to four columns.
template <typename Unit>
static void transpose4(unsigned char *to, int64_t toStride, const Unit *from,
                       int64_t stride) {
  Vec4<Unit> a, b, c, d;
  std::memcpy(&a, from, sizeof a);
  std::memcpy(&b, from + stride, sizeof b);
  std::memcpy(&c, from + 2 * stride, sizeof c);
  std::memcpy(&d, from + 3 * stride, sizeof d);
  Vec4<Unit> lowAb = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  Vec4<Unit> lowCd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  Vec4<Unit> highAb = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  Vec4<Unit> highCd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  Vec4<Unit> columns[4] = {__builtin_shufflevector(lowAb, lowCd, 0, 1, 4, 5),
                           __builtin_shufflevector(lowAb, lowCd, 2, 3, 6, 7),
                           __builtin_shufflevector(highAb, highCd, 0, 1, 4, 5),
                           __builtin_shufflevector(highAb, highCd, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i)
    std::memcpy(to + i * toStride, &columns[i], sizeof(columns[i]));
}

/// Sixteen whole rows that are one vector of a panel of units: reads sixteen
/// streams and writes whole cache lines, which is several times faster than row
/// by row.
template <typename Unit>
static void derivePanelVector(const Form &form, unsigned char *target,
                              const unsigned char *source, ElementType type,
                              int64_t row) {
  constexpr int64_t chunk = 64; // units
  constexpr int64_t rows = kPanelGranule;
  constexpr int64_t bytes = sizeof(Unit);
  Unit values[rows][chunk];
  auto size = int64_t(sizeOf(type));
  RowPlace place = placeRow(form, row);
  int64_t group = form.inGroup == 0 ? form.width : form.inGroup;
  int64_t v = form.interleave;
  for (int64_t k = 0; k < form.width;) {
    int64_t count = std::min(group - k % group, chunk * v);
    int64_t units = (count + v - 1) / v;
    for (int64_t r = 0; r < rows; ++r) {
      values[r][units - 1] = 0; // may be depths of the padding in part
      convert(values[r], form.type, source + (r * form.width + k) * size, type,
              count);
    }
    int64_t depth = paddedIndex(k, form.inGroup, form.channelPad());
    int64_t stride = place.stride * bytes;
    unsigned char *to =
        target + (place.base + depth * place.stride) * bytes / v;
    int64_t i = 0;
    for (; i + 4 <= units; i += 4)
      for (int64_t r = 0; r < rows; r += 4)
        transpose4(to + i * stride + r * bytes, stride, &values[r][i], chunk);
    for (; i < units; ++i)
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(to + i * stride + r * bytes, &values[r][i], bytes);
    k += count;
  }
}

static size_t unitBytes(const Form &form) {
  return sizeOf(form.type) * size_t(form.interleave);
}

/// Whether derivePanelVector can do the rows from `row` on.
static bool isPanelVector(const Form &form, int64_t row) {
  int64_t group = form.outGroup == 0 ? form.rows : form.outGroup;
  return form.kind == FormKind::Panels && form.cols % kPanelGranule == 0 &&
         (unitBytes(form) == sizeof(uint32_t) ||
          unitBytes(form) == sizeof(uint16_t)) &&
         row % group % kPanelGranule == 0 &&
         row % group + kPanelGranule <= group;
}

/// Converts `count` elements to elements of the form, `stride` apart.
static void deriveRun(ElementType type, unsigned char *target, int64_t stride,
                      const unsigned char *source, ElementType sourceType,
                      int64_t count) {
  if (stride == 1)
    return convert(target, type, source, sourceType, count);
  auto size = int64_t(sizeOf(type)), sourceSize = int64_t(sizeOf(sourceType));
  for (int64_t i = 0; i < count; ++i)
    convert(target + i * stride * size, type, source + i * sourceSize,
            sourceType, 1);
}

/// Calls visit(values, first, count) for parts of a row of the sources, widened
/// and migrated.
template <typename Visit>
static void forEachPart(const Form &form, const unsigned char *row,
                        ElementType type, Visit visit) {
  constexpr int64_t most = 1024;
  float values[most];
  int64_t width = rowElements(form);
  for (int64_t first = 0; first < width; first += most) {
    int64_t count = std::min(most, width - first);
    widen(values, row + first * int64_t(sizeOf(type)), type, count);
    if (form.migration)
      for (int64_t i = 0; i < count; ++i)
        values[i] *= form.migration[first + i];
    visit(values, first, count);
  }
}

/// The largest magnitude of a row / 127; NaN if there is one.
static float rowScale(const Form &form, const unsigned char *row,
                      ElementType type) {
  float largest = 0;
  bool isNan = false;
  forEachPart(form, row, type, [&](const float *x, int64_t, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      isNan = isNan || std::isnan(x[i]);
      largest = std::max(largest, std::fabs(x[i]));
    }
  });
  return isNan ? NAN : float(double(largest) / 127);
}

/// Row `row` of panels of I8: multiples of its scale, and the word after them
/// if there is one.
static void quantizeRow(const Form &form, int8_t *out, const unsigned char *in,
                        ElementType type, int64_t row) {
  float scale = rowScale(form, in, type);
  int64_t v = form.interleave;
  RowPlace place = placeRow(form, row);
  int32_t sum = 0;
  forEachPart(
      form, in, type, [&](const float *x, int64_t first, int64_t count) {
        for (int64_t i = 0; i < count; ++i) {
          int64_t index =
              paddedIndex(first + i, form.inGroup, form.channelPad());
          double value = std::nearbyint(double(x[i]) / double(scale));
          // Not where the scale is 0, NaN or infinite.
          auto q = int8_t(value >= -127 && value <= 127 ? value : 0);
          out[place.base + index / v * v * place.stride + index % v] = q;
          sum += q;
        }
      });
  if (!hasColumnSums(form))
    return;
  int32_t correction = -128 * sum;
  std::memcpy(out + place.base + paddedWidth(form) * place.stride, &correction,
              sizeof correction);
}

/// Forms whose elements depend on whole rows.
static void deriveRows(const Form &form, void *target, const void *source,
                       ElementType type, int64_t first, int64_t rows) {
  int64_t width = rowElements(form);
  const auto *in = static_cast<const unsigned char *>(source);
  for (int64_t row = first; row < first + rows; ++row) {
    if (form.kind == FormKind::RowScales)
      static_cast<float *>(target)[row] = rowScale(form, in, type);
    else
      quantizeRow(form, static_cast<int8_t *>(target), in, type, row);
    in += width * int64_t(sizeOf(type));
  }
}

void derive(const Form &form, void *target, const void *source,
            ElementType sourceType, int64_t begin, int64_t count) {
  if (form.kind == FormKind::RowScales || form.type == ElementType::I8)
    return deriveRows(form, target, source, sourceType,
                      begin / rowElements(form), count / rowElements(form));
  auto *out = static_cast<unsigned char *>(target);
  const auto *in = static_cast<const unsigned char *>(source);
  auto size = int64_t(sizeOf(form.type));
  auto sourceSize = int64_t(sizeOf(sourceType));
  if (form.splat) {
    if (begin != 0 || count < 1)
      return;
    forEachRun(form, 0, form.rows * form.width,
               [&](int64_t at, int64_t stride, int64_t, int64_t run) {
                 for (int64_t i = 0; i < run; ++i)
                   deriveRun(form.type, out + (at + i * stride) * size, 1, in,
                             sourceType, 1);
               });
    return;
  }
  while (count > 0) {
    int64_t row = begin / form.width;
    int64_t vector = kPanelGranule * form.width;
    int64_t part = count;
    if (begin % form.width == 0 && count >= vector &&
        isPanelVector(form, row)) {
      auto *deriveVector = unitBytes(form) == sizeof(uint32_t)
                               ? derivePanelVector<uint32_t>
                               : derivePanelVector<uint16_t>;
      deriveVector(form, out, in, sourceType, row);
      part = vector;
    } else {
      // A row at a time, since the next ones may be a vector of a panel.
      if (form.kind == FormKind::Panels)
        part = std::min(form.width - begin % form.width, count);
      forEachRun(form, begin, part,
                 [&](int64_t at, int64_t stride, int64_t done, int64_t run) {
                   deriveRun(form.type, out + at * size, stride,
                             in + done * sourceSize, sourceType, run);
                 });
    }
    begin += part;
    count -= part;
    in += part * sourceSize;
  }
}

void restore(const Form &form, const void *derived, float *target,
             int64_t begin, int64_t count) {
  const auto *in = static_cast<const unsigned char *>(derived);
  auto size = int64_t(sizeOf(form.type));
  if (form.splat) {
    if (begin == 0 && count > 0)
      widen(target, in, form.type, 1);
    return;
  }
  forEachRun(form, begin, count,
             [&](int64_t at, int64_t stride, int64_t done, int64_t run) {
               if (stride == 1)
                 return widen(target + done, in + at * size, form.type, run);
               for (int64_t i = 0; i < run; ++i)
                 widen(target + done + i, in + (at + i * stride) * size,
                       form.type, 1);
             });
}

//===----------------------------------------------------------------------===//
// Position tables
//===----------------------------------------------------------------------===//

double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2)
    return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

namespace {
/// The taps of one output position along one dimension.
struct Taps {
  double center; ///< in input positions, pixel centres at + 0.5
  double shrink; ///< antialiasing stretches the kernel by its inverse
  double a;
  double total; ///< of the weights
  int64_t first, count, size;
  bool isLinear;
  double share; ///< isLinear: the weight of the second of two taps

  int64_t index(int64_t tap) const {
    int64_t i = first + tap;
    return i < 0 ? 0 : i >= size ? size - 1 : i;
  }
  double raw(int64_t tap) const {
    if (isLinear)
      return tap ? share : 1 - share;
    return cubic((double(first + tap) - center + 0.5) * shrink, a);
  }
  double weight(int64_t tap) const { return raw(tap) / total; }
};
} // namespace

/// Between the neighbours of `position`, in input positions; beyond the border
/// the border's value is repeated.
static Taps makeLinearTaps(double position, int64_t from) {
  Taps taps = {};
  double below = std::floor(position);
  taps.isLinear = true;
  taps.total = 1;
  taps.size = from;
  taps.first = int64_t(below);
  taps.count = 2;
  taps.share = position - below;
  return taps;
}

/// Where row `target` of `to` lies among `from` rows that are at the distances
/// 0, 1, 1 + q, 1 + q + q^2, ... from the middle, as a fraction of rows. The
/// search for q is timm's.
static double geometricPosition(int64_t target, int64_t from, int64_t to) {
  int64_t rows = from / 2, middle = to / 2;
  auto half = double(rows);
  double left = 1.01, right = 1.5, q = left;
  while (right - left > 1e-6) {
    q = (left + right) / 2;
    double last = (1 - std::pow(q, half)) / (1 - q);
    (last > double(middle) ? right : left) = q;
  }
  auto distance = double(std::abs(target - middle));
  double sign = target < middle ? -1 : 1;
  double begin = 0, step = 1;
  for (int64_t i = 0; i < rows; ++i) {
    if (distance <= begin + step)
      return half + sign * (double(i) + (distance - begin) / step);
    begin += step;
    step = std::pow(q, double(i + 1));
  }
  return half + sign * half;
}

static Taps makeTaps(int64_t position, const Resampling &r, int axis) {
  int64_t from = r.from[axis], to = r.to[axis];
  bool antialias = r.antialias;
  double scale = double(from) / double(to);
  if (r.filter == Filter::Linear)
    return makeLinearTaps(scale * (double(position) + 0.5) - 0.5, from);
  if (r.filter == Filter::Geometric)
    return makeLinearTaps(geometricPosition(position, from, to), from);
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

void resample(const Form &form, void *target, const float *source) {
  const Resampling &r = form.resampling;
  int64_t width = form.width;
  auto size = int64_t(sizeOf(form.type));
  auto *out = static_cast<unsigned char *>(target);
  narrow(out, source, form.type, r.prefix * width);
  out += r.prefix * width * size;
  source += r.prefix * width;
  constexpr int64_t block = 64;
  for (int64_t y = 0; y < r.to[0]; ++y) {
    Taps rows = makeTaps(y, r, 0);
    for (int64_t x = 0; x < r.to[1]; ++x, out += width * size) {
      Taps columns = makeTaps(x, r, 1);
      for (int64_t c = 0; c < width; c += block) {
        int64_t count = std::min(width - c, block);
        double sums[block] = {};
        for (int64_t i = 0; i < rows.count; ++i)
          for (int64_t j = 0; j < columns.count; ++j) {
            double weight = rows.weight(i) * columns.weight(j);
            const float *cell =
                source + (rows.index(i) * r.from[1] + columns.index(j)) * width;
            for (int64_t k = 0; k < count; ++k)
              sums[k] += weight * double(cell[c + k]);
          }
        float values[block];
        for (int64_t k = 0; k < count; ++k)
          values[k] = float(sums[k]);
        narrow(out + c * size, values, form.type, count);
      }
    }
  }
  narrow(out, source + r.from[0] * r.from[1] * width, form.type,
         r.suffix * width);
}

void resamplingMatrix(const Resampling &resampling, int axis, float *matrix) {
  int64_t from = resampling.from[axis], to = resampling.to[axis];
  for (int64_t i = 0; i < to; ++i, matrix += from) {
    Taps taps = makeTaps(i, resampling, axis);
    for (int64_t j = 0; j < from; ++j) {
      double weight = 0;
      for (int64_t tap = 0; tap < taps.count; ++tap)
        if (taps.index(tap) == j)
          weight += taps.weight(tap);
      matrix[j] = float(weight);
    }
  }
}

void expandRelativePositions(const Form &form, void *target,
                             const float *source) {
  const RelativePositions &r = form.relative;
  int64_t tokens = r.tokens(), heads = form.rows / tokens;
  int64_t height = r.grid[0], width = r.grid[1];
  int64_t distances = r.tableRows() - 3 * r.prefix;
  auto size = int64_t(sizeOf(form.type));
  auto *out = static_cast<unsigned char *>(target);
  auto store = [&](int64_t head, int64_t row) {
    double sum = 0;
    for (int64_t table = 0; table < r.tables; ++table)
      sum += double(source[(table * r.tableRows() + row) * heads + head]);
    auto value = float(sum);
    narrow(out, &value, form.type, 1);
    out += size;
  };
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t i = -r.prefix; i < height * width; ++i) {
      if (r.prefix == 1)
        store(head, distances + (i < 0 ? 2 : 1));
      for (int64_t j = 0; j < height * width; ++j) {
        int64_t rows = i / width - j / width + height - 1;
        int64_t columns = i % width - j % width + width - 1;
        store(head, i < 0 ? distances : rows * (2 * width - 1) + columns);
      }
    }
}

void compute(const Form &form, void *target, const float *source) {
  if (form.kind == FormKind::Resample)
    resample(form, target, source);
  else
    expandRelativePositions(form, target, source);
}

} // namespace vit::format
