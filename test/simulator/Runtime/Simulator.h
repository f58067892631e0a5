//===- Simulator.h - Runs launches under several schedules ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_SIMULATOR_H
#define VIT_SIMULATOR_SIMULATOR_H

#include "Block.h"

namespace vit::sim {

struct Launch {
  const Library *library = nullptr;
  const Kernel *kernel = nullptr;
  Extent grid, block;
  uint32_t dynamicShared = 0;
  void **arguments = nullptr; ///< the address of each argument's value
};

/// A device: its memory, and kernels that run one at a time.
class Simulator {
public:
  /// Runs the launch under every schedule, each from the same memory. Returns
  /// true if there is no finding and all results are equal. Otherwise restores
  /// memory and sets `finding` to one sentence that names kernel, schedule,
  /// block, thread and location.
  bool run(const Launch &launch, std::string &finding);

  GlobalMemory &getMemory() { return block.global; }
  std::vector<Schedule> schedules;
  /// If not null, receives the counts of the first schedule.
  Counters *counters = nullptr;

private:
  bool check(const Launch &launch, std::string &finding);

  Block block;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_SIMULATOR_H
