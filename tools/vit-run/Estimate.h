//===- Estimate.h - What a GPU's figures allow ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The shortest time that the figures of a GPU allow for a module's code,
// without the GPU: a roofline (Williams, Waterman, Patterson, 2009) for each
// command, and the losses by an uneven split and between commands.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_ESTIMATE_H
#define VIT_TOOLS_ESTIMATE_H

#include "GpuTable.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

struct CommandEstimate {
  std::string name;
  std::string kernel;       ///< Or the kind of the command: "Copy".
  double flop = 0;          ///< Of products; nothing else is counted.
  uint64_t bytes = 0;       ///< Of all arguments, read or written.
  uint64_t memoryBytes = 0; ///< Those that are not in the L2.
  uint64_t units = 0;       ///< Workgroups; 0: no kernel.
  int registers = 0;        ///< Of a thread; 0: not known.
  int resident = 0;     ///< Workgroups of a multiprocessor at once, at most.
  double occupancy = 0; ///< Share of its threads that these are.
  double waves = 0;     ///< Units over all resident workgroups.
  // Seconds.
  double compute = 0; ///< At the peak of the whole GPU.
  double busiest = 0; ///< Of the multiprocessor with most units, at its peak.
  double memory = 0;  ///< At the bandwidth of the memory.
  double launch = 0;  ///< Until the next command.

  double seconds() const { return std::max(busiest, memory) + launch; }
  /// What most of seconds() is: "compute", "waves" (the split into units),
  /// "memory" or "launch".
  const char *bound() const;
};

/// Of one schedule.
struct Estimate {
  std::string entry, target, level, precision;
  /// In which the level computes: f32 where it widens the operands.
  std::string arithmetic;
  std::vector<CommandEstimate> commands;

  double seconds() const;
};

/// `entry` and `schedule` are of the JSON of vit_module_describe. Throws if a
/// kernel cannot run on `gpu`, the table has no peak for the arithmetic or the
/// batch is too large.
Estimate estimateSchedule(const nlohmann::ordered_json &entry,
                          const nlohmann::ordered_json &schedule,
                          const Gpu &gpu, int64_t batch);

/// For each entry and precision, the code that `gpu` would run: CUDA if the
/// module has it, else Vulkan. Throws if it has neither.
std::vector<Estimate> estimateModule(const nlohmann::ordered_json &module,
                                     const Gpu &gpu, int64_t batch);

/// Of the JSON of a module; null if it has none.
struct FoundSchedule {
  const nlohmann::ordered_json *entry = nullptr, *schedule = nullptr;
};

/// The schedule of this level and precision ("avx2", "f32") whose commands but
/// for barriers have these names.
FoundSchedule findSchedule(const nlohmann::ordered_json &module,
                           const std::string &level,
                           const std::string &precision,
                           const std::vector<std::string> &commands);

/// The precision of `schedule` as options name it: "f32", "int8".
std::string precisionOfSchedule(const nlohmann::ordered_json &schedule);

/// For each command of `schedule` but barriers, the bytes of all arguments,
/// read or written.
std::vector<uint64_t> commandBytes(const nlohmann::ordered_json &schedule,
                                   int64_t batch);

/// The value of an extent {"times", "of", "per"} in the JSON of a module.
uint64_t evaluateExtent(const nlohmann::ordered_json &extent, int64_t batch);

/// The estimate for the schedule of this level and precision whose commands
/// have these names; nothing if the module has none.
std::optional<Estimate> findEstimate(const nlohmann::ordered_json &module,
                                     const Gpu &gpu, int64_t batch,
                                     const std::string &level,
                                     const std::string &precision,
                                     const std::vector<std::string> &commands);

void printEstimates(const std::vector<Estimate> &estimates, const Gpu &gpu,
                    int64_t batch);
nlohmann::ordered_json describeEstimates(const std::vector<Estimate> &estimates,
                                         const Gpu &gpu, int64_t batch);

} // namespace vit::tools

#endif // VIT_TOOLS_ESTIMATE_H
