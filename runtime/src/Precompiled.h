//===- Precompiled.h - Headers that most of the runtime includes *- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parsing the generated header takes longer than compiling most files. Every
// file still includes what it uses.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PRECOMPILED_H
#define VIT_RUNTIME_PRECOMPILED_H

#include "module_generated.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#endif // VIT_RUNTIME_PRECOMPILED_H
