//===- executor.cpp - Calls on a CUDA device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/device.h"

namespace vit::runtime {

vit_status createCudaExecutor(const SessionContext &, const char *, Executor *&,
                              vit_error *error) {
  return fail(error, VIT_UNSUPPORTED, "this vit was built without CUDA");
}

void describeCudaDevices(Text &json) {
  describeUnavailable(json, "cuda", "this vit was built without CUDA");
}

} // namespace vit::runtime
