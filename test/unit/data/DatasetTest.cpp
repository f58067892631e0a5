//===- DatasetTest.cpp - Data sets ----------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <zlib.h>

using namespace vit;
using namespace vit::test;

static vit_dataset_options makeOptions(const char *split, int64_t first = 0,
                                       int64_t count = 0) {
  return {sizeof(vit_dataset_options), split, first, count, 0};
}

static void expectRefused(vit_status status, const std::string &text,
                          const TemporaryFolder &folder,
                          vit_dataset_options options = makeOptions(nullptr)) {
  vit_dataset *dataset = nullptr;
  expectFailure(status, text, [&](vit_error *error) {
    return vit_dataset_open(folder.path.c_str(), &options, &dataset, error);
  });
  EXPECT_EQ(dataset, nullptr);
}

/// The pixels of record i by plane: red begins with i, and so on.
static std::string makePlanes(int i) {
  std::string planes(3072, '\0');
  for (size_t at = 0; at < 3072; ++at)
    planes[at] = char(i * 3 + at / 1024 * 40 + at % 1024);
  return planes;
}

/// Checks the picture that makePlanes(i) describes.
static void expectPlanes(const data::Image &image, int i) {
  ASSERT_EQ(image.width(), 32);
  ASSERT_EQ(image.height(), 32);
  ASSERT_EQ(image.channels(), 3);
  std::string planes = makePlanes(i);
  for (size_t at = 0; at < 1024; ++at)
    for (size_t c = 0; c < 3; ++c)
      ASSERT_EQ(image.pixels()[3 * at + c], uint8_t(planes[c * 1024 + at]));
}

//===----------------------------------------------------------------------===//
// CIFAR-10, binary
//===----------------------------------------------------------------------===//

static std::string makeBinary(const std::vector<int> &labels) {
  std::string file;
  for (size_t i = 0; i < labels.size(); ++i)
    file += char(labels[i]) + makePlanes(int(i));
  return file;
}

TEST(CifarBinary, SplitsRangesAndNames) {
  TemporaryFolder folder;
  folder.write("data_batch_1.bin", makeBinary({1, 2}));
  folder.write("data_batch_3.bin", makeBinary({3}));
  std::string test = folder.write("test_batch.bin", makeBinary({9, 0, 4}));
  data::Dataset byDefault(folder.path);
  EXPECT_EQ(byDefault.count(), 3) << "the test part";
  EXPECT_EQ(byDefault.classCount(), 10);
  EXPECT_STREQ(byDefault.className(9), "truck");
  EXPECT_EQ(byDefault.className(10), nullptr);
  EXPECT_STREQ(vit_dataset_format(byDefault.handle()), "cifar10-binary");
  auto [image, label] = byDefault.get(1);
  EXPECT_EQ(label, 0);
  expectPlanes(image, 1);

  vit_dataset_options train = makeOptions("train");
  data::Dataset training(folder.path, &train);
  EXPECT_EQ(training.count(), 3);
  EXPECT_EQ(training.get(2).second, 3);

  vit_dataset_options range = makeOptions("test", 1, 2);
  data::Dataset some(folder.path, &range);
  EXPECT_EQ(some.count(), 2);
  EXPECT_EQ(some.get(1).second, 4);
  char name[4096];
  EXPECT_EQ(vit_dataset_item_name(some.handle(), 1, name, sizeof(name)),
            test.size() + 2);
  EXPECT_EQ(name, test + "#2");
  EXPECT_EQ(vit_dataset_item_name(some.handle(), 2, name, sizeof(name)), 0u);

  folder.write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_STREQ(data::Dataset(folder.path).className(1), "b");
  folder.write("batches.meta.txt", "a\nb\n");
  expectRefused(VIT_CORRUPT, "names 2 classes", folder);
}

