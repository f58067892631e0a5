//===- LoaderTest.cpp - Batches that are read in advance ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <set>

using namespace vit;
using namespace vit::test;

namespace {

constexpr int64_t elements = 3 * 32 * 32;

vit_preprocessing makePreprocessing(int32_t height = 32) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = 3;
  p.height = p.width = height;
  p.scale = 1;
  p.std[0] = p.std[1] = p.std[2] = 1;
  return p;
}

/// A copy of a batch.
struct Batch {
  std::vector<float> images;
  std::vector<int32_t> labels;
  int64_t epoch, index;
  std::vector<std::string> skipped;

  bool operator==(const Batch &other) const {
    return images == other.images && labels == other.labels &&
           epoch == other.epoch && index == other.index;
  }
};

class Loader : public data::Loader {
public:
  using data::Loader::Loader;

  /// Copies the next batch.
  Batch next() {
    vit_batch batch = data::Loader::next();
    auto *images = static_cast<float *>(batch.images.data);
    auto *labels = static_cast<int32_t *>(batch.labels.data);
    int64_t count = batch.labels.dims[0];
    EXPECT_EQ(batch.images.dims[0], count);
    EXPECT_EQ(batch.images.size, size_t(count * elements) * 4);
    Batch result{{images, images + count * elements},
                 {labels, labels + count},
                 batch.epoch,
                 batch.index,
                 {}};
    for (int64_t i = 0; i < batch.skipped; ++i)
      result.skipped.push_back(skipped(i));
    EXPECT_EQ(skipped(batch.skipped), nullptr);
    return result;
  }

  void expectFailure(vit_status status, const std::string &text) {
    try {
      data::Loader::next();
      ADD_FAILURE() << "no failure";
    } catch (const data::Error &error) {
      EXPECT_EQ(error.status(), status);
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
          << error.what();
    }
  }
};

/// Ten CIFAR pictures: picture i has label i, and its first pixel is i.
class LoaderTest : public ::testing::Test {
protected:
  LoaderTest() {
    std::string file;
    for (int i = 0; i < 10; ++i) {
      file += char(i);
      for (int at = 0; at < elements; ++at)
        file += char(i + at % 200);
    }
    folder.write("data_batch_1.bin", file);
    dataset = std::make_unique<data::Dataset>(folder.path);
    options.struct_size = sizeof(options);
    options.preprocessing = &preprocessing;
    options.batch = 4;
    options.seed = 3;
  }

  TemporaryFolder folder;
  std::unique_ptr<data::Dataset> dataset;
  vit_preprocessing preprocessing = makePreprocessing();
  vit_loader_options options = {};
};

} // namespace

TEST_F(LoaderTest, EachEpochHasEachPictureOnce) {
  Loader loader(*dataset, options);
  EXPECT_EQ(loader.batchesPerEpoch(), 3);
  std::vector<int64_t> order(10);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    data::call(vit_data_shuffle, uint64_t(3), epoch, int64_t(10), order.data());
    size_t at = 0;
    for (int64_t index = 0; index < 3; ++index) {
      Batch batch = loader.next();
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_EQ(batch.index, index);
      ASSERT_EQ(batch.labels.size(), index == 2 ? 2u : 4u)
          << "a short last one";
      for (size_t i = 0; i < batch.labels.size(); ++i, ++at) {
        EXPECT_EQ(batch.labels[i], order[at]);
        EXPECT_EQ(batch.images[i * elements], float(order[at]));
      }
    }
  }
}

// Batches do not depend on the number of threads or the first batch.
TEST_F(LoaderTest, ThreadsAndResumption) {
  vit_augmentation augmentation = {sizeof(augmentation), 4, 1, 0.5f, 11};
  options.augmentation = &augmentation;
  std::vector<Batch> expected;
  {
    Loader loader(*dataset, options);
    for (int i = 0; i < 12; ++i)
      expected.push_back(loader.next());
  }
  EXPECT_NE(expected[0].images, expected[3].images);
  for (int32_t threads : {2, 5})
    for (int64_t first : {0, 1, 3, 7}) {
      options.threads = threads;
      options.first_batch = first;
      Loader loader(*dataset, options);
      for (int64_t i = first; i < 12; ++i)
        EXPECT_EQ(loader.next(), expected[size_t(i)]) << threads << ", " << i;
    }
}

