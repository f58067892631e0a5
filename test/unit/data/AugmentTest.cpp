//===- AugmentTest.cpp - Random changes to training pictures --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cmath>
#include <map>
#include <numeric>
#include <set>

using namespace vit;
using namespace vit::test;

namespace {

constexpr int edge = 32, plane = edge * edge, elements = 3 * plane;

/// The identity: the tensor holds the pixel values 0..255.
vit_preprocessing makeIdentity() {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = 3;
  p.height = p.width = edge;
  p.scale = 1;
  p.std[0] = p.std[1] = p.std[2] = 1;
  return p;
}

vit_augmentation makeAugmentation(int32_t padding, bool flip, float erase,
                                  uint64_t seed = 7) {
  return {sizeof(vit_augmentation), padding, flip, erase, seed};
}

/// A CIFAR folder with one picture, whose pixels are never 0.
struct OnePicture {
  OnePicture() {
    std::string record(1, '\3');
    for (int i = 0; i < elements; ++i) {
      int y = i % plane / edge, x = i % edge;
      pixels.push_back(float(1 + (i / plane * 80 + y * 7 + x * 11) % 250));
      record += char(int(pixels.back()));
    }
    folder.write("data_batch_1.bin", record);
    dataset = std::make_unique<data::Dataset>(folder.path);
  }

  std::vector<float> read(const vit_augmentation &augmentation, int64_t epoch,
                          const vit_preprocessing &p = makeIdentity()) const {
    std::vector<float> out(elements, -1);
    int64_t index = 0;
    data::call(vit_dataset_read_examples, dataset->handle(), &index, 1, &p,
               &augmentation, epoch, out.data(), nullptr);
    return out;
  }
  float at(int c, int y, int x) const {
    bool inside = y >= 0 && y < edge && x >= 0 && x < edge;
    return inside ? pixels[size_t(c * plane + y * edge + x)] : 0;
  }

  TemporaryFolder folder;
  std::vector<float> pixels;
  std::unique_ptr<data::Dataset> dataset;
};

} // namespace

TEST(Augment, NothingAskedNothingChanged) {
  OnePicture picture;
  EXPECT_EQ(picture.read(makeAugmentation(0, false, 0), 5), picture.pixels);
}

// RandomCrop(32, padding=2) and RandomHorizontalFlip: each result is one of the
// 25 crops or its mirror image, all with about the same frequency.
TEST(Augment, CropAndFlip) {
  OnePicture picture;
  constexpr int padding = 2, side = 2 * padding + 1, epochs = 4000;
  std::map<std::tuple<int, int, bool>, int> seen;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    std::vector<float> out =
        picture.read(makeAugmentation(padding, true, 0), epoch);
    bool found = false;
    for (int kind = 0; kind < 2 * side * side && !found; ++kind) {
      int down = kind / 2 / side - padding, right = kind / 2 % side - padding;
      bool mirrored = kind % 2;
      found = true;
      for (int i = 0; i < elements && found; ++i) {
        int x = i % edge;
        found =
            out[size_t(i)] == picture.at(i / plane, i % plane / edge + down,
                                         (mirrored ? edge - 1 - x : x) + right);
      }
      if (found)
        ++seen[{down, right, mirrored}];
    }
    ASSERT_TRUE(found) << "epoch " << epoch;
  }
  EXPECT_EQ(seen.size(), size_t(2 * side * side));
  // Chi-squared, 49 degrees of freedom: P(chi > 86) = 0.001.
  double expected = epochs / (2.0 * side * side), chi = 0;
  for (auto &[kind, count] : seen)
    chi += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi, 86);
}