TEST(CifarBinary, LyingFiles) {
  TemporaryFolder folder;
  folder.write("test_batch.bin", makeBinary({1}) + "x");
  expectRefused(VIT_CORRUPT, "test_batch.bin is truncated", folder);
  folder.write("test_batch.bin", "");
  expectRefused(VIT_CORRUPT, "the file is empty", folder);
  folder.write("test_batch.bin", makeBinary({1, 10}));
  expectRefused(VIT_CORRUPT, "record 1", folder);
  folder.write("test_batch.bin", makeBinary({1}));
  expectRefused(VIT_NOT_FOUND, "no training part", folder,
                makeOptions("train"));
  expectRefused(VIT_INVALID_ARGUMENT, "no split \"tset\"", folder,
                makeOptions("tset"));
  expectRefused(VIT_INVALID_ARGUMENT, "has 1", folder,
                makeOptions(nullptr, 1, 1));
  expectRefused(VIT_INVALID_ARGUMENT, "has 1", folder,
                makeOptions(nullptr, 0, 2));
  expectRefused(VIT_INVALID_ARGUMENT, "has 1", folder,
                makeOptions(nullptr, 0, INT64_MAX));
  expectRefused(VIT_INVALID_ARGUMENT, "has 1", folder,
                makeOptions(nullptr, -1, 1));
}

TEST(Dataset, FileInsteadOfFolder) {
  TemporaryFolder folder;
  std::string file = folder.write("cifar-10-binary.tar.gz", "x");
  expectFailure(VIT_NOT_FOUND, "is a file: data is a folder; unpack",
                [&](vit_error *error) {
                  vit_dataset *dataset = nullptr;
                  return vit_dataset_open(file.c_str(), nullptr, &dataset,
                                          error);
                });
}

TEST(CifarBinary, FileCutShortWhileInUse) {
  TemporaryFolder folder;
  std::vector<int> labels(40, 1);
  std::string path = folder.write("test_batch.bin", makeBinary(labels));
  data::Dataset dataset(folder.path);
  // The last record's pages do not exist any more, the first one's do.
  ASSERT_EQ(truncate(path.c_str(), 4000), 0);
  for (int64_t index : {39, 0}) {
    int32_t label;
    vit_image image = {};
    expectFailure(VIT_IO_ERROR, "was cut short while it was in use",
                  [&](vit_error *error) {
                    return vit_dataset_get(dataset.handle(), index, &image,
                                           &label, error);
                  });
  }
}

TEST(CifarBinary, ReadBatch) {
  TemporaryFolder folder;
  folder.write("test_batch.bin", makeBinary({1, 2, 3}));
  data::Dataset dataset(folder.path);
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = 3;
  p.height = p.width = 32;
  p.scale = 1;
  p.std[0] = p.std[1] = p.std[2] = 1;
  std::vector<float> out(2 * 3072);
  int32_t labels[2];
  data::call(vit_dataset_read_batch, dataset.handle(), 1, 2, &p, out.data(),
             labels);
  EXPECT_EQ(labels[0], 2);
  EXPECT_EQ(labels[1], 3);
  for (int i = 0; i < 2; ++i) {
    std::string planes = makePlanes(i + 1);
    for (size_t at = 0; at < 3072; ++at)
      ASSERT_EQ(out[size_t(i) * 3072 + at], float(uint8_t(planes[at])));
  }
  expectFailure(VIT_INVALID_ARGUMENT, "no picture 3", [&](vit_error *error) {
    return vit_dataset_read_batch(dataset.handle(), 2, 2, &p, out.data(),
                                  labels, error);
  });
  p.height = 16;
  expectFailure(VIT_INVALID_ARGUMENT, "test_batch.bin#0",
                [&](vit_error *error) {
                  return vit_dataset_read_batch(dataset.handle(), 0, 1, &p,
                                                out.data(), labels, error);
                });
}

//===----------------------------------------------------------------------===//
// CIFAR-10, python
//===----------------------------------------------------------------------===//

static std::string shortString(const std::string &text) {
  return "U" + little(text.size(), 1) + text;
}

