//===- Mnist.cpp - MNIST and what comes in its format ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dataset.h"

#include <algorithm>
#include <zlib.h>

using namespace vit::data;

//===----------------------------------------------------------------------===//
// gzip
//===----------------------------------------------------------------------===//

namespace {
struct Inflater {
  Inflater() {
    // 16 added to the window's bits: expect a gzip header.
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
      throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  z_stream stream = {};
};
} // namespace

static std::vector<uint8_t> gunzip(Bytes file) {
  constexpr size_t most = size_t(2) << 30;
  Inflater inflater;
  z_stream &stream = inflater.stream;
  std::vector<uint8_t> result(std::min<size_t>(file.size * 4 + 64, 1 << 20));
  size_t filled = 0, consumed = 0;
  for (;;) {
    if (filled == result.size()) {
      if (filled >= most)
        unsupported("it unpacks to more than 2 GiB");
      result.resize(result.size() * 2);
    }
    constexpr size_t piece = size_t(1) << 30; // zlib counts in 32 bits.
    size_t in = std::min(file.size - consumed, piece);
    size_t out = std::min(result.size() - filled, piece);
    stream.next_in = const_cast<uint8_t *>(file.data) + consumed;
    stream.avail_in = uInt(in);
    stream.next_out = result.data() + filled;
    stream.avail_out = uInt(out);
    int status = inflate(&stream, Z_NO_FLUSH);
    consumed += in - stream.avail_in;
    filled += out - stream.avail_out;
    if (status == Z_STREAM_END)
      break;
    if (status == Z_MEM_ERROR)
      throw std::bad_alloc();
    if (status != Z_OK && status != Z_BUF_ERROR)
      corrupt("its gzip data is damaged");
    if (consumed == file.size && stream.avail_out != 0)
      corrupt("the file is truncated");
  }
  result.resize(filled);
  return result;
}

//===----------------------------------------------------------------------===//
// idx: two zero bytes, the type, the rank, the dimensions (big endian)
//===----------------------------------------------------------------------===//

IdxFile vit::data::parseIdx(Bytes file) {
  IdxFile idx;
  if (file.size >= 2 && file.data[0] == 0x1f && file.data[1] == 0x8b)
    idx.storage = gunzip(file);
  else
    idx.storage.assign(file.data, file.data + file.size);
  const std::vector<uint8_t> &bytes = idx.storage;
  constexpr uint8_t unsignedByte = 8;
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    misread({bytes.data(), bytes.size()}, "it is not an idx file");
  if (bytes[2] != unsignedByte)
    unsupported("its elements are not bytes");
  size_t rank = bytes[3];
  idx.begin = 4 + 4 * rank;
  if (bytes.size() < idx.begin)
    corrupt("the file is truncated");
  uint64_t size = 1;
  for (size_t i = 0; i < rank; ++i) {
    idx.dims.push_back(readBig32(bytes.data() + 4 + 4 * i));
    if (__builtin_mul_overflow(size, uint64_t(idx.dims.back()), &size))
      corrupt("its dimensions are impossible");
  }
  if (size > bytes.size() - idx.begin)
    corrupt("the file is truncated");
  if (size < bytes.size() - idx.begin)
    corrupt("it is longer than its dimensions say");
  return idx;
}

static IdxFile readIdx(const std::string &path, size_t rank) {
  std::vector<uint8_t> file = readFile(path);
  return named("cannot read " + path, [&] {
    IdxFile idx = parseIdx({file.data(), file.size()});
    if (idx.dims.size() != rank)
      corrupt("it has " + std::to_string(idx.dims.size()) +
              " dimensions where there should be " + std::to_string(rank));
    return idx;
  });
}

//===----------------------------------------------------------------------===//
// MNIST
//===----------------------------------------------------------------------===//

/// The path of a file under one of its usual names, or "".
static std::string findIdx(const std::string &folder, const std::string &stem,
                           const std::string &kind) {
  for (const char *separator : {"-", "."}) {
    std::string path = joinPath(folder, stem);
    path.append(separator).append(kind).append("-ubyte");
    if (isFile(path))
      return path;
    path.append(".gz");
    if (isFile(path))
      return path;
  }
  return "";
}

std::unique_ptr<Dataset> vit::data::openMnist(const std::string &folder,
                                              Split split) {
  bool hasTrain = !findIdx(folder, "train-images", "idx3").empty();
  bool hasTest = !findIdx(folder, "t10k-images", "idx3").empty();
  if (!hasTrain && !hasTest)
    return nullptr;
  split = chooseSplit(split, hasTrain, hasTest, folder);
  std::string prefix = split == Split::Train ? "train" : "t10k";
  std::string imagePath = findIdx(folder, prefix + "-images", "idx3");
  std::string labelPath = findIdx(folder, prefix + "-labels", "idx1");
  if (labelPath.empty())
    corrupt("the labels of " + imagePath + " are missing: no " + prefix +
            "-labels-idx1-ubyte beside it");
  auto images = std::make_unique<std::vector<uint8_t>>();
  IdxFile imageFile = readIdx(imagePath, 3);
  IdxFile labelFile = readIdx(labelPath, 1);
  int64_t count = imageFile.dims[0], height = imageFile.dims[1],
          width = imageFile.dims[2];
  if (labelFile.dims[0] != count)
    corrupt(imagePath + " has " + std::to_string(count) + " pictures, " +
            labelPath + " has " + std::to_string(labelFile.dims[0]) +
            " labels");
  if (count == 0)
    corrupt(imagePath + " is empty");
  named("cannot read " + imagePath,
        [&] { checkDimensions(width, height, VIT_IMAGE_MAX_PIXELS); });
  auto dataset = std::make_unique<RecordDataset>("mnist", int32_t(width),
                                                 int32_t(height), 1);
  dataset->split = split;
  for (char digit = '0'; digit <= '9'; ++digit)
    dataset->classNames.emplace_back(1, digit);
  *images = std::move(imageFile.storage);
  RecordDataset::Part part;
  part.path = imagePath;
  part.count = count;
  part.pixels = images->data() + imageFile.begin;
  part.stride = size_t(width) * size_t(height);
  part.labels.assign(labelFile.storage.begin() + ptrdiff_t(labelFile.begin),
                     labelFile.storage.end());
  dataset->buffers.push_back(std::move(images));
  dataset->addPart(std::move(part));
  return dataset;
}
