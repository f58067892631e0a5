//===- cpu.cpp - What this processor offers -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/cpu.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vit::runtime {

static constexpr const char *kLevelNames[] = {"none", "avx2", "avx512"};

const char *levelName(CpuLevel level) { return kLevelNames[int(level)]; }

bool parseLevel(const char *name, CpuLevel &level) {
  for (int i = 0; i < 3; ++i)
    if (std::strcmp(name, kLevelNames[i]) == 0) {
      level = CpuLevel(i);
      return true;
    }
  return false;
}

#if defined(__x86_64__)

/// Which register files the operating system saves (XCR0).
static uint64_t savedState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

CpuLevel detectLevel() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return CpuLevel::None;
  constexpr unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
  if ((c & (fma | osxsave | avx)) != (fma | osxsave | avx))
    return CpuLevel::None;
  uint64_t state = savedState();
  constexpr uint64_t ymm = 0x6, zmm = 0xe6;
  unsigned leaf7;
  if ((state & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &leaf7, &c, &d))
    return CpuLevel::None;
  constexpr unsigned avx2 = 1u << 5;
  if ((leaf7 & avx2) == 0)
    return CpuLevel::None;
  constexpr unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
  constexpr unsigned avx512 = f | dq | bw | vl;
  return (leaf7 & avx512) == avx512 && (state & zmm) == zmm ? CpuLevel::Avx512
                                                            : CpuLevel::Avx2;
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

CpuLevel detectLevel() { return CpuLevel::None; }

void processorName(char *out, size_t size) {
  std::snprintf(out, size, "unknown processor");
}

#endif

bool allowedLevel(CpuLevel &level) {
  level = detectLevel();
  const char *wanted = std::getenv("VIT_CPU_LEVEL");
  CpuLevel limit;
  if (!wanted || !*wanted)
    return true;
  if (!parseLevel(wanted, limit))
    return false;
  if (limit < level)
    level = limit;
  return true;
}

int availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? int(online) : 1;
}

} // namespace vit::runtime
