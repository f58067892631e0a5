//===- TorchFileTest.cpp - Files of torch.save ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/WeightFile.h"
#include "format/WeightNames.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

using namespace vit::format;

namespace {

//===----------------------------------------------------------------------===//
// Opcodes, as Python's pickle writes them at protocol 2
//===----------------------------------------------------------------------===//

std::string little(uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i)
    result += char(i < 8 ? value >> (8 * i) : 0);
  return result;
}

std::string text(const std::string &value) {
  return "X" + little(value.size(), 4) + value;
}
std::string number(int64_t value) {
  return "\x8a\x08" + little(uint64_t(value), 8);
}
std::string global(const std::string &module, const std::string &name) {
  return "c" + module + "\n" + name + "\n";
}
std::string tuple(const std::vector<std::string> &items) {
  std::string result = "(";
  for (const std::string &item : items)
    result += item;
  return result + "t";
}
std::string numbers(const std::vector<int64_t> &values) {
  std::vector<std::string> items;
  for (int64_t value : values)
    items.push_back(number(value));
  return tuple(items);
}
using Entries = std::vector<std::pair<std::string, std::string>>;
std::string dict(const Entries &entries) {
  std::string result = "}(";
  for (const auto &[key, value] : entries)
    result += text(key) + value;
  return result + "u";
}
const std::string ordered = global("collections", "OrderedDict") + ")R";
std::string orderedDict(const Entries &entries) {
  return ordered + dict(entries).substr(1);
}

struct Storage {
  std::string key, type;
  int64_t count;
};

bool legacyIds = false;

std::string reference(const Storage &storage) {
  std::vector<std::string> id = {
      text("storage"), global("torch", storage.type + "Storage"),
      text(storage.key), text("cuda:0"), number(storage.count)};
  if (legacyIds)
    id.emplace_back("N");
  return tuple(id) + "Q";
}

std::string tensor(const Storage &storage, int64_t offset,
                   const std::vector<int64_t> &dims,
                   const std::vector<int64_t> &strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({reference(storage), number(offset), numbers(dims),
                numbers(strides), "\x89", ordered}) +
         "R";
}

std::string program(const std::string &value) {
  return "\x80\x02" + value + ".";
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

struct Record {
  std::string name, contents;
  int method = 0, flags = 0;
};

std::string zip(const std::vector<Record> &records, bool is64 = false,
                const std::string &comment = "") {
  std::string file, directory;
  for (const Record &r : records) {
    uint64_t size = r.contents.size(), local = file.size();
    file += "PK\3\4" + little(0, 2) + little(uint64_t(r.flags), 2) +
            little(uint64_t(r.method), 2) + little(0, 8) + little(size, 4) +
            little(size, 4) + little(r.name.size(), 2) + little(7, 2) + r.name +
            "padding" + r.contents;
    std::string extra;
    if (is64)
      extra = "FB" + little(2, 2) + "xx" + little(1, 2) + little(24, 2) +
              little(size, 8) + little(size, 8) + little(local, 8);
    uint64_t size32 = is64 ? 0xffffffff : size;
    directory +=
        "PK\1\2" + little(0, 4) + little(uint64_t(r.flags), 2) +
        little(uint64_t(r.method), 2) + little(0, 8) + little(size32, 4) +
        little(size32, 4) + little(r.name.size(), 2) + little(extra.size(), 2) +
        little(0, 10) + little(is64 ? 0xffffffff : local, 4) + r.name + extra;
  }
  uint64_t begin = file.size(), count = records.size();
  file += directory;
  if (is64) {
    uint64_t at = file.size();
    file += "PK\6\6" + little(44, 8) + little(0, 12) + little(count, 8) +
            little(count, 8) + little(directory.size(), 8) + little(begin, 8);
    file += "PK\6\7" + little(0, 4) + little(at, 8) + little(1, 4);
    begin = 0xffffffff;
  }
  return file + "PK\5\6" + little(0, 4) + little(count, 2) + little(count, 2) +
         little(directory.size(), 4) + little(begin, 4) +
         little(comment.size(), 2) + comment;
}

std::string archive(const std::string &value,
                    const std::vector<Record> &storages,
                    const std::string &folder = "archive") {
  std::vector<Record> records = {{folder + "/data.pkl", program(value)},
                                 {folder + "/byteorder", "little"}};
  for (const Record &storage : storages)
    records.push_back({folder + "/data/" + storage.name, storage.contents});
  records.push_back({folder + "/version", "3\n"});
  return zip(records);
}

std::string legacy(const std::string &value,
                   const std::vector<Record> &storages,
                   const std::vector<int64_t> &counts,
                   const char *littleEndian = "\x88") {
  std::string keys = "](", data;
  for (size_t i = 0; i < storages.size(); ++i) {
    keys += text(storages[i].name);
    data += little(uint64_t(counts[i]), 8) + storages[i].contents;
  }
  return program("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") +
         program("M\xe9\x03") +
         program(dict({{"little_endian", littleEndian}})) + program(value) +
         program(keys + "e") + data;
}

std::string floats(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()),
          values.size() * sizeof(float)};
}

