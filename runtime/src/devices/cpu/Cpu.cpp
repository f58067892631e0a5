//===- Cpu.cpp - What this processor offers -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Cpu.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vit::runtime {

using namespace format;

/// Where CPUID reports a feature, and which registers (bits of XCR0) it needs.
struct FeatureBit {
  Feature feature;
  uint8_t bit;
  uint32_t CpuReport::*word;
  uint64_t state;
};

static constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;

static constexpr FeatureBit kFeatureBits[] = {
    {Feature::Sse3, 0, &CpuReport::leaf1Ecx, 0},
    {Feature::Ssse3, 9, &CpuReport::leaf1Ecx, 0},
    {Feature::Fma, 12, &CpuReport::leaf1Ecx, kYmm},
    {Feature::Sse41, 19, &CpuReport::leaf1Ecx, 0},
    {Feature::Sse42, 20, &CpuReport::leaf1Ecx, 0},
    {Feature::Movbe, 22, &CpuReport::leaf1Ecx, 0},
    {Feature::Popcnt, 23, &CpuReport::leaf1Ecx, 0},
    {Feature::Avx, 28, &CpuReport::leaf1Ecx, kYmm},
    {Feature::F16c, 29, &CpuReport::leaf1Ecx, kYmm},
    {Feature::Bmi, 3, &CpuReport::leaf7Ebx, 0},
    {Feature::Avx2, 5, &CpuReport::leaf7Ebx, kYmm},
    {Feature::Bmi2, 8, &CpuReport::leaf7Ebx, 0},
    {Feature::Avx512f, 16, &CpuReport::leaf7Ebx, kZmm},
    {Feature::Avx512dq, 17, &CpuReport::leaf7Ebx, kZmm},
    {Feature::Avx512cd, 28, &CpuReport::leaf7Ebx, kZmm},
    {Feature::Avx512bw, 30, &CpuReport::leaf7Ebx, kZmm},
    {Feature::Avx512vl, 31, &CpuReport::leaf7Ebx, kZmm},
    {Feature::Avx512vnni, 11, &CpuReport::leaf7Ecx, kZmm},
    {Feature::AmxBf16, 22, &CpuReport::leaf7Edx, kTiles},
    {Feature::AmxTile, 24, &CpuReport::leaf7Edx, kTiles},
    {Feature::AmxInt8, 25, &CpuReport::leaf7Edx, kTiles},
    {Feature::AvxVnni, 4, &CpuReport::leaf7Sub1Eax, kYmm},
    {Feature::Avx512bf16, 5, &CpuReport::leaf7Sub1Eax, kZmm},
    {Feature::Lzcnt, 5, &CpuReport::extended1Ecx, 0},
};

FeatureSet featuresOf(const CpuReport &report) {
  FeatureSet features;
  for (const FeatureBit &row : kFeatureBits)
    if ((report.*row.word >> row.bit & 1) &&
        (report.savedState & row.state) == row.state)
      features.add(row.feature);
  return features;
}

#if defined(__x86_64__)

/// Asks the system for the registers of AMX, which a process may use only with
/// its permission (Linux: Documentation/arch/x86/xstate.rst). It holds for all
/// threads, and may be asked for again.
static bool mayUseTiles() {
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

/// XCR0.
static uint64_t readSavedState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  uint64_t state = uint64_t(high) << 32 | low;
  return (state & kTiles) && !mayUseTiles() ? state & ~kTiles : state;
}

FeatureSet detectFeatures() {
  constexpr unsigned osxsave = 1u << 27;
  CpuReport report;
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    report.leaf1Ecx = c;
    report.savedState = c & osxsave ? readSavedState() : 0;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    report.leaf7Ebx = b;
    report.leaf7Ecx = c;
    report.leaf7Edx = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
      report.leaf7Sub1Eax = a;
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d))
    report.extended1Ecx = c;
  return featuresOf(report);
}

void processorName(char *out, size_t size) {
  char name[49] = {};
  unsigned words[12] = {};
  bool known = true;
  for (unsigned i = 0; i < 3; ++i)
    known =
        known && __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1],
                             &words[4 * i + 2], &words[4 * i + 3]);
  std::memcpy(name, words, 48);
  const char *begin = name;
  while (*begin == ' ')
    ++begin;
  size_t length = std::strlen(begin);
  while (length > 0 && begin[length - 1] == ' ')
    --length;
  if (!known || length == 0)
    std::snprintf(out, size, "x86-64 processor");
  else
    std::snprintf(out, size, "%.*s", int(length), begin);
}

#else

FeatureSet detectFeatures() { return {}; }

void processorName(char *out, size_t size) {
  std::snprintf(out, size, "unknown processor");
}

#endif

bool lowerRank(const char *name, int &maxRank) {
  const Level *level = findLevel(Target::Cpu, name);
  if (!level && std::strcmp(name, "none") != 0)
    return false;
  maxRank = std::min(maxRank, level ? level->rank : 0);
  return true;
}

bool readCpuChoice(CpuChoice &choice) {
  choice = {detectFeatures()};
  const char *limit = std::getenv("VIT_CPU_LEVEL");
  return !limit || !*limit || lowerRank(limit, choice.maxRank);
}

void explainNoLevel(const CpuChoice &choice, char *out, size_t size) {
  const Level &least = levelsOf(Target::Cpu).back();
  if (choice.maxRank < least.rank)
    std::snprintf(out, size, "none (VIT_CPU_LEVEL or the options forbid all)");
  else
    std::snprintf(out, size, "none (%s needs %s, which it lacks)", least.name,
                  featureNames(least.features - choice.features).text);
}

} // namespace vit::runtime
