//===- Tensor.cpp - Tensors of callers ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

using namespace vit::data;
using namespace vit::format;

ElementType vit::data::toElementType(int32_t dtype) {
  if (dtype < 0 || dtype >= kReadableTypes)
    invalid("dtype " + std::to_string(dtype) + " is none of vit_dtype");
  return ElementType(dtype);
}

size_t vit::data::checkTensor(const vit_tensor &tensor) {
  std::string name =
      tensor.name ? "tensor " + std::string(tensor.name) : "the tensor";
  if (tensor.dtype < 0 || tensor.dtype >= kReadableTypes)
    invalid(name + " has dtype " + std::to_string(tensor.dtype) +
            ", which is none of vit_dtype");
  if (tensor.rank < 0 || tensor.rank > VIT_MAX_RANK)
    invalid(name + " has rank " + std::to_string(tensor.rank));
  uint64_t count;
  if (!countElements(tensor.dims, tensor.rank, count))
    invalid(name + " has impossible dimensions");
  if (tensor.memory != VIT_HOST)
    invalid(name + " is not in host memory: copy it there first");
  size_t bytes =
      multiply(count, sizeOf(ElementType(tensor.dtype)), "the tensor");
  if (bytes > tensor.size || (bytes > 0 && !tensor.data))
    invalid(name + " has " + std::to_string(tensor.size) +
            " bytes of memory, its dimensions need " + std::to_string(bytes));
  return bytes;
}

extern "C" vit_status vit_data_to_f32(vit_dtype dtype, const void *data,
                                      int64_t count, float *out,
                                      vit_error *error) {
  return guarded(error, [&] {
    if (count < 0 || (count > 0 && (!data || !out)))
      invalid("vit_data_to_f32 needs data and somewhere to put the result");
    widen(out, data, toElementType(dtype), count);
  });
}

extern "C" vit_status vit_data_to_f64(vit_dtype dtype, const void *data,
                                      int64_t count, double *out,
                                      vit_error *error) {
  return guarded(error, [&] {
    if (count < 0 || (count > 0 && (!data || !out)))
      invalid("vit_data_to_f64 needs data and somewhere to put the result");
    widen(out, data, toElementType(dtype), count);
  });
}
