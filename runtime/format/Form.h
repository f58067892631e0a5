//===- Form.h - The forms of parameters that kernels read -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A parameter is logical, row-major and f32. Kernels read forms derived from
// it: panels, padded channels, several parameters in one, perhaps in a narrower
// element type. The functions here convert between the two, in the caller's
// memory. Compiler and runtime use the same ones, so that a form that is stored
// in a module equals the one that the runtime makes when it loads it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_FORM_H
#define VIT_FORMAT_FORM_H

#include "format/ElementType.h"

namespace vit::schema {
struct Derived;
} // namespace vit::schema

namespace vit::format {

/// Channels of activations and of forms are padded to a multiple of this.
inline constexpr int64_t kChannelPad = 16;
/// The width of a panel is a multiple of this.
inline constexpr int64_t kPanelGranule = 16;

/// Whether a product of int8 can have `x` as a given scale of its input or as a
/// factor of a channel: the range is wide enough for any activations, and the
/// inverse of a product of two such numbers is a normal number.
inline bool isScale(float x) { return x >= 0x1p-60f && x <= 0x1p60f; }

/// In the order of `DerivedKind` of the schema.
enum class FormKind : uint8_t {
  Panels,
  Channels,
  RowMajor,
  Resample,
  RelativePositions,
  RowScales
};

/// How the rows of a grid are interpolated along each axis. In the order of
/// `Filter` of the schema.
enum class Filter : uint8_t {
  Cubic,    ///< torch.nn.functional.interpolate(mode="bicubic"), a = -0.75, or
            ///< with `antialias` as antialias=True, a = -0.5
  Linear,   ///< the same with mode="bilinear"
  Geometric ///< linear between rows at distances 1, 1 + q, 1 + q + q^2, ...
            ///< from the middle: timm's resize_rel_pos_bias_table
};

/// Takes a table [prefix + from[0] * from[1] + suffix, width] to another grid.
struct Resampling {
  int64_t prefix = 0; ///< leading rows that are copied
  int64_t from[2] = {0, 0};
  int64_t to[2] = {0, 0};
  bool antialias = false;
  int64_t suffix = 0; ///< last rows that are copied
  Filter filter = Filter::Cubic;
};

/// Expands tables of relative positions to the bias of attention's scores.
struct RelativePositions {
  int64_t tables = 1; ///< one above the other in the source; they are added
  int64_t grid[2] = {0, 0};
  int64_t prefix = 0; ///< class tokens, 0 or 1

  int64_t tokens() const { return prefix + grid[0] * grid[1]; }
  /// The rows of one table.
  int64_t tableRows() const {
    return (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 * prefix;
  }
};

/// A form of a logical row-major [rows, width] (rank 1: one row). With pad(n,
/// g, m) = n rounded up to a multiple of m if g is 0, else n / g * (g rounded
/// up to a multiple of m), and c(i, g, m) = i if g is 0, else i / g * (g
/// rounded up to a multiple of m) + i % g, the element [r, k] lies at
///
///   RowMajor  r * width + k
///   Channels  r * pad(width, inGroup, 16) + c(k, inGroup, 16)
///   Panels    p * cols * pad(width, inGroup, l) + (d / v * w + q % cols) * v
///               + d % v
///             with v = interleave, l the elements of a line of 64 bytes (cols
///             = 1: 16), d = c(k, inGroup, l), q = c(r, outGroup, 16), p = q /
///             cols and w, the width of panel p: cols, or for the last panel
///             what is left of pad(rows, outGroup, 16).
///
/// So depths are padded as rows of the other operand are on CPUs. Panels of I8
/// hold multiples of the scale of their row, its largest magnitude / 127,
/// rounded to nearest even. If v is 4, behind the depths of each panel follows
/// a word of 32 bits for each of its columns, -128 times the sum of the column:
/// the sums of products that add 128 to the other operand begin there. Rows of
/// I8 (cols = 1, v = 1) have no such word. RowScales are the scales, [width],
/// of a source [width, depth]. Both first multiply the elements of a row by
/// `migration`, if that is not null. All other elements are zero. Resample and
/// RelativePositions are row-major, too; rows and width are those of the
/// result.
struct Form {
  FormKind kind = FormKind::RowMajor;
  ElementType type = ElementType::F32; ///< of the form; isFloat, or I8 panels
  int64_t rows = 0;
  int64_t width = 0;
  int64_t cols = 0;           ///< Panels: 1, or a multiple of kPanelGranule
  int64_t interleave = 1;     ///< Panels: neighbouring depths; 1, 2 or 4
  int64_t outGroup = 0;       ///< Panels: 0 or a divisor of rows
  int64_t inGroup = 0;        ///< Panels, Channels: 0 or a divisor of width
  bool splat = false;         ///< Channels: one element stands for all
  Resampling resampling;      ///< Resample
  RelativePositions relative; ///< RelativePositions
  int64_t depth = 0;          ///< RowScales: elements of a row of the sources
  /// I8, RowScales: a factor for each element of a row, or null. Not owned.
  const float *migration = nullptr;

