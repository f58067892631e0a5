//===- Level.h - The level that a pass is told ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_LEVEL_H
#define VIT_TARGET_LEVEL_H

#include "format/Level.h"

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

namespace mlir::vit {

using ::vit::format::Level;

/// The level called `name` of `target`; empty: the target's default. Emits an
/// error that lists the levels and returns null if there is none.
const Level *getLevel(Location location, ::vit::format::Target target,
                      StringRef name);
/// The same; `target` is "cpu", "vulkan" or "cuda", or an error.
const Level *getLevel(Location location, StringRef target, StringRef name);

} // namespace mlir::vit

#endif // VIT_TARGET_LEVEL_H
