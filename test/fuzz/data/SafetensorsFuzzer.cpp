//===- SafetensorsFuzzer.cpp - Fuzzes the safetensors reader --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Safetensors.h"

#include <cstdlib>

using namespace vit::format;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Safetensors header;
  if (header.read(data, size, "x", Allocator(), nullptr) != VIT_OK)
    return 0;
  // Tensors of an accepted file must cover the file after its header.
  uint64_t end = 0;
  for (const StoredTensor &tensor : header.tensors()) {
    if (tensor.begin < 8 || tensor.end < tensor.begin || tensor.end > size ||
        (end != 0 && tensor.begin != end) ||
        header.find(tensor.name) != &tensor)
      std::abort();
    end = tensor.end;
  }
  return 0;
}
