//===- Stream.cpp - libcuda: streams and events
//----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <chrono>

using namespace vit::sim;

extern "C" {

int cuStreamCreate(Stream **stream, unsigned) {
  VIT_DRIVER("cuStreamCreate")
  *stream = *driver.streams.insert(new Stream).first;
  return Success;
}

int cuStreamDestroy_v2(Stream *stream) {
  VIT_DRIVER("cuStreamDestroy")
  if (!driver.streams.count(stream))
    return InvalidHandle;
  Result result = driver.finish(*stream);
  driver.streams.erase(stream);
  for (Event *event : driver.events)
    if (event->stream == stream)
      event->stream = nullptr;
  delete stream;
  return result;
}

int cuStreamSynchronize(Stream *stream) {
  VIT_DRIVER("cuStreamSynchronize")
  if (!driver.streams.count(stream))
    return InvalidHandle;
  return driver.finish(*stream);
}

int cuEventCreate(Event **event, unsigned) {
  VIT_DRIVER("cuEventCreate")
  *event = *driver.events.insert(new Event).first;
  return Success;
}

int cuEventDestroy_v2(Event *event) {
  VIT_DRIVER("cuEventDestroy")
  if (!driver.events.count(event))
    return InvalidHandle;
  if (event->stream)
    if (Result result = driver.finish(*event->stream))
      return result;
  driver.events.erase(event);
  delete event;
  return Success;
}

int cuEventRecord(Event *event, Stream *stream) {
  VIT_DRIVER("cuEventRecord")
  if (!driver.events.count(event))
    return InvalidHandle;
  event->stream = stream;
  return driver.enqueue(stream, [event] {
    event->seconds = std::chrono::duration<double>(
                         std::chrono::steady_clock::now().time_since_epoch())
                         .count();
    event->recorded = true;
    return Success;
  });
}

int cuEventSynchronize(Event *event) {
  VIT_DRIVER("cuEventSynchronize")
  if (!driver.events.count(event))
    return InvalidHandle;
  return event->stream ? driver.finish(*event->stream) : Success;
}

int cuEventElapsedTime(float *milliseconds, Event *from, Event *to) {
  VIT_DRIVER("cuEventElapsedTime")
  if (!driver.events.count(from) || !driver.events.count(to) ||
      !from->recorded || !to->recorded)
    return InvalidHandle;
  *milliseconds = static_cast<float>((to->seconds - from->seconds) * 1e3);
  return Success;
}
}
