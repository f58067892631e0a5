//===- Cache.cpp - The cache of compiled models ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cache.h"

#include "Command.h"
#include "Options.h"
#include "Support.h"
#include "format/TestVariables.h"
#include "format/WeightNames.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <tuple>
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

  std::string hex() const { return hexText(low) + hexText(high); }

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
    if (fs::path extension = entry.path().extension();
        entry.is_regular_file() &&
        (extension == ".json" ||
         std::find(std::begin(format::kWeightEndings),
                   std::end(format::kWeightEndings),
                   extension) != std::end(format::kWeightEndings)))
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
  const auto &[model, weights, imageSize, allowUnused, seed, outputs,
               skipPasses, dumpIr, target, level, precision, keep, training,
               calibration] = options;
  Hash hash;
  hash.add(vit_version());
  addStamp(hash, fs::canonical(findCompilerLibrary()));
  addModel(hash, model);
  if (!weights.empty())
    addStamp(hash, weights);
  hash.add(weights);
  hash.add(imageSize);
  for (const char *variable : {format::kWeightsKey, format::kExpandTiles}) {
    const char *value = std::getenv(variable);
    hash.add(value ? value : "");
  }
  hash.add(allowUnused ? "allow-unused" : "");
  hash.add(precision);
  hash.add(keep);
  hash.add(target);
  hash.add(level);
  hash.add(outputs);
  if (training) {
    const auto &[text, memory, batch, bucketBytes] = *training;
    hash.add(text);
    hash.add(std::to_string(memory));
    hash.add(std::to_string(batch));
    hash.add(std::to_string(bucketBytes));
  }
  if (calibration) {
    const auto &[statistics, smoothAlpha, staticScales] = *calibration;
    hash.add(statistics);
    hash.add(std::to_string(smoothAlpha));
    hash.add(staticScales ? "static-scales" : "");
  }
  hash.add(skipPasses);
  return (folder / (hash.hex() + ".vitm")).string();
}

/// The extended attribute that holds what describeCached writes: it goes with
/// its file. Not every file system has them.
static constexpr const char *kDescription = "user.vit.model";

void describeCached(const std::string &path, const CompilerOptions &options) {
  std::error_code ignored;
  std::string text =
      (options.level.empty() ? options.target : options.level) +
      (options.precision == "f32" ? "" : " " + options.precision) + "  " +
      fs::absolute(options.model, ignored).string();
  if (!options.weights.empty())
    text += " with " + fs::absolute(options.weights, ignored).string();
  if (options.training)
    text += " (training)";
  for (char &c : text) // One line, whatever the name of the file.
    if (static_cast<unsigned char>(c) < ' ' || c == 127)
      c = '?';
  setxattr(path.c_str(), kDescription, text.data(), text.size(), 0);
}

void markUsed(const std::string &path) {
  // The time of last access is unreliable: many file systems do not keep it.
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
}

std::optional<uint64_t> parseCacheSize(const std::string &text) {
  constexpr size_t kMaxDigits = 9;
  size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string::npos)
    digits = text.size();
  static const std::map<std::string, int> shifts = {
      {"", 0}, {"K", 10}, {"M", 20}, {"G", 30}};
  auto unit = shifts.find(text.substr(digits));
  if (digits == 0 || unit == shifts.end() ||
      digits > (unit->second ? kMaxDigits : 2 * kMaxDigits))
    return std::nullopt;
  return static_cast<uint64_t>(std::stoull(text.substr(0, digits)))
         << unit->second;
}

