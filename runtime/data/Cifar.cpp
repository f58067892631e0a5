//===- Cifar.cpp - CIFAR-10, binary and python version --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dataset.h"
#include "Pickle.h"
#include "format/Diagnose.h"

using namespace vit::data;

namespace {
constexpr int32_t edge = 32;
constexpr size_t pictureBytes = 3 * edge * edge;
constexpr size_t classCount = 10;
} // namespace

static std::unique_ptr<RecordDataset> makeDataset(const char *format) {
  auto dataset = std::make_unique<RecordDataset>(format, edge, edge, 3);
  dataset->classNames = {"airplane", "automobile", "bird",  "cat",  "deer",
                         "dog",      "frog",       "horse", "ship", "truck"};
  return dataset;
}

/// The files of a split; an incomplete set of training batches is a set too.
/// Sets `split` to what they are.
static std::vector<std::string> findBatches(const std::string &folder,
                                            const char *suffix, Split &split) {
  std::vector<std::string> train, test;
  auto add = [&](std::vector<std::string> &to, const std::string &name) {
    std::string path = joinPath(folder, name + suffix);
    if (isFile(path))
      to.push_back(path);
  };
  for (int i = 1; i <= 5; ++i)
    add(train, "data_batch_" + std::to_string(i));
  add(test, "test_batch");
  if (train.empty() && test.empty())
    return {};
  split = chooseSplit(split, !train.empty(), !test.empty(), folder);
  return split == Split::Train ? train : test;
}

static void setClassNames(RecordDataset &dataset,
                          std::vector<std::string> names,
                          const std::string &path) {
  if (names.size() != classCount)
    corrupt(path + " names " + std::to_string(names.size()) +
            " classes where CIFAR-10 has 10");
  dataset.classNames = std::move(names);
}

//===----------------------------------------------------------------------===//
// Binary: records of one byte of label and 3072 of pixels
//===----------------------------------------------------------------------===//

std::unique_ptr<Dataset> vit::data::openCifarBinary(const std::string &folder,
                                                    Split split) {
  std::vector<std::string> batches = findBatches(folder, ".bin", split);
  if (batches.empty())
    return nullptr;
  auto dataset = makeDataset("cifar10-binary");
  dataset->split = split;
  std::string metaPath = joinPath(folder, "batches.meta.txt");
  if (isFile(metaPath)) {
    std::string text = readTextFile(metaPath);
    std::vector<std::string> names;
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(text.find('\n', begin), text.size());
      std::string name = text.substr(begin, end - begin);
      if (!name.empty() && name.back() == '\r')
        name.pop_back();
      if (!name.empty())
        names.push_back(std::move(name));
      begin = end + 1;
    }
    const char *contents =
        vit::format::recognise(text.data(), text.size()).text;
    if (contents && names.size() != classCount)
      corrupt("cannot read " + metaPath + ": " + contents);
    setClassNames(*dataset, std::move(names), metaPath);
  }
  constexpr size_t recordBytes = 1 + pictureBytes;
  for (const std::string &path : batches) {
    auto file = std::make_unique<MappedFile>(path);
    Bytes bytes = file->bytes();
    if (bytes.size == 0 || bytes.size % recordBytes != 0) {
      if (const char *contents =
              vit::format::recognise(bytes.data, bytes.size).text)
        corrupt("cannot read " + path + ": " + contents);
      corrupt(path + " is truncated: it is no multiple of " +
              std::to_string(recordBytes) + " bytes");
    }
    RecordDataset::Part part;
    part.path = path;
    part.count = int64_t(bytes.size / recordBytes);
    part.pixels = bytes.data + 1;
    part.stride = recordBytes;
    for (size_t at = 0; at < bytes.size; at += recordBytes)
      part.labels.push_back(bytes.data[at]);
    part.file = file.get();
    file->requireWhole();
    dataset->addPart(std::move(part));
    dataset->files.push_back(std::move(file));
  }
  return dataset;
}

//===----------------------------------------------------------------------===//
// Python: {"data": array (n, 3072) of u1, "labels": list of n}
//===----------------------------------------------------------------------===//

static void addPythonBatch(RecordDataset &dataset, const MappedFile &file) {
  vit::format::Pickle pickle;
  readPickle(file.bytes(), file.path(), pickle);
  const PickleValue *data = pickle.root().find("data");
  const PickleValue *labels = pickle.root().find("labels");
  if (!data || !labels || labels->kind != PickleValue::List)
    corrupt("it has no data or no labels");
  PickledArray array = toArray(*data);
  if (array.shape.size() != 2 || array.shape[1] != int64_t(pictureBytes) ||
      array.shape[0] != int64_t(labels->count))
    corrupt("its data is not one row of 3072 bytes for each label");
  if (array.shape[0] == 0)
    corrupt("it is empty");
  RecordDataset::Part part;
  part.path = file.path();
  part.count = array.shape[0];
  part.stride = pictureBytes;
  // Copied: Python 3 stores the bytes as text, which the pickle has unpacked.
  dataset.buffers.push_back(std::make_unique<std::vector<uint8_t>>(
      array.bytes.begin(), array.bytes.end()));
  part.pixels = dataset.buffers.back()->data();
  for (const PickleValue &label : *labels) {
    if (label.kind != PickleValue::Int || label.integer < 0 ||
        label.integer > 255)
      corrupt("record " + std::to_string(part.labels.size()) +
              " has an impossible label");
    part.labels.push_back(uint8_t(label.integer));
  }
  file.requireWhole();
  dataset.addPart(std::move(part));
}

static std::vector<std::string> readPythonNames(const MappedFile &file) {
  vit::format::Pickle pickle;
  readPickle(file.bytes(), file.path(), pickle);
  const PickleValue *labels = pickle.root().find("label_names");
  if (!labels || labels->kind != PickleValue::List)
    corrupt("it has no label_names");
  std::vector<std::string> names;
  for (const PickleValue &label : *labels) {
    if (label.kind != PickleValue::String)
      corrupt("its label_names are not strings");
    names.emplace_back(label.text);
  }
  file.requireWhole();
  return names;
}

std::unique_ptr<Dataset> vit::data::openCifarPython(const std::string &folder,
                                                    Split split) {
  std::vector<std::string> batches = findBatches(folder, "", split);
  if (batches.empty())
    return nullptr;
  auto dataset = makeDataset("cifar10-python");
  dataset->split = split;
  std::string current = joinPath(folder, "batches.meta");
  try {
    if (isFile(current))
      setClassNames(*dataset, readPythonNames(MappedFile(current)), current);
    for (const std::string &path : batches) {
      current = path;
      addPythonBatch(*dataset, MappedFile(path));
    }
  } catch (const Failure &failure) {
    if (failure.message.find(current) != std::string::npos)
      throw;
    fail(failure.status, "cannot read " + current + ": " + failure.message);
  }
  return dataset;
}
