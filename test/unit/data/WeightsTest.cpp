//===- WeightsTest.cpp - safetensors --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cstring>

using namespace vit;
using namespace vit::test;

static std::string makeFile(const std::string &header,
                            const std::string &elements) {
  return little(header.size(), 8) + header + elements;
}

/// One entry of a header.
static std::string entry(const std::string &name, const std::string &dtype,
                         const std::string &shape, int begin, int end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

static void expectRefused(vit_status status, const std::string &text,
                          const std::string &file) {
  TemporaryFolder folder;
  std::string path = folder.write("x.safetensors", file);
  vit_weights *weights = nullptr;
  expectFailure(status, text, [&](vit_error *error) {
    return vit_weights_open(path.c_str(), &weights, error);
  });
  EXPECT_EQ(weights, nullptr);
  expectFailure(status, "x.safetensors", [&](vit_error *error) {
    return vit_weights_open(path.c_str(), &weights, error);
  });
}

static std::string twoTensors() {
  return makeFile("{\"__metadata__\":{\"format\":\"pt\"}," +
                      entry("b", "F32", "[2]", 4, 12) + "," +
                      entry("a", "BF16", "[1,2]", 0, 4) + "}  ",
                  std::string("\x80\x3f\x40\xc0\0\0\0\x40\0\0\x80\x3e", 12));
}

TEST(Weights, FileCutShortWhileInUse) {
  TemporaryFolder folder;
  std::string path =
      folder.write("x.safetensors",
                   makeFile("{" + entry("a", "F32", "[5000]", 0, 20000) + "}",
                            std::string(20000, 'x')));
  vit_weights *weights = nullptr;
  data::call(vit_weights_open, path.c_str(), &weights);
  data::call(vit_weights_check_files, weights);
  // The last element's page does not exist any more, the first one's does.
  ASSERT_EQ(truncate(path.c_str(), 4000), 0);
  std::string message =
      "'" + path + "' was cut short while it was in use: replace files by";
  for (int64_t first : {4999, 0})
    expectFailure(VIT_IO_ERROR, message, [&](vit_error *error) {
      float value;
      return vit_weights_read_f32(weights, 0, first, 1, &value, error);
    });
  vit_weight_info info = {};
  data::call(vit_weights_info, weights, 0, &info);
  EXPECT_EQ(static_cast<const char *>(info.data)[19999], 0);
  expectFailure(VIT_IO_ERROR, message, [&](vit_error *error) {
    return vit_weights_check_files(weights, error);
  });
  vit_weights_release(weights);
}

TEST(Weights, ReadsAndWidens) {
  TemporaryFolder folder;
  std::string path = folder.write("x.safetensors", twoTensors());
  data::Weights weights(path);
  ASSERT_EQ(weights.count(), 2);
  vit_weight_info a = weights.info(0);
  EXPECT_STREQ(a.name, "a") << "in order of offset";
  EXPECT_STREQ(a.dtype_name, "BF16");
  EXPECT_EQ(a.dtype, VIT_BF16);
  EXPECT_EQ(a.rank, 2);
  EXPECT_EQ(a.dims[1], 2);
  EXPECT_EQ(a.size, 4u);
  EXPECT_EQ(path, a.file);
  std::string file = readAll(path);
  EXPECT_EQ(std::memcmp(file.data() + a.file_offset, a.data, a.size), 0);
  EXPECT_EQ(weights.find("b"), 1);
  EXPECT_EQ(weights.find("c"), -1);

  float values[2];
  weights.read(0, 0, 2, values);
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], -3);
  double wide[1];
  weights.read(1, 1, 1, wide);
  EXPECT_EQ(wide[0], 0.25);
  weights.read(1, 2, 0, static_cast<double *>(nullptr));

  vit_weights *handle = nullptr;
  data::call(vit_weights_open, path.c_str(), &handle);
  EXPECT_STREQ(vit_weights_metadata(handle, "format"), "pt");
  EXPECT_EQ(vit_weights_metadata(handle, "none"), nullptr);
  expectFailure(VIT_INVALID_ARGUMENT, "2 elements", [&](vit_error *error) {
    return vit_weights_read_f32(handle, 1, 1, 2, values, error);
  });
  expectFailure(VIT_INVALID_ARGUMENT, "no tensor 2", [&](vit_error *error) {
    return vit_weights_read_f32(handle, 2, 0, 1, values, error);
  });
  vit_weights_release(handle);
}