namespace {

/// A file of the cache.
struct CacheEntry {
  fs::path path;
  uint64_t bytes = 0;
  fs::file_time_type used; ///< Last use.
};

/// Whether vit gives its files such names: a hash of 32 digits and .vitm, or
/// vulkan-*.pipelines; in either case perhaps an unfinished one (.tmp*).
bool isCacheName(std::string name) {
  name = name.substr(0, name.find(".tmp"));
  fs::path path = name;
  std::string stem = path.stem().string();
  if (path.extension() == ".pipelines")
    return stem.rfind("vulkan-", 0) == 0;
  return path.extension() == ".vitm" && stem.size() == 32 &&
         stem.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The files of the cache, the least recently used first. A file that vanishes
/// meanwhile is left out, and so is one that was being written in the last
/// hour.
std::vector<CacheEntry> listCache() {
  std::vector<CacheEntry> entries;
  std::error_code error;
  fs::directory_iterator folder(cacheFolder(), error), end;
  for (; !error && folder != end; folder.increment(error)) {
    CacheEntry entry;
    entry.path = folder->path();
    std::string name = entry.path.filename().string();
    std::error_code failed;
    if (!isCacheName(name) || !fs::is_regular_file(folder->symlink_status()))
      continue;
    entry.bytes = fs::file_size(entry.path, failed);
    if (!failed)
      entry.used = fs::last_write_time(entry.path, failed);
    bool unfinished =
        name.find(".tmp") != std::string::npos &&
        fs::file_time_type::clock::now() - entry.used < std::chrono::hours(1);
    if (!failed && !unfinished)
      entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const CacheEntry &a, const CacheEntry &b) {
              return std::tie(a.used, a.path) < std::tie(b.used, b.path);
            });
  return entries;
}

/// The level and the model that a file was compiled from, or nothing.
std::string describeEntry(const CacheEntry &entry) {
  char text[4096];
  ssize_t size = getxattr(entry.path.c_str(), kDescription, text, sizeof(text));
  return size <= 0 ? "" : std::string(text, static_cast<size_t>(size)) + "  ";
}

uint64_t cacheLimit() {
  const char *text = std::getenv("VIT_CACHE_SIZE");
  if (!text || !*text)
    return uint64_t(2) << 30;
  std::optional<uint64_t> limit = parseCacheSize(text);
  if (!limit)
    throw Error(std::string("VIT_CACHE_SIZE is '") + text +
                "', not a number of bytes such as 512M or 2G");
  return *limit;
}

struct CacheOptions {
  bool clear = false;
};

void listOrClearCache(const CacheOptions &options) {
  std::vector<CacheEntry> entries = listCache();
  uint64_t bytes = 0;
  size_t count = 0;
  for (const CacheEntry &entry : entries) {
    std::error_code error;
    if (options.clear && !fs::remove(entry.path, error) && error)
      throw Error("cannot remove " + entry.path.string() + ": " +
                  error.message());
    bytes += entry.bytes;
    ++count;
    if (options.clear)
      continue;
    struct stat status = {};
    char when[32] = "?";
    if (stat(entry.path.c_str(), &status) == 0)
      std::strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S",
                    std::localtime(&status.st_mtime));
    std::printf("%12s  %s  %s%s\n", bytesText(entry.bytes).c_str(), when,
                describeEntry(entry).c_str(), entry.path.c_str());
  }
  std::string folder = cacheFolder().string();
  std::printf("%s%zu file%s, %s%s%s (limit %s)\n",
              options.clear ? "removed " : "", count, count == 1 ? "" : "s",
              bytesText(bytes).c_str(), folder.empty() ? "" : " in ",
              folder.c_str(), bytesText(cacheLimit()).c_str());
}

} // namespace

void trimCache() {
  uint64_t limit = cacheLimit(), total = 0;
  std::vector<CacheEntry> entries = listCache();
  for (const CacheEntry &entry : entries)
    total += entry.bytes;
  for (const CacheEntry &entry : entries) {
    if (total <= limit)
      return;
    std::error_code error;
    if (fs::remove(entry.path, error))
      total -= entry.bytes;
  }
}

bool hasDriverKernels() {
  std::vector<CacheEntry> entries = listCache();
  return std::any_of(entries.begin(), entries.end(), [](const auto &entry) {
    return entry.path.extension() == ".pipelines";
  });
}

void addCache(CLI::App &app) {
  Command command(app, "cache",
                  "List the compiled models that are kept, the least recently "
                  "used first (size, last use, level, model, file), or remove "
                  "them");
  auto options = std::make_shared<CacheOptions>();
  command.flag("--clear", options->clear, "Remove them");
  command.action([options] { listOrClearCache(*options); });
}

} // namespace vit::tools
