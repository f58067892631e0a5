//===- TorchFuzzer.cpp - Fuzzes the reader of torch.save's files ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/WeightFile.h"

#include <cstdlib>

using namespace vit::format;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  WeightFile weights;
  if (weights.read(data, size, "x", Allocator(), nullptr) != VIT_OK)
    return 0;
  // Every element of an accepted file must be there.
  uint64_t sum = 0;
  for (const StoredTensor &tensor : weights.stored().tensors()) {
    uint64_t count;
    if (!countElements(tensor.dims, tensor.rank, count) ||
        tensor.end - tensor.begin != count * sizeOf(tensor.type) ||
        (!tensor.copy && tensor.end > size) ||
        weights.stored().find(tensor.name) != &tensor)
      std::abort();
    for (uint64_t i = 0; i < tensor.end - tensor.begin; ++i)
      sum += tensor.data(data)[i];
  }
  static volatile uint64_t sink; // The reads must happen.
  sink = sum;
  return 0;
}