struct File {
  explicit File(std::string bytes) : bytes(std::move(bytes)) {
    status =
        weights.read(data(), this->bytes.size(), "x.pth", Allocator(), &error);
  }
  const unsigned char *data() const {
    return reinterpret_cast<const unsigned char *>(bytes.data());
  }
  std::vector<float> read(const char *name) const {
    const StoredTensor *tensor = weights.stored().find(name);
    EXPECT_NE(tensor, nullptr) << name;
    if (!tensor)
      return {};
    std::vector<float> values((tensor->end - tensor->begin) /
                              sizeOf(tensor->type));
    widen(values.data(), tensor->data(data()), tensor->type,
          int64_t(values.size()));
    return values;
  }
  std::string message() const { return error.message; }

  std::string bytes;
  WeightFile weights;
  vit_error error = {};
  vit_status status;
};

void expectRefused(vit_status status, const std::string &expected,
                   const std::string &bytes) {
  File file(bytes);
  EXPECT_EQ(file.status, status) << file.message();
  EXPECT_NE(file.message().find(expected), std::string::npos)
      << file.message() << "\nexpected: " << expected;
  EXPECT_EQ(file.message().rfind("cannot read x.pth: ", 0), 0u)
      << file.message();
}

using Values = std::vector<float>;

const Storage six = {"0", "Float", 6}, two = {"1", "Float", 2};
const std::string sixData = floats({1, 2, 3, 4, 5, 6}),
                  twoData = floats({7, 8});

std::string twoTensors() {
  return orderedDict({{"a.weight", tensor(six, 0, {2, 3}, {3, 1})},
                      {"a.bias", tensor(two, 0, {2}, {1})}}) +
         dict({{"_metadata", dict({{"", dict({{"version", "K\1"}})}})}}) + "b";
}

void expectTwoTensors(const File &file) {
  ASSERT_EQ(file.status, VIT_OK) << file.message();
  const Array<StoredTensor> &tensors = file.weights.stored().tensors();
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_STREQ(tensors[0].name, "a.weight") << "in order of the state dict";
  EXPECT_EQ(tensors[0].type, ElementType::F32);
  ASSERT_EQ(tensors[0].rank, 2);
  EXPECT_EQ(tensors[0].dims[0], 2);
  EXPECT_EQ(tensors[0].dims[1], 3);
  EXPECT_EQ(tensors[0].copy, nullptr);
  EXPECT_EQ(file.read("a.weight"), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.read("a.bias"), (Values{7, 8}));
  EXPECT_EQ(file.weights.stored().find("a"), nullptr);
}

const std::vector<Record> data = {{"0", sixData}, {"1", twoData}};

//===----------------------------------------------------------------------===//
// Good files
//===----------------------------------------------------------------------===//

TEST(TorchFile, Archives) {
  for (const char *folder : {"archive", "pytorch_model", "x y"}) {
    File file(archive(twoTensors(), data, folder));
    expectTwoTensors(file);
    EXPECT_EQ(file.weights.note(), nullptr);
  }
  std::vector<Record> records = {{"a/data/0", sixData},
                                 {"a/data/1", twoData},
                                 {"a/data.pkl", program(twoTensors())}};
  expectTwoTensors(File(zip(records, /*is64=*/true)));
  expectTwoTensors(File(zip(records, /*is64=*/false, "a comment PK\5\6")));
  for (Record &record : records)
    record.name.erase(0, 2);
  expectTwoTensors(File(zip(records)));
}

