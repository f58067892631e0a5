//===- MappedFile.cpp - A file in memory ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/MappedFile.h"

#include "format/Diagnose.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vit::format {

vit_status MappedFile::open(const char *path, const char *what,
                            vit_error *error) {
  close();
  // Not blocking: a name may be that of a pipe.
  descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    int code = errno;
    char reason[1024];
    return fail(
        error, code == ENOENT || code == ENOTDIR ? VIT_NOT_FOUND : VIT_IO_ERROR,
        "cannot open %s '%s': %s", what, path,
        explainNotOpened(path, code, reason, sizeof reason));
  }
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close();
    return fail(error, VIT_IO_ERROR, "cannot read %s '%s': not a regular file",
                what, path);
  }
  length = uint64_t(status.st_size);
  if (length == 0)
    return VIT_OK; // There is nothing to map.
  void *mapped = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapped == MAP_FAILED) {
    int code = errno;
    close();
    return fail(error, VIT_IO_ERROR, "cannot map %s '%s': %s", what, path,
                std::strerror(code));
  }
  memory = static_cast<unsigned char *>(mapped);
  return VIT_OK;
}

void MappedFile::guard() {
  if (memory)
    guarded.start(memory, length);
}

vit_status MappedFile::requireWhole(const char *name, bool wasCut,
                                    vit_error *error) const {
  if (!isOpen())
    return VIT_OK;
  // Within its last page a file is cut without a signal.
  struct stat status;
  if (!wasCut && !guarded.wasCut() && fstat(descriptor, &status) == 0 &&
      uint64_t(status.st_size) >= length)
    return VIT_OK;
  return fail(error, VIT_IO_ERROR,
              "'%s' was cut short while it was in use: replace files by "
              "renaming a new one, and load it again",
              name);
}

void MappedFile::close() {
  guarded.stop();
  if (memory)
    munmap(memory, length);
  if (descriptor >= 0)
    ::close(descriptor);
  memory = nullptr;
  descriptor = -1;
  length = 0;
}

unsigned char *MappedFile::mapPrivate(uint64_t offset, uint64_t size) const {
  void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE,
                      descriptor, off_t(offset));
  return mapped == MAP_FAILED ? nullptr : static_cast<unsigned char *>(mapped);
}

void readyPages(const void *data, uint64_t size) {
#ifdef MADV_POPULATE_READ
  constexpr int advice = MADV_POPULATE_READ;
#else
  constexpr int advice = 22; // Before glibc 2.35.
#endif
  auto page = uint64_t(sysconf(_SC_PAGESIZE));
  uint64_t before = reinterpret_cast<uintptr_t>(data) % page;
  madvise(static_cast<char *>(const_cast<void *>(data)) - before, size + before,
          advice);
}

void forgetPages(const void *data, uint64_t size) {
  auto page = uint64_t(sysconf(_SC_PAGESIZE));
  // Only whole pages: those at the ends hold a neighbour's bytes too.
  uint64_t skip = (page - reinterpret_cast<uintptr_t>(data) % page) % page;
  if (size < skip + page)
    return;
  madvise(static_cast<char *>(const_cast<void *>(data)) + skip,
          (size - skip) / page * page, MADV_DONTNEED);
}

} // namespace vit::format
