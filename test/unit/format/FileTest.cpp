//===- FileTest.cpp - Mapped and atomically replaced files ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/AtomicFile.h"
#include "format/MappedFile.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vit::format;
namespace fs = std::filesystem;

#if __has_feature(address_sanitizer)
#define VIT_HAS_ASAN true
#else
#define VIT_HAS_ASAN false
#endif

namespace {

class File : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/vit-format-XXXXXX";
    folder = mkdtemp(name);
    path = folder + "/file";
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string read(const std::string &name) const {
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
  }
  size_t entries() const {
    return size_t(std::distance(fs::directory_iterator(folder), {}));
  }

  std::string folder, path;
  vit_error error = {};
};

TEST_F(File, AppearsWhenItIsCommitted) {
  {
    AtomicFile file;
    ASSERT_EQ(file.open(path.c_str(), &error), VIT_OK) << error.message;
    ASSERT_EQ(file.writeAt(6, "world", 5, &error), VIT_OK);
    ASSERT_EQ(file.writeAt(0, "hello", 5, &error), VIT_OK);
    ASSERT_EQ(file.write(" ", 1, &error), VIT_OK);
    ASSERT_EQ(file.resize(12, &error), VIT_OK);
    EXPECT_FALSE(fs::exists(path));
    ASSERT_EQ(file.commit(&error), VIT_OK) << error.message;
    EXPECT_EQ(entries(), 1u);
    EXPECT_EQ(read(path), std::string("hello world\0", 12));
  }
  // Without a commit nothing changes, and no file is left.
  {
    AtomicFile file;
    ASSERT_EQ(file.open(path.c_str(), &error), VIT_OK);
    ASSERT_EQ(file.write("other", 5, &error), VIT_OK);
  }
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(read(path).substr(0, 5), "hello");
}

TEST_F(File, FollowsLinksAndHeedsTheMode) {
  fs::create_symlink("real", path);
  std::ofstream(folder + "/real") << "old";
  AtomicFile file;
  ASSERT_EQ(file.open(path.c_str(), &error, 0600), VIT_OK) << error.message;
  ASSERT_EQ(file.write("new", 3, &error), VIT_OK);
  ASSERT_EQ(file.commit(&error), VIT_OK) << error.message;
  EXPECT_TRUE(fs::is_symlink(path));
  EXPECT_EQ(read(folder + "/real"), "new");
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(File, CannotReplaceFolders) {
  AtomicFile file, missing, device;
  EXPECT_EQ(file.open(folder.c_str(), &error), VIT_IO_ERROR);
  EXPECT_EQ(error.message, "cannot write " + folder + ": Is a directory");
  EXPECT_EQ(missing.open("/no/such/folder", &error), VIT_IO_ERROR);
  EXPECT_STREQ(error.message,
               "cannot write /no/such/folder: No such file or directory");
  ASSERT_EQ(device.open("/dev/null", &error), VIT_OK);
  EXPECT_TRUE(device.isDevice());
  EXPECT_EQ(device.write("x", 1, &error), VIT_OK);
  EXPECT_EQ(device.commit(&error), VIT_OK);
}

TEST_F(File, IsMapped) {
  MappedFile file;
  EXPECT_EQ(file.open(path.c_str(), "list", &error), VIT_NOT_FOUND);
  EXPECT_EQ(error.message,
            "cannot open list '" + path + "': No such file or directory");
  EXPECT_EQ(file.open((path + "/x").c_str(), "list", &error), VIT_NOT_FOUND);
  EXPECT_EQ(file.open(folder.c_str(), "list", &error), VIT_IO_ERROR);
  std::ofstream(path) << "";
  ASSERT_EQ(file.open(path.c_str(), "list", &error), VIT_OK);
  EXPECT_EQ(file.size(), 0u);
  std::ofstream(path) << "abc";
  ASSERT_EQ(file.open(path.c_str(), "list", &error), VIT_OK);
  ASSERT_EQ(file.size(), 3u);
  EXPECT_EQ(file.data()[2], 'c');
}

TEST_F(File, PagesAreMadeReady) {
  std::ofstream(path) << std::string(1 << 20, 'a');
  MappedFile file;
  ASSERT_EQ(file.open(path.c_str(), "list", &error), VIT_OK);
  readyPages(file.data() + 5, file.size() - 5);
  auto countFaults = [] {
    rusage usage = {};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  long before = countFaults();
  unsigned sum = 0;
  for (uint64_t at = 0; at < file.size(); at += 4096)
    sum += static_cast<const volatile unsigned char *>(file.data())[at];
  // The shadow memory of AddressSanitizer has faults of its own.
  if (!VIT_HAS_ASAN)
    EXPECT_EQ(countFaults(), before);
  EXPECT_EQ(sum, 256u * 'a');
  // Bytes that the file has lost are no reason to fail here.
  ASSERT_EQ(truncate(path.c_str(), 5000), 0);
  readyPages(file.data(), file.size());
  EXPECT_EQ(file.data()[4999], 'a');
}

} // namespace
