//===- Module.cpp - libcuda: modules and launches -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <algorithm>
#include <cstring>

using namespace vit::sim;

/// The options of cuda.h for the error log.
enum { ErrorLogBuffer = 5, ErrorLogBufferBytes = 6 };

static void writeLog(const std::string &message, unsigned count,
                     const int *options, void *const *values) {
  char *buffer = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == ErrorLogBuffer)
      buffer = static_cast<char *>(values[i]);
    if (options[i] == ErrorLogBufferBytes)
      bytes = static_cast<unsigned>(reinterpret_cast<uintptr_t>(values[i]));
  }
  if (buffer && bytes)
    snprintf(buffer, bytes, "%s", message.c_str());
}

/// CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
static constexpr int maxDynamicSharedAttribute = 8;

/// The largest argument: a tensor map.
static constexpr size_t maxArgument = 128;

static int getDeclaredShared(const Function &function) {
  uint64_t bytes = 0;
  if (function.kernel)
    for (uint32_t variable : function.kernel->shared)
      bytes += function.library->shared[variable].bytes;
  return static_cast<int>(bytes);
}

extern "C" {

int cuModuleLoadDataEx(Module **module, const void *image, unsigned count,
                       int *options, void **values) {
  VIT_DRIVER("cuModuleLoadDataEx")
  // Machine code cannot be simulated: report another architecture.
  if (!memcmp(image, "\177ELF", 4))
    return NoBinaryForGpu;
  auto loaded = std::make_unique<Module>();
  if (!driver.withoutKernels) {
    std::string error;
    loaded->library =
        driver.findLibrary(static_cast<const char *>(image), error);
    if (!loaded->library) {
      writeLog("simulator: " + error, count, options, values);
      return InvalidPtx;
    }
  }
  *module = loaded.release();
  driver.modules.insert(*module);
  return Success;
}

int cuModuleUnload(Module *module) {
  VIT_DRIVER("cuModuleUnload")
  if (!driver.modules.erase(module))
    return InvalidHandle;
  delete module;
  return Success;
}

int cuModuleGetFunction(Function **function, Module *module, const char *name) {
  VIT_DRIVER("cuModuleGetFunction")
  if (!driver.modules.count(module))
    return InvalidHandle;
  auto found = std::make_unique<Function>();
  if (module->library) {
    found->library = module->library;
    found->kernel = module->library->find(name);
    if (!found->kernel)
      return NotFound;
  }
  *function = found.get();
  driver.functions.push_back(std::move(found));
  return Success;
}

int cuFuncSetAttribute(Function *function, int attribute, int value) {
  VIT_DRIVER("cuFuncSetAttribute")
  if (attribute != maxDynamicSharedAttribute || value < 0 ||
      value > driver.getSharedMemory() - 1024 - getDeclaredShared(*function))
    return InvalidValue;
  function->maxDynamicShared = value;
  return Success;
}

int cuLaunchKernel(Function *function, unsigned gridX, unsigned gridY,
                   unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, Stream *stream,
                   void **parameters, void **extra) {
  VIT_DRIVER("cuLaunchKernel")
  Work work;
  std::vector<Range> ranges;
  if (extra)
    return InvalidValue;
  if (Result result = driver.prepare(function, {gridX, gridY, gridZ},
                                     {blockX, blockY, blockZ}, sharedBytes,
                                     parameters, work, ranges))
    return result;
  // Of a kernel that no dispatch describes, not even that is known.
  if (!function->kernel || !GlobalMemory::isKnown(*function->kernel))
    return driver.enqueue(stream, work);
  return driver.enqueue(stream, work, function->kernel->name, ranges);
}
}

Result Driver::prepare(Function *function, const Extent &grid,
                       const Extent &block, unsigned sharedBytes,
                       void **parameters, Work &work,
                       std::vector<Range> &ranges) {
  if (function->kernel && !function->kernel->arguments.empty() && !parameters)
    return InvalidValue;
  int allowed = function->maxDynamicShared >= 0
                    ? function->maxDynamicShared
                    : static_cast<int>(SharedMemory::maxDeclared) -
                          getDeclaredShared(*function);
  if (static_cast<int64_t>(sharedBytes) > allowed)
    return InvalidValue;
  ranges.clear();
  work = [] { return Success; };
  if (!function->kernel)
    return Success;
  // Copy the values: the caller may free their memory.
  struct alignas(64) Value {
    char bytes[maxArgument] = {};
  };
  const std::vector<Argument> &arguments = function->kernel->arguments;
  std::vector<Value> values(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].bytes > maxArgument)
      return InvalidValue;
    memcpy(values[i].bytes, parameters[i], arguments[i].bytes);
  }
  std::vector<void *> addresses;
  for (Value &value : values)
    addresses.push_back(value.bytes);
  ranges = simulator.getMemory().getRanges(*function->kernel, addresses.data());
  work = [function, grid, block, sharedBytes, values, this]() mutable {
    std::vector<void *> own;
    for (Value &value : values)
      own.push_back(value.bytes);
    Launch launch;
    launch.library = function->library;
    launch.kernel = function->kernel;
    launch.grid = grid;
    launch.block = block;
    launch.dynamicShared = sharedBytes;
    launch.arguments = own.data();
    std::string finding;
    if (simulator.run(launch, finding))
      return Success;
    fprintf(stderr, "simulator: %s\n", finding.c_str());
    return LaunchFailed;
  };
  return Success;
}