TEST(TorchFile, WithoutAnArchive) {
  legacyIds = true;
  File file(legacy(twoTensors(), {data[1], data[0]}, {2, 6}));
  expectTwoTensors(file);
  // A view of a storage, as PyTorch before 0.4 writes them.
  std::string view = twoTensors();
  size_t at = view.find(text("1"));
  view.replace(view.find("Nt", at), 1,
               tuple({text("view"), number(1), number(1)}));
  view.replace(view.rfind(numbers({2})), numbers({2}).size(), numbers({1}));
  File shifted(legacy(view, data, {6, 2}));
  ASSERT_EQ(shifted.status, VIT_OK) << shifted.message();
  EXPECT_EQ(shifted.read("a.bias"), Values{8});

  expectRefused(VIT_UNSUPPORTED, "byteorder",
                legacy(twoTensors(), data, {6, 2}, "\x89"));
  expectRefused(VIT_CORRUPT, "damaged", legacy(twoTensors(), data, {5, 2}));
  expectRefused(VIT_CORRUPT, "damaged", legacy(twoTensors(), {data[0]}, {6}));
  expectRefused(VIT_CORRUPT, "damaged",
                legacy(twoTensors(), {data[0], data[0]}, {6, 6}));
  legacyIds = false;
  expectRefused(VIT_CORRUPT, "not one that torch.save wrote",
                program(dict({{"a", "K\1"}})));
}

