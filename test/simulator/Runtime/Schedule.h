//===- Schedule.h - In which order threads run ---===//
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

/// In order and reversed: threads run from barrier to barrier, blocks one
/// after the other. Shuffled: another order at each barrier, blocks in a random
/// order, and now and then another thread before an access to shared memory.
struct Schedule {
  enum Kind { InOrder, Reversed, Shuffled };
  Kind kind = InOrder;
  uint32_t seed = 1;

  std::string getName() const;
  /// xorshift32; never the same order twice in a run.
  uint32_t getRandom() {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  }
  void restart() { state = seed * 2654435761u | 1; }
  /// 0 to count-1 in this schedule's order.
  void order(std::vector<uint32_t> &numbers, uint32_t count);

private:
  uint32_t state = 1;
};

/// "in-order,reversed,shuffled:7"; false: `error` says what is allowed.
bool parseSchedules(const std::string &text, std::vector<Schedule> &schedules,
                    std::string &error);

/// What is taken where nothing is said.
extern const char *const defaultSchedules;

} // namespace vit::sim

#endif // VIT_SIMULATOR_SCHEDULE_H
