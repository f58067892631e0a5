//===- SafetensorsFuzzer.cpp - Any bytes as a safetensors file ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Weights.h"

#include <cstdlib>

using namespace vit::data;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    SafetensorsHeader header = parseSafetensors({data, size});
    // What passed must tile the file behind its header.
    uint64_t end = 0;
    for (const StoredTensor &tensor : header.tensors) {
      if (tensor.begin < 8 || tensor.end < tensor.begin || tensor.end > size ||
          (end != 0 && tensor.begin != end) || !tensor.dtypeName)
        std::abort();
      end = tensor.end;
    }
  } catch (const Failure &) {
  }
  return 0;
}
