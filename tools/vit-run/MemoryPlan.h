//===- MemoryPlan.h - The workspace of a schedule over time -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_MEMORYPLAN_H
#define VIT_TOOLS_MEMORYPLAN_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace vit::tools {

/// A value in the workspace. Commands are counted without barriers.
struct PlannedBuffer {
  size_t slot = 0;
  uint64_t offset = 0; ///< In the workspace, in bytes.
  uint64_t bytes = 0;
  size_t begin = 0; ///< The command that writes it.
  size_t end = 0;   ///< The last command that uses it.
};

struct MemoryPlan {
  std::vector<PlannedBuffer> buffers; ///< In the order in which they begin.
  uint64_t slotBytes = 0;             ///< Of all slots.
  /// For each command the buffers that it reads, and those that it writes.
  std::vector<std::vector<size_t>> reads, writes;
};

/// The slots lie as the runtime lays them out. Nothing if the module does not
/// say which arguments are results: earlier compilers did not.
std::optional<MemoryPlan> planMemory(const nlohmann::ordered_json &schedule,
                                     int64_t batch);

/// {"slot_bytes", "buffers": [{"slot", "offset", "bytes", "begin", "end"}],
///  "reads": [[numbers of buffers] for each command], "writes": [...]}
nlohmann::ordered_json describePlan(const MemoryPlan &plan);

} // namespace vit::tools

#endif // VIT_TOOLS_MEMORYPLAN_H
