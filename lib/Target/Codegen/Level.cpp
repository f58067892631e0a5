//===- Level.cpp - The level that a pass is told --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Target/Level.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
namespace format = ::vit::format;

const format::Level *
mlir::vit::getLevel(Location location, format::Target target, StringRef name) {
  if (name.empty())
    return &format::defaultLevel(target);
  const format::Level *level = format::findLevel(target, name);
  if (!level)
    emitError(location) << "target " << format::targetName(target)
                        << " has no level '" << name << "'; choose one of "
                        << Twine(format::levelNames(target).text);
  return level;
}

const format::Level *mlir::vit::getLevel(Location location, StringRef target,
                                         StringRef name) {
  format::Target known;
  if (format::parseTarget(target, known))
    return getLevel(location, known, name);
  emitError(location) << "unknown target '" << target
                      << "'; use cpu, vulkan or cuda";
  return nullptr;
}
