//===- Peak.cpp - Measures the peak of the processor ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Peak.h"

#include "Support.h"
#include "format/Level.h"

#include <algorithm>
#include <atomic>
#include <sched.h>
#include <thread>
#include <vector>

namespace vit::tools {

namespace {

constexpr int kChains = 12;

// Twelve chains cover latency 4 x two units and leave registers on avx2.
#define VIT_FOR_CHAINS(OP)                                                     \
  OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) OP(8) OP(9) OP(10) OP(11)

__attribute__((target("avx512f"))) void chainAvx512(long iterations) {
#define VIT_ZERO(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n"
#define VIT_FMA(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n"
  __asm__ volatile(
      "vpxord %%zmm12, %%zmm12, %%zmm12\n"
      "vpxord %%zmm13, %%zmm13, %%zmm13\n" VIT_FOR_CHAINS(
          VIT_ZERO) "1:\n" VIT_FOR_CHAINS(VIT_FMA) "dec %0\njnz 1b\n"
      : "+r"(iterations)
      :
      : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8",
        "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "cc");
#undef VIT_ZERO
#undef VIT_FMA
}

__attribute__((target("avx2,fma"))) void chainAvx2(long iterations) {
#define VIT_ZERO(i) "vpxor %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n"
#define VIT_FMA(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n"
  __asm__ volatile(
      "vpxor %%ymm12, %%ymm12, %%ymm12\n"
      "vpxor %%ymm13, %%ymm13, %%ymm13\n" VIT_FOR_CHAINS(
          VIT_ZERO) "1:\n" VIT_FOR_CHAINS(VIT_FMA) "dec %0\njnz 1b\n"
      : "+r"(iterations)
      :
      : "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8",
        "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "cc");
#undef VIT_ZERO
#undef VIT_FMA
}

/// Seconds from the start of the last thread to the end of the last one.
double timeChains(void (*chain)(long), long iterations, int threads) {
  std::atomic<int> waiting{threads};
  std::vector<double> seconds(threads);
  auto work = [&](int index) {
    --waiting;
    while (waiting.load() > 0)
      sched_yield();
    double begin = now();
    chain(iterations);
    seconds[index] = now() - begin;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back(work, i);
  work(0);
  for (std::thread &other : others)
    other.join();
  return *std::max_element(seconds.begin(), seconds.end());
}

} // namespace

double measurePeakFlops(const std::string &level, int threads) {
  const format::Level *known = format::findLevel(format::Target::Cpu, level);
  if (!known)
    return 0;
  bool is512 = known->vectorBytes == 64;
  void (*chain)(long) = is512 ? chainAvx512 : chainAvx2;
  double flopPerIteration = 2.0 * kChains * (is512 ? 16 : 8);
  constexpr long kIterations = 2000000;
  double best = 0;
  for (int run = 0; run < 7; ++run)
    best = std::max(best, flopPerIteration * kIterations * threads /
                              timeChains(chain, kIterations, threads));
  return best;
}

} // namespace vit::tools
