//===- OutputFile.cpp - A file that appears whole or not at all -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFile.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir::vit;

bool OutputFile::fail(const char *what) {
  error =
      std::string("cannot ") + what + " " + path + ": " + std::strerror(errno);
  return false;
}

bool OutputFile::open() {
  struct stat status;
  // A rename would replace a device or a folder's entry by a file.
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    return fail("write");
  }
  // A file that a killed process left may have the same name: take another.
  static std::atomic<unsigned> counter{0};
  for (int attempt = 0; file < 0 && attempt < 1000; ++attempt) {
    temporary = path + ".tmp" + std::to_string(getpid()) + "-" +
                std::to_string(counter++);
    file = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                  0666);
    if (file < 0 && errno != EEXIST)
      break;
  }
  if (file < 0) {
    temporary.clear();
    return fail("write");
  }
  return true;
}

bool OutputFile::write(uint64_t offset, llvm::ArrayRef<char> bytes) {
  while (!bytes.empty()) {
    ssize_t count =
        pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return fail("write");
    bytes = bytes.drop_front(count);
    offset += count;
  }
  return true;
}

bool OutputFile::commit(uint64_t size) {
  if (ftruncate(file, static_cast<off_t>(size)) != 0 || fsync(file) != 0)
    return fail("write");
  int closed = close(file);
  file = -1;
  if (closed != 0 || rename(temporary.c_str(), path.c_str()) != 0)
    return fail("write");
  temporary.clear();
  return true;
}

OutputFile::~OutputFile() {
  if (file >= 0)
    close(file);
  if (!temporary.empty())
    unlink(temporary.c_str());
}
