//===- Timer.h - When a device did what -------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_TIMER_H
#define VIT_RUNTIME_DEVICES_CUDA_TIMER_H

#include "devices/Device.h"
#include "devices/cuda/Driver.h"

#include <cmath>

namespace vit::runtime::cuda {

/// Marks in a stream, whose times are read after the stream has finished. The
/// caller makes the context current.
class Timer {
public:
  explicit Timer(const Driver &driver) : driver(driver) {}
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;
  ~Timer() {
    for (Event event : events)
      if (event)
        driver.cuEventDestroy_v2(event);
  }

  /// Room for `most` marks in one call.
  vit_status reserve(const Allocator &allocator, size_t most,
                     vit_error *error) {
    if (!events.allocate(allocator, most))
      return outOfMemory(error, most * sizeof(Event), "times");
    for (Event &event : events)
      VIT_TRY(driver.check(driver.cuEventCreate(&event, 0), "measure times",
                           error));
    return VIT_OK;
  }

  /// Sets the first mark and waits for it, to know its time on the host's
  /// clock.
  vit_status start(Stream stream, vit_error *error) {
    marks = 0;
    VIT_TRY(mark(stream, error));
    VIT_TRY(driver.check(driver.cuEventSynchronize(events[0]),
                         "reach the device", error));
    origin = monotonicTime();
    return VIT_OK;
  }

  vit_status mark(Stream stream, vit_error *error) {
    return driver.check(driver.cuEventRecord(events[marks++], stream),
                        "measure times", error);
  }

  /// CLOCK_MONOTONIC at a mark, once the stream has reached it.
  vit_status time(size_t index, uint64_t &nanoseconds, vit_error *error) const {
    return timeOf(events[index], nanoseconds, error);
  }
  /// The same for any other event that was recorded, after `start`.
  vit_status timeOf(Event event, uint64_t &nanoseconds,
                    vit_error *error) const {
    float milliseconds = 0;
    VIT_TRY(
        driver.check(driver.cuEventElapsedTime(&milliseconds, events[0], event),
                     "tell times", error));
    nanoseconds = origin + uint64_t(std::llround(double(milliseconds) * 1e6));
    return VIT_OK;
  }

private:
  const Driver &driver;
  Array<Event> events;
  size_t marks = 0;
  uint64_t origin = 0;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_TIMER_H
