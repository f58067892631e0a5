//===- Schedule.h - The order in which threads run --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_SCHEDULE_H
#define VIT_SIMULATOR_SCHEDULE_H

#include <cstdint>
#include <string>
#include <vector>

namespace vit::sim {

/// In order and reversed: threads run from barrier to barrier, and blocks one
/// by one. Shuffled: a new order after each barrier, blocks in random order,
/// and sometimes a thread switch before an access to shared memory.
struct Schedule {
  enum Kind { InOrder, Reversed, Shuffled };
  Kind kind = InOrder;
  uint32_t seed = 1;

  std::string getName() const;
  /// xorshift32: a sequence with a period of 2^32 - 1.
  uint32_t getRandom() {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  }
  void restart() { state = seed * 2654435761u | 1; }
  /// Sets `numbers` to 0 to count-1 in the order of this schedule.
  void order(std::vector<uint32_t> &numbers, uint32_t count);

private:
  uint32_t state = 1;
};

/// Parses "in-order,reversed,shuffled:7"; on failure sets `error`.
bool parseSchedules(const std::string &text, std::vector<Schedule> &schedules,
                    std::string &error);

/// The default of VIT_SIM_SCHEDULES.
extern const char *const defaultSchedules;

} // namespace vit::sim

#endif // VIT_SIMULATOR_SCHEDULE_H
