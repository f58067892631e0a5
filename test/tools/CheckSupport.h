//===- CheckSupport.h - Shared parts of the check programs ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_TOOLS_CHECKSUPPORT_H
#define VIT_TEST_TOOLS_CHECKSUPPORT_H

#include "vit/vit.h"

#include <cstdio>
#include <cstdlib>

/// Ends the program with the error message if `status` is an error.
inline void check(vit_status status, const vit_error &error) {
  if (status == VIT_OK)
    return;
  std::fprintf(stderr, "error: %s\n", error.message);
  std::exit(1);
}

inline int64_t elements(const vit_binding_info &info) {
  int64_t count = 1;
  for (int32_t d = 0; d < info.rank; ++d)
    count *= info.dims[d];
  return count;
}

#endif // VIT_TEST_TOOLS_CHECKSUPPORT_H
