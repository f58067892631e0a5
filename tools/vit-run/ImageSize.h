//===- ImageSize.h - Training at another image size -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_IMAGESIZE_H
#define VIT_TOOLS_IMAGESIZE_H

#include <string>

namespace vit::tools {

/// Makes TARGET, the folder of a model to be trained that is based on the
/// folder `checkpoint` (see makeModelFolder), one for pictures of `size`, "H"
/// or "HxW":
///
///   - config.json states the size (image_size; timm: img_size and input_size),
///     so that the position table is one of the new size, unless the library
///     resamples a table of the old size at run time (DINOv2, BEiT; CLIP and
///     SigLIP to a size that is no square): then training goes through the
///     resampling;
///   - the sizes of preprocessor_config.json (transformers) are scaled in
///     proportion.
///
/// Throws an Error if `size` is not a size.
void setModelSize(const std::string &checkpoint, const std::string &target,
                  const std::string &size);

/// The size of pictures that a checkpoint was trained at with --image-size, if
/// its text or config.json is for another one; empty if `folder` does not say
/// one.
std::string readTrainedSize(const std::string &folder);

} // namespace vit::tools

#endif // VIT_TOOLS_IMAGESIZE_H
