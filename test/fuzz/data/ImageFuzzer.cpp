//===- ImageFuzzer.cpp - Fuzzes the image decoders ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/vit-data.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  vit_image_options options = {sizeof(options), 3, 1, 1 << 18};
  vit_image image = {};
  if (vit_image_load_memory(data, size, "input", &options, &image, nullptr) !=
      VIT_OK)
    return 0;
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = size % 2 ? 1 : 3;
  p.height = p.width = 16;
  p.resize_height = 20;
  p.resize_width = size % 3 ? -1 : -24;
  p.center_crop = 1 + int32_t(size % 2);
  p.interpolation = int32_t(size % 6);
  p.scale = 1;
  for (float &value : p.std)
    value = 1;
  float out[3 * 16 * 16];
  // A picture may be too elongated; any other failure is a bug.
  vit_status status = vit_image_preprocess(&image, &p, out, nullptr);
  if (status != VIT_OK && status != VIT_UNSUPPORTED)
    std::abort();
  vit_image_release(&image);
  return 0;
}
