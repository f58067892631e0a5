//===- WordsTest.cpp - Committed words match their sources ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

static const uint32_t kSubgroup[] = {
#include "devices/vulkan/subgroup_test.inc"
};
static const uint32_t kScale[] = {
#include "kernels/scale.inc"
};
static const uint32_t kLinear[] = {
#include "kernels/linear.inc"
};
static const uint32_t kAdd[] = {
#include "kernels/add.inc"
};

/// Assembles a file with spirv-as.
static std::vector<uint32_t> assemble(const std::string &path) {
  char output[] = "/tmp/vit-words-XXXXXX";
  int file = mkstemp(output);
  if (file < 0)
    return {};
  close(file);
  std::string command =
      "spirv-as --target-env spv1.3 '" + path + "' -o " + output;
  std::vector<uint32_t> words;
  if (std::system(command.c_str()) == 0) {
    std::ifstream stream(output, std::ios::binary);
    uint32_t word;
    while (stream.read(reinterpret_cast<char *>(&word), 4))
      words.push_back(word);
  }
  std::remove(output);
  return words;
}

template <size_t size>
static void expectWords(const uint32_t (&committed)[size],
                        const std::string &source) {
  std::vector<uint32_t> words = assemble(VIT_TEST_SOURCE + source);
  ASSERT_GT(words.size(), 5u) << source;
  std::vector<uint32_t> expected(committed, committed + size);
  // Ignore the version of the assembler.
  words[2] = expected[2] = 0;
  EXPECT_EQ(words, expected) << source << ": assemble it again";
}

TEST(VulkanWords, AreOfTheirSource) {
  if (std::system("spirv-as --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "there is no spirv-as (spirv-tools)";
  expectWords(kSubgroup, "/runtime/src/devices/vulkan/subgroup_test.spvasm");
  expectWords(kScale, "/test/unit/vulkan/kernels/scale.spvasm");
  expectWords(kLinear, "/test/unit/vulkan/kernels/linear.spvasm");
  expectWords(kAdd, "/test/unit/vulkan/kernels/add.spvasm");
}
