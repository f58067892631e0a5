//===- Initializer.h - How parameters start ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random numbers that are the same on every machine, for any number of threads
// and any memory layout: element i of a parameter depends on the seed, the
// parameter's name and i alone. The runtime and the reference interpreter use
// this file.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_INITIALIZER_H
#define VIT_FORMAT_INITIALIZER_H

#include <cstdint>

namespace vit::format {

/// In the order of `Distribution` of the schema and of the dialect.
enum class Initializer : uint8_t {
  Constant,     ///< value everywhere
  Normal,       ///< mean 0, deviation value (torch.nn.init.normal_)
  TruncNormal,  ///< the same, cut at -2 and 2 (torch.nn.init.trunc_normal_)
  Uniform,      ///< [-value, value)
  XavierUniform ///< [-b, b), b = sqrt(6 / (fan in + fan out)), whatever value:
                ///< torch.nn.init.xavier_uniform_ on [out, in * ...]
};

/// Writes elements [begin, begin + count) of the parameter `name` (with its
/// layer's number, "fc1.weight.3") of shape `dims` to out[0..count). The key is
/// the seed, the counter (i / 4, 0, XXH64(name) low, high); element i has word
/// i % 4, and normals come in pairs by Box and Muller in double.
void initialize(float *out, int64_t begin, int64_t count,
                Initializer distribution, double value, const int64_t *dims,
                int rank, uint64_t seed, const char *name);

} // namespace vit::format

#endif // VIT_FORMAT_INITIALIZER_H
