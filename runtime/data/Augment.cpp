//===- Augment.cpp - Random changes to training pictures ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Augment.h"

#include "Dataset.h"
#include "Random.h"

#include <cmath>

using namespace vit::data;

void vit::data::checkAugmentation(const vit_augmentation *augmentation) {
  if (!augmentation)
    return;
  if (augmentation->struct_size < sizeof(vit_augmentation))
    invalid("set struct_size to sizeof(vit_augmentation)");
  constexpr int32_t most = 1 << 20;
  if (augmentation->crop_padding < 0 || augmentation->crop_padding > most)
    invalid("crop_padding " + std::to_string(augmentation->crop_padding) +
            " is not possible");
  if (!(augmentation->erase >= 0 && augmentation->erase <= 1))
    invalid("the probability of an erasure must lie between 0 and 1");
}

/// torchvision.transforms.RandomErasing(p, scale=(0.02, 0.33), ratio=(0.3,
/// 3.3), value=0) after Zhong et al., "Random Erasing Data Augmentation", AAAI
/// 2020: a rectangle of an area and an aspect ratio (uniform in its logarithm)
/// drawn again, ten times at most, until it is smaller than the picture.
static void erase(float probability, const vit_preprocessing &p,
                  RandomStream &random, float *out) {
  if (random.uniform(0, 1) >= probability)
    return;
  double area = double(p.height) * p.width;
  for (int attempt = 0; attempt < 10; ++attempt) {
    double erased = area * random.uniform(0.02, 0.33);
    double ratio = std::exp(random.uniform(std::log(0.3), std::log(3.3)));
    double rows = std::nearbyint(std::sqrt(erased * ratio));
    double columns = std::nearbyint(std::sqrt(erased / ratio));
    if (rows >= p.height || columns >= p.width)
      continue;
    int32_t height = int32_t(rows), width = int32_t(columns);
    auto top = int32_t(random.below(uint32_t(p.height - height + 1)));
    auto left = int32_t(random.below(uint32_t(p.width - width + 1)));
    for (int32_t c = 0; c < p.channels; ++c)
      for (int32_t y = top; y < top + height; ++y)
        for (int32_t x = left; x < left + width; ++x)
          out[(size_t(c) * size_t(p.height) + size_t(y)) * size_t(p.width) +
              size_t(x)] = 0;
    return;
  }
}

void vit::data::augment(const vit_image &image, const vit_preprocessing &p,
                        const vit_augmentation *augmentation, int64_t epoch,
                        int64_t index, float *out) {
  if (!augmentation)
    return preprocess(image, p, out);
  RandomStream random(augmentation->seed, Purpose::Augment, epoch, index);
  Placement placement;
  if (int32_t padding = augmentation->crop_padding; padding > 0) {
    placement.down = int32_t(random.below(uint32_t(2 * padding + 1))) - padding;
    placement.right =
        int32_t(random.below(uint32_t(2 * padding + 1))) - padding;
  }
  if (augmentation->flip)
    placement.mirrored = random.below(2) == 0;
  preprocess(image, p, out, placement);
  if (augmentation->erase > 0)
    erase(augmentation->erase, p, random, out);
}

extern "C" vit_status
vit_dataset_read_examples(const vit_dataset *dataset, const int64_t *indices,
                          int64_t count, const vit_preprocessing *preprocessing,
                          const vit_augmentation *augmentation, int64_t epoch,
                          float *out, int32_t *out_labels, vit_error *error) {
  return guarded(error, [&] {
    if (!dataset || !indices || !out || count < 0)
      invalid("vit_dataset_read_examples needs a data set, indices and "
              "somewhere to put the pictures");
    checkPreprocessing(preprocessing);
    checkAugmentation(augmentation);
    dataset->read(
        count, [&](int64_t i) { return indices[i]; }, *preprocessing,
        augmentation, epoch, out, out_labels);
  });
}

extern "C" vit_status vit_data_shuffle(uint64_t seed, int64_t epoch,
                                       int64_t count, int64_t *out,
                                       vit_error *error) {
  return guarded(error, [&] {
    if (count < 1 || count > INT32_MAX || !out)
      invalid("cannot shuffle " + std::to_string(count) + " pictures");
    shuffle(seed, epoch, count, out);
  });
}

void vit::data::shuffle(uint64_t seed, int64_t epoch, int64_t count,
                        int64_t *out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = i;
  RandomStream random(seed, Purpose::Shuffle, epoch, /*index=*/0);
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(out[i], out[random.below(uint32_t(i + 1))]);
}
