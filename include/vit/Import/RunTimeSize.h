//===- RunTimeSize.h - Models that take pictures of any size ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs the standard library alone, so that tools without LLVM have it too.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_IMPORT_RUNTIMESIZE_H
#define VIT_IMPORT_RUNTIMESIZE_H

#include <string_view>

namespace mlir::vit {

/// Whether transformers' models of `modelType` take pictures of the size that
/// they are prepared to, whatever image_size says, and resample their tables of
/// positions at run time (DINOv3 has none).
inline bool takesSizeOfPictures(std::string_view modelType) {
  for (std::string_view known : {"dinov2", "dinov2_with_registers",
                                 "dinov3_vit", "beit", "data2vec-vision"})
    if (modelType == known)
      return true;
  return false;
}

} // namespace mlir::vit

#endif // VIT_IMPORT_RUNTIMESIZE_H
