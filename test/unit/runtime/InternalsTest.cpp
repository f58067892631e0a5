//===- InternalsTest.cpp - Separate parts of the runtime ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Text.h"

#include <gtest/gtest.h>

#include <vector>

using namespace vit::runtime;

namespace {

TEST(Text, EscapesAndCounts) {
  auto write = [](Text &json) {
    json.beginObject(nullptr);
    json.field("a\"b\\", "x\ty");
    json.beginArray("n");
    json.item(int64_t(-5));
    json.item(0.1);
    json.item(true);
    json.beginObject(nullptr);
    json.endObject();
    json.endArray();
    json.endObject();
  };
  Text counted;
  write(counted);
  std::vector<char> memory(counted.size() + 1);
  Text json(memory.data(), memory.size());
  write(json);
  EXPECT_STREQ(memory.data(), R"({"a\"b\\":"x\u0009y","n":[-5,0.1,true,{}]})");
}

} // namespace