// RandomErasing: one rectangle of zeros in the normalised tensor, with 2 to 33
// % of the area and a height-to-width ratio from 0.3 to 3.3.
TEST(Augment, Erase) {
  OnePicture picture;
  vit_preprocessing p = makeIdentity();
  p.mean[0] = p.mean[1] = p.mean[2] = 0.5f; // so that no other value is 0
  constexpr int epochs = 2000;
  int erased = 0;
  std::set<std::pair<int, int>> corners;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    std::vector<float> out =
        picture.read(makeAugmentation(0, false, 0.25f), epoch, p);
    int top = edge, bottom = -1, left = edge, right = -1, zeros = 0;
    for (int i = 0; i < plane; ++i) {
      bool isZero = out[size_t(i)] == 0;
      EXPECT_EQ(isZero, out[size_t(i + plane)] == 0);
      EXPECT_EQ(isZero, out[size_t(i + 2 * plane)] == 0);
      if (!isZero)
        continue;
      ++zeros;
      top = std::min(top, i / edge), bottom = std::max(bottom, i / edge);
      left = std::min(left, i % edge), right = std::max(right, i % edge);
    }
    if (zeros == 0)
      continue;
    ++erased;
    int height = bottom - top + 1, width = right - left + 1;
    ASSERT_EQ(zeros, height * width) << "a whole rectangle";
    corners.insert({top, left});
    // Rounding changes each side by at most half a pixel.
    EXPECT_LE((height - 0.5) * (width - 0.5), 0.33 * plane);
    EXPECT_GE((height + 0.5) * (width + 0.5), 0.02 * plane);
    EXPECT_LE((height - 0.5) / (width + 0.5), 3.3);
    EXPECT_GE((height + 0.5) / (width - 0.5), 0.3);
  }
  EXPECT_NEAR(double(erased) / epochs, 0.25, 0.04);
  EXPECT_GT(corners.size(), 100u);
}

TEST(Augment, DependsOnSeedEpochAndIndexAlone) {
  TemporaryFolder folder;
  std::string file;
  for (int i = 0; i < 4 * 3073; ++i)
    file += i % 3073 ? char(i * 7) : '\1';
  folder.write("data_batch_1.bin", file);
  data::Dataset dataset(folder.path);
  vit_preprocessing p = makeIdentity();
  vit_augmentation augmentation = makeAugmentation(4, true, 0.5f);
  auto read = [&](std::vector<int64_t> indices, int64_t epoch) {
    std::vector<float> out(indices.size() * elements);
    data::call(vit_dataset_read_examples, dataset.handle(), indices.data(),
               int64_t(indices.size()), &p, &augmentation, epoch, out.data(),
               nullptr);
    return out;
  };
  std::vector<float> together = read({3, 1, 2}, 9), alone = read({1}, 9);
  EXPECT_TRUE(
      std::equal(alone.begin(), alone.end(), together.begin() + elements));
  EXPECT_NE(alone, read({1}, 10));
  augmentation.seed = 8;
  EXPECT_NE(alone, read({1}, 9));
}

TEST(Augment, ImpossibleOptions) {
  OnePicture picture;
  vit_preprocessing p = makeIdentity();
  int64_t index = 0;
  std::vector<float> out(elements);
  auto refuse = [&](const vit_augmentation &augmentation, const char *text) {
    expectFailure(VIT_INVALID_ARGUMENT, text, [&](vit_error *error) {
      return vit_dataset_read_examples(picture.dataset->handle(), &index, 1, &p,
                                       &augmentation, 0, out.data(), nullptr,
                                       error);
    });
  };
  refuse(makeAugmentation(-1, false, 0), "crop_padding");
  refuse(makeAugmentation(0, false, 1.5f), "probability");
  refuse(makeAugmentation(0, false, NAN), "probability");
  refuse({}, "struct_size");
  index = 1;
  refuse(makeAugmentation(0, false, 0), "no picture 1");
}

TEST(Shuffle, IsAPermutationOfItsOwnForEachEpochAndSeed) {
  constexpr int64_t count = 1000;
  auto draw = [&](uint64_t seed, int64_t epoch) {
    std::vector<int64_t> order(count);
    data::call(vit_data_shuffle, seed, epoch, count, order.data());
    return order;
  };
  std::vector<int64_t> first = draw(1, 0), sorted = first;
  EXPECT_EQ(first, draw(1, 0));
  EXPECT_NE(first, draw(1, 1));
  EXPECT_NE(first, draw(2, 0));
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < count; ++i)
    EXPECT_EQ(sorted[size_t(i)], i);
  // The position of picture 0 is uniform: its mean is the middle.
  double sum = 0;
  for (int64_t epoch = 0; epoch < 1000; ++epoch) {
    std::vector<int64_t> order = draw(3, epoch);
    sum += double(std::find(order.begin(), order.end(), 0) - order.begin());
  }
  EXPECT_NEAR(sum / 1000, 499.5, 40);
  int64_t none = 0;
  expectFailure(VIT_INVALID_ARGUMENT, "cannot shuffle", [&](vit_error *error) {
    return vit_data_shuffle(1, 0, 0, &none, error);
  });
}
