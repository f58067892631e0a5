//===- Names.h - What users call a piece of work ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_NAMES_H
#define VIT_DIALECT_NAMES_H

#include "mlir/IR/Location.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <string>

namespace mlir::vit {

/// The name to report for `location`: that of a NameLoc; the common prefix of
/// the parts of a fused location ("blocks.3.attn" for "blocks.3.attn.q" and
/// "blocks.3.attn.k"); else "file:line"; else "".
std::string getWorkName(Location location);

/// The attribute of a result that holds its name.
inline constexpr StringLiteral kResultNameAttribute = "vit.name";

/// The name of result `index` of an entry, which is optional in the text of a
/// model.
StringAttr getResultName(FunctionOpInterface entry, unsigned index);

/// Whether `location` contains a NameLoc.
bool hasName(Location location);

/// `location` with `{}` in its names replaced by the number of the layer.
Location withLayer(Location location, int64_t layer);

/// `location` with `suffix` (such as ".backward") appended to each of its
/// names.
Location withSuffix(Location location, StringRef suffix);

} // namespace mlir::vit

#endif // VIT_DIALECT_NAMES_H
