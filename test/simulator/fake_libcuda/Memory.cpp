//===- Memory.cpp - libcuda: memory ---------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <cstdlib>
#include <cstring>

using namespace vit::sim;

static void *toPointer(uint64_t address) {
  return reinterpret_cast<void *>(address);
}

/// Copies between host and device. Like the driver, reads or writes pinned
/// memory when the stream reaches the copy, other memory immediately.
static Result copy(Driver &driver, Stream *stream, void *to, const void *from,
                   size_t bytes, const void *host, const void *device) {
  if (!driver.streams.count(stream))
    return InvalidHandle;
  if (!driver.simulator.getMemory().contains(device, bytes))
    return InvalidValue;
  Work work = [=] {
    memcpy(to, from, bytes);
    return Success;
  };
  auto begin = reinterpret_cast<uintptr_t>(device);
  std::vector<Range> ranges = {{begin, begin + bytes, device == to}};
  if (Result result = driver.enqueue(stream, work, "a copy", ranges))
    return result;
  return driver.isPinned(host) ? Success : driver.wait(*stream);
}

/// Runs work that may use memory which is to be freed. What waits for another
/// rank belongs to a thread that is another one.
static Result advanceAll(Driver &driver) {
  for (Stream *stream : driver.streams)
    if (Result result = driver.advance(*stream); result && result != NotReady)
      return result;
  return Success;
}

extern "C" {

int cuMemGetInfo_v2(size_t *left, size_t *all) {
  VIT_DRIVER("cuMemGetInfo")
  *left = driver.totalMemory - driver.usedMemory;
  *all = driver.totalMemory;
  return Success;
}

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  VIT_DRIVER("cuMemAlloc")
  if (!bytes)
    return InvalidValue;
  if (bytes > driver.totalMemory - driver.usedMemory)
    return OutOfMemory;
  void *memory = driver.simulator.getMemory().allocate(bytes);
  if (!memory)
    return OutOfMemory;
  driver.usedMemory += bytes;
  driver.deviceMemory[memory] = bytes;
  *address = reinterpret_cast<uint64_t>(memory);
  return Success;
}

int cuMemFree_v2(uint64_t address) {
  VIT_DRIVER("cuMemFree")
  auto found = driver.deviceMemory.find(toPointer(address));
  if (found == driver.deviceMemory.end())
    return InvalidValue;
  // Wait for work that may use the memory.
  if (Result result = advanceAll(driver))
    return result;
  driver.usedMemory -= found->second;
  driver.forgetMemory(address, address + found->second);
  driver.simulator.getMemory().release(found->first);
  driver.deviceMemory.erase(found);
  return Success;
}

int cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  VIT_DRIVER("cuMemHostAlloc")
  void *memory = bytes ? malloc(bytes) : nullptr;
  if (!memory)
    return bytes ? OutOfMemory : InvalidValue;
  driver.hostMemory[memory] = bytes;
  *address = memory;
  return Success;
}

int cuMemFreeHost(void *address) {
  VIT_DRIVER("cuMemFreeHost")
  if (!driver.hostMemory.count(address))
    return InvalidValue;
  if (Result result = advanceAll(driver))
    return result;
  driver.hostMemory.erase(address);
  free(address);
  return Success;
}

int cuPointerGetAttribute(void *data, int attribute, uint64_t address) {
  VIT_DRIVER("cuPointerGetAttribute")
  if (!driver.simulator.getMemory().contains(toPointer(address), 1))
    return InvalidValue;
  int value;
  if (attribute == 2) // the type of memory: of a device
    value = 2;
  else if (attribute == 9) // the device, which is all of them
    value = 0;
  else
    return InvalidValue;
  memcpy(data, &value, sizeof value);
  return Success;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes,
                         Stream *stream) {
  VIT_DRIVER("cuMemcpyHtoDAsync")
  return copy(driver, stream, toPointer(to), from, bytes, from, toPointer(to));
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes,
                         Stream *stream) {
  VIT_DRIVER("cuMemcpyDtoHAsync")
  return copy(driver, stream, to, toPointer(from), bytes, to, toPointer(from));
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes,
                         Stream *stream) {
  VIT_DRIVER("cuMemcpyDtoDAsync")
  GlobalMemory &memory = driver.simulator.getMemory();
  if (!memory.contains(toPointer(to), bytes) ||
      !memory.contains(toPointer(from), bytes))
    return InvalidValue;
  return driver.enqueue(stream,
                        [=] {
                          memmove(toPointer(to), toPointer(from), bytes);
                          return Success;
                        },
                        "a copy",
                        {{from, from + bytes, false}, {to, to + bytes, true}});
}

int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes,
                    Stream *stream) {
  VIT_DRIVER("cuMemsetD8Async")
  if (!driver.simulator.getMemory().contains(toPointer(to), bytes))
    return InvalidValue;
  return driver.enqueue(stream,
                        [=] {
                          memset(toPointer(to), value, bytes);
                          return Success;
                        },
                        "a fill", {{to, to + bytes, true}});
}
}
