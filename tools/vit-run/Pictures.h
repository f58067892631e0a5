//===- Pictures.h - Lists and batches of picture files ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PICTURES_H
#define VIT_TOOLS_PICTURES_H

#include "Support.h"

#include <string>
#include <vector>

namespace vit::tools {

/// The pictures that `arguments` name: each file as it is given, and of each
/// folder the pictures in it and below it, in byte order of their paths. Throws
/// if there is nothing at an argument or a folder holds no pictures.
std::vector<std::string>
listPictures(const std::vector<std::string> &arguments);

/// Pictures of one batch. A picture that cannot be read has a message in
/// `errors` and no row in `input`.
struct PictureBatch {
  std::vector<std::string> errors; ///< One per picture; empty if it was read.
  Tensor input; ///< f32 [count, channels, height, width]; none if count is 0.
  int64_t count = 0;
};

PictureBatch loadPictures(const std::vector<std::string> &paths,
                          const vit_preprocessing &preprocessing);

} // namespace vit::tools

#endif // VIT_TOOLS_PICTURES_H
