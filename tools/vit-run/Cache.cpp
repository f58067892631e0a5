//===- Cache.cpp - The cache of compiled models ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"

#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace vit::tools {

namespace {

/// FNV-1a with two different offsets and a mixing step between them: 128 bits,
/// which avoids accidental collisions; a private cache needs no more.
class Hash {
public:
  /// Adds a string and its length, so that ("ab", "c") and ("a", "bc") differ.
  void add(const std::string &text) {
    addBytes(std::to_string(text.size()) + ":");
    addBytes(text);
  }

  std::string hex() const {
    char text[33];
    std::snprintf(text, sizeof(text), "%016llx%016llx",
                  static_cast<unsigned long long>(low),
                  static_cast<unsigned long long>(high));
    return text;
  }

private:
  void addBytes(const std::string &text) {
    for (unsigned char c : text) {
      low = (low ^ c) * 0x100000001b3ull;
      high = (high ^ c ^ (low >> 47)) * 0x9e3779b97f4a7c15ull;
    }
  }

  uint64_t low = 0xcbf29ce484222325ull;
  uint64_t high = 0x6a09e667f3bcc908ull;
};

} // namespace

/// Adds path, size and modification time, which tell versions of a large file
/// apart without reading it.
static void addStamp(Hash &hash, const fs::path &path) {
  std::error_code ignored;
  hash.add(fs::weakly_canonical(path, ignored).string());
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    hash.add("none");
    return;
  }
  hash.add(std::to_string(status.st_size) + "," +
           std::to_string(status.st_mtim.tv_sec) + "," +
           std::to_string(status.st_mtim.tv_nsec) + "," +
           std::to_string(status.st_ino));
}

static void addModel(Hash &hash, const fs::path &model) {
  if (!fs::is_directory(model)) {
    addStamp(hash, model);
    hash.add(readFile(model.string()));
    return;
  }
  hash.add(fs::canonical(model).string());
  std::vector<fs::path> files;
  for (const fs::directory_entry &entry : fs::directory_iterator(model))
    if (entry.is_regular_file() && (entry.path().extension() == ".json" ||
                                    entry.path().extension() == ".safetensors"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path &file : files) {
    addStamp(hash, file);
    // The text is hashed, too: an edit may be faster than the resolution of the
    // file system's clock.
    if (file.extension() == ".json" && fs::file_size(file) < (16u << 20))
      hash.add(readFile(file.string()));
  }
}

static fs::path cacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/')
    return fs::path(cache) / "vit";
  const char *home = std::getenv("HOME");
  if (home && home[0] == '/')
    return fs::path(home) / ".cache" / "vit";
  return {};
}

std::string cachePath(const CompilerOptions &options) {
  fs::path folder = cacheFolder();
  if (folder.empty())
    return {};
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || access(folder.c_str(), W_OK | X_OK) != 0)
    return {};
  // Names every option: this does not compile after one is added, until it is
  // handled here. The seed is used at load and a dump does not change the
  // module.
  const auto &[model, weights, allowUnused, seed, outputs, skipPasses, dumpIr,
               target, level, precision, training] = options;
  Hash hash;
  hash.add(vit_version());
  addStamp(hash, fs::canonical(findCompilerLibrary()));
  addModel(hash, model);
  if (!weights.empty())
    addStamp(hash, weights);
  hash.add(weights);
  hash.add(allowUnused ? "allow-unused" : "");
  hash.add(precision);
  hash.add(target);
  hash.add(level);
  hash.add(outputs);
  if (training) {
    const auto &[text, memory, batch] = *training;
    hash.add(text);
    hash.add(std::to_string(memory));
    hash.add(std::to_string(batch));
  }
  hash.add(skipPasses);
  return (folder / (hash.hex() + ".vitm")).string();
}

} // namespace vit::tools
