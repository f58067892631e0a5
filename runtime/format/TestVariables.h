//===- TestVariables.h - Environment variables for tests --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_TESTVARIABLES_H
#define VIT_FORMAT_TESTVARIABLES_H

namespace vit::format {

/// Makes the compiler put plain code for the least CPU level in place of tile
/// ops, wherever it is set.
inline constexpr const char *kExpandTiles = "VIT_EXPAND_TILES";

} // namespace vit::format

#endif // VIT_FORMAT_TESTVARIABLES_H
