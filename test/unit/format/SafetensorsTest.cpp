//===- SafetensorsTest.cpp - Headers of safetensors files -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Safetensors.h"

#include <gtest/gtest.h>

#include <string>

using namespace vit::format;

namespace {

/// test/unit/data/WeightsTest.cpp tests invalid files.
struct Header {
  explicit Header(const std::string &json, size_t bytes = 0) {
    std::string file(8, '\0');
    for (int i = 0; i < 8; ++i)
      file[size_t(i)] = char(json.size() >> (8 * i));
    file += json + std::string(bytes, 'x');
    status = header.read(reinterpret_cast<const unsigned char *>(file.data()),
                         file.size(), "x.safetensors", Allocator(), &error);
  }
  Safetensors header;
  vit_error error = {};
  vit_status status;
};

TEST(Safetensors, DecodesEscapes) {
  Header file(R"({"a\u0022\n\\\/ \u00e4\u20ac\ud83d\ude00":)"
              R"({"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
              4);
  ASSERT_EQ(file.status, VIT_OK) << file.error.message;
  EXPECT_STREQ(file.header.tensors()[0].name, "a\"\n\\/ ä€😀");
  EXPECT_EQ(file.header.find("a\"\n\\/ ä€😀"), &file.header.tensors()[0]);
  for (const char *name :
       {R"(\u0000)", R"(\ud83d)", R"(\ude00)", R"(\ud83d\u0041)", R"(\x)",
        R"(\u12)", "a\tb", "\xc0\x80", "\xed\xa0\x80"}) {
    Header bad("{\"" + std::string(name) +
                   R"(":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
               4);
    EXPECT_EQ(bad.status, VIT_CORRUPT) << name;
    EXPECT_NE(std::string(bad.error.message).find("not JSON"),
              std::string::npos)
        << bad.error.message;
  }
}

TEST(Safetensors, FindsTensorsByName) {
  // Sorted by offset, not by name.
  constexpr int kMany = 20000;
  std::string json = "{";
  for (int i = 0; i < kMany; ++i)
    json += std::string(i ? "," : "") + "\"t" +
            std::to_string(i * 7919 % kMany) +
            R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
            std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  Header file(json + "}", kMany);
  ASSERT_EQ(file.status, VIT_OK) << file.error.message;
  ASSERT_EQ(file.header.tensors().size(), size_t(kMany));
  for (const StoredTensor &tensor : file.header.tensors())
    EXPECT_EQ(file.header.find(tensor.name), &tensor);
  EXPECT_EQ(file.header.find("t"), nullptr);
  EXPECT_EQ(file.header.find(""), nullptr);
  EXPECT_EQ(Header("{}").header.find("a"), nullptr);
}

TEST(Safetensors, ReadsMetadataOnce) {
  Header file(R"({"__metadata__":{"a":"b","c":"d"}})");
  ASSERT_EQ(file.status, VIT_OK) << file.error.message;
  ASSERT_EQ(file.header.metadata().size(), 2u);
  EXPECT_STREQ(file.header.metadata()[1].key, "c");
  EXPECT_STREQ(file.header.metadata()[1].value, "d");
  EXPECT_EQ(Header(R"({"__metadata__":{},"__metadata__":{}})").status,
            VIT_CORRUPT);
  EXPECT_EQ(Header(R"({"__metadata__":{"a":1}})").status, VIT_CORRUPT);
}

} // namespace
