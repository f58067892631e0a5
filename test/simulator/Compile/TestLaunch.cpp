//===- TestLaunch.cpp - Launches one kernel by options --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestLaunch.h"

#include "../Runtime/Simulator.h"

#include "format/ElementType.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

using namespace vit::sim;

namespace {
/// The value of an argument and, for a pointer, its memory.
struct Given {
  uint64_t value = 0;
  uint64_t words = 0;
  TensorMap map; ///< if the argument is one
};
} // namespace

/// Whether the elements of a kind have 16 bits.
static bool isNarrow(const std::string &kind) {
  return kind == "bf16" || kind == "f16";
}

/// Computes the arguments that a dispatch would pass.
static bool getDispatched(const Kernel &kernel, unsigned batch,
                          std::vector<std::string> &arguments) {
  arguments.clear();
  unsigned numbers = 0;
  for (const Argument &argument : kernel.arguments) {
    if (argument.mapColumns) {
      const Argument &matrix = kernel.arguments[argument.mapOf];
      uint64_t rows = matrix.memory.evaluate(batch) / 2 / argument.mapColumns;
      std::string text = "tensor";
      char separator = ':';
      for (uint64_t number :
           {uint64_t(argument.mapOf), uint64_t(argument.mapColumns), rows,
            uint64_t(64), uint64_t(argument.mapBoxRows),
            uint64_t(argument.mapRows)}) {
        text += separator + std::to_string(number);
        separator = ',';
      }
      arguments.push_back(text);
      continue;
    }
    if (!argument.pointer) { // the batch, then the first unit
      arguments.push_back(numbers++ ? "i32:0" : "i32:" + std::to_string(batch));
      continue;
    }
    if (!argument.memory.times)
      return false;
    uint64_t bytes = argument.memory.evaluate(batch);
    if (isNarrow(argument.element) && !argument.written)
      arguments.push_back(argument.element + ":" + std::to_string(bytes / 2));
    else
      arguments.push_back((argument.written ? "fresh:" : "random:") +
                          std::to_string((bytes + 3) / 4));
  }
  return true;
}

/// Makes a map of "ARGUMENT,COLUMNS,ROWS,BOX-COLUMNS,BOX-ROWS[,EACH]": a matrix
/// of 16 bits in the memory of another argument, or matrices of EACH of the
/// rows, in boxes with the swizzle of 128 bytes.
static bool giveMap(const std::string &text, std::vector<Given> &given,
                    TensorMap &map) {
  unsigned of, columns, rows, boxColumns, boxRows, each = 0;
  if (sscanf(text.c_str(), "tensor:%u,%u,%u,%u,%u,%u", &of, &columns, &rows,
             &boxColumns, &boxRows, &each) < 5 ||
      of >= given.size() || uint64_t(columns) * rows > given[of].words * 2 ||
      boxColumns != 64 || !boxRows || boxRows > 256)
    return false;
  map.magic = TensorMap::mark;
  map.base = reinterpret_cast<char *>(given[of].value);
  map.rank = 2;
  map.elementBytes = 2;
  map.swizzle = 128;
  map.extents[0] = columns;
  map.extents[1] = rows;
  map.box[0] = static_cast<uint16_t>(boxColumns);
  map.box[1] = static_cast<uint16_t>(boxRows);
  map.strides[0] = uint64_t(columns) * 2;
  if (each) {
    map.rank = 3;
    map.extents[1] = each;
    map.extents[2] = rows / each;
    map.box[2] = 1;
    map.strides[1] = map.strides[0] * each;
  }
  return true;
}

