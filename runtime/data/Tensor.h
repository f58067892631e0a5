//===- Tensor.h - Tensors of callers ----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_TENSOR_H
#define VIT_DATA_TENSOR_H

#include "Support.h"
#include "format/ElementType.h"

namespace vit::data {

/// Returns the element type of a caller's tensor; fails if `dtype` is none.
format::ElementType toElementType(int32_t dtype);

/// Fails unless a caller's tensor has a dtype, a rank and enough memory;
/// returns the bytes of its elements.
size_t checkTensor(const vit_tensor &tensor);

} // namespace vit::data

#endif // VIT_DATA_TENSOR_H
