//===- Levels.cpp - Which levels of which targets to compile --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Levels.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::vit;

/// In the order of a module's schedules. The forms of weights that the first
/// one reads are those that are stored.
static const TargetLevel kLevels[] = {
    {"cpu", "avx512"},   {"cpu", "avx2"},      {"vulkan", "tiled_256"},
    {"vulkan", "tiled"}, {"vulkan", "direct"}, {"cuda", "sm_80"},
};

static std::string levelsOf(StringRef target) {
  SmallVector<StringRef> names;
  for (const TargetLevel &known : kLevels)
    if (target.empty() || known.target == target)
      names.push_back(known.level);
  return llvm::join(names, ", ");
}

FailureOr<SmallVector<TargetLevel>>
mlir::vit::chooseLevels(ArrayRef<std::string> targets,
                        ArrayRef<std::string> levels, std::string &error) {
  auto fail = [&](const Twine &message) {
    error = message.str();
    return failure();
  };
  SmallVector<std::string> wanted(targets.begin(), targets.end());
  if (wanted.empty())
    wanted.push_back("cpu");
  for (const std::string &target : wanted)
    if (levelsOf(target).empty() || target.empty())
      return fail("there is no target '" + target +
                  "'; choose cpu, vulkan or cuda");
  for (const std::string &level : levels) {
    auto known = llvm::find_if(
        kLevels, [&](const TargetLevel &one) { return one.level == level; });
    if (known == std::end(kLevels))
      return fail(
          "there is no level '" + level + "'; choose " +
          (targets.size() == 1 ? levelsOf(wanted.front()) : levelsOf("")));
    if (!llvm::is_contained(wanted, known->target))
      return fail("level '" + level + "' is one of target " + known->target +
                  ", which was not asked for; add it to --target");
  }
  SmallVector<TargetLevel> chosen;
  for (const TargetLevel &known : kLevels) {
    if (!llvm::is_contained(wanted, known.target))
      continue;
    bool namesOne = llvm::any_of(kLevels, [&](const TargetLevel &other) {
      return other.target == known.target &&
             llvm::is_contained(levels, other.level);
    });
    if (!namesOne || llvm::is_contained(levels, known.level))
      chosen.push_back(known);
  }
  return chosen;
}
