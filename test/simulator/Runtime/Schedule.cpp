//===- Schedule.cpp - The order in which threads run ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include <numeric>
#include <sstream>

using namespace vit::sim;

const char *const vit::sim::defaultSchedules = "in-order,reversed,shuffled:1";

std::string Schedule::getName() const {
  switch (kind) {
  case InOrder:
    return "in-order";
  case Reversed:
    return "reversed";
  case Shuffled:
    break;
  }
  return "shuffled:" + std::to_string(seed);
}

void Schedule::order(std::vector<uint32_t> &numbers, uint32_t count) {
  numbers.resize(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (kind == Reversed)
    for (uint32_t i = 0; i < count; ++i)
      numbers[i] = count - 1 - i;
  if (kind == Shuffled)
    for (uint32_t i = count; i > 1; --i)
      std::swap(numbers[i - 1], numbers[getRandom() % i]);
}

bool vit::sim::parseSchedules(const std::string &text,
                              std::vector<Schedule> &schedules,
                              std::string &error) {
  schedules.clear();
  std::istringstream in(text);
  std::string name;
  while (std::getline(in, name, ',')) {
    Schedule schedule;
    if (name == "reversed") {
      schedule.kind = Schedule::Reversed;
    } else if (name.rfind("shuffled:", 0) == 0) {
      schedule.kind = Schedule::Shuffled;
      schedule.seed = static_cast<uint32_t>(
          strtoul(name.c_str() + sizeof "shuffled:" - 1, nullptr, 10));
    } else if (name != "in-order") {
      error = "no schedule \"" + name +
              "\"; there are in-order, reversed and shuffled:SEED";
      return false;
    }
    schedules.push_back(schedule);
  }
  if (schedules.empty()) {
    error = "no schedule is named";
    return false;
  }
  return true;
}