TEST(TorchFile, Views) {
  std::string entries = orderedDict(
      {{"transposed", tensor(six, 0, {3, 2}, {1, 3})},
       {"part", tensor(six, 2, {2, 2}, {2, 1})},
       {"column", tensor(six, 1, {2}, {3})},
       {"repeated", tensor(two, 1, {2, 3}, {0, 0})},
       {"permuted", tensor(six, 0, {3, 1, 2}, {1, 99, 3})},
       {"units", tensor(six, 5, {1, 1}, {1000, 0})},
       {"scalar", tensor(six, 3, {}, {})},
       {"empty", tensor(six, 6, {0, 4}, {4, 1})},
       {"parameter", global("torch._utils", "_rebuild_parameter") +
                         tuple({tensor(two, 0, {2}, {1}), "\x88", ordered}) +
                         "R"},
       {"typed", global("torch._tensor", "_rebuild_from_type_v2") +
                     tuple({global("torch._utils", "_rebuild_tensor_v2"),
                            global("torch", "Tensor"),
                            tuple({reference(two), number(0), numbers({2}),
                                   numbers({1}), "\x89", ordered}),
                            "}"}) +
                     "R"}});
  File file(archive(entries, data));
  ASSERT_EQ(file.status, VIT_OK) << file.message();
  EXPECT_EQ(file.read("transposed"), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(file.read("part"), (Values{3, 4, 5, 6}));
  EXPECT_EQ(file.read("column"), (Values{2, 5}));
  EXPECT_EQ(file.read("repeated"), (Values{8, 8, 8, 8, 8, 8}));
  EXPECT_EQ(file.read("permuted"), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(file.read("units"), (Values{6}));
  EXPECT_EQ(file.read("scalar"), (Values{4}));
  EXPECT_EQ(file.read("empty"), Values());
  EXPECT_EQ(file.read("parameter"), (Values{7, 8}));
  EXPECT_EQ(file.read("typed"), (Values{7, 8}));
  for (const char *name : {"part", "units", "scalar", "parameter"})
    EXPECT_EQ(file.weights.stored().find(name)->copy, nullptr) << name;
}

TEST(TorchFile, Types) {
  const std::pair<const char *, ElementType> types[] = {
      {"Float", ElementType::F32},       {"Half", ElementType::F16},
      {"BFloat16", ElementType::BF16},   {"Double", ElementType::F64},
      {"Long", ElementType::I64},        {"Int", ElementType::I32},
      {"Short", ElementType::I16},       {"Char", ElementType::I8},
      {"Byte", ElementType::U8},         {"Bool", ElementType::Bool},
      {"ComplexFloat", ElementType::C64}};
  for (auto [name, type] : types) {
    File file(archive(dict({{"a", tensor({"k", name, 3}, 1, {2}, {1})}}),
                      {{"k", std::string(3 * sizeOf(type), 'x')}}));
    ASSERT_EQ(file.status, VIT_OK) << file.message();
    const StoredTensor *tensor = file.weights.stored().find("a");
    EXPECT_EQ(tensor->type, type);
    EXPECT_EQ(tensor->end - tensor->begin, 2 * sizeOf(type));
  }
  expectRefused(VIT_UNSUPPORTED, "tensor a is a torch.QInt8Storage",
                archive(dict({{"a", tensor({"k", "QInt8", 3}, 0, {2}, {1})}}),
                        {{"k", "xxx"}}));
  expectRefused(
      VIT_UNSUPPORTED, "torch._utils._rebuild_sparse_tensor",
      archive(dict({{"a",
                     global("torch._utils", "_rebuild_sparse_tensor") + ")R"}}),
              {}));
  std::string deep =
      tensor(two, 0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1));
  expectRefused(VIT_UNSUPPORTED, "more than 8 dimensions",
                archive(dict({{"a", deep}}), data));
}

TEST(TorchFile, StateDictsInCheckpoints) {
  std::string state = twoTensors(), moment = tensor(two, 0, {2}, {1}),
              options = global("argparse", "Namespace") + ")\x81" +
                        dict({{"lr", std::string("G?\0\0\0\0\0\0\0", 9)}}) +
                        "b",
              optimizer = dict(
                  {{"state", "}" + number(0) + dict({{"m", moment}}) + "s"}});
  auto expect = [&](const std::string &value, const char *under) {
    File file(archive(value, data));
    expectTwoTensors(file);
    ASSERT_NE(file.weights.note(), nullptr);
    EXPECT_EQ(std::string(file.weights.note()),
              "the weights are those under \"" + std::string(under) + "\"");
  };
  for (const char *name : {"model", "state_dict", "module", "teacher"})
    expect(dict({{"epoch", number(3)},
                 {"args", options},
                 {name, state},
                 {"rng_state", moment},
                 {"optimizer", optimizer},
                 {"loss", dict({{"center", moment}})}}),
           name);
  expect(dict({{"anything", state}, {"names", "](" + text("x") + "e"}}),
         "anything");
  expect(dict({{"model", dict({{"state_dict", state}})}, {"a", "}"}}),
         "model.state_dict");
  expectRefused(VIT_UNSUPPORTED, "2 state dicts: \"student\", \"teacher\"",
                archive(dict({{"student", state}, {"teacher", state}}), data));
  expectRefused(VIT_UNSUPPORTED, "2 state dicts: \"a\", \"b\"",
                archive(dict({{"a", state}, {"b", state}}), data));
  setenv(kWeightsKey, "b", 1);
  expect(dict({{"a", state}, {"b", state}}), "b");
  expect(dict({{"model", state}, {"b", state}}), "b");
  expect(dict({{"model", dict({{"a", state}, {"b", state}})}}), "model.b");
  setenv(kWeightsKey, "c", 1);
  expectRefused(VIT_UNSUPPORTED, ": \"c\" is not there",
                archive(dict({{"a", state}, {"b", state}}), data));
  // Not the only one there is in place of the wanted one.
  expectRefused(VIT_UNSUPPORTED, "1 state dict: \"model\"; name",
                archive(dict({{"model", state}}), data));
  setenv(kWeightsKey, "ema", 1);
  expect(dict({{"model", dict({{"state_dict", state}})},
               {"ema", dict({{"state_dict", state}})}}),
         "ema.state_dict");
  unsetenv(kWeightsKey);
  expectRefused(VIT_CORRUPT, "no state dict", archive(dict({{"a", "N"}}), {}));
  expectRefused(VIT_CORRUPT, "no state dict", archive(moment, data));
  // A dict that holds itself.
  expectRefused(VIT_CORRUPT, "no state dict",
                archive("}q\1" + text("model") + "h\1s", data));
}

//===----------------------------------------------------------------------===//
// Bad files
//===----------------------------------------------------------------------===//

TEST(TorchFile, NothingIsCalled) {
  std::string call = text("touch called") + "\x85R";
  for (const char *name : {"system", "popen"})
    for (const std::string &value :
         {global("os", name) + call,
          dict({{"model", twoTensors()}, {"x", global("os", name) + call}}),
          // STACK_GLOBAL, of protocol 4.
          text("os") + text(name) + "\x93" + call})
      expectRefused(VIT_UNSUPPORTED,
                    "it holds code (os." + std::string(name) +
                        "), which is not run; save the state dict",
                    archive(value, data));
  expectRefused(VIT_UNSUPPORTED, "it holds code (os.system)",
                program(global("os", "system") + call));
  expectRefused(VIT_UNSUPPORTED, "a call of an object",
                archive(global("a", "B") + ")\x81" + call, data));
  expectRefused(VIT_UNSUPPORTED,
                "it holds a whole model (timm.ViT), whose code is not run",
                archive(global("timm", "ViT") + ")\x81" +
                            dict({{"_modules", twoTensors()}}) + "b",
                        data));
  std::vector<Record> script = {{"a/data.pkl", program(twoTensors())},
                                {"a/constants.pkl", program(")")}};
  expectRefused(VIT_UNSUPPORTED, "TorchScript", zip(script));
}

TEST(TorchFile, LyingSizes) {
  auto refuse = [](const char *expected, int64_t offset,
                   const std::vector<int64_t> &dims,
                   const std::vector<int64_t> &strides) {
    expectRefused(
        VIT_CORRUPT, expected,
        archive(dict({{"a", tensor(six, offset, dims, strides)}}), data));
  };
  constexpr int64_t huge = INT64_MAX;
  refuse("tensor a lies outside its storage", 1, {2, 3}, {3, 1});
  refuse("tensor a lies outside its storage", 0, {7}, {1});
  refuse("tensor a lies outside its storage", 0, {2, 3}, {4, 1});
  refuse("tensor a lies outside its storage", huge, {1}, {1});
  refuse("tensor a lies outside its storage", 7, {0}, {1});
  refuse("tensor a lies outside its storage", 0, {3}, {huge});
  refuse("tensor a lies outside its storage", 0, {huge, huge}, {0, 0});
  refuse("tensor a lies outside its storage", 1, {huge}, {1});
  refuse("damaged", -1, {1}, {1});
  refuse("damaged", 0, {-1}, {1});
  refuse("damaged", 0, {1}, {-1});
  refuse("damaged", 0, {1, 2}, {1});
  expectRefused(VIT_UNSUPPORTED, "repeat the same elements",
                archive(dict({{"a", tensor(six, 0, {1 << 20}, {0})}}), data));
  for (int64_t count : {int64_t(7), huge, int64_t(1) << 62})
    expectRefused(
        VIT_CORRUPT, "the storage of tensor a is shorter than its size",
        archive(dict({{"a", tensor({"0", "Float", count}, 0, {1}, {1})}}),
                data));
  expectRefused(
      VIT_CORRUPT, "the storage of tensor a is missing",
      archive(dict({{"a", tensor({"7", "Float", 1}, 0, {1}, {1})}}), data));
  std::string value = tensor(two, 0, {1}, {1});
  expectRefused(VIT_CORRUPT, "tensor a is there twice",
                archive(dict({{"a", value}, {"a", value}}), data));
  expectRefused(VIT_CORRUPT, "is no text",
                archive(dict({{"\xff", value}}), data));
}

TEST(TorchFile, BadArchives) {
  Record object = {"a/data.pkl", program(twoTensors())};
  expectRefused(VIT_CORRUPT, "no data.pkl", zip({{"a.txt", "x"}}));
  expectRefused(VIT_CORRUPT, "no data.pkl", zip({{"a/xdata.pkl", "x"}}));
  expectRefused(VIT_CORRUPT, "two data.pkl", zip({object, {"data.pkl", "x"}}));
  expectRefused(VIT_CORRUPT, "twice", zip({object, object}));
  expectRefused(VIT_UNSUPPORTED, "byteorder",
                zip({object, {"a/byteorder", "big"}}));
  Record compressed = object, encrypted = object;
  compressed.method = 8;
  encrypted.flags = 1;
  expectRefused(VIT_UNSUPPORTED, "a/data.pkl of the zip archive is compressed",
                zip({compressed}));
  expectRefused(VIT_UNSUPPORTED, "encrypted", zip({encrypted}));
  expectRefused(VIT_CORRUPT, "the pickle is damaged", zip({{"data.pkl", ""}}));
}

TEST(TorchFile, CutFiles) {
  legacyIds = true;
  std::string old = legacy(twoTensors(), data, {6, 2});
  legacyIds = false;
  for (const std::string &whole : {archive(twoTensors(), data), old})
    for (size_t length = 2; length < whole.size(); ++length) {
      File file(whole.substr(0, length));
      ASSERT_EQ(file.status, VIT_CORRUPT) << length << file.message();
    }
}

TEST(TorchFile, ChangedBytes) {
  legacyIds = true;
  std::string old = legacy(twoTensors(), data, {6, 2});
  legacyIds = false;
  for (const std::string &whole : {archive(twoTensors(), data), old})
    for (size_t at = 0; at < whole.size(); ++at)
      for (int bit = 0; bit < 8; ++bit) {
        std::string changed = whole;
        changed[at] = char(changed[at] ^ 1 << bit);
        File file(changed);
        if (file.status != VIT_OK)
          continue;
        for (const StoredTensor &tensor : file.weights.stored().tensors())
          file.read(tensor.name);
      }
}

TEST(TorchFile, ManyValues) {
  expectRefused(VIT_UNSUPPORTED, "more than 2097152 values",
                archive(std::string((2 << 20) + 2, 'N'), data));
  expectRefused(VIT_CORRUPT, "damaged",
                archive("Nr" + little(0xffffffff, 4), data));
}

TEST(WeightFile, TellsFormatsByContent) {
  // The length of this header, 0x280, is how a pickle begins.
  std::string json =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  json.resize(0x280, ' ');
  File file(little(json.size(), 8) + json + floats({3}));
  ASSERT_EQ(file.status, VIT_OK) << file.message();
  EXPECT_EQ(file.read("a"), Values{3});
  EXPECT_EQ(file.weights.note(), nullptr);
}

} // namespace
