//===- Error.h - Messages of failed calls -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_ERROR_H
#define VIT_FORMAT_ERROR_H

#include "vit/vit.h"

namespace vit::format {

/// Writes one line to `error` (may be NULL) and returns `status`. Control
/// characters, which a damaged file may hold, become question marks.
__attribute__((format(printf, 3, 4))) vit_status fail(vit_error *error,
                                                      vit_status status,
                                                      const char *format, ...);

inline vit_status outOfMemory(vit_error *error, unsigned long long bytes,
                              const char *what) {
  return fail(error, VIT_OUT_OF_MEMORY, "out of memory: no %llu bytes for %s",
              bytes, what);
}

// Arguments for %lld and %llu.
inline long long lld(int64_t number) { return number; }
inline unsigned long long llu(uint64_t number) { return number; }

} // namespace vit::format

/// Passes a failure on.
#define VIT_TRY(call)                                                          \
  do {                                                                         \
    if (vit_status tried = (call))                                             \
      return tried;                                                            \
  } while (false)

#endif // VIT_FORMAT_ERROR_H
