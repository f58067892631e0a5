//===- TestSupport.h - Files and comparisons --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_DATA_TESTSUPPORT_H
#define VIT_TEST_DATA_TESTSUPPORT_H

#include "vit/vit-data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace vit::test {

/// The path of a file in test/data.
inline std::string dataPath(const std::string &name) {
  return std::string(VIT_SOURCE_DIR) + "/test/data/" + name;
}

/// The path of a file of the reference data, which is not part of the
/// repository: $VIT_SHARED, or the folder `shared` beside the repository.
inline std::string sharedPath(const std::string &name) {
  const char *folder = std::getenv("VIT_SHARED");
  return (folder ? std::string(folder)
                 : std::string(VIT_SOURCE_DIR) + "/../shared") +
         "/data/" + name;
}

inline bool exists(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

inline std::string readAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A temporary folder that the destructor removes with its contents.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = ::testing::TempDir() + "/vit-data-XXXXXX";
    char *made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path = pattern;
  }
  ~TemporaryFolder() { removeAll(path); }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  /// Writes a file, creating its folders, and returns its path.
  std::string write(const std::string &name,
                    const std::string &contents) const {
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1))
      mkdir((path + "/" + name.substr(0, slash)).c_str(), 0777);
    std::string full = path + "/" + name;
    std::ofstream file(full, std::ios::binary);
    file << contents;
    EXPECT_TRUE(file.good()) << full;
    return full;
  }
  std::vector<std::string> list() const { return list(path); }

  std::string path;

private:
  static std::vector<std::string> list(const std::string &folder) {
    std::vector<std::string> names;
    if (DIR *handle = opendir(folder.c_str())) {
      while (const dirent *entry = readdir(handle))
        if (std::string(entry->d_name) != "." &&
            std::string(entry->d_name) != "..")
          names.push_back(entry->d_name);
      closedir(handle);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static void removeAll(const std::string &path) {
    for (const std::string &name : list(path))
      removeAll(path + "/" + name);
    std::remove(path.c_str());
  }
};

/// Checks that a call fails with this status and a one-line message that
/// contains `text`.
inline void
expectFailure(vit_status status, const std::string &text,
              const std::function<vit_status(vit_error *)> &function) {
  vit_error error = {};
  EXPECT_EQ(function(&error), status) << error.message;
  std::string message = error.message;
  EXPECT_NE(message.find(text), std::string::npos)
      << "\"" << message << "\" does not hold \"" << text << "\"";
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

inline std::string little(uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i)
    result += char(value >> (8 * i));
  return result;
}
inline std::string big(uint32_t value) {
  return {char(value >> 24), char(value >> 16), char(value >> 8), char(value)};
}

} // namespace vit::test

/// Skips a test, with the reason, if its data is missing.
#define VIT_REQUIRE_SHARED(NAME)                                               \
  do {                                                                         \
    if (!vit::test::exists(vit::test::sharedPath(NAME)))                       \
      GTEST_SKIP() << "skipped: no " << vit::test::sharedPath(NAME);           \
  } while (false)

#endif // VIT_TEST_DATA_TESTSUPPORT_H