TEST(Weights, EmptyTensorsAndOtherTypes) {
  TemporaryFolder folder;
  std::string path =
      folder.write("x.safetensors",
                   makeFile("{" + entry("cls_token", "F32", "[0,48]", 0, 0) +
                                "," + entry("count", "I64", "[]", 0, 8) + "," +
                                entry("mask", "BOOL", "[3]", 8, 11) + "}",
                            std::string("\x05\0\0\0\0\0\0\0\1\0\1", 11)));
  data::Weights weights(path);
  ASSERT_EQ(weights.count(), 3);
  EXPECT_EQ(weights.info(weights.find("cls_token")).size, 0u);
  double count;
  weights.read(weights.find("count"), 0, 1, &count);
  EXPECT_EQ(count, 5);
  EXPECT_EQ(weights.info(weights.find("mask")).dtype, -1);
  vit_weights *handle = nullptr;
  data::call(vit_weights_open, path.c_str(), &handle);
  expectFailure(VIT_UNSUPPORTED, "BOOL", [&](vit_error *error) {
    return vit_weights_read_f64(handle, 2, 0, 1, &count, error);
  });
  vit_weights_release(handle);
  // A file without tensors is valid.
  EXPECT_EQ(
      data::Weights(folder.write("e.safetensors", makeFile("{}", ""))).count(),
      0);
}

TEST(Weights, LyingFiles) {
  expectRefused(VIT_CORRUPT, "empty", "");
  expectRefused(VIT_CORRUPT, "truncated", "1234567");
  expectRefused(VIT_CORRUPT, "truncated", little(1000, 8) + "{}");
  expectRefused(VIT_CORRUPT, "damaged", little(uint64_t(1) << 62, 8) + "{}");
  expectRefused(VIT_CORRUPT, "damaged", makeFile("[]", ""));
  expectRefused(VIT_CORRUPT, "not JSON", makeFile("{\"a\"", ""));
  expectRefused(VIT_CORRUPT, "not JSON", makeFile("{\"\xff\":1}", ""));
  std::string four(4, 'x'), eight(8, 'x');
  auto one = [&](const std::string &text, const std::string &elements) {
    return makeFile("{" + text + "}", elements);
  };
  expectRefused(VIT_CORRUPT, "disagree",
                one(entry("a", "F32", "[2]", 0, 4), four));
  expectRefused(VIT_CORRUPT, "outside",
                one(entry("a", "F32", "[2]", 0, 8), four));
  expectRefused(VIT_CORRUPT, "outside",
                one(entry("a", "F32", "[1]", 8, 4), eight));
  expectRefused(VIT_CORRUPT, "after its last",
                one(entry("a", "F32", "[1]", 0, 4), eight));
  expectRefused(VIT_CORRUPT, "gap", one(entry("a", "F32", "[1]", 4, 8), eight));
  expectRefused(
      VIT_CORRUPT, "overlaps",
      one(entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[1]", 2, 6),
          four + "xx"));
  expectRefused(
      VIT_CORRUPT, "twice",
      one(entry("a", "F32", "[1]", 0, 4) + "," + entry("a", "F32", "[1]", 4, 8),
          eight));
  expectRefused(VIT_CORRUPT, "disagree",
                one(entry("a", "F32", "[4294967296,4294967296]", 0, 4), four));
  expectRefused(VIT_CORRUPT, "wrong type",
                one(entry("a", "F32", "[-1]", 0, 4), four));
  expectRefused(VIT_CORRUPT, "wrong type",
                one(entry("a", "F32", "[1.5]", 0, 4), four));
  expectRefused(VIT_CORRUPT, "wrong type",
                one(entry("a", "F32", "[[1]]", 0, 4), four));
  expectRefused(
      VIT_CORRUPT, "wrong type",
      one("\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,"
          "4,8]}",
          four));
  expectRefused(VIT_CORRUPT, "wrong type",
                one("\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":"
                    "[0]}",
                    four));
  expectRefused(VIT_CORRUPT, "lacks",
                one("\"a\":{\"dtype\":\"F32\",\"shape\":[1]}", four));
  expectRefused(VIT_CORRUPT, "once each",
                one("\"a\":{\"dtype\":\"F32\",\"size\":[1]}", four));
  expectRefused(VIT_CORRUPT, "map of tensors", one("\"a\":3", four));
  expectRefused(VIT_UNSUPPORTED, "dtype F3",
                one(entry("a", "F3", "[1]", 0, 4), four));
  expectRefused(VIT_UNSUPPORTED, "dimensions",
                one(entry("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4), four));
}

TEST(Weights, EveryTruncationIsAnErrorAndEveryFlipIsSafe) {
  TemporaryFolder folder;
  std::string whole = twoTensors();
  auto open = [&](const std::string &file) {
    std::string path = folder.write("x.safetensors", file);
    vit_weights *weights = nullptr;
    vit_error error = {};
    vit_status status = vit_weights_open(path.c_str(), &weights, &error);
    EXPECT_NE(status, VIT_INTERNAL) << error.message;
    vit_weights_release(weights);
    return status;
  };
  EXPECT_EQ(open(whole), VIT_OK);
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(open(whole.substr(0, length)), VIT_CORRUPT) << length;
  for (size_t at = 0; at < whole.size() - 12; ++at) {
    std::string flipped = whole;
    flipped[at] = char(flipped[at] ^ (1 << at % 8));
    open(flipped);
  }
}

TEST(Weights, ShardedSets) {
  TemporaryFolder folder;
  std::string index = R"({"metadata": {"total_size": 8}, "weight_map": {
    "a": "model-00001-of-00002.safetensors",
    "b": "model-00002-of-00002.safetensors"}})";
  folder.write("model.safetensors.index.json", index);
  std::string first =
      folder.write("model-00001-of-00002.safetensors",
                   makeFile("{" + entry("a", "F32", "[1]", 0, 4) + "}",
                            std::string(4, '\0')));
  vit_weights *weights = nullptr;
  auto open = [&](vit_error *error) {
    return vit_weights_open(folder.path.c_str(), &weights, error);
  };
  expectFailure(VIT_NOT_FOUND, "model-00002-of-00002", open);
  std::string second = "model-00002-of-00002.safetensors";
  std::string four(4, '\0');
  folder.write(first.substr(folder.path.size() + 1),
               makeFile("{" + entry("a", "F32", "[1]", 0, 4) + "}", four));
  folder.write(second,
               makeFile("{" + entry("c", "F32", "[1]", 0, 4) + "}", four));
  expectFailure(VIT_CORRUPT, "weight_map says: b", open);
  folder.write(second,
               makeFile("{" + entry("a", "F32", "[1]", 0, 4) + "}", four));
  expectFailure(VIT_CORRUPT, "another file", open);
  folder.write(second,
               makeFile("{" + entry("b", "F32", "[1]", 0, 4) + "}", four));
  data::Weights set(folder.path);
  EXPECT_EQ(set.count(), 2);
  EXPECT_EQ(set.info(set.find("b")).file, folder.path + "/" + second);

  for (const char *name : {"../x", "/etc/passwd", "a/b", "", ".."}) {
    folder.write("model.safetensors.index.json",
                 std::string("{\"weight_map\": {\"a\": \"") + name + "\"}}");
    expectFailure(VIT_CORRUPT, "same folder", open);
  }
  folder.write("model.safetensors.index.json", "{}");
  expectFailure(VIT_CORRUPT, "weight_map", open);
}

