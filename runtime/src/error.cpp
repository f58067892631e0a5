//===- error.cpp - Messages of failed calls -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "error.h"

#include <cstdarg>
#include <cstdio>

namespace vit::runtime {

vit_status fail(vit_error *error, vit_status status, const char *format, ...) {
  if (!error)
    return status;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  for (char *c = error->message; *c; ++c)
    if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f)
      *c = '?';
  return status;
}

} // namespace vit::runtime

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
  switch (vit::runtime::numberOf(dtype)) {
  case VIT_U8:
    return 1;
  case VIT_BF16:
  case VIT_F16:
    return 2;
  case VIT_F32:
  case VIT_I32:
    return 4;
  case VIT_I64:
  case VIT_F64:
    return 8;
  default:
    return 0;
  }
}
