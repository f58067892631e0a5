//===- Error.h - Errors, and numbers that a caller gave ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_ERROR_H
#define VIT_RUNTIME_ERROR_H

#include "format/Error.h"

#include <cstring>

namespace vit::runtime {

using namespace format;

/// Returns the integer in an enumeration of the C API. A caller in C can have
/// set it to any value, so it must be checked before it is used as an
/// enumerator.
template <typename Enum> int numberOf(const Enum &value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

} // namespace vit::runtime

#endif // VIT_RUNTIME_ERROR_H
