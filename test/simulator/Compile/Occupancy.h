//===- Occupancy.h - How many blocks run at once ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_OCCUPANCY_H
#define VIT_SIMULATOR_OCCUPANCY_H

#include <cstdint>
#include <map>
#include <string>

namespace vit::sim {

struct Occupancy {
  std::string title;      ///< of the GPU
  uint32_t registers = 0; ///< of a thread; 0: unknown
  /// Blocks of a multiprocessor: with all limits, and with one alone.
  int64_t blocks = 0, byThreads = 0, byShared = 0, byRegisters = 0;
  int64_t threads = 0, maxThreads = 0; ///< of a multiprocessor

  std::string getText() const;
  std::string getJson() const;
};

/// Computes it for blocks of `threads` threads with `shared` bytes of shared
/// memory on `gpu`, a name in tools/vit-run/GpuTable.cpp. `registers` are those
/// of a thread by architecture ("sm_90a"). Returns false and sets `error` if
/// there is no such GPU.
bool computeOccupancy(const std::string &gpu, uint32_t threads, uint32_t shared,
                      const std::map<std::string, uint32_t> &registers,
                      Occupancy &occupancy, std::string &error);

} // namespace vit::sim

#endif // VIT_SIMULATOR_OCCUPANCY_H
