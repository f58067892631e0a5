//===- Simulator.h - Launches under several schedules ---===//
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
  void **arguments = nullptr; ///< one address per argument's value
};

/// A device: its memory, and kernels run one after the other.
class Simulator {
public:
  /// Runs the launch under every schedule, each from the same memory. True:
  /// nothing was found and all left the same bits. False: memory is as before
  /// the launch, and `finding` holds one sentence that names kernel, schedule,
  /// block, thread and place.
  bool run(const Launch &launch, std::string &finding);

  GlobalMemory &getMemory() { return block.global; }
  std::vector<Schedule> schedules;

private:
  bool check(const Launch &launch, std::string &finding);

  Block block;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_SIMULATOR_H
