//===- kernels.c - Kernels of test modules --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled without calls, constants in memory and vectors, into a section of
// their own, whose bytes are a position-independent code image as the
// compiler makes them: module_builder.h puts them into modules.
//
//===----------------------------------------------------------------------===//

#include "kernels.h"

#define KERNEL __attribute__((section("vit_kernels"), used, noinline)) void

// rows of 4: out = in * scale[channel]
KERNEL kernelScale(void *const *arguments, int64_t batch, int64_t begin,
                   int64_t end, void *scratch) {
  const float *in = arguments[0], *scale = arguments[1];
  float *out = arguments[2];
  for (int64_t i = begin * 4; i < end * 4; ++i)
    out[i] = in[i] * scale[i & 3];
}

// images of 8 by weight panels of 16 outputs, 3 of them used; sums in scratch
KERNEL kernelLinear(void *const *arguments, int64_t batch, int64_t begin,
                    int64_t end, void *scratch) {
  const float *in = arguments[0], *weight = arguments[1];
  float *out = arguments[2];
  float *sums = scratch;
  for (int64_t b = begin; b < end; ++b)
    for (int64_t o = 0; o < 3; ++o) {
      sums[o] = in[b * 8] * weight[o];
      for (int64_t k = 1; k < 8; ++k)
        sums[o] += in[b * 8 + k] * weight[k * 16 + o];
      out[b * 3 + o] = sums[o];
    }
}

// rows of 3: out = in + table[channel]
KERNEL kernelAdd(void *const *arguments, int64_t batch, int64_t begin,
                 int64_t end, void *scratch) {
  const float *in = arguments[0], *table = arguments[1];
  float *out = arguments[2];
  for (int64_t b = begin; b < end; ++b)
    for (int64_t o = 0; o < 3; ++o)
      out[b * 3 + o] = in[b * 3 + o] + table[o];
}
