//===- Support.cpp - Errors, files and memory -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vit::data;

void vit::data::fail(vit_status status, std::string message) {
  throw Failure(status, std::move(message));
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
  if (posix_memalign(&memory, 64, bytes ? bytes : 1) != 0)
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
    if (value < 0)
      fail(errno == ENOENT || errno == ENOTDIR ? VIT_NOT_FOUND : VIT_IO_ERROR,
           "cannot open " + path + ": " + std::strerror(errno));
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
  constexpr size_t longestPipe = size_t(1) << 30; // It may have no end.
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
  Descriptor file(path);
  if (!S_ISREG(file.info.st_mode))
    fail(VIT_IO_ERROR, "cannot map " + path + ": it is not a regular file");
  length = size_t(file.info.st_size);
  if (length == 0)
    return;
  void *mapped = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (mapped == MAP_FAILED)
    fail(VIT_IO_ERROR, "cannot map " + path + ": " + std::strerror(errno));
  memory = static_cast<const uint8_t *>(mapped);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : name(std::move(other.name)), memory(other.memory), length(other.length) {
  other.memory = nullptr;
  other.length = 0;
}

MappedFile::~MappedFile() {
  if (memory)
    munmap(const_cast<uint8_t *>(memory), length);
}

AtomicFile::AtomicFile(const std::string &path) : target(path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode))
      failWith(EISDIR);
    if (!S_ISREG(info.st_mode)) {
      descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (descriptor < 0)
        failWith(errno);
      return;
    }
    // A link stays a link: what it points to is replaced.
    if (char *real = realpath(path.c_str(), nullptr)) {
      target = real;
      std::free(real);
    }
  }
  for (unsigned attempt = 0; descriptor < 0; ++attempt) {
    temporary = target + ".tmp" + std::to_string(getpid()) + "-" +
                std::to_string(attempt);
    descriptor =
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && (errno != EEXIST || attempt > 1000)) {
      int code = errno;
      temporary.clear();
      failWith(code);
    }
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

void AtomicFile::failWith(int code) {
  fail(VIT_IO_ERROR, "cannot write " + target + ": " + std::strerror(code));
}

void AtomicFile::write(const void *data, size_t size) {
  const char *at = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t put = ::write(descriptor, at, size);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      failWith(errno);
    at += put;
    size -= size_t(put);
  }
}

void AtomicFile::commit() {
  // A pipe or terminal cannot be synchronised; that is no failure.
  if (fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS)
    failWith(errno);
  int closed = close(descriptor);
  descriptor = -1;
  if (closed != 0)
    failWith(errno);
  if (temporary.empty())
    return;
  if (rename(temporary.c_str(), target.c_str()) != 0)
    failWith(errno);
  temporary.clear();
  // The new name itself reaches the disk with its folder.
  size_t slash = target.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : target.substr(0, slash);
  int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle >= 0) {
    fsync(handle);
    close(handle);
  }
}
