//===- Levels.cpp - Which levels of which targets to compile --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Levels.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mlir::vit;
using namespace ::vit::format;

static bool namesLevelOf(ArrayRef<std::string> levels, Target target) {
  return llvm::any_of(levelsOf(target), [&](const Level &level) {
    return llvm::is_contained(levels, level.name);
  });
}

FailureOr<SmallVector<const Level *>>
mlir::vit::chooseLevels(ArrayRef<std::string> targets,
                        ArrayRef<std::string> levels, ElementType precision,
                        std::string &error) {
  auto fail = [&](const Twine &message) {
    error = message.str();
    return failure();
  };
  SmallVector<Target> wanted;
  for (const std::string &name : targets) {
    Target target;
    if (!parseTarget(name, target))
      return fail("there is no target '" + name +
                  "'; choose cpu, vulkan or cuda");
    wanted.push_back(target);
  }
  if (wanted.empty())
    wanted.push_back(Target::Cpu);
  for (const std::string &name : levels) {
    const Level *level = findLevel(name);
    if (!level)
      return fail(
          "there is no level '" + name + "'; choose one of " +
          (targets.size() == 1 ? levelNames(wanted.front()) : levelNames())
              .text);
    if (!llvm::is_contained(wanted, level->target))
      return fail("level '" + name + "' is one of target " +
                  targetName(level->target) +
                  ", which was not asked for; add it to --target");
  }
  SmallVector<const Level *> chosen;
  for (const Level &level : allLevels())
    if (llvm::is_contained(wanted, level.target) &&
        (llvm::is_contained(levels, level.name) ||
         (!namesLevelOf(levels, level.target) && isDistinct(level, precision))))
      chosen.push_back(&level);
  return chosen;
}
