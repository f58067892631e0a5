//===- Augment.h - Random changes to training pictures ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_AUGMENT_H
#define VIT_DATA_AUGMENT_H

#include "Image.h"

namespace vit::data {

/// Fails if the fields are invalid.
void checkAugmentation(const vit_augmentation *augmentation);

/// Preprocesses one picture with random changes: crop and mirroring of the
/// pixels, erasure on the tensor. `augmentation` may be NULL.
void augment(const vit_image &image, const vit_preprocessing &preprocessing,
             const vit_augmentation *augmentation, int64_t epoch, int64_t index,
             float *out);

/// vit_data_shuffle with valid arguments.
void shuffle(uint64_t seed, int64_t epoch, int64_t count, int64_t *out);

} // namespace vit::data

#endif // VIT_DATA_AUGMENT_H
