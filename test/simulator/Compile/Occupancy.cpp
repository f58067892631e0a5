//===- Occupancy.cpp - How many blocks run at once ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Occupancy.h"

#include "GpuTable.h"
#include "Support.h"

#include "format/Level.h"

using namespace vit;
using sim::Occupancy;

bool sim::computeOccupancy(const std::string &gpu, uint32_t threads,
                           uint32_t shared,
                           const std::map<std::string, uint32_t> &registers,
                           Occupancy &occupancy, std::string &error) {
  try {
    const tools::Gpu &found = tools::findGpu(gpu);
    occupancy.title = found.title;
    occupancy.maxThreads = found.threads;
    for (const auto &[name, count] : registers) {
      int capability;
      bool isExact;
      if (format::parseArchitecture(name.c_str(), capability, isExact) &&
          capability == found.capability)
        occupancy.registers = count;
    }
    occupancy.byThreads = tools::residentWorkgroups(found, threads, 0, 0);
    occupancy.byShared = tools::residentWorkgroups(found, 1, shared, 0);
    occupancy.byRegisters =
        tools::residentWorkgroups(found, threads, 0, occupancy.registers);
    occupancy.blocks =
        tools::residentWorkgroups(found, threads, shared, occupancy.registers);
    occupancy.threads = occupancy.blocks * threads;
    return true;
  } catch (const tools::Error &unknown) {
    error = unknown.what();
    return false;
  }
}

std::string Occupancy::getText() const {
  std::string text = "occupancy on " + title + ": " + std::to_string(blocks) +
                     " blocks, " + std::to_string(threads) + " of " +
                     std::to_string(maxThreads) +
                     " threads (by threads: " + std::to_string(byThreads) +
                     " blocks, by shared memory: " + std::to_string(byShared);
  if (registers)
    text += ", by " + std::to_string(registers) +
            " registers: " + std::to_string(byRegisters);
  else
    text += ", registers are unknown";
  return text + ")\n";
}

std::string Occupancy::getJson() const {
  return "\"occupancy\": {\"gpu\": \"" + title +
         "\", \"blocks\": " + std::to_string(blocks) +
         ", \"threads\": " + std::to_string(threads) +
         ", \"max_threads\": " + std::to_string(maxThreads) +
         ", \"registers\": " + std::to_string(registers) + "}";
}
