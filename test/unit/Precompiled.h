//===- Precompiled.h - Headers that most unit tests include -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled once, for all unit tests without LLVM. Every file still includes
// what it uses.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_PRECOMPILED_H
#define VIT_TEST_PRECOMPILED_H

#include "module_generated.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#endif // VIT_TEST_PRECOMPILED_H
