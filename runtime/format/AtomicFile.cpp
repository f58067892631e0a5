//===- AtomicFile.cpp - A file that appears whole or not at all -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/AtomicFile.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vit::format {

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (temporary[0])
    unlink(temporary);
}

vit_status AtomicFile::failWith(int code, vit_error *error) const {
  return fail(error, VIT_IO_ERROR, "cannot write %s: %s", target,
              std::strerror(code));
}

vit_status AtomicFile::open(const char *path, vit_error *error, mode_t mode) {
  if (std::snprintf(target, sizeof target, "%s", path) >= int(sizeof target))
    return failWith(ENAMETOOLONG, error);
  struct stat status;
  if (stat(path, &status) == 0) {
    if (S_ISDIR(status.st_mode))
      return failWith(EISDIR, error);
    isNameless = S_ISREG(status.st_mode) && status.st_nlink == 0;
    if (isNameless || !S_ISREG(status.st_mode)) {
      descriptor = ::open(path, O_WRONLY | O_CLOEXEC);
      return descriptor < 0 ? failWith(errno, error) : VIT_OK;
    }
    // A symbolic link stays: the file that it points to is replaced.
    if (!realpath(path, target))
      return failWith(errno, error);
  }
  // A killed process may have left a file of the same name: take another name.
  for (unsigned attempt = 0; descriptor < 0; ++attempt) {
    std::snprintf(temporary, sizeof temporary, "%s.tmp%ld-%u", target,
                  long(getpid()), attempt);
    descriptor =
        ::open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor < 0 && (errno != EEXIST || attempt > 1000)) {
      temporary[0] = 0;
      return failWith(errno, error);
    }
  }
  return VIT_OK;
}

vit_status AtomicFile::write(const void *data, size_t size, vit_error *error) {
  const char *bytes = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t count = ::write(descriptor, bytes, size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return failWith(errno, error);
    bytes += count;
    size -= size_t(count);
  }
  return VIT_OK;
}

vit_status AtomicFile::writeAt(uint64_t offset, const void *data, size_t size,
                               vit_error *error) {
  if (lseek(descriptor, off_t(offset), SEEK_SET) < 0)
    return failWith(errno, error);
  return write(data, size, error);
}

vit_status AtomicFile::resize(uint64_t size, vit_error *error) {
  return ftruncate(descriptor, off_t(size)) == 0 ? VIT_OK
                                                 : failWith(errno, error);
}

vit_status AtomicFile::commit(vit_error *error) {
  // A pipe or a terminal cannot be synchronised; that is no failure.
  if (fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS)
    return failWith(errno, error);
  int closed = close(descriptor);
  descriptor = -1;
  if (closed != 0)
    return failWith(errno, error);
  if (temporary[0] == 0)
    return VIT_OK;
  if (rename(temporary, target) != 0)
    return failWith(errno, error);
  temporary[0] = 0;
  // The new name itself reaches the disk with its folder. The file is complete
  // either way, so a failure is not reported.
  char *slash = std::strrchr(target, '/');
  if (slash)
    slash[slash == target] = 0;
  syncFolder(slash ? target : ".", nullptr);
  return VIT_OK;
}

vit_status syncFolder(const char *path, vit_error *error) {
  int handle = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0)
    return fail(error, VIT_IO_ERROR, "cannot open %s: %s", path,
                std::strerror(errno));
  bool good = fsync(handle) == 0 || errno == EINVAL || errno == EROFS;
  int code = errno;
  close(handle);
  return good ? VIT_OK
              : fail(error, VIT_IO_ERROR, "cannot sync %s: %s", path,
                     std::strerror(code));
}

} // namespace vit::format
