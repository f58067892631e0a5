//===- derive.h - The forms of parameters that kernels read -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A parameter is logical and row-major; what a kernel reads of it is derived:
// panels, padded channels, several parameters in one. This file lays them out
// and reads them back. Plain functions on memory of the caller; the compiler
// (which can store derived forms) and tests are built with this file too.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DERIVE_H
#define VIT_RUNTIME_DERIVE_H

#include <cstdint>

namespace vit::runtime {

/// Element types of stored weights, numbered as vit_dtype.
enum class StoredType : uint8_t { F32 = 0, BF16 = 1, F16 = 2 };

inline int64_t storedSize(StoredType type) {
  return type == StoredType::F32 ? 4 : 2;
}

/// Exactly widens `count` elements at `source`, of any alignment.
void widen(float *target, const void *source, StoredType type, int64_t count);

/// In the order of `DerivedKind` of the schema, whose fourth kind is
/// `resamplePositions` below.
enum class FormKind : uint8_t { Panels, Channels, RowMajor };

/// A derived form of a logical row-major [rows, width] (rank 1: one row). With
/// pad(n, g) = n up to a multiple of 16 where g is 0, else n / g * (g up to a
/// multiple of 16), the element [r, k] lies at
///
///   RowMajor  r * width + k
///   Channels  r * pad(width, inGroup) + c(k, inGroup)
///   Panels    p * cols * pad(width, inGroup) + c(k, inGroup) * w + q % cols,
///             where q = c(r, outGroup), p = q / cols and w, the width of panel
///             p, is cols or what is left of pad(rows, outGroup) for the last;
///
/// c(i, g) is i where g is 0, else i / g * (g up to a multiple of 16) + i % g.
/// All else is zero.
struct Form {
  FormKind kind = FormKind::RowMajor;
  int64_t rows = 0;
  int64_t width = 0;
  int64_t cols = 0;     ///< Panels: a multiple of 16
  int64_t outGroup = 0; ///< Panels: 0 or a divisor of rows
  int64_t inGroup = 0;  ///< Panels, Channels: 0 or a divisor of width
  bool splat = false;   ///< Channels: one element stands for all of them

  int64_t sourceElements() const { return splat ? 1 : rows * width; }
};

/// The floats of `form`. All sizes must be positive and their padded products
/// fit an int64_t (see checkForm).
int64_t formElements(const Form &form);

/// What is wrong with the numbers of a form that someone else wrote, NULL where
/// it is sound: then formElements(form) * 4 fits an int64_t.
const char *checkForm(const Form &form);

/// Lays elements [begin, begin + count) of the logical tensor, stored row-major
/// at `source`, into `target`. Leaves everything else as it is: the caller
/// zeroes `target` once before its first use. Ranges may come in any order.
void deriveElements(const Form &form, float *target, const void *source,
                    StoredType type, int64_t begin, int64_t count);

/// The inverse: reads elements [begin, begin + count) back.
void restoreElements(const Form &form, const float *derived, float *target,
                     int64_t begin, int64_t count);

/// The position table [prefix + from[0] * from[1], width] on another grid: the
/// prefix is kept, the rest interpolated bicubically with align_corners false,
/// as torch.nn.functional.interpolate(mode="bicubic") does (a = -0.75), or,
/// where `antialias`, as with antialias=True (a = -0.5). Sums are in double.
void resamplePositions(float *target, const float *source, int64_t width,
                       int64_t prefix, const int64_t from[2],
                       const int64_t to[2], bool antialias);

} // namespace vit::runtime

#endif // VIT_RUNTIME_DERIVE_H
