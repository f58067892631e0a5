//===- Binding.cpp - The caller's tensors against an entry's --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"

#include "Verify.h"
#include "format/Extent.h"

#include <cstdio>

namespace vit::runtime {

static bool isCalled(const flatbuffers::String *text, const char *name) {
  return text && text->size() == std::strlen(name) &&
         std::memcmp(text->Data(), name, text->size()) == 0;
}

vit_status findBinding(const Bindings &bindings, const char *name,
                       const char *what, uint32_t &index, vit_error *error) {
  index = 0;
  if (!name)
    return VIT_OK;
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const schema::Binding &binding = *bindings.Get(i);
    if (isCalled(binding.name(), name) || isCalled(binding.alias(), name)) {
      index = i;
      return VIT_OK;
    }
  }
  char list[512] = "";
  size_t used = 0;
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    int added = std::snprintf(list + used, sizeof list - used, "%s'%s'",
                              i ? ", " : "", bindings.Get(i)->name()->c_str());
    used += size_t(added);
    if (used >= sizeof list - 8) {
      std::snprintf(list + sizeof list - 8, 8, ", ...");
      break;
    }
  }
  return fail(error, VIT_NOT_FOUND, "there is no %s '%.200s': there is %s",
              what, name, list);
}

static const char *dtypeName(const vit_dtype &dtype) {
  static constexpr const char *names[] = {"f32", "bf16", "f16", "i32",
                                          "i64", "u8",   "f64"};
  int number = numberOf(dtype);
  return number >= 0 && number < 7 ? names[number] : "of no known type";
}

/// "[8, 3, 224, 224]"
template <typename Get>
static void writeShape(char *text, size_t size, int32_t rank, Get get) {
  size_t used = size_t(std::snprintf(text, size, "["));
  for (int32_t i = 0; i < rank && used < size; ++i)
    used += size_t(std::snprintf(text + used, size - used, "%s%lld",
                                 i ? ", " : "", lld(get(i))));
  if (used < size)
    std::snprintf(text + used, size - used, "]");
}

static int64_t expectedDim(const schema::Binding &binding, int32_t i,
                           int64_t batch) {
  int64_t dim = binding.dims()->Get(uint32_t(i));
  return dim == -1 ? batch : dim;
}

vit_status readBatch(const schema::Binding &binding, const vit_tensor &tensor,
                     int64_t &batch, vit_error *error) {
  batch = 1;
  // The rank differs: checkTensor reports it.
  if (binding.dims()->size() == 0 || binding.dims()->Get(0) != -1 ||
      tensor.rank != int32_t(binding.dims()->size()))
    return VIT_OK;
  batch = tensor.dims[0];
  if (batch >= 1 && batch <= kMaxBatch)
    return VIT_OK;
  return fail(error, VIT_INVALID_ARGUMENT,
              "input '%s' has a batch of %lld: 1 to %lld are possible",
              binding.name()->c_str(), lld(batch), lld(kMaxBatch));
}

void describeOutput(const schema::Binding &binding, vit_tensor &tensor,
                    int64_t batch) {
  if (tensor.rank != 0)
    return;
  tensor.dtype = vit_dtype(binding.dtype());
  tensor.rank = int32_t(binding.dims()->size());
  for (int32_t i = 0; i < tensor.rank; ++i)
    tensor.dims[i] = expectedDim(binding, i, batch);
}

vit_status checkTensor(const schema::Binding &binding, const vit_tensor &tensor,
                       const char *what, int64_t batch, vit_error *error) {
  const char *name = binding.name()->c_str();
  auto dtype = vit_dtype(binding.dtype());
  if (numberOf(tensor.dtype) != int(dtype))
    return fail(error, VIT_INVALID_ARGUMENT, "%s '%s' is %s, expected %s", what,
                name, dtypeName(tensor.dtype), dtypeName(dtype));
  auto rank = int32_t(binding.dims()->size());
  bool same = tensor.rank == rank;
  for (int32_t i = 0; same && i < rank; ++i)
    same = tensor.dims[i] == expectedDim(binding, i, batch);
  if (!same) {
    char given[256], expected[256];
    writeShape(given, sizeof given,
               tensor.rank < 0              ? 0
               : tensor.rank > VIT_MAX_RANK ? VIT_MAX_RANK
                                            : tensor.rank,
               [&](int32_t i) { return tensor.dims[i]; });
    writeShape(expected, sizeof expected, rank,
               [&](int32_t i) { return expectedDim(binding, i, batch); });
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s '%s' has shape %s, expected %s", what, name, given,
                expected);
  }
  uint64_t bytes;
  if (!bindingBytes(binding, batch, bytes))
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s '%s' is larger than there are addresses", what, name);
  if (!tensor.data || tensor.size < bytes)
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s '%s' has %zu bytes, expected %llu", what, name,
                tensor.data ? tensor.size : size_t(0), llu(bytes));
  if (reinterpret_cast<uintptr_t>(tensor.data) % vit_dtype_size(dtype) != 0)
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s '%s' is not aligned to its elements", what, name);
  return VIT_OK;
}

} // namespace vit::runtime
