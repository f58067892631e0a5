//===- LevelTest.cpp - The table of levels, and level selection -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Level.h"
#include "devices/cpu/Cpu.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace vit::format;
using namespace vit::runtime;

namespace {

const Level &cpuLevel(const char *name) {
  return *findLevel(Target::Cpu, name);
}

/// A processor with all features.
CpuReport everything() {
  return {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
          UINT32_MAX, UINT32_MAX, 0x600ff};
}

std::string nameOfBest(FeatureSet features, int maxRank = INT_MAX) {
  const Level *level = CpuChoice{features, maxRank}.best();
  return level ? level->name : "none";
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

TEST(Levels, AreSortedAndUnique) {
  std::set<std::string> names;
  size_t count = 0;
  for (int i = 0; i < kTargets; ++i) {
    Target target = Target(i), parsed;
    EXPECT_TRUE(parseTarget(targetName(target), parsed));
    EXPECT_EQ(parsed, target);
    int defaults = 0, rank = INT_MAX;
    for (const Level &level : levelsOf(target)) {
      EXPECT_LT(level.rank, rank) << level.name;
      EXPECT_GE(level.rank, 1) << level.name;
      rank = level.rank;
      defaults += level.isDefault;
      EXPECT_TRUE(names.insert(level.name).second) << level.name;
      EXPECT_EQ(findLevel(level.name), &level);
      EXPECT_EQ(findLevel(target, level.name), &level);
      EXPECT_GT(level.products.size(), 0u) << level.name;
    }
    EXPECT_EQ(defaults, 1) << targetName(target);
    EXPECT_TRUE(defaultLevel(target).isDefault);
    count += levelsOf(target).size();
  }
  EXPECT_EQ(count, allLevels().size());
  EXPECT_EQ(findLevel(Target::Vulkan, "avx2"), nullptr);
  EXPECT_EQ(findLevel("none"), nullptr);
  EXPECT_EQ(levelsOf(Target(200)).size(), 0u);
}

TEST(Levels, SayWhatTheirProductsAre) {
  for (const Level &level : allLevels()) {
    const Product *product = findProduct(level, ElementType::F32);
    ASSERT_NE(product, nullptr) << level.name;
    EXPECT_EQ(product->sum, ElementType::F32);
    if (level.target == Target::Cpu) // One register holds a vector of sums.
      EXPECT_EQ(size_t(product->n) * sizeOf(product->sum),
                size_t(level.vectorBytes));
  }
  EXPECT_EQ(findProduct(cpuLevel("avx2"), ElementType::F64), nullptr);
}

TEST(Levels, AreDistinctInSomePrecision) {
  auto names = [](ElementType precision) {
    std::string text;
    for (const Level &level : levelsOf(Target::Cpu))
      if (isDistinct(level, precision))
        text += std::string(level.name) + " ";
    return text;
  };
  EXPECT_EQ(names(ElementType::F32), "avx512 avx2 ");
  EXPECT_EQ(names(ElementType::BF16), "amx avx512_bf16 avx512 avx2 ");
  EXPECT_EQ(names(ElementType::F16), "avx512 avx2 ");
  // avx512_bf16 multiplies i8 as avx512_vnni does, but not bf16.
  EXPECT_EQ(names(ElementType::I8),
            "amx avx512_bf16 avx512_vnni avx512 avx_vnni avx2 ");
  EXPECT_EQ(names(ElementType::F64), "");
  auto vulkan = [](ElementType precision) {
    std::string text;
    for (const Level &level : levelsOf(Target::Vulkan))
      if (isDistinct(level, precision))
        text += std::string(level.name) + " ";
    return text;
  };
  EXPECT_EQ(vulkan(ElementType::F32), "tiled_256 tiled direct ");
  EXPECT_EQ(vulkan(ElementType::BF16), "coop tiled_256 tiled direct ");
  // Devices with matrices of f16 run the same code, whether they have those of
  // bf16 or not.
  EXPECT_EQ(vulkan(ElementType::F16),
            "coop_f16 coop_8x16 tiled_256 tiled direct ");
  EXPECT_EQ(vulkan(ElementType::I8),
            "coop tiled_256_dot tiled_256 tiled direct_dot direct ");
  auto runs = [](const char *level, ElementType precision) {
    const Level *found = distinctLevel(cpuLevel(level), precision);
    return std::string(found ? found->name : "none");
  };
  EXPECT_EQ(runs("amx", ElementType::F32), "avx512");
  EXPECT_EQ(runs("avx2", ElementType::F32), "avx2");
  EXPECT_EQ(runs("avx_vnni", ElementType::F32), "avx2");
  EXPECT_EQ(runs("avx_vnni", ElementType::BF16), "avx2");
  EXPECT_EQ(runs("avx512_bf16", ElementType::BF16), "avx512_bf16");
  EXPECT_EQ(runs("amx", ElementType::F16), "avx512");
  EXPECT_EQ(runs("amx", ElementType::F64), "none");
  const Level &coop = *findLevel("coop"), &coopF16 = *findLevel("coop_f16");
  EXPECT_STREQ(distinctLevel(coop, ElementType::F16)->name, "coop_f16");
  EXPECT_STREQ(distinctLevel(coopF16, ElementType::BF16)->name, "tiled_256");
  EXPECT_STREQ(distinctLevel(coopF16, ElementType::I8)->name, "tiled_256_dot");
  // What is chosen runs wherever the level does.
  for (const Level &level : allLevels())
    for (ElementType precision : allPrecisions())
      if (const Level *found = distinctLevel(level, precision))
        EXPECT_TRUE(level.features.contains(found->features)) << level.name;
}

TEST(Levels, WidenWhereTheyLackAProduct) {
  for (const Level &level : levelsOf(Target::Cpu)) {
    EXPECT_FALSE(isWidened(*findProduct(level, ElementType::F32)));
    bool hasInstruction = level.features.has(Feature::Avx512bf16) ||
                          level.features.has(Feature::AmxBf16);
    EXPECT_NE(isWidened(*findProduct(level, ElementType::BF16)), hasInstruction)
        << level.name;
    EXPECT_TRUE(isWidened(*findProduct(level, ElementType::F16)));
  }
}

TEST(Levels, HaveTheMatricesOfTheirFeatures) {
  for (const Level &level : levelsOf(Target::Vulkan))
    for (const MatrixKind &kind : allMatrixKinds()) {
      const Product &own = *findProduct(level, kind.product.a);
      bool isSame = own.m == kind.product.m && own.n == kind.product.n &&
                    own.k == kind.product.k;
      EXPECT_EQ(level.features.has(kind.feature), isSame) << level.name;
      EXPECT_EQ(level.threads % kind.subgroup, 0) << level.name;
    }
}

TEST(Levels, OfTargetsWithoutTf32ComputeInF32) {
  EXPECT_EQ(precisionOn(Target::Cuda, ElementType::TF32), ElementType::TF32);
  for (Target target : {Target::Cpu, Target::Vulkan})
    EXPECT_EQ(precisionOn(target, ElementType::TF32), ElementType::F32);
  EXPECT_EQ(precisionOn(Target::Vulkan, ElementType::BF16), ElementType::BF16);
  // On Hopper tf32 has the instructions of all GPUs, so there is no other code.
  const Level &best = *levelsOf(Target::Cuda).begin();
  EXPECT_FALSE(isDistinct(best, ElementType::TF32));
  EXPECT_STREQ(distinctLevel(best, ElementType::TF32)->name, "sm_80");
}

TEST(Levels, NamePrecisions) {
  for (ElementType precision : allPrecisions()) {
    ElementType parsed = ElementType::F64;
    EXPECT_TRUE(parsePrecision(precisionName(precision), parsed));
    EXPECT_EQ(parsed, precision);
  }
  ElementType ignored;
  EXPECT_FALSE(parsePrecision("F32", ignored));
  EXPECT_EQ(precisionName(ElementType::U8), nullptr);
  EXPECT_STREQ(precisionNames().text, "f32, tf32, f16, bf16, int8");
}

TEST(Levels, HaveNamesForMessages) {
  EXPECT_STREQ(levelNames(Target::Cpu).text,
               "amx, avx512_bf16, avx512_vnni, avx512, avx_vnni, avx2");
  EXPECT_EQ(
      std::string(levelNames().text)
          .rfind(
              "cpu: amx, avx512_bf16, avx512_vnni, avx512, avx_vnni, avx2; vul",
              0),
      0u);
  EXPECT_STREQ(featureNames({}).text, "");
  EXPECT_STREQ(featureNames({Feature::F16c, Feature::Bmi2}).text, "bmi2, f16c");
  FeatureSet all;
  for (int i = 0; i < kFeatures; ++i)
    all.add(Feature(i));
  // All of them fit into the text.
  EXPECT_NE(std::string(featureNames(all).text).find("subgroup_arithmetic"),
            std::string::npos);
}

//===----------------------------------------------------------------------===//
// Selection of the CPU level
//===----------------------------------------------------------------------===//

TEST(CpuFeatures, AreAllDetected) {
  FeatureSet features = featuresOf(everything());
  for (const Level &level : levelsOf(Target::Cpu))
    EXPECT_TRUE(features.contains(level.features))
        << level.name << " lacks "
        << featureNames(level.features - features).text;
  EXPECT_TRUE(featuresOf({}).isEmpty());
}

TEST(CpuFeatures, NeedSavedRegisters) {
  CpuReport report = everything();
  EXPECT_EQ(nameOfBest(featuresOf(report)), "amx");
  report.savedState = 0xe7; // without tiles
  EXPECT_EQ(nameOfBest(featuresOf(report)), "avx512_bf16");
  report.savedState = 0x7; // without mask registers and upper halves
  EXPECT_EQ(nameOfBest(featuresOf(report)), "avx_vnni");
  report.savedState = 0x3; // only SSE
  EXPECT_EQ(nameOfBest(featuresOf(report)), "none");
  EXPECT_TRUE(featuresOf(report).has(Feature::Bmi2));
  EXPECT_FALSE(featuresOf(report).has(Feature::F16c));
}

// Code may use all features of its level, so each is required.
TEST(CpuFeatures, EachIsNeeded) {
  FeatureSet all = featuresOf(everything());
  for (int i = 0; i < kFeatures; ++i) {
    FeatureSet one = {Feature(i)};
    std::string best = nameOfBest(all - one);
    // The best level without it is the next one below the least that needs it.
    std::string expected = "none";
    for (const Level &level : levelsOf(Target::Cpu))
      if (!level.features.contains(one)) {
        expected = level.name;
        break;
      }
    EXPECT_EQ(best, expected) << featureName(Feature(i));
  }
}

TEST(CpuFeatures, MissingOnesAreNamed) {
  CpuReport report = everything();
  report.leaf7Ebx &= ~(1u << 8);
  report.leaf1Ecx &= ~(1u << 29);
  char text[256];
  explainNoLevel({featuresOf(report)}, text, sizeof text);
  EXPECT_STREQ(text, "none (avx2 needs bmi2, f16c, which it lacks)");
}

TEST(CpuFeatures, RankIsLowered) {
  FeatureSet all = featuresOf(everything());
  int rank = INT_MAX;
  EXPECT_TRUE(lowerRank("avx512", rank));
  EXPECT_EQ(nameOfBest(all, rank), "avx512");
  EXPECT_TRUE(lowerRank("avx2", rank));
  EXPECT_EQ(nameOfBest(all, rank), "avx2");
  EXPECT_TRUE(lowerRank("avx512", rank)); // does not raise the limit
  EXPECT_EQ(nameOfBest(all, rank), "avx2");
  EXPECT_FALSE(lowerRank("tiled", rank));
  EXPECT_TRUE(lowerRank("none", rank));
  EXPECT_EQ(nameOfBest(all, rank), "none");
}

//===----------------------------------------------------------------------===//
// CUDA
//===----------------------------------------------------------------------===//

TEST(CudaLevels, RunFromTheirCapabilityOn) {
  EXPECT_TRUE(isDistinct(*findLevel("sm_90a"), ElementType::BF16));
  EXPECT_FALSE(isDistinct(*findLevel("sm_90a"), ElementType::F32));
  EXPECT_STREQ(distinctLevel(*findLevel("sm_90a"), ElementType::F32)->name,
               "sm_80");
  Level level = *findLevel("sm_80");
  EXPECT_FALSE(runsOnCapability(level, 75));
  EXPECT_TRUE(runsOnCapability(level, 80));
  EXPECT_TRUE(runsOnCapability(level, 120));
  level.name = "sm_90a"; // only for this capability
  EXPECT_FALSE(runsOnCapability(level, 80));
  EXPECT_TRUE(runsOnCapability(level, 90));
  EXPECT_FALSE(runsOnCapability(level, 100));
  int capability;
  bool isExact;
  for (const char *name : {"sm_", "sm_80b", "sm_90aa", "tiled", "sm_9999"})
    EXPECT_FALSE(parseArchitecture(name, capability, isExact)) << name;
}

} // namespace
