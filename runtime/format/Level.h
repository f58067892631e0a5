//===- Level.h - The levels that code is compiled for -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A level is a kind of processor or device that code is compiled for. The table
// of all levels is in Level.cpp. Compiler, runtime and tools read it; none of
// them has a list of levels of its own. A new level is a row there, the code
// generation that its products need, tile sizes (lib/Kernel/Tile.cpp or
// GpuTiles.cpp) and tests.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_LEVEL_H
#define VIT_FORMAT_LEVEL_H

#include "format/ElementType.h"

#include <climits>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace vit::format {

/// The numbers are those of the module schema's `Target`.
enum class Target : uint8_t { Cpu, Vulkan, Cuda };
inline constexpr int kTargets = 3;

/// "cpu", "vulkan", "cuda".
const char *targetName(Target target);
/// False if no target has this name.
bool parseTarget(std::string_view name, Target &target);

//===----------------------------------------------------------------------===//
// Features
//===----------------------------------------------------------------------===//

/// What a processor or device may offer beyond the minimum of its target:
/// x86-64 for the CPU, Vulkan 1.1 for Vulkan.
enum class Feature : uint8_t {
  // CPU. The operating system must save the registers that it uses.
  Sse3,
  Ssse3,
  Sse41,
  Sse42,
  Popcnt,
  Movbe,
  Lzcnt,
  Bmi,
  Bmi2,
  Avx,
  F16c,
  Fma,
  Avx2,
  Avx512f,
  Avx512bw,
  Avx512cd,
  Avx512dq,
  Avx512vl,
  Avx512bf16,
  Avx512vnni,
  AvxVnni,
  AmxTile,
  AmxBf16,
  AmxInt8,
  // GPUs.
  SubgroupArithmetic,
  CooperativeMatrix,        ///< of bf16, 16 x 16 x 16
  CooperativeMatrixF16,     ///< of f16, 16 x 16 x 16
  CooperativeMatrix8x16F16, ///< of f16, 8 x 16 x 16
  IntegerDotProduct,
};
inline constexpr int kFeatures = int(Feature::IntegerDotProduct) + 1;

/// A CPU feature as LLVM and /proc/cpuinfo call it ("avx512vl"), a GPU's as
/// modules do ("subgroup_arithmetic").
const char *featureName(Feature feature);

class FeatureSet {
public:
  constexpr FeatureSet() = default;
  constexpr FeatureSet(std::initializer_list<Feature> features) {
    for (Feature feature : features)
      add(feature);
  }

  constexpr void add(Feature feature) { bits |= uint64_t(1) << int(feature); }
  constexpr bool has(Feature feature) const { return bits >> int(feature) & 1; }
  constexpr bool contains(FeatureSet other) const {
    return (other.bits & ~bits) == 0;
  }
  constexpr bool isEmpty() const { return bits == 0; }

  friend constexpr FeatureSet operator|(FeatureSet a, FeatureSet b) {
    a.bits |= b.bits;
    return a;
  }
  /// Those of `a` that are not in `b`.
  friend constexpr FeatureSet operator-(FeatureSet a, FeatureSet b) {
    a.bits &= ~b.bits;
    return a;
  }
  friend constexpr bool operator==(FeatureSet a, FeatureSet b) {
    return a.bits == b.bits;
  }
  friend constexpr bool operator!=(FeatureSet a, FeatureSet b) {
    return a.bits != b.bits;
  }

private:
  uint64_t bits = 0;
};
static_assert(kFeatures <= 64);

//===----------------------------------------------------------------------===//
// Levels
//===----------------------------------------------------------------------===//

/// Consecutive elements of a constant table.
template <typename T> class Rows {
public:
  constexpr Rows() = default;
  constexpr Rows(const T *first, size_t count) : first(first), count(count) {}
  template <size_t n> constexpr Rows(const T (&rows)[n]) : Rows(rows, n) {}

  constexpr const T *begin() const { return first; }
  constexpr const T *end() const { return first + count; }
  constexpr size_t size() const { return count; }
  constexpr const T &operator[](size_t i) const { return first[i]; }
  constexpr const T &back() const { return first[count - 1]; }

private:
  const T *first = nullptr;
  size_t count = 0;
};

/// One instruction of a matrix product: `sum` [m, n] += `a` [m, k] times `b`
/// [k, n]. `interleave` consecutive elements along k of an operand lie side by
/// side in memory.
struct Product {
  ElementType a, b, sum;
  int m, n, k;
  int interleave;
};

/// A kind of cooperative matrices of Vulkan, which a subgroup multiplies.
struct MatrixKind {
  Feature feature;
  Product product;
  int subgroup; ///< invocations
};

/// All kinds that kernels use.
Rows<MatrixKind> allMatrixKinds();
/// The kind whose feature has this name; NULL if there is none.
const MatrixKind *findMatrixKind(std::string_view feature);