TEST(Weights, FoldersWithoutWeights) {
  TemporaryFolder folder;
  vit_weights *weights = nullptr;
  auto open = [&](vit_error *error) {
    return vit_weights_open(folder.path.c_str(), &weights, error);
  };
  expectFailure(VIT_NOT_FOUND, "model.safetensors", open);
  EXPECT_EQ(weights, nullptr);
  expectFailure(VIT_NOT_FOUND, "/no/such", [&](vit_error *error) {
    return vit_weights_open("/no/such", &weights, error);
  });
}

/// A state dict of one tensor, "w" [2, 2], transposed, as torch.save wrote it
/// before it wrote zip archives.
static std::string makeTorchFile(const std::string &under) {
  auto text = [](const std::string &value) {
    return "X" + little(value.size(), 4) + value;
  };
  std::string state =
      "}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" +
      text("storage") + "ctorch\nHalfStorage\n" + text("7") + text("cpu") +
      "K\4NtQK" + std::string(1, 0) + "K\2K\2\x86K\1K\2\x86\x89}tRs";
  if (!under.empty())
    state = "}" + text(under) + state + "s";
  return "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
         "\x80\2M\xe9\3.\x80\2}.\x80\2" +
         state + ".\x80\2]" + text("7") + "a." + little(4, 8) +
         std::string("\0\x3c\0\x40\0\x42\0\x44", 8);
}