/// The opcodes that Python 2's cPickle wrote to the official files.
static std::string makePickle(const std::vector<int> &labels,
                              const std::string &dtype = "u1") {
  std::string pixels;
  for (size_t i = 0; i < labels.size(); ++i)
    pixels += makePlanes(int(i));
  std::string text = "\x80\x02}q\x01(" + shortString("labels") + "q\x02]q\x03(";
  for (int label : labels)
    text += "K" + little(uint64_t(label), 1);
  text += "e" + shortString("data") +
          "cnumpy.core.multiarray\n_reconstruct\nq\x04" +
          "cnumpy\nndarray\nq\x05K" + std::string(1, '\0') + "\x85" +
          shortString("b") + "\x87Rq\x06(K\x01M" + little(labels.size(), 2) +
          "M" + little(3072, 2) + "\x86" + "cnumpy\ndtype\nq\x07" +
          shortString(dtype) + "K" + std::string(1, '\0') + "K\x01\x87R(K\x03" +
          shortString("|") + "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" +
          std::string(1, '\0') + "tb\x89T" + little(pixels.size(), 4) + pixels +
          "tbu.";
  return text;
}

TEST(CifarPython, AsPython2WritesIt) {
  TemporaryFolder folder;
  folder.write("test_batch", makePickle({7, 2, 9}));
  folder.write("batches.meta",
               "\x80\x02}(" + shortString("label_names") + "](" +
                   shortString("n0") + shortString("n1") + shortString("n2") +
                   shortString("n3") + shortString("n4") + shortString("n5") +
                   shortString("n6") + shortString("n7") + shortString("n8") +
                   shortString("n9") + "eu.");
  data::Dataset dataset(folder.path);
  EXPECT_STREQ(vit_dataset_format(dataset.handle()), "cifar10-python");
  EXPECT_EQ(dataset.count(), 3);
  EXPECT_STREQ(dataset.className(4), "n4");
  auto [image, label] = dataset.get(2);
  EXPECT_EQ(label, 9);
  expectPlanes(image, 2);
}

TEST(CifarPython, AsPython3WritesIt) {
  data::Dataset dataset(dataPath("cifar10-python3"));
  ASSERT_EQ(dataset.count(), 2);
  auto [image, label] = dataset.get(1);
  EXPECT_EQ(label, 9);
  for (size_t at = 0; at < 1024; ++at)
    for (size_t c = 0; c < 3; ++c)
      ASSERT_EQ(image.pixels()[3 * at + c],
                uint8_t((3072 + c * 1024 + at) % 251));
}

TEST(CifarPython, FileCutShortWhileItIsRead) {
  TemporaryFolder folder;
  std::string batch = makePickle(std::vector<int>(200, 1));
  std::string path = folder.write("test_batch", batch);
  std::atomic<bool> isDone{false};
  std::thread writer([&] {
    while (!isDone) {
      (void)truncate(path.c_str(), 4000);
      std::ofstream(path, std::ios::binary) << batch;
    }
  });
  // Whatever is found, the process lives.
  for (int i = 0; i < 300; ++i) {
    vit_dataset *dataset = nullptr;
    vit_error error = {};
    EXPECT_NE(vit_dataset_open(folder.path.c_str(), nullptr, &dataset, &error),
              VIT_INTERNAL)
        << error.message;
    vit_dataset_release(dataset);
  }
  isDone = true;
  writer.join();
}

TEST(CifarPython, NothingIsCalled) {
  TemporaryFolder folder;
  std::string marker = folder.path + "/called";
  std::string command = "touch " + marker;
  folder.write("test_batch", "\x80\x02"
                             "cos\nsystem\n" +
                                 shortString(command) + "\x85R.");
  expectRefused(VIT_UNSUPPORTED, "os.system", folder);
  EXPECT_FALSE(exists(marker));
  folder.write("test_batch", "\x80\x02"
                             "cnumpy\nndarray\n)o.");
  expectRefused(VIT_UNSUPPORTED, "opcode 111", folder);
}

