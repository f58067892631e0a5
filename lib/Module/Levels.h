//===- Levels.h - Which levels of which targets to compile ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_LEVELS_H
#define VIT_MODULE_LEVELS_H

#include "format/Level.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir::vit {

/// The levels to compile: of each target in `targets` (empty: cpu) those that
/// `levels` names, or, if it names none of them, all that are distinct in
/// `precision`. In the order of a module's
/// schedules: by target, the best level first. The forms of weights that the
/// first level reads are those that are stored. On failure `error` says what
/// there is to choose from.
FailureOr<SmallVector<const ::vit::format::Level *>>
chooseLevels(ArrayRef<std::string> targets, ArrayRef<std::string> levels,
             ::vit::format::ElementType precision, std::string &error);

} // namespace mlir::vit

#endif // VIT_MODULE_LEVELS_H
