//===- Tensor.h - Element types ---------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_TENSOR_H
#define VIT_DATA_TENSOR_H

#include "Support.h"

namespace vit::data {

/// Bytes of one element; 0 for a value that is no dtype. (vit_dtype_size is
/// libvit-runtime's, which this library does without.)
size_t dtypeSize(int32_t dtype);

/// Product of the dimensions; false where it does not fit or one is negative.
bool countElements(const int64_t *dims, int32_t rank, uint64_t &count);

/// Converts from unaligned memory.
void widen(int32_t dtype, const void *data, int64_t count, float *out);
void widen(int32_t dtype, const void *data, int64_t count, double *out);

/// Fails unless a caller's tensor has a dtype, a rank and enough memory;
/// returns the bytes of its elements.
size_t checkTensor(const vit_tensor &tensor);

} // namespace vit::data

#endif // VIT_DATA_TENSOR_H