TEST(CifarPython, LyingFiles) {
  TemporaryFolder folder;
  std::string whole = makePickle({1, 2});
  for (size_t length = 0; length < whole.size();
       length += length < 300 ? 1 : 501) {
    folder.write("test_batch", whole.substr(0, length));
    expectRefused(VIT_CORRUPT, "test_batch", folder);
  }
  for (size_t at = 0; at < 250; ++at) {
    std::string flipped = whole;
    flipped[at] = char(flipped[at] ^ (1 << at % 8));
    std::string path = folder.write("test_batch", flipped);
    vit_dataset *dataset = nullptr;
    vit_error error = {};
    EXPECT_NE(vit_dataset_open(folder.path.c_str(), nullptr, &dataset, &error),
              VIT_INTERNAL)
        << error.message;
    vit_dataset_release(dataset);
  }
  folder.write("test_batch", makePickle({1, 11}));
  expectRefused(VIT_CORRUPT, "label 11", folder);
  folder.write("test_batch", makePickle({1, 2}, "i8"));
  expectRefused(VIT_CORRUPT, "array of bytes", folder);
  folder.write("test_batch", makePickle({}));
  expectRefused(VIT_CORRUPT, "empty", folder);
  folder.write("test_batch", "\x80\x02}.");
  expectRefused(VIT_CORRUPT, "no data", folder);
  folder.write("test_batch", "\x80\x06}.");
  expectRefused(VIT_UNSUPPORTED, "protocol", folder);
  // A list that contains itself.
  folder.write("test_batch", "\x80\x02}(" + shortString("labels") +
                                 "]q\x01h\x01"
                                 "a" +
                                 shortString("data") + "h\x01u.");
  expectRefused(VIT_CORRUPT, "test_batch", folder);
}

//===----------------------------------------------------------------------===//
// MNIST
//===----------------------------------------------------------------------===//

static std::string makeImages(int count, int height = 3, int width = 2) {
  std::string file = big(0x803) + big(uint32_t(count)) + big(uint32_t(height)) +
                     big(uint32_t(width));
  for (int i = 0; i < count * height * width; ++i)
    file += char(i);
  return file;
}

static std::string makeLabels(const std::string &labels) {
  return big(0x801) + big(uint32_t(labels.size())) + labels;
}

