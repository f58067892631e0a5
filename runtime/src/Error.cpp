//===- Error.cpp - Statuses and element types in the C API ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Error.h"

#include "format/ElementType.h"

extern "C" const char *vit_version(void) {
#define VIT_TEXT_OF(x) #x
#define VIT_TEXT(x) VIT_TEXT_OF(x)
  return VIT_TEXT(VIT_VERSION_MAJOR) "." VIT_TEXT(
      VIT_VERSION_MINOR) "." VIT_TEXT(VIT_VERSION_PATCH);
}

extern "C" const char *vit_status_name(vit_status status) {
  switch (vit::runtime::numberOf(status)) {
  case VIT_OK:
    return "VIT_OK";
  case VIT_INVALID_ARGUMENT:
    return "VIT_INVALID_ARGUMENT";
  case VIT_NOT_FOUND:
    return "VIT_NOT_FOUND";
  case VIT_IO_ERROR:
    return "VIT_IO_ERROR";
  case VIT_CORRUPT:
    return "VIT_CORRUPT";
  case VIT_UNSUPPORTED:
    return "VIT_UNSUPPORTED";
  case VIT_OUT_OF_MEMORY:
    return "VIT_OUT_OF_MEMORY";
  case VIT_OVER_BUDGET:
    return "VIT_OVER_BUDGET";
  case VIT_CANCELLED:
    return "VIT_CANCELLED";
  case VIT_INTERNAL:
    return "VIT_INTERNAL";
  case VIT_DEVICE_LOST:
    return "VIT_DEVICE_LOST";
  default:
    return "unknown status";
  }
}

extern "C" size_t vit_dtype_size(vit_dtype dtype) {
  int number = vit::runtime::numberOf(dtype);
  return number < 0 || number >= vit::format::kReadableTypes
             ? 0
             : vit::format::sizeOf(vit::format::ElementType(number));
}
