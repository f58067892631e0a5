//===- LevelTest.cpp - What LLVM derives from the features of a level -----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Target/CPU.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

#include <gtest/gtest.h>

#include <set>

using namespace vit::format;

/// The features that LLVM's code may use.
static std::set<std::string> getEnabled(const std::string &cpu,
                                        const std::string &features) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, cpu, features));
  std::set<std::string> enabled;
  for (const llvm::SubtargetFeatureKV &feature :
       info->getEnabledProcessorFeatures())
    enabled.insert(feature.Key);
  return enabled;
}

// The runtime checks the features of the table. They must be all that LLVM uses
// beyond the x86-64 baseline: on a processor without one of them the code would
// execute an illegal instruction.
TEST(Level, LlvmUsesTheFeaturesOfTheRow) {
  for (const Level &level : levelsOf(Target::Cpu)) {
    std::set<std::string> expected = getEnabled("x86-64", "");
    for (int i = 0; i < kFeatures; ++i)
      if (level.features.has(Feature(i)))
        expected.insert(featureName(Feature(i)));
    EXPECT_EQ(getEnabled(level.llvm.cpu, mlir::vit::getTargetFeatures(level)),
              expected)
        << level.name;
  }
}
