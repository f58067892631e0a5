//===- Level.cpp - The levels that code is compiled for -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Level.h"

#include "format/DeclaredMemory.h"

#include <cstdio>
#include <cstring>

namespace vit::format {

//===----------------------------------------------------------------------===//
// The tables
//===----------------------------------------------------------------------===//

static constexpr const char *kTargetNames[] = {"cpu", "vulkan", "cuda"};
static_assert(sizeof kTargetNames / sizeof *kTargetNames == kTargets);

// clang-format off
static constexpr const char *kFeatureNames[] = {
    "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "movbe", "lzcnt", "bmi",
    "bmi2", "avx", "f16c", "fma", "avx2",
    "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
    "avx512bf16", "avx512vnni", "avxvnni",
    "amx-tile", "amx-bf16", "amx-int8",
    "subgroup_arithmetic", "cooperative_matrix", "cooperative_matrix_f16",
    "cooperative_matrix_8x16_f16", "integer_dot_product"};
// clang-format on
static_assert(sizeof kFeatureNames / sizeof *kFeatureNames == kFeatures);

static constexpr ElementType kF32 = ElementType::F32;
static constexpr ElementType kF16 = ElementType::F16;
static constexpr ElementType kBf16 = ElementType::BF16;
static constexpr ElementType kI8 = ElementType::I8, kI32 = ElementType::I32;
static constexpr ElementType kTf32 = ElementType::TF32;
static constexpr ElementType kPrecisions[] = {kF32, kTf32, kF16, kBf16, kI8};
static constexpr const char *kPrecisionNames[] = {"f32", "tf32", "f16", "bf16",
                                                  "int8"};
static constexpr size_t kPrecisionCount =
    sizeof kPrecisions / sizeof *kPrecisions;
static_assert(sizeof kPrecisionNames / sizeof *kPrecisionNames ==
              kPrecisionCount);

static constexpr int64_t kKib = 1024;

/// x86-64-v3 of the psABI without what the operating system alone uses.
static constexpr FeatureSet kAvx2Features = {
    Feature::Sse3,   Feature::Ssse3, Feature::Sse41, Feature::Sse42,
    Feature::Popcnt, Feature::Movbe, Feature::Lzcnt, Feature::Bmi,
    Feature::Bmi2,   Feature::Avx,   Feature::F16c,  Feature::Fma,
    Feature::Avx2};
/// x86-64-v4.
static constexpr FeatureSet kAvx512Features =
    kAvx2Features | FeatureSet{Feature::Avx512f, Feature::Avx512bw,
                               Feature::Avx512cd, Feature::Avx512dq,
                               Feature::Avx512vl};

/// Processors without AVX-512 have the instructions of VNNI for 256 bits.
static constexpr FeatureSet kAvxVnniFeatures =
    kAvx2Features | FeatureSet{Feature::AvxVnni};
static constexpr FeatureSet kVnniFeatures =
    kAvx512Features | FeatureSet{Feature::Avx512vnni};
/// Every processor that has bf16 has VNNI, and every one that has AMX both.
static constexpr FeatureSet kBf16Features =
    kVnniFeatures | FeatureSet{Feature::Avx512bf16};
static constexpr FeatureSet kAmxFeatures =
    kBf16Features |
    FeatureSet{Feature::AmxTile, Feature::AmxBf16, Feature::AmxInt8};

// A product of narrow operands with a depth of 1 is one of operands that are
// widened, which is exact: f16 and bf16 to f32, i8 to i16 on CPUs and to f32 on
// GPUs.
static constexpr Product kAvx2Products[] = {{kF32, kF32, kF32, 1, 8, 1, 1},
                                            {kF16, kF16, kF32, 1, 8, 1, 1},
                                            {kBf16, kBf16, kF32, 1, 8, 1, 2},
                                            {kI8, kI8, kI32, 1, 8, 1, 4}};
static constexpr Product kAvxVnniProducts[] = {{kF32, kF32, kF32, 1, 8, 1, 1},
                                               {kF16, kF16, kF32, 1, 8, 1, 1},
                                               {kBf16, kBf16, kF32, 1, 8, 1, 2},
                                               {kI8, kI8, kI32, 1, 8, 4, 4}};
static constexpr Product kAvx512Products[] = {{kF32, kF32, kF32, 1, 16, 1, 1},
                                              {kF16, kF16, kF32, 1, 16, 1, 1},
                                              {kBf16, kBf16, kF32, 1, 16, 1, 2},
                                              {kI8, kI8, kI32, 1, 16, 1, 4}};
static constexpr Product kVnniProducts[] = {{kF32, kF32, kF32, 1, 16, 1, 1},
                                            {kF16, kF16, kF32, 1, 16, 1, 1},
                                            {kBf16, kBf16, kF32, 1, 16, 1, 2},
                                            {kI8, kI8, kI32, 1, 16, 4, 4}};
static constexpr Product kBf16Products[] = {{kF32, kF32, kF32, 1, 16, 1, 1},
                                            {kF16, kF16, kF32, 1, 16, 1, 1},
                                            {kBf16, kBf16, kF32, 1, 16, 2, 2},
                                            {kI8, kI8, kI32, 1, 16, 4, 4}};
static constexpr Product kAmxProducts[] = {{kF32, kF32, kF32, 1, 16, 1, 1},
                                           {kF16, kF16, kF32, 1, 16, 1, 1},
                                           {kBf16, kBf16, kF32, 16, 16, 32, 2},
                                           {kI8, kI8, kI32, 16, 16, 64, 4}};
/// mma.sync m16n8k8 and m16n8k16, and dp4a.
static constexpr Product kSm80Products[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                            {kTf32, kTf32, kF32, 16, 8, 8, 1},
                                            {kF16, kF16, kF32, 16, 8, 16, 1},
                                            {kBf16, kBf16, kF32, 16, 8, 16, 1},
                                            {kI8, kI8, kI32, 1, 1, 4, 1}};
/// wgmma m64nNk16, for any N of 8 to 256; in tf32 and int8 as sm_80.
static constexpr Product kSm90aProducts[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                             {kTf32, kTf32, kF32, 16, 8, 8, 1},
                                             {kF16, kF16, kF32, 64, 8, 16, 1},
                                             {kBf16, kBf16, kF32, 64, 8, 16, 1},
                                             {kI8, kI8, kI32, 1, 1, 4, 1}};
static constexpr Product kScalarProducts[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                              {kF16, kF16, kF32, 1, 1, 1, 1},
                                              {kBf16, kBf16, kF32, 1, 1, 1, 1},
                                              {kI8, kI8, kI32, 1, 1, 1, 1}};
/// OpSDot of four i8 in a word.
static constexpr Product kDotProducts[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                           {kF16, kF16, kF32, 1, 1, 1, 1},
                                           {kBf16, kBf16, kF32, 1, 1, 1, 1},
                                           {kI8, kI8, kI32, 1, 1, 4, 1}};
/// Cooperative matrices.
static constexpr Product kMatrixF16 = {kF16, kF16, kF32, 16, 16, 16, 1};
static constexpr Product kMatrixBf16 = {kBf16, kBf16, kF32, 16, 16, 16, 1};
static constexpr Product kMatrix8x16F16 = {kF16, kF16, kF32, 8, 16, 16, 1};
static constexpr MatrixKind kMatrixKinds[] = {
    {Feature::CooperativeMatrix, kMatrixBf16, 32},
    {Feature::CooperativeMatrixF16, kMatrixF16, 32},
    {Feature::CooperativeMatrix8x16F16, kMatrix8x16F16, 16}};
/// They, and OpSDot.
static constexpr Product kCoopProducts[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                            kMatrixF16,
                                            kMatrixBf16,
                                            {kI8, kI8, kI32, 1, 1, 4, 1}};
static constexpr Product kCoopF16Products[] = {{kF32, kF32, kF32, 1, 1, 1, 1},
                                               kMatrixF16,
                                               {kBf16, kBf16, kF32, 1, 1, 1, 1},
                                               {kI8, kI8, kI32, 1, 1, 4, 1}};
static constexpr Product kCoop8x16Products[] = {
    {kF32, kF32, kF32, 1, 1, 1, 1},
    kMatrix8x16F16,
    {kBf16, kBf16, kF32, 1, 1, 1, 1},
    {kI8, kI8, kI32, 1, 1, 4, 1}};

/// The least that the PTX runs on, and the generations after it: Hopper,
/// Blackwell of data centers and of other cards.
static constexpr const char *kSm80Architectures[] = {"sm_80", "sm_90a",
                                                     "sm_100", "sm_120"};
/// The PTX of sm_90a runs on no other.
static constexpr const char *kSm90aArchitectures[] = {"sm_90a"};

/// What every Vulkan 1.1 device has: maxComputeWorkGroupInvocations,
/// maxComputeSharedMemorySize, maxPerStageDescriptorStorageBuffers and
/// maxPushConstantsSize of "Required Limits" in the Vulkan specification. Two
/// of the 32 push words are the batch and the first unit.
static constexpr KernelLimits kVulkanMinimum = {128, 16 * kKib, 0, 4, 128, 30};
static constexpr KernelLimits kTiled256Limits = {256, 32 * kKib, 0, 4, 128, 30};
/// Parameters of a kernel may take 4096 bytes, 8 each. Compute capability 8.6,
/// 8.9 and 12.0 have the least workgroup memory.
static constexpr KernelLimits kSm80Limits = {
    1024, kDeclaredSharedBytes, 99 * kKib, 0, 4096, 508};
static constexpr KernelLimits kSm90aLimits = {
    1024, kDeclaredSharedBytes, 227 * kKib, 0, 4096, 508};

// Sorted by target and rank, the highest first. LLVM's x86-64-v4 prefers
// vectors of 256 bits.
// clang-format off
static constexpr Level kLevels[] = {
    {Target::Cpu, "amx", 6, false, kAmxFeatures, kAmxProducts,
     {"x86-64", "x86-64-v4", "-prefer-256-bit"}, 32, 64},
    {Target::Cpu, "avx512_bf16", 5, false, kBf16Features, kBf16Products,
     {"x86-64", "x86-64-v4", "-prefer-256-bit"}, 32, 64},
    {Target::Cpu, "avx512_vnni", 4, false, kVnniFeatures, kVnniProducts,
     {"x86-64", "x86-64-v4", "-prefer-256-bit"}, 32, 64},
    {Target::Cpu, "avx512", 3, true, kAvx512Features, kAvx512Products,
     {"x86-64", "x86-64-v4", "-prefer-256-bit"}, 32, 64},
    {Target::Cpu, "avx_vnni", 2, false, kAvxVnniFeatures, kAvxVnniProducts,
     {"x86-64", "x86-64-v3"}, 16, 32},
    {Target::Cpu, "avx2", 1, false, kAvx2Features, kAvx2Products,
     {"x86-64", "x86-64-v3"}, 16, 32},

    {Target::Vulkan, "coop", 8, false,
     {Feature::SubgroupArithmetic, Feature::CooperativeMatrix,
      Feature::CooperativeMatrixF16, Feature::IntegerDotProduct},
     kCoopProducts, {}, 0, 16, kTiled256Limits, 256},
    {Target::Vulkan, "coop_f16", 7, false,
     {Feature::SubgroupArithmetic, Feature::CooperativeMatrixF16,
      Feature::IntegerDotProduct},
     kCoopF16Products, {}, 0, 16, kTiled256Limits, 256},
    {Target::Vulkan, "coop_8x16", 6, false,
     {Feature::SubgroupArithmetic, Feature::CooperativeMatrix8x16F16,
      Feature::IntegerDotProduct},
     kCoop8x16Products, {}, 0, 16, kTiled256Limits, 256},
    {Target::Vulkan, "tiled_256_dot", 5, false,
     {Feature::SubgroupArithmetic, Feature::IntegerDotProduct},
     kDotProducts, {}, 0, 16, kTiled256Limits, 256},
    {Target::Vulkan, "tiled_256", 4, false, {Feature::SubgroupArithmetic},
     kScalarProducts, {}, 0, 16, kTiled256Limits, 256},
    {Target::Vulkan, "tiled", 3, true, {},
     kScalarProducts, {}, 0, 16, kVulkanMinimum, 128},
    {Target::Vulkan, "direct_dot", 2, false, {Feature::IntegerDotProduct},
     kDotProducts, {}, 0, 16, kVulkanMinimum, 64, /*isDirect=*/true},
    {Target::Vulkan, "direct", 1, false, {},
     kScalarProducts, {}, 0, 16, kVulkanMinimum, 64, /*isDirect=*/true},

    {Target::Cuda, "sm_90a", 2, false, {Feature::SubgroupArithmetic},
     kSm90aProducts, {"sm_90a", "", "+ptx80", kSm90aArchitectures}, 0, 16,
     kSm90aLimits, 256, /*isDirect=*/false, /*oldestDriver=*/12000},
    {Target::Cuda, "sm_80", 1, true, {Feature::SubgroupArithmetic},
     kSm80Products, {"sm_80", "", "+ptx70", kSm80Architectures}, 0, 16,
     kSm80Limits, 256},
};
// clang-format on

//===----------------------------------------------------------------------===//
// Reading them
//===----------------------------------------------------------------------===//

const char *targetName(Target target) { return kTargetNames[int(target)]; }

bool parseTarget(std::string_view name, Target &target) {
  for (int i = 0; i < kTargets; ++i)
    if (name == kTargetNames[i]) {
      target = Target(i);
      return true;
    }
  return false;
}

const char *featureName(Feature feature) { return kFeatureNames[int(feature)]; }

Rows<MatrixKind> allMatrixKinds() { return kMatrixKinds; }

Rows<Level> allLevels() { return kLevels; }

Rows<Level> levelsOf(Target target) {
  const Level *first = allLevels().begin(), *end = allLevels().end();
  while (first != end && first->target != target)
    ++first;
  const Level *last = first;
  while (last != end && last->target == target)
    ++last;
  return {first, size_t(last - first)};
}

const Level *findLevel(Target target, std::string_view name) {
  for (const Level &level : levelsOf(target))
    if (name == level.name)
      return &level;
  return nullptr;
}

const Level *findLevel(std::string_view name) {
  for (const Level &level : allLevels())
    if (name == level.name)
      return &level;
  return nullptr;
}

const Level &defaultLevel(Target target) {
  const Level *level = levelsOf(target).begin();
  while (!level->isDefault)
    ++level;
  return *level;
}

const Level *bestLevel(Target target, FeatureSet offered, int maxRank) {
  for (const Level &level : levelsOf(target))
    if (level.rank <= maxRank && offered.contains(level.features))
      return &level;
  return nullptr;
}

const Product *findProduct(const Level &level, ElementType precision) {
  for (const Product &product : level.products)
    if (product.a == precision)
      return &product;
  return nullptr;
}

const MatrixKind *findMatrixKind(std::string_view feature) {
  for (const MatrixKind &kind : kMatrixKinds)
    if (feature == featureName(kind.feature))
      return &kind;
  return nullptr;
}

const MatrixKind *findMatrixKind(const Level &level, ElementType precision) {
  for (const MatrixKind &kind : kMatrixKinds)
    if (level.features.has(kind.feature) && kind.product.a == precision)
      return &kind;
  return nullptr;
}

bool isDistinct(const Level &level, ElementType precision) {
  if (!findProduct(level, precision))
    return false;
  const Level *next = bestLevel(level.target, level.features, level.rank - 1);
  // Levels of GPUs may have the same products and differ in their limits.
  if (!next || level.threads != next->threads ||
      level.isDirect != next->isDirect)
    return true;
  auto isSame = [&](ElementType type) {
    const Product *own = findProduct(level, type),
                  *lower = findProduct(*next, type);
    return lower && own->m == lower->m && own->n == lower->n &&
           own->k == lower->k;
  };
  // Code in int8 has products of bf16, too.
  return !isSame(precision) ||
         (precision == ElementType::I8 && !isSame(ElementType::BF16));
}

const Level *distinctLevel(const Level &level, ElementType precision) {
  for (const Level &one : levelsOf(level.target))
    if (one.rank <= level.rank && level.features.contains(one.features) &&
        isDistinct(one, precision))
      return &one;
  return nullptr;
}

ElementType precisionOn(Target target, ElementType precision) {
  if (precision != kTf32)
    return precision;
  for (const Level &level : levelsOf(target))
    if (findProduct(level, precision))
      return precision;
  return kF32;
}

Rows<ElementType> allPrecisions() { return kPrecisions; }

const char *precisionName(ElementType precision) {
  for (size_t i = 0; i < kPrecisionCount; ++i)
    if (kPrecisions[i] == precision)
      return kPrecisionNames[i];
  return nullptr;
}

bool parsePrecision(std::string_view name, ElementType &precision) {
  for (size_t i = 0; i < kPrecisionCount; ++i)
    if (name == kPrecisionNames[i]) {
      precision = kPrecisions[i];
      return true;
    }
  return false;
}

bool isForTraining(ElementType precision) {
  return precision != kF16 && precision != kI8;
}

bool parseArchitecture(const char *name, int &capability, bool &isExact) {
  constexpr size_t prefix = 3;
  if (std::strncmp(name, "sm_", prefix) != 0)
    return false;
  const char *digit = name + prefix;
  capability = 0;
  for (; *digit >= '0' && *digit <= '9' && capability < 1000; ++digit)
    capability = 10 * capability + (*digit - '0');
  isExact = *digit == 'a';
  return capability >= 10 && capability < 1000 && digit[isExact] == 0;
}

bool runsOnCapability(const Level &level, int capability) {
  int needed;
  bool isExact;
  if (!parseArchitecture(level.name, needed, isExact))
    return false;
  return isExact ? capability == needed : capability >= needed;
}

//===----------------------------------------------------------------------===//
// For messages
//===----------------------------------------------------------------------===//

/// Appends `text`, after `separator` if it is not the first.
static void append(Names &names, const char *separator, const char *text) {
  size_t used = std::strlen(names.text);
  std::snprintf(names.text + used, sizeof names.text - used, "%s%s",
                used ? separator : "", text);
}

Names levelNames(Target target) {
  Names names = {};
  for (const Level &level : levelsOf(target))
    append(names, ", ", level.name);
  return names;
}

Names levelNames() {
  Names names = {};
  for (int i = 0; i < kTargets; ++i) {
    append(names, "; ", kTargetNames[i]);
    append(names, ": ", levelNames(Target(i)).text);
  }
  return names;
}

Names featureNames(FeatureSet features) {
  Names names = {};
  for (int i = 0; i < kFeatures; ++i)
    if (features.has(Feature(i)))
      append(names, ", ", kFeatureNames[i]);
  return names;
}

Names precisionNames() {
  Names names = {};
  for (const char *name : kPrecisionNames)
    append(names, ", ", name);
  return names;
}

Names trainingPrecisionNames() {
  Names names = {};
  for (ElementType precision : kPrecisions)
    if (isForTraining(precision))
      append(names, ", ", precisionName(precision));
  return names;
}

} // namespace vit::format
