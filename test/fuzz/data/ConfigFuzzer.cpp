//===- ConfigFuzzer.cpp - Fuzzes the configurations of model folders ------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/vit-data.h"

#include <cstdlib>
#include <string>

/// The first byte selects the kind of file; for 2, a NUL separates two files.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string text(reinterpret_cast<const char *>(data) + 1, size - 1);
  std::string second;
  if (size_t middle = text.find('\0'); middle != std::string::npos)
    second = text.substr(middle + 1);
  const char *processor = data[0] == 1 ? nullptr : text.c_str();
  const char *config = data[0] == 1   ? text.c_str()
                       : data[0] == 2 ? second.c_str()
                                      : nullptr;
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  vit_status status =
      vit_preprocessing_from_json(processor, config, &p, nullptr);
  if (status == VIT_OK ? p.height < 1 || p.width < 1
                       : status != VIT_CORRUPT && status != VIT_UNSUPPORTED)
    std::abort();
  return 0;
}
