//===- kernels.h - Kernels of test modules ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_KERNELS_H
#define VIT_TEST_KERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void kernelScale(void *const *arguments, int64_t batch, int64_t begin,
                 int64_t end, void *scratch);
void kernelLinear(void *const *arguments, int64_t batch, int64_t begin,
                  int64_t end, void *scratch);
void kernelLinearBf16(void *const *arguments, int64_t batch, int64_t begin,
                      int64_t end, void *scratch);
void kernelAdd(void *const *arguments, int64_t batch, int64_t begin,
               int64_t end, void *scratch);
void kernelGradient(void *const *arguments, int64_t batch, int64_t begin,
                    int64_t end, void *scratch);
void kernelBatch(void *const *arguments, int64_t batch, int64_t begin,
                 int64_t end, void *scratch);
void kernelLoss(void *const *arguments, int64_t batch, int64_t begin,
                int64_t end, void *scratch);
void kernelCorrect(void *const *arguments, int64_t batch, int64_t begin,
                   int64_t end, void *scratch);
void kernelUpdate(void *const *arguments, int64_t batch, int64_t begin,
                  int64_t end, void *scratch);
void kernelLossOfRounded(void *const *arguments, int64_t batch, int64_t begin,
                         int64_t end, void *scratch);
void kernelUpdateRounded(void *const *arguments, int64_t batch, int64_t begin,
                         int64_t end, void *scratch);
void kernelAccumulate(void *const *arguments, int64_t batch, int64_t begin,
                      int64_t end, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
