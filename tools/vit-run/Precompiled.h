//===- Precompiled.h - Headers of most files of vit-run ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Libraries whose headers take longer to parse than our own code. Every file
// still includes what it uses.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PRECOMPILED_H
#define VIT_TOOLS_PRECOMPILED_H

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#endif // VIT_TOOLS_PRECOMPILED_H