/// What LLVM is told about a level.
struct LlvmOptions {
  const char *cpu = "";     ///< -mcpu. CPU: `Level::features` are added to it
  const char *tuneCpu = ""; ///< CPU: whose instruction costs it assumes
  const char *flags = "";   ///< further entries of -mattr
  /// CUDA: the architectures that the PTX is assembled for.
  Rows<const char *> architectures = {};
};

/// What a GPU kernel may use.
struct KernelLimits {
  int64_t threads;            ///< of a workgroup
  int64_t sharedBytes;        ///< workgroup memory that a kernel declares
  int64_t dynamicSharedBytes; ///< the same if asked for at launch; 0: never
  int64_t bindings;           ///< Vulkan: storage buffers
  int64_t pushBytes;          ///< Vulkan: push constants
  int64_t arguments;          ///< operands and results of a dispatch
};

struct Level {
  Target target;
  const char *name;    ///< unique among all targets
  int rank;            ///< from 1; the higher, the better among the target's
  bool isDefault;      ///< for passes of this target that are told no level
  FeatureSet features; ///< what code of this level may use
  Rows<Product> products;
  LlvmOptions llvm;
  int registers;   ///< CPU: vector registers. GPU: 0
  int vectorBytes; ///< CPU: of a vector register. GPU: of the widest access

  // GPU.
  KernelLimits limits = {};
  int threads = 0; ///< of a workgroup, unless the tile has another number
  /// Threads neither share memory nor wait for each other: the device is a CPU,
  /// where barriers are slow and workgroup memory is like any other.
  bool isDirect = false;
  /// CUDA: the version of CUDA whose driver takes its PTX, 1000 * major + 10 *
  /// minor, if that is above what the runtime needs anyway.
  int oldestDriver = 0;
};

/// All levels, by target, the highest rank first.
Rows<Level> allLevels();
/// Those of one target; none if a file has a target that is not known here.
Rows<Level> levelsOf(Target target);

/// NULL if there is no such level.
const Level *findLevel(Target target, std::string_view name);
const Level *findLevel(std::string_view name);

/// The level of `target` that is the default.
const Level &defaultLevel(Target target);

/// The highest rank of `target`, at most `maxRank`, whose features are all
/// offered; NULL if there is none.
const Level *bestLevel(Target target, FeatureSet offered,
                       int maxRank = INT_MAX);

/// The product of `level` whose operands are of type `precision`, NULL if there
/// is none.
const Product *findProduct(const Level &level, ElementType precision);

/// The kind of matrices by which `level` multiplies operands of type
/// `precision`; NULL if there is none.
const MatrixKind *findMatrixKind(const Level &level, ElementType precision);

/// Whether `level` computes in `precision`, and not with the same instruction
/// as the best lower level that every processor with its features runs: code
/// for the latter is then as good and runs on more processors.
bool isDistinct(const Level &level, ElementType precision);

/// The level of highest rank, at most that of `level`, which needs no other
/// features and is distinct in `precision`: whose code to run where the
/// features of `level` are offered.
/// NULL if there is none.
const Level *distinctLevel(const Level &level, ElementType precision);

/// Whether `product` is one of f32, on operands that are widened to it.
inline bool isWidened(const Product &product) {
  return product.k == 1 && product.a != product.sum;
}

//===----------------------------------------------------------------------===//
// Precisions: the types of the operands of products
//===----------------------------------------------------------------------===//

/// All precisions, the widest first.
Rows<ElementType> allPrecisions();
/// "bf16"; NULL if there is no such precision.
const char *precisionName(ElementType precision);
/// False if there is no precision of this name.
bool parsePrecision(std::string_view name, ElementType &precision);

/// The precision in which code of `target` computes what is asked for in
/// `precision`: f32 for tf32 where no level has products of tf32, else
/// `precision`.
ElementType precisionOn(Target target, ElementType precision);

/// Whether training steps compute in `precision`. They do not in f16, whose
/// range gradients leave without factors that training would have to choose.
bool isForTraining(ElementType precision);

/// Reads a CUDA architecture: its compute capability times ten, and whether a
/// letter follows, as in "sm_90a", so that code for it runs on exactly this
/// capability. False if `name` is none.
bool parseArchitecture(const char *name, int &capability, bool &isExact);

/// Whether code of a CUDA level, which is named after its architecture, runs on
/// a device of this compute capability (times ten).
bool runsOnCapability(const Level &level, int capability);

//===----------------------------------------------------------------------===//
// For messages
//===----------------------------------------------------------------------===//

struct Names {
  char text[256];
};

/// "avx512, avx2", the highest rank first.
Names levelNames(Target target);
/// "cpu: avx512, avx2; vulkan: ...".
Names levelNames();
/// "bmi2, f16c".
Names featureNames(FeatureSet features);
/// "f32, bf16".
Names precisionNames();
/// Those that training steps compute in.
Names trainingPrecisionNames();

} // namespace vit::format

#endif // VIT_FORMAT_LEVEL_H
