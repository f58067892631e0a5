//===- RecordsFuzzer.cpp - Fuzzes the pickle and idx readers --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dataset.h"
#include "Pickle.h"

#include <cstdlib>

using namespace vit::data;

/// The first byte selects the format.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  Bytes file = {data + 1, size - 1};
  try {
    if (data[0] % 2) {
      IdxFile idx = parseIdx(file);
      uint64_t count = 1;
      for (int64_t dimension : idx.dims)
        count *= uint64_t(dimension);
      if (count != idx.storage.size() - idx.begin)
        std::abort();
      return 0;
    }
    vit::format::Pickle pickle;
    readPickle(file, "x", pickle);
    if (const PickleValue *array = pickle.root().find("data"))
      toArray(*array);
  } catch (const Failure &) {
  }
  return 0;
}