static bool give(GlobalMemory &memory, const Argument &argument,
                 const std::string &text, std::mt19937 &random, Given &given) {
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  uint64_t number = colon == std::string::npos
                        ? 0
                        : strtoull(text.c_str() + colon + 1, nullptr, 10);
  if (!argument.pointer) {
    given.value = number;
    return kind == "i32";
  }
  if (!number || (kind != "random" && !isNarrow(kind) && kind != "fresh"))
    return false;
  uint64_t words = isNarrow(kind) ? (number + 1) / 2 : number;
  auto *floats = static_cast<float *>(memory.allocate(words * 4));
  if (!floats)
    return false;
  std::uniform_real_distribution<float> distribution(-1, 1);
  for (uint64_t i = 0; kind == "random" && i < number; ++i)
    floats[i] = distribution(random);
  auto *halves = reinterpret_cast<uint16_t *>(floats);
  for (uint64_t i = 0; isNarrow(kind) && i < number; ++i) {
    float value = distribution(random);
    vit::format::narrow(&halves[i], &value,
                        kind == "f16" ? vit::format::ElementType::F16
                                      : vit::format::ElementType::BF16,
                        1);
  }
  given.value = reinterpret_cast<uint64_t>(floats);
  given.words = words;
  return true;
}

static bool save(const std::vector<Given> &given, const std::string &folder) {
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].words)
      continue;
    std::ofstream file(folder + "/" + std::to_string(i) + ".f32",
                       std::ios::binary);
    file.write(reinterpret_cast<const char *>(given[i].value),
               static_cast<std::streamsize>(given[i].words * 4));
    if (!file)
      return false;
  }
  return true;
}

bool vit::sim::run(const TestLaunch &test, const std::string &path,
                   std::string &text, std::vector<uint32_t> &memory) {
  std::unique_ptr<Library> library = Library::open(path, text);
  if (!library)
    return false;
  const Kernel *kernel = library->find(test.kernel);
  if (!kernel) {
    text = "no kernel " + test.kernel + "; there are";
    for (const Kernel &other : library->kernels)
      text += " " + other.name;
    return false;
  }
  std::vector<std::string> arguments = test.arguments;
  if (arguments.empty() && !getDispatched(*kernel, test.batch, arguments)) {
    text = "kernel " + test.kernel + " has no dispatch: say its arguments";
    return false;
  }
  if (arguments.size() != kernel->arguments.size() || !kernel->threads) {
    text = "kernel " + test.kernel + " takes " +
           std::to_string(kernel->arguments.size()) + " arguments and " +
           std::to_string(kernel->threads) + " threads";
    return false;
  }

  Simulator simulator;
  simulator.counters = test.counters;
  if (!parseSchedules(test.schedules, simulator.schedules, text))
    return false;
  std::vector<Given> given(arguments.size());
  std::vector<void *> addresses;
  std::mt19937 random(1);
  for (size_t i = 0; i < arguments.size(); ++i) {
    bool isMap = kernel->arguments[i].bytes == 128;
    if (isMap ? !giveMap(arguments[i], given, given[i].map)
              : !give(simulator.getMemory(), kernel->arguments[i], arguments[i],
                      random, given[i])) {
      text = "argument " + std::to_string(i) + " cannot be \"" + arguments[i] +
             "\"";
      return false;
    }
    addresses.push_back(isMap ? static_cast<void *>(&given[i].map)
                              : &given[i].value);
  }

  Launch launch;
  launch.library = library.get();
  launch.kernel = kernel;
  uint64_t units = kernel->units.times ? kernel->units.evaluate(test.batch) : 1;
  launch.grid.x = test.blocks ? test.blocks : static_cast<uint32_t>(units);
  launch.block.x = kernel->threads;
  launch.dynamicShared =
      test.dynamicShared ? test.dynamicShared : kernel->dynamicShared;
  launch.arguments = addresses.data();
  if (!simulator.run(launch, text))
    return false;
  if (!test.folder.empty() && !save(given, test.folder)) {
    text = "cannot write into " + test.folder;
    return false;
  }
  memory.clear();
  for (const Given &argument : given) {
    auto *words = reinterpret_cast<const uint32_t *>(argument.value);
    if (argument.words)
      memory.insert(memory.end(), words, words + argument.words);
  }
  text = "kernel " + test.kernel + ": " + std::to_string(launch.grid.x) +
         " blocks of " + std::to_string(kernel->threads) + " threads, " +
         std::to_string(simulator.schedules.size()) +
         " schedules, nothing found";
  return true;
}
