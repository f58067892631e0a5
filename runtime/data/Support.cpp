//===- Support.cpp - Errors, files and memory -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "format/Alignment.h"
#include "format/Diagnose.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vit::data;

void vit::data::fail(vit_status status, std::string message) {
  throw Failure(status, std::move(message));
}

void vit::data::misread(Bytes file, std::string otherwise) {
  const char *contents = vit::format::recognise(file.data, file.size).text;
  corrupt(contents ? contents : std::move(otherwise));
}

void vit::data::check(vit_status status, const vit_error &error) {
  if (status != VIT_OK)
    fail(status, error.message);
}

void vit::data::setMessage(vit_error *error,
                           std::string_view message) noexcept {
  if (!error)
    return;
  size_t length = std::min(message.size(), sizeof(error->message) - 1);
  for (size_t i = 0; i < length; ++i) {
    unsigned char c = message[i];
    error->message[i] = c < 0x20 || c == 0x7f ? '?' : char(c);
  }
  error->message[length] = 0;
}

Buffer<uint8_t> vit::data::allocate(size_t bytes) {
  void *memory = nullptr;
  if (posix_memalign(&memory, format::kAlignment, bytes ? bytes : 1) != 0)
    throw std::bad_alloc();
  return Buffer<uint8_t>(static_cast<uint8_t *>(memory));
}

size_t vit::data::multiply(size_t a, size_t b, const char *what) {
  size_t product;
  if (__builtin_mul_overflow(a, b, &product) || product > PTRDIFF_MAX)
    unsupported(std::string(what) + " is too large for this machine");
  return product;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

namespace {
/// An open file descriptor.
class Descriptor {
public:
  explicit Descriptor(const std::string &path)
      : value(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value < 0) {
      int code = errno;
      char reason[1024];
      fail(code == ENOENT || code == ENOTDIR ? VIT_NOT_FOUND : VIT_IO_ERROR,
           "cannot open " + path + ": " +
               vit::format::explainNotOpened(path.c_str(), code, reason,
                                             sizeof(reason)));
    }
    if (fstat(value, &info) != 0 || S_ISDIR(info.st_mode)) {
      std::string reason =
          S_ISDIR(info.st_mode) ? "it is a folder" : std::strerror(errno);
      close(value);
      fail(VIT_IO_ERROR, "cannot read " + path + ": " + reason);
    }
  }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() { close(value); }

  int value;
  struct stat info = {};
};
} // namespace

std::vector<uint8_t> vit::data::readFile(const std::string &path) {
  Descriptor file(path);
  std::vector<uint8_t> contents;
  size_t length = 0;
  bool isRegular = S_ISREG(file.info.st_mode);
  if (isRegular)
    contents.resize(size_t(file.info.st_size) + 1);
  constexpr size_t longestPipe = size_t(1) << 30; // A pipe may never end.
  for (;;) {
    if (length == contents.size()) {
      if (!isRegular && length >= longestPipe)
        unsupported("cannot read " + path + ": more than 1 GiB comes from it");
      contents.resize(std::max<size_t>(65536, length * 2));
    }
    ssize_t got =
        read(file.value, contents.data() + length, contents.size() - length);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      fail(VIT_IO_ERROR, "cannot read " + path + ": " + std::strerror(errno));
    if (got == 0)
      break;
    length += size_t(got);
  }
  contents.resize(length);
  return contents;
}

std::string vit::data::readTextFile(const std::string &path) {
  std::vector<uint8_t> contents = readFile(path);
  return std::string(contents.begin(), contents.end());
}

bool vit::data::isFile(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
}

bool vit::data::isFolder(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string vit::data::joinPath(const std::string &folder,
                                const std::string &name) {
  return folder.empty() || folder.back() == '/' ? folder + name
                                                : folder + "/" + name;
}

MappedFile::MappedFile(const std::string &path) : name(path) {
  vit_error error;
  check(file.open(path.c_str(), "file", &error), error);
  file.guard();
}

void MappedFile::requireWhole() const {
  vit_error error;
  check(file.requireWhole(name.c_str(), /*wasCut=*/false, &error), error);
}

AtomicFile::AtomicFile(const std::string &path) {
  vit_error error;
  check(file.open(path.c_str(), &error), error);
}

void AtomicFile::write(const void *data, size_t size) {
  vit_error error;
  check(file.write(data, size, &error), error);
}

void AtomicFile::commit() {
  vit_error error;
  check(file.commit(&error), error);
}
