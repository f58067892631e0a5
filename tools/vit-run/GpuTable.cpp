//===- GpuTable.cpp - Figures of GPUs -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sources, all by NVIDIA:
// - H100: "NVIDIA H100 Tensor Core GPU Architecture" (whitepaper), columns for
//   SXM5 of the tables of specifications: multiprocessors, boost clock (1980
//   MHz; 1830 MHz in tensor products), peaks without sparsity, L2, bandwidth.
// - H200: "NVIDIA H200 Tensor Core GPU" (datasheet), SXM: bandwidth; its peaks
//   are those of the H100, with sparsity there (1979 in bf16, 3958 in int8).
//   The chip is the H100's, from which the other figures are.
// - A100: "NVIDIA A100 Tensor Core GPU Architecture" (whitepaper), and for the
//   bandwidth "NVIDIA A100 Tensor Core GPU" (datasheet), column 80GB SXM.
// - RTX 4090: "NVIDIA Ada GPU Architecture" (whitepaper), table of the RTX
//   4090: tf32 and bf16 are those with sums in f32, and without sparsity.
// - Threads, workgroups, registers and shared memory of a multiprocessor, and
//   lanes: "CUDA C++ Programming Guide", "Technical Specifications per Compute
//   Capability" and "Arithmetic Instructions", capabilities 8.0, 8.9 and 9.0.
//
// Clocks are those of the published peaks: a GPU that its power limit slows
// down has less.
//
//===----------------------------------------------------------------------===//

#include "GpuTable.h"

#include "Support.h"

#include <vector>

namespace vit::tools {

static constexpr uint64_t kKib = uint64_t(1) << 10;
static constexpr uint64_t kMib = uint64_t(1) << 20;

// clang-format off
//   name, title, name of its drivers, capability, multiprocessors, MHz, lanes,
//   TFLOP/s in f32, tf32, bf16, int8, GB/s, L2, threads, workgroups, registers, shared
static constexpr Gpu kGpus[] = {
    {"h100", "H100 SXM5 80GB", "NVIDIA H100 80GB HBM3", 90, 132, 1980, 128,
     66.9, 494.7, 989.4, 1978.9, 3352, 50 * kMib, 2048, 32, 65536, 228 * kKib},
    {"h200", "H200 SXM", "NVIDIA H200", 90, 132, 1980, 128,
     66.9, 494.7, 989.4, 1978.9, 4800, 50 * kMib, 2048, 32, 65536, 228 * kKib},
    {"a100", "A100 SXM4 80GB", "NVIDIA A100-SXM4-80GB", 80, 108, 1410, 64,
     19.5, 156, 312, 624, 2039, 40 * kMib, 2048, 32, 65536, 164 * kKib},
    {"rtx4090", "GeForce RTX 4090", "NVIDIA GeForce RTX 4090", 89, 128, 2520, 128,
     82.6, 82.6, 165.2, 660.6, 1008, 72 * kMib, 1536, 24, 65536, 100 * kKib},
};
// clang-format on

/// The published peaks in f32 and tf32 follow from the other columns.
static constexpr bool isConsistent(const Gpu &gpu) {
  double tflops = 2e-6 * gpu.multiprocessors * gpu.lanes * gpu.boostMhz;
  return gpu.f32Tflops > 0.995 * tflops && gpu.f32Tflops < 1.005 * tflops &&
         2 * gpu.tf32Tflops == gpu.bf16Tflops;
}
static constexpr bool areConsistent() {
  for (const Gpu &gpu : kGpus)
    if (!isConsistent(gpu))
      return false;
  return true;
}
static_assert(areConsistent());

std::string gpuNames() {
  std::vector<std::string> names;
  for (const Gpu &gpu : kGpus)
    names.push_back(gpu.name);
  return join(names, ", ");
}

const Gpu &findGpu(const std::string &name) {
  for (const Gpu &gpu : kGpus)
    if (name == gpu.name)
      return gpu;
  throw Error("there are no figures of a GPU '" + name + "'; choose one of " +
              gpuNames());
}

const Gpu *findGpuOfDriver(const std::string &name) {
  for (const Gpu &gpu : kGpus)
    if (name == gpu.driverName)
      return &gpu;
  return nullptr;
}

static int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

int64_t residentWorkgroups(const Gpu &gpu, int64_t threads, int64_t shared,
                           int64_t registers) {
  constexpr int64_t warp = 32, warpsAtOnce = 4, registerUnit = 256,
                    sharedUnit = 128, reserved = 1024;
  int64_t warps = (threads + warp - 1) / warp;
  int64_t most = std::min<int64_t>(gpu.workgroups, gpu.threads / warp / warps);
  most = std::min<int64_t>(most, int64_t(gpu.sharedBytes) /
                                     roundUp(shared + reserved, sharedUnit));
  if (registers > 0) {
    // Each of the four parts of a multiprocessor has its own registers.
    int64_t each =
        gpu.registers / warpsAtOnce / roundUp(registers * warp, registerUnit);
    most = std::min(most, each * warpsAtOnce / roundUp(warps, warpsAtOnce));
  }
  return most;
}

double peakFlops(const Gpu &gpu, format::ElementType precision) {
  switch (precision) {
  case format::ElementType::F32:
    return gpu.f32Tflops * 1e12;
  case format::ElementType::TF32:
    return gpu.tf32Tflops * 1e12;
  case format::ElementType::F16: // as bf16 on all of them
  case format::ElementType::BF16:
    return gpu.bf16Tflops * 1e12;
  case format::ElementType::I8:
    return gpu.int8Tflops * 1e12;
  default:
    return 0;
  }
}

// "Getting Started with CUDA Graphs" (NVIDIA Technical Blog): a kernel of 2.9
// us took 3.4 us on average in a graph, on a V100.
double launchGap() { return 0.5e-6; }

} // namespace vit::tools
