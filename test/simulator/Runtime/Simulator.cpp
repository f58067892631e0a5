//===- Simulator.cpp - Runs launches under several schedules --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Simulator.h"

using namespace vit::sim;

bool Simulator::check(const Launch &launch, std::string &finding) {
  const Kernel &kernel = *launch.kernel;
  uint64_t threads = launch.block.getCount();
  if (!threads || threads > Block::maxThreads || !launch.grid.getCount() ||
      launch.grid.getCount() > 0x7fffffff || launch.grid.y > 65535 ||
      launch.grid.z > 65535) {
    finding = "no device takes " + std::to_string(launch.grid.getCount()) +
              " blocks of " + std::to_string(threads) + " threads";
    return false;
  }
  if (kernel.threads && threads != kernel.threads) {
    finding = "launched with " + std::to_string(threads) +
              " threads, but declared for " + std::to_string(kernel.threads);
    return false;
  }
  if (kernel.cluster > 1 &&
      (threads % 128 || threads * kernel.cluster > Block::maxClusterThreads)) {
    finding = "the simulator knows clusters of at most " +
              std::to_string(Block::maxClusterThreads) +
              " threads alone, in blocks of whole warpgroups";
    return false;
  }
  if (launch.grid.x % kernel.cluster) {
    finding = "launched with " + std::to_string(launch.grid.x) +
              " blocks, which are no whole clusters of " +
              std::to_string(kernel.cluster);
    return false;
  }
  return true;
}

bool Simulator::run(const Launch &launch, std::string &finding) {
  auto fail = [&](const std::string &what) {
    finding = "kernel " + launch.kernel->name + ": " + what;
    return false;
  };
  if (schedules.empty() &&
      !parseSchedules(defaultSchedules, schedules, finding))
    return false;
  if (!check(launch, finding) ||
      !block.global.open(*launch.kernel, launch.arguments, finding))
    return fail(finding);

  GlobalMemory::Image expected;
  std::vector<uint32_t> order;
  for (size_t i = 0; i < schedules.size(); ++i) {
    Schedule schedule = schedules[i];
    if (!block.beginRun(*launch.library, *launch.kernel, launch.arguments,
                        launch.grid, launch.block, launch.dynamicShared,
                        schedule))
      return fail(block.finding);
    block.counters = i == 0 ? counters : nullptr;
    if (block.counters)
      counters->begin(*launch.library, *launch.kernel,
                      static_cast<uint32_t>(launch.block.getCount()),
                      launch.dynamicShared);
    schedule.restart();
    uint64_t clusters = launch.grid.getCount() / launch.kernel->cluster;
    schedule.order(order, static_cast<uint32_t>(clusters));
    for (uint32_t index : order)
      if (!block.run(index)) {
        block.global.rollBack();
        return fail("schedule " + schedule.getName() + ", " + block.finding);
      }
    if (schedules.size() == 1)
      break;
    GlobalMemory::Image written = block.global.getWritten();
    if (i == 0) {
      expected = std::move(written);
    } else if (written != expected) {
      auto one = expected.begin(), other = written.begin();
      while (one != expected.end() && other != written.end() && *one == *other)
        ++one, ++other;
      const void *where = one != expected.end() ? one->first : other->first;
      std::string what = "schedules " + schedules[0].getName() + " and " +
                         schedule.getName() + " differ in " +
                         block.global.describe(where);
      block.global.rollBack();
      return fail(what);
    }
    if (i + 1 < schedules.size())
      block.global.rollBack();
  }
  return true;
}
