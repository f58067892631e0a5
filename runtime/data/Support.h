//===- Support.h - Errors, files and memory ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside the library a failure is an exception; at the C boundary `guarded`
// turns it into a status and a message.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_SUPPORT_H
#define VIT_DATA_SUPPORT_H

#include "format/AtomicFile.h"
#include "format/FloatControl.h"
#include "format/MappedFile.h"
#include "vit/vit-data.h"

#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace vit::data {

/// The status and message of a failed call of the C API.
struct Failure : std::exception {
  Failure(vit_status status, std::string message)
      : status(status), message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }

  vit_status status;
  std::string message;
};

[[noreturn]] void fail(vit_status status, std::string message);
[[noreturn]] inline void invalid(std::string message) {
  fail(VIT_INVALID_ARGUMENT, std::move(message));
}
[[noreturn]] inline void corrupt(std::string message) {
  fail(VIT_CORRUPT, std::move(message));
}
[[noreturn]] inline void unsupported(std::string message) {
  fail(VIT_UNSUPPORTED, std::move(message));
}

/// Throws the failure that a function of vit-format reports, if any.
void check(vit_status status, const vit_error &error);

/// Writes one line: control characters, which a damaged file may hold, become
/// question marks.
void setMessage(vit_error *error, std::string_view message) noexcept;

/// Runs the body of a C function and converts exceptions to a status. Threads
/// that it starts compute with floats as it does.
template <typename Body>
vit_status guarded(vit_error *error, Body &&body) noexcept {
  format::StandardFloats floats;
  try {
    body();
    return VIT_OK;
  } catch (const Failure &failure) {
    setMessage(error, failure.message);
    return failure.status;
  } catch (const std::bad_alloc &) {
    setMessage(error, "out of memory");
    return VIT_OUT_OF_MEMORY;
  } catch (const std::exception &other) {
    setMessage(error, other.what());
    return VIT_INTERNAL;
  } catch (...) {
    setMessage(error, "unexpected exception");
    return VIT_INTERNAL;
  }
}

/// Runs `body`. A failure's message gets `name` and a colon before it.
template <typename Body>
decltype(auto) named(const std::string &name, Body &&body) {
  try {
    return body();
  } catch (const Failure &failure) {
    fail(failure.status, name + ": " + failure.message);
  }
}

/// Memory from malloc, as the C API returns it.
struct Free {
  void operator()(void *memory) const noexcept { std::free(memory); }
};
template <typename T> using Buffer = std::unique_ptr<T[], Free>;

/// Uninitialised and aligned to format::kAlignment; never null.
Buffer<uint8_t> allocate(size_t bytes);

/// Returns a * b; fails with VIT_UNSUPPORTED, naming `what`, on overflow.
size_t multiply(size_t a, size_t b, const char *what);

/// Bytes that are owned by someone else.
struct Bytes {
  const uint8_t *data = nullptr;
  size_t size = 0;
};

/// Fails with VIT_CORRUPT: what `file`, which is not of the expected format, is
/// recognised as; otherwise `otherwise`.
[[noreturn]] void misread(Bytes file, std::string otherwise);

inline uint16_t readLittle16(const uint8_t *p) {
  return uint16_t(p[0] | p[1] << 8);
}
inline uint32_t readLittle32(const uint8_t *p) {
  return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24;
}
inline uint32_t readBig32(const uint8_t *p) {
  return p[3] | p[2] << 8 | p[1] << 16 | uint32_t(p[0]) << 24;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// Reads a whole file. Pipes are read to their end.
std::vector<uint8_t> readFile(const std::string &path);
std::string readTextFile(const std::string &path);

bool isFile(const std::string &path);
bool isFolder(const std::string &path);
std::string joinPath(const std::string &folder, const std::string &name);

/// A file in memory, read only and guarded: see format::MappedFile. Whoever
/// reads its bytes calls `requireWhole` afterwards, which throws.
class MappedFile {
public:
  explicit MappedFile(const std::string &path);

  void requireWhole() const;

  Bytes bytes() const { return {file.data(), size_t(file.size())}; }
  const std::string &path() const { return name; }

private:
  std::string name;
  format::MappedFile file;
};

/// A file that appears under its name only when all of it is on disk.
class AtomicFile {
public:
  explicit AtomicFile(const std::string &path);
  void write(const void *data, size_t size);
  void commit();

private:
  format::AtomicFile file;
};

} // namespace vit::data

#endif // VIT_DATA_SUPPORT_H
