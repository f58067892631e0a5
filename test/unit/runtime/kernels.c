//===- kernels.c - Kernels of test modules --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled into a section of their own without calls, vectors or constants in
// memory, so that the section is a position-independent code image like those
// of the compiler. ModuleBuilder.h adds it to modules.
//
//===----------------------------------------------------------------------===//

#include "kernels.h"

#define KERNEL __attribute__((section("vit_kernels"), used, noinline)) void

// Rows of 4: out = in * scale[channel].
KERNEL kernelScale(void *const *arguments, int64_t batch, int64_t begin,
                   int64_t end, void *scratch) {
  const float *in = arguments[0], *scale = arguments[1];
  float *out = arguments[2];
  for (int64_t i = begin * 4; i < end * 4; ++i)
    out[i] = in[i] * scale[i & 3];
}

// Images of 8 by weight panels of 16 outputs, 3 of them used; sums in scratch.
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

static inline __attribute__((always_inline)) float widen(uint16_t brain) {
  union {
    uint32_t bits;
    float value;
  } wide = {(uint32_t)brain << 16};
  return wide.value;
}

// The same with weights in bf16, two neighbouring depths side by side.
KERNEL kernelLinearBf16(void *const *arguments, int64_t batch, int64_t begin,
                        int64_t end, void *scratch) {
  const float *in = arguments[0];
  const uint16_t *weight = arguments[1];
  float *out = arguments[2];
  float *sums = scratch;
  for (int64_t b = begin; b < end; ++b)
    for (int64_t o = 0; o < 3; ++o) {
      sums[o] = in[b * 8] * widen(weight[o * 2]);
      for (int64_t k = 1; k < 8; ++k)
        sums[o] += in[b * 8 + k] * widen(weight[k / 2 * 32 + o * 2 + k % 2]);
      out[b * 3 + o] = sums[o];
    }
}

// Rows of 3: out = in + table[channel].
KERNEL kernelAdd(void *const *arguments, int64_t batch, int64_t begin,
                 int64_t end, void *scratch) {
  const float *in = arguments[0], *table = arguments[1];
  float *out = arguments[2];
  for (int64_t b = begin; b < end; ++b)
    for (int64_t o = 0; o < 3; ++o)
      out[b * 3 + o] = in[b * 3 + o] + table[o];
}

// Channels: gradient[c] = sum((image * scale - label) * image), zeros up to 16.
KERNEL kernelGradient(void *const *arguments, int64_t batch, int64_t begin,
                      int64_t end, void *scratch) {
  const float *in = arguments[0], *scale = arguments[2];
  const int32_t *labels = arguments[1];
  float *out = arguments[3];
  for (int64_t c = begin; c < end; ++c) {
    out[c] = 0;
    for (int64_t r = 0; c < 4 && r < batch * 2; ++r) {
      float x = in[r * 4 + c];
      out[c] += (x * scale[c] - (float)labels[r / 2]) * x;
    }
  }
}

// Elements: the batch.
KERNEL kernelBatch(void *const *arguments, int64_t batch, int64_t begin,
                   int64_t end, void *scratch) {
  float *out = arguments[0];
  for (int64_t i = begin; i < end; ++i)
    out[i] = (float)(int32_t)batch;
}

static inline __attribute__((always_inline)) float
computeLoss(void *const *arguments, int64_t batch) {
  const float *in = arguments[0], *scale = arguments[2];
  const int32_t *labels = arguments[1];
  float sum = 0;
  for (int64_t i = 0; i < batch * 8; ++i) {
    float difference = in[i] * scale[i & 3] - (float)labels[i / 8];
    sum += difference * difference;
  }
  return sum / (float)(int32_t)batch;
}

// One unit: sum((image * scale - label)^2) / batch.
KERNEL kernelLoss(void *const *arguments, int64_t batch, int64_t begin,
                  int64_t end, void *scratch) {
  float *out = arguments[3];
  out[0] = computeLoss(arguments, batch);
}

static inline __attribute__((always_inline)) uint16_t roundToBf16(float value) {
  union {
    float value;
    uint32_t bits;
  } wide = {value};
  return (uint16_t)((wide.bits + 0x7fff + (wide.bits >> 16 & 1)) >> 16);
}

// As kernelLoss, if the fourth argument is the scale in bf16; else -batch.
KERNEL kernelLossOfRounded(void *const *arguments, int64_t batch, int64_t begin,
                           int64_t end, void *scratch) {
  const float *scale = arguments[2];
  const uint16_t *rounded = arguments[3];
  float *out = arguments[4];
  out[0] = computeLoss(arguments, batch);
  for (int64_t c = 0; c < 4; ++c)
    if (rounded[c] != roundToBf16(scale[c]))
      out[0] = (float)(int32_t)-batch;
}

// One unit: step + seed.
KERNEL kernelCorrect(void *const *arguments, int64_t batch, int64_t begin,
                     int64_t end, void *scratch) {
  const int32_t *step = arguments[0], *seed = arguments[1];
  int32_t *out = arguments[2];
  out[0] = step[0] + seed[0];
}

static inline __attribute__((always_inline)) int isFinite(const float *value) {
  return (*(const uint32_t *)value & 0x7f800000) != 0x7f800000;
}

// Chunks of 16: gradient, guard, learning rate, parameters, momentum.
KERNEL kernelUpdate(void *const *arguments, int64_t batch, int64_t begin,
                    int64_t end, void *scratch) {
  const float *gradient = arguments[0], *rate = arguments[2];
  float *parameters = arguments[3], *momentum = arguments[4];
  if (!isFinite(arguments[1]))
    return;
  for (int64_t i = begin * 16; i < end * 16; ++i) {
    momentum[i] += gradient[i];
    parameters[i] -= rate[0] * momentum[i];
  }
}

// The same, and the parameters in bf16.
KERNEL kernelUpdateRounded(void *const *arguments, int64_t batch, int64_t begin,
                           int64_t end, void *scratch) {
  const float *gradient = arguments[0], *rate = arguments[2];
  float *parameters = arguments[3], *momentum = arguments[4];
  uint16_t *rounded = arguments[5];
  if (!isFinite(arguments[1]))
    return;
  for (int64_t i = begin * 16; i < end * 16; ++i) {
    momentum[i] += gradient[i];
    parameters[i] -= rate[0] * momentum[i];
    rounded[i] = roundToBf16(parameters[i]);
  }
}

// Chunks of 16: gradient, guard, momentum.
KERNEL kernelAccumulate(void *const *arguments, int64_t batch, int64_t begin,
                        int64_t end, void *scratch) {
  const float *gradient = arguments[0];
  float *momentum = arguments[2];
  if (!isFinite(arguments[1]))
    return;
  for (int64_t i = begin * 16; i < end * 16; ++i)
    momentum[i] += gradient[i];
}