static std::string gzip(const std::string &text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = uInt(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(out.data());
  stream.avail_out = uInt(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Mnist, PlainAndGzip) {
  for (bool zipped : {false, true}) {
    TemporaryFolder folder;
    std::string suffix = zipped ? ".gz" : "";
    auto pack = [&](const std::string &text) {
      return zipped ? gzip(text) : text;
    };
    folder.write("t10k-images-idx3-ubyte" + suffix, pack(makeImages(3)));
    folder.write("t10k-labels-idx1-ubyte" + suffix,
                 pack(makeLabels(std::string("\7\0\3", 3))));
    data::Dataset dataset(folder.path);
    EXPECT_STREQ(vit_dataset_format(dataset.handle()), "mnist");
    EXPECT_EQ(dataset.count(), 3);
    EXPECT_STREQ(dataset.className(9), "9");
    auto [image, label] = dataset.get(2);
    EXPECT_EQ(label, 3);
    EXPECT_EQ(image.channels(), 1);
    EXPECT_EQ(image.width(), 2);
    EXPECT_EQ(image.height(), 3);
    for (int i = 0; i < 6; ++i)
      EXPECT_EQ(image.pixels()[i], 12 + i);
    expectRefused(VIT_NOT_FOUND, "no training part", folder,
                  makeOptions("train"));
  }
}

TEST(Mnist, LyingFiles) {
  TemporaryFolder folder;
  std::string images = "t10k-images-idx3-ubyte",
              labels = "t10k-labels-idx1-ubyte";
  folder.write(images, makeImages(2));
  expectRefused(VIT_CORRUPT, "labels", folder);
  folder.write(labels, makeLabels("\1\2\3"));
  expectRefused(VIT_CORRUPT, "3 labels", folder);
  folder.write(labels, makeLabels("\1\12"));
  expectRefused(VIT_CORRUPT, "label 10", folder);
  folder.write(labels, makeLabels("\1\2"));
  std::string whole = makeImages(2);
  for (size_t length = 0; length < whole.size(); ++length) {
    folder.write(images, whole.substr(0, length));
    expectRefused(VIT_CORRUPT, images, folder);
  }
  folder.write(images, whole + "x");
  expectRefused(VIT_CORRUPT, "longer", folder);
  folder.write(images, big(0x803) + big(~0u) + big(~0u) + big(~0u) + "x");
  expectRefused(VIT_CORRUPT, images, folder);
  folder.write(images, big(0xb03) + whole.substr(4));
  expectRefused(VIT_UNSUPPORTED, "not bytes", folder);
  folder.write(images, big(0x802) + whole.substr(4));
  expectRefused(VIT_CORRUPT, images, folder);
  folder.write(images, makeImages(0));
  folder.write(labels, makeLabels(""));
  expectRefused(VIT_CORRUPT, "empty", folder);
}

TEST(Mnist, DamagedGzip) {
  TemporaryFolder folder;
  std::string images = "t10k-images-idx3-ubyte.gz";
  folder.write("t10k-labels-idx1-ubyte", makeLabels("\1\2"));
  std::string whole = gzip(makeImages(2));
  for (size_t length = 2; length < whole.size(); ++length) {
    folder.write(images, whole.substr(0, length));
    expectRefused(VIT_CORRUPT, images, folder);
  }
  // After the flags and times of the header, a checksum covers every bit.
  for (size_t at = 10; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = char(flipped[at] ^ (1 << at % 8));
    folder.write(images, flipped);
    expectRefused(VIT_CORRUPT, images, folder);
  }
}

//===----------------------------------------------------------------------===//
// Image folders
//===----------------------------------------------------------------------===//

TEST(ImageFolder, ClassesAreSortedFolders) {
  TemporaryFolder folder;
  std::string png = readAll(dataPath("images/rgb8.png"));
  std::string grey = readAll(dataPath("images/grey8.png"));
  folder.write("train/zebra/2.png", png);
  folder.write("train/zebra/10.PNG", png);
  folder.write("train/ant/deep/x.png", grey);
  folder.write("train/ant/notes.txt", "not a picture");
  folder.write("train/.hidden/x.png", png);
  folder.write("val/zebra/1.png", png);
  vit_dataset_options train = makeOptions("train");
  data::Dataset training(folder.path, &train);
  EXPECT_EQ(training.count(), 3);
  EXPECT_EQ(training.classCount(), 2);
  EXPECT_STREQ(training.className(0), "ant");
  auto [image, label] = training.get(0);
  EXPECT_EQ(label, 0);
  EXPECT_EQ(image.channels(), 3) << "grey pictures come as RGB";
  char name[4096];
  vit_dataset_item_name(training.handle(), 1, name, sizeof(name));
  EXPECT_EQ(name, folder.path + "/train/zebra/10.PNG");

  data::Dataset byDefault(folder.path);
  EXPECT_EQ(byDefault.count(), 1);
  EXPECT_EQ(byDefault.get(0).second, 1) << "labels are the training part's";
  vit_dataset_options val = makeOptions("validation");
  EXPECT_EQ(data::Dataset(folder.path, &val).count(), 1);
  EXPECT_EQ(data::Dataset(folder.path + "/train").count(), 3);
}

TEST(ImageFolder, ValidationComesBeforeTest) {
  TemporaryFolder folder;
  std::string png = readAll(dataPath("images/rgb8.png"));
  folder.write("val/a/1.png", png);
  folder.write("test/a/1.png", png);
  folder.write("test/a/2.png", png);
  EXPECT_EQ(data::Dataset(folder.path).count(), 1);
  vit_dataset_options test = makeOptions("test");
  EXPECT_EQ(data::Dataset(folder.path, &test).count(), 2);
}

TEST(ImageFolder, Refusals) {
  TemporaryFolder folder;
  expectRefused(VIT_NOT_FOUND, "holds no data set", folder);
  std::string png = readAll(dataPath("images/rgb8.png"));
  folder.write("a/1.png", png);
  expectRefused(VIT_NOT_FOUND, "no train or test part", folder,
                makeOptions("train"));
  folder.write("b/readme.txt", "");
  expectRefused(VIT_CORRUPT, "only 1 file (.txt)", folder);
  folder.write("b/cut.png", png.substr(0, 100));
  folder.write("b/x.jpg", "RIFF....WEBPVP8 ");
  data::Dataset dataset(folder.path);
  ASSERT_EQ(dataset.count(), 3);
  vit_image image = {};
  expectFailure(VIT_CORRUPT, "b/cut.png", [&](vit_error *error) {
    return vit_dataset_get(dataset.handle(), 1, &image, nullptr, error);
  });
  expectFailure(VIT_UNSUPPORTED, "b/x.jpg", [&](vit_error *error) {
    return vit_dataset_get(dataset.handle(), 2, &image, nullptr, error);
  });
  folder.write("train/a/1.png", png);
  folder.write("test/new/1.png", png);
  expectRefused(VIT_CORRUPT, "/test/new", folder);
}

//===----------------------------------------------------------------------===//
// Parts of image folders
//===----------------------------------------------------------------------===//

/// All notes of a data set, one a line.
static std::string notesOf(const data::Dataset &dataset) {
  std::string text;
  for (int32_t i = 0; const char *note = dataset.note(i); ++i)
    text += std::string(note) + "\n";
  return text;
}

static void expectPart(const TemporaryFolder &folder, const char *split,
                       const std::string &part, int64_t count) {
  vit_dataset_options options = makeOptions(split);
  data::Dataset dataset(folder.path, &options);
  EXPECT_EQ(dataset.folder(), folder.path + "/" + part);
  EXPECT_EQ(dataset.count(), count);
}

TEST(ImageFolder, NamesOfParts) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  const char *const names[][2] = {
      {"train", "valid"},
      {"Training", "Testing"},
      {"seg_train", "seg_test"},
      {"TRAIN", "dev"},
      {"train2017", "val2017"},
      {"Train Set", "test-set"},
      {"images/train", "images/eval"},
      {"seg_train/seg_train", "seg_val/seg_val"},
      {"traindata", "valdata"},
      {"trainval", "TST"},
      {"01_train", "02. val"},
  };
  for (auto [train, test] : names) {
    TemporaryFolder folder;
    folder.write(std::string(train) + "/a/1.png", png);
    folder.write(std::string(train) + "/b/1.png", png);
    folder.write(std::string(test) + "/b/1.png", png);
    expectPart(folder, "train", train, 2);
    expectPart(folder, "validation", test, 1);
    expectPart(folder, nullptr, test, 1);
    vit_dataset_options options = makeOptions("test");
    EXPECT_EQ(data::Dataset(folder.path, &options).label(0), 1);
  }
}

TEST(ImageFolder, PartsAndClassesAreToldApart) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  TemporaryFolder vehicles; // "train" is one.
  for (const char *name : {"car", "ship", "train"})
    vehicles.write(std::string(name) + "/1.png", png);
  EXPECT_EQ(data::Dataset(vehicles.path).classCount(), 3);
  vehicles.write("test/1.png", png); // without labels
  data::Dataset dataset(vehicles.path);
  EXPECT_EQ(dataset.classCount(), 3);
  EXPECT_NE(notesOf(dataset).find("no labels: " + vehicles.path + "/test"),
            std::string::npos);

  TemporaryFolder inside;
  for (const char *name : {"cat/train", "cat/test", "dog/train", "dog/test"})
    inside.write(std::string(name) + "/x/1.png", png);
  expectRefused(VIT_CORRUPT, "holds parts", inside);
  TemporaryFolder unknown;
  for (const char *name : {"train1", "val1", "other"})
    unknown.write(std::string(name) + "/x/1.png", png);
  expectRefused(VIT_CORRUPT, "val1 hold folders of the same names (x)",
                unknown);
  TemporaryFolder days; // No parts, though both have the same folders.
  for (const char *name : {"trains/day", "trains/night", "cars/day"})
    days.write(std::string(name) + "/1.png", png);
  EXPECT_EQ(data::Dataset(days.path).classCount(), 2);
  TemporaryFolder twice;
  twice.write("val/a/1.png", png);
  twice.write("valid/a/1.png", png);
  expectRefused(VIT_CORRUPT, "two folders", twice);
}