TEST_F(LoaderTest, GivenOrder) {
  std::vector<int32_t> order = {9, 1, 1, 0, 2, 3, 4, 5, 6, 7};
  options.order = order.data();
  options.order_epochs = 2;
  options.order_count = 5;
  Loader loader(*dataset, options);
  EXPECT_EQ(loader.next().labels, (std::vector<int32_t>{9, 1, 1, 0}));
  EXPECT_EQ(loader.next().labels, (std::vector<int32_t>{2}));
  EXPECT_EQ(loader.next().labels, (std::vector<int32_t>{3, 4, 5, 6}));
  EXPECT_EQ(loader.next().labels, (std::vector<int32_t>{7}));
  for (int i = 0; i < 2; ++i)
    loader.expectFailure(VIT_NOT_FOUND, "2 epochs");
}

TEST_F(LoaderTest, Limit) {
  options.limit = 3;
  Loader loader(*dataset, options);
  EXPECT_EQ(loader.batchesPerEpoch(), 1);
  for (int epoch = 0; epoch < 5; ++epoch) {
    std::vector<int32_t> labels = loader.next().labels;
    EXPECT_EQ(std::set<int32_t>(labels.begin(), labels.end()),
              (std::set<int32_t>{0, 3, 6}));
  }
}

TEST_F(LoaderTest, ImpossibleOptions) {
  auto refuse = [&](const char *text) {
    vit_loader *loader = nullptr;
    expectFailure(VIT_INVALID_ARGUMENT, text, [&](vit_error *error) {
      return vit_loader_create(dataset->handle(), &options, &loader, error);
    });
    EXPECT_EQ(loader, nullptr);
  };
  options.batch = 0;
  refuse("a batch of 0");
  options.batch = 4;
  options.first_batch = -1;
  refuse("first_batch");
  options.first_batch = 0;
  std::vector<int32_t> order = {0, 10};
  options.order = order.data();
  options.order_epochs = 1;
  options.order_count = 2;
  refuse("asks for picture 10; there are 10");
  options.order_count = 0;
  refuse("one row");
  options.order = nullptr;
  options.struct_size = 4;
  refuse("struct_size");
}

// Releases a loader while its threads are working, and before any request.
TEST_F(LoaderTest, ReleasedAnyTime) {
  options.threads = 3;
  for (int i = 0; i < 20; ++i) {
    Loader loader(*dataset, options);
    if (i % 2)
      loader.next();
  }
}

TEST_F(LoaderTest, AnotherSize) {
  vit_preprocessing larger = makePreprocessing(64);
  options.preprocessing = &larger;
  Loader loader(*dataset, options);
  for (int i = 0; i < 2; ++i)
    loader.expectFailure(VIT_INVALID_ARGUMENT, "data_batch_1.bin#");
}

// A damaged file is reported, and skipped only on request.
TEST(LoaderFolder, UnreadablePictures) {
  TemporaryFolder folder;
  std::string header = "P6 32 32 255\n";
  for (int i = 0; i < 6; ++i)
    folder.write("cat/" + std::to_string(i) + ".ppm",
                 i == 2 || i == 4 ? header + "short"
                                  : header + std::string(3072, char(i + 1)));
  data::Dataset dataset(folder.path);
  vit_preprocessing p = makePreprocessing();
  std::vector<int32_t> order = {0, 1, 2, 3, 4, 2, 5};
  vit_loader_options options = {};
  options.struct_size = sizeof(options);
  options.preprocessing = &p;
  options.batch = 2;
  options.order = order.data();
  options.order_epochs = 1;
  options.order_count = 7;
  {
    Loader strict(dataset, options);
    EXPECT_EQ(strict.next().labels.size(), 2u);
    strict.expectFailure(VIT_CORRUPT, "cat/2.ppm");
  }
  options.skip_unreadable = 1;
  Loader loader(dataset, options);
  EXPECT_EQ(loader.next().labels.size(), 2u);
  Batch second = loader.next();
  ASSERT_EQ(second.labels.size(), 1u);
  EXPECT_EQ(second.images[0], 4.0f);
  ASSERT_EQ(second.skipped.size(), 1u);
  EXPECT_NE(second.skipped[0].find("cat/2.ppm"), std::string::npos);
  Batch third = loader.next();
  EXPECT_EQ(third.labels.size(), 0u) << "nothing left of it";
  EXPECT_EQ(third.skipped.size(), 2u);
  EXPECT_EQ(loader.next().images[0], 6.0f);
}
