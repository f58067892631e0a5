//===- Oracle.h - Reference functions on floats -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_CPU_ORACLE_H
#define VIT_TEST_CPU_ORACLE_H

#include "../../../lib/Reference/Ops.h"
#include "Harness.h"

namespace test {

/// Row-major floats as a tensor of the reference interpreter.
inline mlir::vit::reference::Tensor tensor(const Floats &values,
                                           std::vector<int64_t> shape) {
  mlir::vit::reference::Tensor result(std::move(shape));
  result.data.assign(values.begin(), values.end());
  return result;
}

/// A value without a batch, padded to whole vectors with `fill`.
inline Floats padFlat(Floats values, float fill = 0) {
  values.resize((values.size() + 15) / 16 * 16, fill);
  return values;
}

/// An i32 as the bits of a float.
inline float bits(int32_t value) {
  float result;
  memcpy(&result, &value, sizeof result);
  return result;
}

/// [batch, tokens, width], or [batch, width] if tokens is 0.
inline std::vector<int64_t> shapeOf(int64_t batch, int64_t tokens,
                                    int64_t width) {
  return tokens ? std::vector<int64_t>{batch, tokens, width}
                : std::vector<int64_t>{batch, width};
}

} // namespace test

#endif // VIT_TEST_CPU_ORACLE_H
