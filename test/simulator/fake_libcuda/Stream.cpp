//===- Stream.cpp - libcuda: streams and events ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <algorithm>
#include <chrono>

using namespace vit::sim;

extern "C" {

int cuStreamCreate(Stream **stream, unsigned) {
  VIT_DRIVER("cuStreamCreate")
  static uint64_t made = 0;
  *stream = *driver.streams.insert(new Stream).first;
  (*stream)->identity = ++made;
  return Success;
}

int cuStreamDestroy_v2(Stream *stream) {
  VIT_DRIVER("cuStreamDestroy")
  if (!driver.streams.count(stream))
    return InvalidHandle;
  Result result = driver.wait(*stream);
  driver.streams.erase(stream);
  delete stream;
  return result;
}

int cuStreamSynchronize(Stream *stream) {
  VIT_DRIVER("cuStreamSynchronize")
  if (!driver.streams.count(stream))
    return InvalidHandle;
  return driver.wait(*stream);
}

int cuStreamQuery(Stream *stream) {
  VIT_DRIVER("cuStreamQuery")
  if (!driver.streams.count(stream))
    return InvalidHandle;
  Result result = driver.advance(*stream);
  if (!result)
    driver.forget(*stream);
  return result;
}

int cuStreamWaitEvent(Stream *stream, Event *event, unsigned flags) {
  VIT_DRIVER("cuStreamWaitEvent")
  if (!driver.streams.count(stream) || !driver.events.count(event))
    return InvalidHandle;
  if (flags)
    return InvalidValue;
  std::shared_ptr<Recording> awaited = event->last;
  if (!awaited || ++driver.waits == driver.droppedWait)
    return Success;
  for (auto [other, number] : awaited->before)
    stream->before[other] = std::max(stream->before[other], number);
  return driver.enqueue(stream, [&driver, awaited] {
    return awaited->done ? Success
                         : driver.advance(*awaited->stream, awaited.get());
  });
}

int cuEventCreate(Event **event, unsigned) {
  VIT_DRIVER("cuEventCreate")
  *event = *driver.events.insert(new Event).first;
  return Success;
}

int cuEventDestroy_v2(Event *event) {
  VIT_DRIVER("cuEventDestroy")
  if (!driver.events.erase(event))
    return InvalidHandle;
  delete event;
  return Success;
}

int cuEventRecord(Event *event, Stream *stream) {
  VIT_DRIVER("cuEventRecord")
  if (!driver.events.count(event) || !driver.streams.count(stream))
    return InvalidHandle;
  auto made = std::make_shared<Recording>();
  made->stream = stream;
  made->before = stream->before;
  made->before[stream->identity] = stream->submitted;
  event->last = made;
  return driver.enqueue(stream, [made] {
    made->seconds = std::chrono::duration<double>(
                        std::chrono::steady_clock::now().time_since_epoch())
                        .count();
    made->done = true;
    return Success;
  });
}

int cuEventSynchronize(Event *event) {
  VIT_DRIVER("cuEventSynchronize")
  if (!driver.events.count(event))
    return InvalidHandle;
  std::shared_ptr<Recording> awaited = event->last;
  return awaited && !awaited->done
             ? driver.wait(*awaited->stream, awaited.get())
             : Success;
}

int cuEventElapsedTime(float *milliseconds, Event *from, Event *to) {
  VIT_DRIVER("cuEventElapsedTime")
  if (!driver.events.count(from) || !driver.events.count(to) || !from->last ||
      !to->last)
    return InvalidHandle;
  if (!from->last->done || !to->last->done)
    return NotReady;
  *milliseconds =
      static_cast<float>((to->last->seconds - from->last->seconds) * 1e3);
  return Success;
}
}
