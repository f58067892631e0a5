//===- TestLaunch.cpp - One launch, from a command line ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestLaunch.h"

#include "../Runtime/Simulator.h"

#include <cstdlib>
#include <fstream>
#include <random>

using namespace vit::sim;

bool vit::sim::launchForTest(const std::string &path, const std::string &name,
                             unsigned blocks,
                             const std::vector<std::string> &arguments,
                             const std::string &schedules,
                             const std::string &folder, std::string &text) {
  std::unique_ptr<Library> library = Library::open(path, text);
  if (!library)
    return false;
  const Kernel *kernel = library->find(name);
  if (!kernel) {
    text = "no kernel " + name + "; there are";
    for (const Kernel &other : library->kernels)
      text += " " + other.name;
    return false;
  }
  if (arguments.size() != kernel->arguments.size() || !kernel->threads) {
    text = "kernel " + name + " takes " +
           std::to_string(kernel->arguments.size()) + " arguments and " +
           std::to_string(kernel->threads) + " threads";
    return false;
  }

  Simulator simulator;
  if (!parseSchedules(schedules, simulator.schedules, text))
    return false;
  std::vector<uint64_t> values(arguments.size()), counts(arguments.size());
  std::vector<void *> addresses;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> distribution(-1, 1);
  for (size_t i = 0; i < arguments.size(); ++i) {
    size_t colon = arguments[i].find(':');
    std::string kind = arguments[i].substr(0, colon);
    uint64_t number =
        colon == std::string::npos
            ? 0
            : strtoull(arguments[i].c_str() + colon + 1, nullptr, 10);
    bool pointer = kernel->arguments[i].pointer;
    if (pointer && number && (kind == "random" || kind == "fresh")) {
      auto *memory =
          static_cast<float *>(simulator.getMemory().allocate(number * 4));
      if (!memory) {
        text = "out of memory";
        return false;
      }
      if (kind == "random")
        for (uint64_t j = 0; j < number; ++j)
          memory[j] = distribution(random);
      values[i] = reinterpret_cast<uint64_t>(memory);
      counts[i] = number;
    } else if (!pointer && kind == "i32") {
      values[i] = number;
    } else {
      text = "argument " + std::to_string(i) + " cannot be \"" + arguments[i] +
             "\"";
      return false;
    }
    addresses.push_back(&values[i]);
  }

  Launch launch;
  launch.library = library.get();
  launch.kernel = kernel;
  launch.grid.x = blocks;
  launch.block.x = kernel->threads;
  launch.arguments = addresses.data();
  if (!simulator.run(launch, text))
    return false;
  for (size_t i = 0; !folder.empty() && i < counts.size(); ++i) {
    if (!counts[i])
      continue;
    std::ofstream file(folder + "/" + std::to_string(i) + ".f32",
                       std::ios::binary);
    file.write(reinterpret_cast<const char *>(values[i]),
               static_cast<std::streamsize>(counts[i] * 4));
    if (!file) {
      text = "cannot write into " + folder;
      return false;
    }
  }
  text = "kernel " + name + ": " + std::to_string(blocks) + " blocks of " +
         std::to_string(kernel->threads) + " threads, " +
         std::to_string(simulator.schedules.size()) +
         " schedules, nothing found";
  return true;
}
