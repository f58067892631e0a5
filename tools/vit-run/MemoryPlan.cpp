//===- MemoryPlan.cpp - The workspace of a schedule over time -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryPlan.h"

#include "Estimate.h"
#include "format/Alignment.h"

#include <algorithm>
#include <map>
#include <optional>

namespace vit::tools {

using Json = nlohmann::ordered_json;

namespace {

/// A range of a slot.
struct Range {
  size_t slot;
  uint64_t begin, end;
};

class Planner {
public:
  Planner(const Json &schedule, int64_t batch);
  void add(const Json &command);
  MemoryPlan take() { return std::move(plan); }

private:
  std::optional<Range> rangeOf(const Json &argument) const;
  void read(const Range &range, size_t command);
  void write(const Range &range, size_t command);

  int64_t batch;
  std::vector<uint64_t> offsets; ///< Of the slots.
  /// For each slot the buffers that it holds, by their offset in it.
  std::vector<std::map<uint64_t, size_t>> held;
  MemoryPlan plan;
};

} // namespace

static uint64_t slotSize(const Json &slot, int64_t batch) {
  uint64_t size = 0;
  for (const Json &value : slot.at("values"))
    size = std::max(size, evaluateExtent(value, batch));
  return size;
}

Planner::Planner(const Json &schedule, int64_t batch) : batch(batch) {
  for (const Json &slot : schedule.at("slots")) {
    offsets.push_back(plan.slotBytes);
    plan.slotBytes += (slotSize(slot, batch) + format::kAlignment - 1) /
                      format::kAlignment * format::kAlignment;
  }
  held.resize(offsets.size());
}

/// Nothing if the argument is not in the workspace.
std::optional<Range> Planner::rangeOf(const Json &argument) const {
  if (argument.at("kind") != "Slot")
    return std::nullopt;
  uint64_t begin = argument.value("offset", uint64_t(0));
  return Range{argument.at("index").get<size_t>(), begin,
               begin + evaluateExtent(argument.at("bytes"), batch)};
}

/// The range is one value, or the parts of a concatenation.
void Planner::read(const Range &range, size_t command) {
  for (const auto &[offset, number] : held.at(range.slot)) {
    PlannedBuffer &buffer = plan.buffers[number];
    if (offset >= range.end || range.begin >= offset + buffer.bytes)
      continue;
    buffer.end = command;
    std::vector<size_t> &reads = plan.reads[command];
    if (std::find(reads.begin(), reads.end(), number) == reads.end())
      reads.push_back(number);
  }
}

/// The range has a new value: what it overlaps is gone.
void Planner::write(const Range &range, size_t command) {
  std::map<uint64_t, size_t> &there = held.at(range.slot);
  for (auto it = there.begin(); it != there.end();) {
    uint64_t end = it->first + plan.buffers[it->second].bytes;
    bool overlaps = it->first < range.end && range.begin < end;
    it = overlaps ? there.erase(it) : std::next(it);
  }
  there[range.begin] = plan.buffers.size();
  plan.writes[command].push_back(plan.buffers.size());
  plan.buffers.push_back({range.slot, offsets[range.slot] + range.begin,
                          range.end - range.begin, command, command});
}

void Planner::add(const Json &command) {
  size_t number = plan.reads.size();
  plan.reads.emplace_back();
  plan.writes.emplace_back();
  const Json &arguments = command.at("arguments");
  bool isDispatch = command.at("kind") == "Dispatch";
  size_t results = isDispatch ? command.value("results", size_t(0)) : 1;
  size_t operands = arguments.size() - std::min(arguments.size(), results);
  for (size_t i = 0; i < arguments.size(); ++i)
    if (std::optional<Range> range = rangeOf(arguments[i])) {
      if (i < operands)
        read(*range, number);
      else
        write(*range, number);
    }
}

std::optional<MemoryPlan> planMemory(const Json &schedule, int64_t batch) {
  Planner planner(schedule, batch);
  for (const Json &command : schedule.at("commands")) {
    if (command.at("kind") == "Barrier")
      continue;
    bool isKnown = command.at("kind") != "Dispatch" ||
                   command.contains("results") || command.contains("is_update");
    if (!isKnown)
      return std::nullopt;
    planner.add(command);
  }
  return planner.take();
}

Json describePlan(const MemoryPlan &plan) {
  Json buffers = Json::array();
  for (const PlannedBuffer &buffer : plan.buffers)
    buffers.push_back({{"slot", buffer.slot},
                       {"offset", buffer.offset},
                       {"bytes", buffer.bytes},
                       {"begin", buffer.begin},
                       {"end", buffer.end}});
  return {{"slot_bytes", plan.slotBytes},
          {"buffers", std::move(buffers)},
          {"reads", plan.reads},
          {"writes", plan.writes}};
}

} // namespace vit::tools
