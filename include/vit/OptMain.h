//===- OptMain.h - What vit-opt runs ----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In libvit-compiler.so, so that vit-opt works with a library that has LLVM
// linked in and hides it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_OPTMAIN_H
#define VIT_OPTMAIN_H

#include "vit/vit.h"

extern "C" {

/// mlir-opt with the dialects, passes and pipelines of this project. Returns
/// the exit status.
VIT_API int vit_opt_main(int argc, char **argv);
}

#endif // VIT_OPTMAIN_H