TEST(Weights, FilesOfTorchSave) {
  TemporaryFolder folder;
  std::string path = folder.write("any.name", makeTorchFile("model"));
  data::Weights weights(path);
  ASSERT_EQ(weights.count(), 1);
  vit_weight_info info = weights.info(0);
  EXPECT_STREQ(info.name, "w");
  EXPECT_STREQ(info.dtype_name, "F16");
  EXPECT_EQ(info.size, 8u);
  EXPECT_EQ(info.file_offset, 0u) << "it is a copy";
  float values[3];
  weights.read(0, 1, 3, values);
  EXPECT_EQ(values[0], 3);
  EXPECT_EQ(values[1], 2);
  EXPECT_EQ(values[2], 4);
  EXPECT_EQ(weights.note(0), path + ": the weights are those under \"model\"");
  EXPECT_EQ(weights.note(1), nullptr);
}

TEST(Weights, PreferredFilesOfAFolder) {
  TemporaryFolder folder;
  auto fileOf = [&] {
    data::Weights weights(folder.path);
    std::string path = weights.info(0).file;
    EXPECT_EQ(weights.note(0), nullptr);
    return path.substr(path.rfind('/') + 1);
  };
  folder.write("part-1.bin", makeTorchFile(""));
  folder.write("pytorch_model.bin.index.json",
               "{\"weight_map\": {\"w\": \"part-1.bin\"}}");
  EXPECT_EQ(fileOf(), "part-1.bin");
  folder.write("pytorch_model.bin", makeTorchFile(""));
  EXPECT_EQ(fileOf(), "pytorch_model.bin");
  folder.write("model.safetensors", twoTensors());
  EXPECT_EQ(fileOf(), "model.safetensors");
}

TEST(Weights, WriterRoundTrip) {
  TemporaryFolder folder;
  std::string path = folder.path + "/out.safetensors";
  float values[] = {1, 2, 3, 4, 5, 6};
  int64_t step = 7;
  uint16_t halves[] = {0x3c00};
  vit_tensor tensors[] = {
      {"w\"eight\\", values, sizeof(values), VIT_F32, 2, {2, 3}, VIT_HOST},
      {"none", nullptr, 0, VIT_F32, 2, {0, 4}, VIT_HOST},
      {"step", &step, 8, VIT_I64, 0, {}, VIT_HOST},
      {"half", halves, 2, VIT_F16, 1, {1}, VIT_HOST}};
  const char *metadata[] = {"format", "pt", "note", "\xc3\xa4"};
  data::call(vit_weights_write, path.c_str(), tensors, 4, metadata, 2);
  EXPECT_EQ(folder.list(), std::vector<std::string>{"out.safetensors"});

  vit_weights *weights = nullptr;
  data::call(vit_weights_open, path.c_str(), &weights);
  EXPECT_EQ(vit_weights_count(weights), 4);
  EXPECT_STREQ(vit_weights_metadata(weights, "note"), "\xc3\xa4");
  float again[6];
  data::call(vit_weights_read_f32, weights,
             vit_weights_find(weights, "w\"eight\\"), 0, 6, again);
  EXPECT_EQ(std::memcmp(values, again, sizeof(values)), 0);
  vit_weight_info info;
  data::call(vit_weights_info, weights, 0, &info);
  EXPECT_EQ(info.file_offset % 64, 0u);
  data::call(vit_weights_read_f32, weights, vit_weights_find(weights, "half"),
             0, 1, again);
  EXPECT_EQ(again[0], 1);
  vit_weights_release(weights);
}

TEST(Weights, WriterRefusals) {
  TemporaryFolder folder;
  std::string path = folder.path + "/out.safetensors";
  float value = 0;
  auto write = [&](std::vector<vit_tensor> tensors, std::string to) {
    return [=](vit_error *error) {
      return vit_weights_write(to.c_str(), tensors.data(),
                               int64_t(tensors.size()), nullptr, 0, error);
    };
  };
  vit_tensor a = {"a", &value, 4, VIT_F32, 1, {1}, VIT_HOST};
  vit_tensor unnamed = a, large = a, meta = a, latin = a;
  unnamed.name = nullptr;
  large.dims[0] = 2;
  meta.name = "__metadata__";
  latin.name = "\xff";
  expectFailure(VIT_INVALID_ARGUMENT, "name of its own", write({a, a}, path));
  expectFailure(VIT_INVALID_ARGUMENT, "name of its own",
                write({unnamed}, path));
  expectFailure(VIT_INVALID_ARGUMENT, "name of its own", write({meta}, path));
  expectFailure(VIT_INVALID_ARGUMENT, "need 8", write({large}, path));
  expectFailure(VIT_INVALID_ARGUMENT, "UTF-8", write({latin}, path));
  expectFailure(VIT_IO_ERROR, "cannot write", write({a}, "/no/such/x"));
  EXPECT_TRUE(folder.list().empty());
}
