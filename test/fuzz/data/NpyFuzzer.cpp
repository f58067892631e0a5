//===- NpyFuzzer.cpp - Fuzzes the npy reader ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/vit-data.h"

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  vit_tensor tensor = {};
  if (vit_npy_read_memory(data, size, "input", &tensor, nullptr) != VIT_OK)
    return 0;
  int64_t count = 1;
  for (int32_t i = 0; i < tensor.rank; ++i)
    count *= tensor.dims[i] ? tensor.dims[i] : 0;
  // The reader guarantees that the elements lie within the file.
  if (count < 0 || uint64_t(count) > size)
    std::abort();
  std::vector<double> values(static_cast<size_t>(count) + 1);
  if (vit_data_to_f64(tensor.dtype, tensor.data, count, values.data(),
                      nullptr) != VIT_OK)
    std::abort();
  vit_tensor_release(&tensor);
  return 0;
}
