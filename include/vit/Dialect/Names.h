//===- Names.h - What users call a piece of work ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_NAMES_H
#define VIT_DIALECT_NAMES_H

#include "mlir/IR/Location.h"
#include <string>

namespace mlir::vit {

/// The name of the work at `location`: the name of a NameLoc; of a fused
/// location the common prefix of its parts ("blocks.3.attn" of
/// "blocks.3.attn.q" and "blocks.3.attn.k"); else "file:line"; else "".
std::string getWorkName(Location location);

/// Whether there is a NameLoc in `location`.
bool hasName(Location location);

/// `location` with `{}` in its names replaced by the layer's number.
Location withLayer(Location location, int64_t layer);

/// `location` with `suffix` (".backward") at the end of each of its names.
Location withSuffix(Location location, StringRef suffix);

} // namespace mlir::vit

#endif // VIT_DIALECT_NAMES_H
