//===- Tensor.cpp - Element types -----------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

#include <cstring>

using namespace vit::data;

size_t vit::data::dtypeSize(int32_t dtype) {
  switch (dtype) {
  case VIT_U8:
    return 1;
  case VIT_BF16:
  case VIT_F16:
    return 2;
  case VIT_F32:
  case VIT_I32:
    return 4;
  case VIT_F64:
  case VIT_I64:
    return 8;
  default:
    return 0;
  }
}

bool vit::data::countElements(const int64_t *dims, int32_t rank,
                              uint64_t &count) {
  // An empty tensor may have other dimensions of any size, so zero is looked
  // for first.
  bool empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return false;
    empty |= dims[i] == 0;
  }
  count = empty ? 0 : 1;
  for (int32_t i = 0; i < rank && !empty; ++i)
    if (__builtin_mul_overflow(count, uint64_t(dims[i]), &count) ||
        count > uint64_t(INT64_MAX))
      return false;
  return true;
}

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static float fromHalf(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
  if (exponent == 31)
    return fromBits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0)
    return fromBits(sign | (exponent + 112) << 23 | fraction << 13);
  // Subnormal: the fraction times 2^-24, exact in f32.
  float magnitude = float(fraction) * fromBits(0x33800000);
  return sign ? -magnitude : magnitude;
}

namespace {
template <typename Stored, typename Result, typename Convert>
void convertEach(const void *data, int64_t count, Result *out,
                 Convert convert) {
  const char *in = static_cast<const char *>(data);
  for (int64_t i = 0; i < count; ++i, in += sizeof(Stored)) {
    Stored element;
    std::memcpy(&element, in, sizeof(element));
    out[i] = Result(convert(element));
  }
}

template <typename Result>
void widenTo(int32_t dtype, const void *data, int64_t count, Result *out) {
  auto same = [](auto element) { return element; };
  switch (dtype) {
  case VIT_F32:
    return convertEach<float>(data, count, out, same);
  case VIT_BF16:
    return convertEach<uint16_t>(data, count, out, [](uint16_t element) {
      return fromBits(uint32_t(element) << 16);
    });
  case VIT_F16:
    return convertEach<uint16_t>(data, count, out, fromHalf);
  case VIT_I32:
    return convertEach<int32_t>(data, count, out, same);
  case VIT_I64:
    return convertEach<int64_t>(data, count, out, same);
  case VIT_U8:
    return convertEach<uint8_t>(data, count, out, same);
  case VIT_F64:
    return convertEach<double>(data, count, out, same);
  default:
    invalid("dtype " + std::to_string(dtype) + " is none of vit_dtype");
  }
}
} // namespace

void vit::data::widen(int32_t dtype, const void *data, int64_t count,
                      float *out) {
  widenTo(dtype, data, count, out);
}
void vit::data::widen(int32_t dtype, const void *data, int64_t count,
                      double *out) {
  widenTo(dtype, data, count, out);
}

size_t vit::data::checkTensor(const vit_tensor &tensor) {
  std::string name =
      tensor.name ? "tensor " + std::string(tensor.name) : "the tensor";
  size_t elementSize = dtypeSize(tensor.dtype);
  if (elementSize == 0)
    invalid(name + " has dtype " + std::to_string(tensor.dtype) +
            ", which is none of vit_dtype");
  if (tensor.rank < 0 || tensor.rank > VIT_MAX_RANK)
    invalid(name + " has rank " + std::to_string(tensor.rank));
  uint64_t count;
  if (!countElements(tensor.dims, tensor.rank, count))
    invalid(name + " has impossible dimensions");
  size_t bytes = multiply(count, elementSize, "the tensor");
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
    widen(dtype, data, count, out);
  });
}

extern "C" vit_status vit_data_to_f64(vit_dtype dtype, const void *data,
                                      int64_t count, double *out,
                                      vit_error *error) {
  return guarded(error, [&] {
    if (count < 0 || (count > 0 && (!data || !out)))
      invalid("vit_data_to_f64 needs data and somewhere to put the result");
    widen(dtype, data, count, out);
  });
}