TEST(ImageFolder, FaultyPartsAreNotMissingParts) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  TemporaryFolder folder;
  folder.write("train/a/1.png", png);
  folder.write("val/readme.txt", "");
  expectRefused(VIT_CORRUPT, "holds no pictures", folder,
                makeOptions("validation"));
  TemporaryFolder link;
  link.write("train/a/1.png", png);
  ASSERT_EQ(symlink("nowhere", (link.path + "/val").c_str()), 0);
  expectRefused(VIT_CORRUPT, "missing", link, makeOptions("validation"));
}

TEST(ImageFolder, NamesOfClassesAreOneLine) {
  TemporaryFolder folder;
  folder.write("a\nb/1.png", readAll(dataPath("images/rgb8.png")));
  expectRefused(VIT_CORRUPT, "a?b holds a line break", folder);
  TemporaryFolder latin; // Latin-1's e with an acute accent
  latin.write("caf\xe9/1.png", readAll(dataPath("images/rgb8.png")));
  expectRefused(VIT_CORRUPT, "is not UTF-8", latin);
}

TEST(ImageFolder, LinksAreFollowedOnce) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  TemporaryFolder folder;
  folder.write("a/1.png", png);
  folder.write("b/1.png", png);
  ASSERT_EQ(symlink("a", (folder.path + "/c").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", (folder.path + "/d").c_str()), 0);
  data::Dataset dataset(folder.path);
  EXPECT_EQ(dataset.classCount(), 3);
  EXPECT_NE(notesOf(dataset).find("something that is missing: d in"),
            std::string::npos);
  // Two cycles: each way through them is a path of its own.
  for (const char *name : {"/b/x", "/b/y"})
    ASSERT_EQ(symlink("..", (folder.path + name).c_str()), 0);
  expectRefused(VIT_CORRUPT, "b/x is a link to a folder that it is in", folder);
}

TEST(ImageFolder, NotesSayWhatIsLeftOut) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  TemporaryFolder folder;
  folder.write("a/1.png", png);
  folder.write("a/2.HEIC", "");
  folder.write("a/Thumbs.db", "");
  folder.write("b/1.jfif", png);
  folder.write("loose.png", png);
  std::string notes = notesOf(data::Dataset(folder.path));
  EXPECT_NE(notes.find("1 file (.heic) of a\n"), std::string::npos) << notes;
  EXPECT_NE(notes.find("1 pictures in " + folder.path), std::string::npos)
      << notes;
  TemporaryFolder high;
  high.write("all/a/1.png", png);
  high.write("all/b/1.png", png);
  notes = notesOf(data::Dataset(high.path));
  EXPECT_NE(notes.find("did you mean " + high.path + "/all?"),
            std::string::npos);
  TemporaryFolder higher;
  higher.write("data/all/a/1.png", png);
  higher.write("data/all/b/1.png", png);
  notes = notesOf(data::Dataset(higher.path));
  EXPECT_NE(notes.find("did you mean " + higher.path + "/data/all?"),
            std::string::npos);
}

TEST(ImageFolder, HashIsOfTheContent) {
  std::string png = readAll(dataPath("images/rgb8.png"));
  TemporaryFolder here, there;
  for (const TemporaryFolder *folder : {&here, &there}) {
    folder->write("a/1.png", png);
    folder->write("b/1.png", png);
  }
  uint64_t hash = data::Dataset(here.path).hash();
  EXPECT_EQ(data::Dataset(there.path).hash(), hash);
  there.write("b/1.png", png + "x");
  EXPECT_NE(data::Dataset(there.path).hash(), hash);
  there.write("b/1.png", png);
  there.write("b/2.png", png);
  EXPECT_NE(data::Dataset(there.path).hash(), hash);
}
