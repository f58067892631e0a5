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
#include <cstring>
#include <new>
#include <sched.h>
#include <thread>
#include <vector>

namespace vit::tools {

namespace {

constexpr int kChains = 12;

// Twelve chains cover latency 4 x two units and leave registers on avx2.
#define VIT_FOR_CHAINS(OP)                                                     \
  OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) OP(8) OP(9) OP(10) OP(11)

// Chains of one instruction of vectors of 512 bits.
#define VIT_ZERO_ZMM(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n"
#define VIT_DEFINE_ZMM_CHAIN(NAME, TARGET, STEP)                               \
  __attribute__((target(TARGET))) void NAME(long iterations) {                 \
    __asm__ volatile(                                                          \
        VIT_ZERO_ZMM(12) VIT_ZERO_ZMM(13) VIT_FOR_CHAINS(                      \
            VIT_ZERO_ZMM) "1:\n" VIT_FOR_CHAINS(STEP) "dec %0\njnz 1b\n"       \
        : "+r"(iterations)                                                     \
        :                                                                      \
        : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7",      \
          "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "cc");           \
  }
#define VIT_FMA(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n"
#define VIT_BF16(i) "vdpbf16ps %%zmm12, %%zmm13, %%zmm" #i "\n"
#define VIT_INT8(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n"
VIT_DEFINE_ZMM_CHAIN(chainAvx512, "avx512f", VIT_FMA)
VIT_DEFINE_ZMM_CHAIN(chainBf16, "avx512f,avx512bf16", VIT_BF16)
VIT_DEFINE_ZMM_CHAIN(chainInt8, "avx512f,avx512vnni", VIT_INT8)
#undef VIT_FMA
#undef VIT_BF16
#undef VIT_INT8

// The same of 256 bits.
#define VIT_ZERO_YMM(i) "vpxor %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n"
#define VIT_DEFINE_YMM_CHAIN(NAME, TARGET, STEP)                               \
  __attribute__((target(TARGET))) void NAME(long iterations) {                 \
    __asm__ volatile(                                                          \
        VIT_ZERO_YMM(12) VIT_ZERO_YMM(13) VIT_FOR_CHAINS(                      \
            VIT_ZERO_YMM) "1:\n" VIT_FOR_CHAINS(STEP) "dec %0\njnz 1b\n"       \
        : "+r"(iterations)                                                     \
        :                                                                      \
        : "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7",      \
          "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "cc");           \
  }
#define VIT_FMA(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n"
#define VIT_INT8(i) "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm" #i "\n"
VIT_DEFINE_YMM_CHAIN(chainAvx2, "avx2,fma", VIT_FMA)
VIT_DEFINE_YMM_CHAIN(chainAvxVnni, "avx2,avxvnni", VIT_INT8)
#undef VIT_FMA
#undef VIT_INT8

/// Six chains and two operands, which are all tiles.
constexpr int kTileChains = 6;

/// The layout of ldtilecfg: eight tiles of 16 rows of 64 bytes.
struct TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// The runtime has asked for the permission to use tiles.
#define VIT_FOR_TILES(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5)
#define VIT_ZERO_TILE(i) "tilezero %%tmm" #i "\n"
#define VIT_DEFINE_TILE_CHAIN(NAME, TARGET, STEP)                              \
  __attribute__((target(TARGET))) void NAME(long iterations) {                 \
    static constexpr TileConfig config;                                        \
    __asm__ volatile("ldtilecfg %1\n" VIT_ZERO_TILE(6) VIT_ZERO_TILE(7)        \
                         VIT_FOR_TILES(VIT_ZERO_TILE) "1:\n" VIT_FOR_TILES(    \
                             STEP) "dec %0\njnz 1b\ntilerelease\n"             \
                     : "+r"(iterations)                                        \
                     : "m"(config)                                             \
                     : "cc");                                                  \
  }
#define VIT_BF16(i) "tdpbf16ps %%tmm7, %%tmm6, %%tmm" #i "\n"
#define VIT_INT8(i) "tdpbssd %%tmm7, %%tmm6, %%tmm" #i "\n"
VIT_DEFINE_TILE_CHAIN(chainBf16Tiles, "amx-tile,amx-bf16", VIT_BF16)
VIT_DEFINE_TILE_CHAIN(chainInt8Tiles, "amx-tile,amx-int8", VIT_INT8)
#undef VIT_BF16
#undef VIT_INT8

/// Calls `run` with the number of each thread on its own thread. Returns the
/// seconds of the slowest, counted from when all are there.
template <typename Run> double timeThreads(int threads, const Run &run) {
  std::atomic<int> waiting{threads};
  std::vector<double> seconds(threads);
  auto work = [&](int index) {
    --waiting;
    while (waiting.load() > 0)
      sched_yield();
    double begin = now();
    run(index);
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

double measurePeakFlops(const std::string &level, const std::string &precision,
                        int threads) {
  const format::Level *known = format::findLevel(format::Target::Cpu, level);
  format::ElementType type;
  if (!known || !format::parsePrecision(precision, type))
    return 0;
  const format::Product *product = format::findProduct(*known, type);
  if (!product)
    return 0;
  bool isTile = product->m > 1;
  bool isInt8 = type == format::ElementType::I8;
  bool isZmm = product->n > 8;
  // Operands that are widened are multiplied at the rate of f32.
  void (*chain)(long) = isTile ? isInt8 ? chainInt8Tiles : chainBf16Tiles
                        : product->k > 1 ? !isInt8 ? chainBf16
                                           : isZmm ? chainInt8
                                                   : chainAvxVnni
                        : isZmm          ? chainAvx512
                                         : chainAvx2;
  double flopPerIteration = 2.0 * (isTile ? kTileChains : kChains) *
                            product->m * product->n * product->k;
  // A tile takes 16 cycles, a vector half a cycle or one.
  long iterations = isTile ? 200000 : 2000000;
  double best = 0;
  for (int run = 0; run < 7; ++run)
    best = std::max(best,
                    flopPerIteration * iterations * threads /
                        timeThreads(threads, [&](int) { chain(iterations); }));
  return best;
}

double measureBandwidth(int threads) {
  constexpr size_t bytes = size_t(64) << 20;
  std::vector<char> from, to;
  try {
    from.assign(bytes, 1);
    to.assign(bytes, 2);
  } catch (const std::bad_alloc &) {
    return 0;
  }
  auto copy = [&](int index) {
    size_t begin = bytes / threads * index;
    std::memcpy(to.data() + begin, from.data() + begin, bytes / threads);
  };
  double best = 0;
  for (int run = 0; run < 5; ++run)
    best = std::max(best, 2.0 * double(bytes / threads * threads) /
                              timeThreads(threads, copy));
  return best;
}

} // namespace vit::tools
