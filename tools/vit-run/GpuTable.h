//===- GpuTable.h - Figures of GPUs -----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_GPUTABLE_H
#define VIT_TOOLS_GPUTABLE_H

#include "format/ElementType.h"

#include <cstdint>
#include <string>

namespace vit::tools {

/// What a GPU's maker publishes. The sources are in GpuTable.cpp.
struct Gpu {
  const char *name;       ///< as in --estimate: "h100"
  const char *title;      ///< "H100 SXM5 80GB"
  const char *driverName; ///< exactly as its drivers call the device
  int capability;         ///< compute capability 9.0: 90
  int multiprocessors;
  int boostMhz;       ///< at which f32 has its peak
  int lanes;          ///< f32 multiply-adds per clock of a multiprocessor
  double f32Tflops;   ///< without tensor cores
  double tf32Tflops;  ///< dense tensor products of tf32, sums in f32
  double bf16Tflops;  ///< dense tensor products of f16 and bf16, sums in f32
  double int8Tflops;  ///< dense tensor products of int8
  double gbPerSecond; ///< of the memory, 1e9 bytes each
  uint64_t l2Bytes;
  // Of a multiprocessor.
  int threads;
  int workgroups;
  int registers;        ///< of 32 bits
  uint64_t sharedBytes; ///< at most, of 1 KiB for each workgroup too
};

/// "h100, h200, ..."
std::string gpuNames();
/// Throws an error that lists the names if there is no such row.
const Gpu &findGpu(const std::string &name);
/// NULL if no row is for the device that its driver calls `name`.
const Gpu *findGpuOfDriver(const std::string &name);
/// Workgroups that a multiprocessor holds at once: the rules of NVIDIA's
/// occupancy calculator for capabilities 8.0 to 9.0. `shared` is in bytes,
/// `registers` those of a thread; 0: unknown, any number fits.
int64_t residentWorkgroups(const Gpu &gpu, int64_t threads, int64_t shared,
                           int64_t registers);
/// Operations per second of products in `precision`; 0 if that is not in the
/// table.
double peakFlops(const Gpu &gpu, format::ElementType precision);

/// Seconds between the end of a command and the start of the next one.
double launchGap();

} // namespace vit::tools

#endif // VIT_TOOLS_GPUTABLE_H
