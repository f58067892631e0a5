//===- DiagnoseTest.cpp - What a file is that cannot be read --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Diagnose.h"
#include "format/MappedFile.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <unistd.h>

using namespace vit::format;

namespace {

std::string textOf(const std::string &bytes) {
  const char *text = recognise(bytes.data(), bytes.size()).text;
  return text ? text : "";
}

TEST(Diagnose, RecognisesWhatStandsInPlaceOfAFile) {
  const std::pair<std::string, const char *> known[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
       "git lfs pull"},
      {"<!DOCTYPE html><html>", "web page"},
      {"\xef\xbb\xbf\n <HTML lang=\"en\">", "web page"},
      {"Entry not found", "server"},
      {"", "empty"},
      {std::string(100, '\0'), "zeros"},
      {"GIF89a", "GIF"},
      {std::string("II*\0", 4), "TIFF"},
      {std::string("RIFF\x10\0\0\0WEBPVP8 ", 16), "WebP"},
      {std::string("\0\0\0\x18"
                   "ftypheic",
                   12),
       "HEIC"},
      {std::string("\0\0\0\x18"
                   "ftypavif",
                   12),
       "AVIF"},
      {"PK\3\4", "zip archive"},
      {"\x80\2}q", "pickle"},
      {"\x89HDF\r\n\x1a\n", "HDF5"},
      {"GGUF\3", "GGUF"},
      {"\x08\x07\x12\x07pytorch", "ONNX"},
      {std::string(257, 'x') + "ustar", "tar archive"}};
  for (const auto &[bytes, expected] : known)
    EXPECT_NE(textOf(bytes).find(expected), std::string::npos) << expected;
  EXPECT_EQ(textOf("{\"a\": 1}"), "");
  EXPECT_EQ(textOf("hello"), "");
  EXPECT_EQ(textOf("version"), "");
  EXPECT_TRUE(recognise("GIF89a", 6).isPicture);
  EXPECT_FALSE(recognise("GGUF", 4).isPicture);
}

TEST(Diagnose, NamesTheTargetOfADanglingLink) {
  std::string link = testing::TempDir() + "vit-dangling-link";
  unlink(link.c_str());
  ASSERT_EQ(symlink("../blobs/0123", link.c_str()), 0);
  MappedFile file;
  vit_error error = {};
  EXPECT_EQ(file.open(link.c_str(), "file", &error), VIT_NOT_FOUND);
  EXPECT_NE(std::string(error.message)
                .find("it is a link to ../blobs/0123, which does not exist"),
            std::string::npos)
      << error.message;
  unlink(link.c_str());
  char text[64];
  EXPECT_STREQ(explainNotOpened(link.c_str(), ENOENT, text, sizeof text),
               "No such file or directory");
}

} // namespace