  int64_t sourceElements() const;
  /// What the channels of each group are padded to a multiple of.
  int64_t channelPad() const {
    constexpr int64_t lineBytes = 64;
    return kind == FormKind::Panels && cols != 1
               ? lineBytes / int64_t(sizeOf(type))
               : kChannelPad;
  }
};

/// Returns the form that verified metadata describes. It points to the
/// metadata's migration.
Form formOf(const schema::Derived &derived);

/// The elements and bytes of a form that passed `checkForm`.
int64_t formElements(const Form &form);
uint64_t formBytes(const Form &form);

/// Returns what is wrong with a form, or NULL: then formBytes(form) fits an
/// int64_t.
const char *checkForm(const Form &form);

/// Whether the values of the form are computed from those of all sources, by
/// `compute`, instead of being copied one by one.
inline bool isComputed(const Form &form) {
  return form.kind == FormKind::Resample ||
         form.kind == FormKind::RelativePositions;
}

/// Whether the form holds the values of its sources, perhaps rounded.
inline bool holdsValues(const Form &form) {
  return !isComputed(form) && form.kind != FormKind::RowScales;
}

/// Whether any value of a parameter can be read back from the form, bit for
/// bit. Parameters are never restored from a form that is not lossless.
inline bool isLossless(const Form &form) {
  return holdsValues(form) && form.type == ElementType::F32;
}

/// The elements of a row of the sources; if each element of the form depends on
/// a whole row (RowScales, I8), ranges consist of whole rows.
inline int64_t rowElements(const Form &form) {
  return form.kind == FormKind::RowScales ? form.depth : form.width;
}

/// Stores elements [begin, begin + count) of the logical tensor, row-major at
/// `source`, in the form at `target`. The caller zeroes `target` before its
/// first use: padding is not written. Ranges may come in any order. Not for
/// forms that are computed.
void derive(const Form &form, void *target, const void *source,
            ElementType sourceType, int64_t begin, int64_t count);

/// The inverse: reads elements [begin, begin + count) back.
void restore(const Form &form, const void *derived, float *target,
             int64_t begin, int64_t count);

/// Makes the whole form of kind Resample: prefix and suffix are copied, the
/// rest is interpolated with align_corners false. Sums are in double.
void resample(const Form &form, void *target, const float *source);

/// The matrix [to, from] with which `resample` multiplies a table along
/// `axis`, row-major, rounded to float. `matrix` has room for it.
void resamplingMatrix(const Resampling &resampling, int axis, float *matrix);

/// Makes the whole form of kind RelativePositions: element [n, i, j] is the sum
/// over the tables of their value for head n and the position of token i
/// relative to token j, as transformers' BeitRelativePositionBias.
void expandRelativePositions(const Form &form, void *target,
                             const float *source);

/// Makes the whole of a form that is computed, from the row-major values of its
/// sources.
void compute(const Form &form, void *target, const float *source);

/// Keys' cubic convolution kernel.
double cubic(double x, double a);

} // namespace vit::format

#endif // VIT_FORMAT_FORM_H
