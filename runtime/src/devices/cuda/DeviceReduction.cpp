//===- DeviceReduction.cpp - Sums over ranks on a CUDA device -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/DeviceReduction.h"

#include "Verify.h"

#include <algorithm>
#include <ctime>

namespace vit::runtime::cuda {

/// The PTX of add_pieces.mlir.
static constexpr char kAddPieces[] =
#include "devices/cuda/add_pieces.inc"
    ;
static constexpr uint64_t kThreads = 256, kElementsOfThread = 4;

/// An address as the functions of a collective take it.
static void *toPointer(DevicePointer address) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver's interface.
  return reinterpret_cast<void *>(address);
}

//===----------------------------------------------------------------------===//
// Creating
//===----------------------------------------------------------------------===//

vit_status DeviceReduction::loadKernel(vit_error *error) {
  VIT_TRY(driver.check(
      driver.cuModuleLoadDataEx(&module, kAddPieces, 0, nullptr, nullptr),
      "load the addition of gradients", error));
  return driver.check(driver.cuModuleGetFunction(&kernel, module, "add_pieces"),
                      "find a kernel", error);
}

vit_status DeviceReduction::makeEvents(const Allocator &allocator,
                                       size_t mostTimed, vit_error *error) {
  for (Event *event : {&ready, &reduced})
    VIT_TRY(driver.check(driver.cuEventCreate(event, kEventWithoutTime),
                         "make an event", error));
  if (!buckets.allocate(allocator, mostTimed))
    return outOfMemory(error, mostTimed * sizeof(Bucket), "times");
  for (Bucket &bucket : buckets)
    for (Event *event : {&bucket.begin, &bucket.end})
      VIT_TRY(
          driver.check(driver.cuEventCreate(event, 0), "measure times", error));
  return VIT_OK;
}

vit_status DeviceReduction::build(const Allocator &allocator,
                                  const Adapter &adapter, uint64_t mostElements,
                                  size_t mostTimed, vit_error *error) {
  auto ranks = uint64_t(reduction.ranks());
  // A slice is at most a line longer than another.
  constexpr uint64_t line = 16;
  uint64_t most = mostElements + ranks * line;
  if (most > uint64_t(INT32_MAX))
    return fail(error, VIT_UNSUPPORTED,
                "a bucket of %llu gradients is too large for a GPU: compile "
                "with smaller ones (bucket-bytes of vit-distribute)",
                llu(mostElements));
  const vit_device_collective &collective = *reduction.device();
  vit_error reason = {};
  if (collective.open)
    VIT_TRY(
        check(collective.open(collective.context, &reason), &reason, error));
  isConnected = true;
  if (!sizes.allocate(allocator, ranks))
    return outOfMemory(error, ranks * sizeof(size_t), "ranks");
  if (reduction.reduction() == VIT_REDUCE_ORDERED)
    VIT_TRY(received.allocate(adapter, most * sizeof(float),
                              "gradients of ranks", error));
  VIT_TRY(loadKernel(error));
  VIT_TRY(makeEvents(allocator, mostTimed, error));
  return driver.check(driver.cuStreamCreate(&exchanging, kStreamNonBlocking),
                      "make a stream", error);
}

DeviceReduction::~DeviceReduction() {
  // Where a session could not be made, the other ranks may wait for it.
  close(!isOpen() || reduction.hasFailed());
  if (exchanging) {
    driver.cuStreamSynchronize(exchanging);
    driver.cuStreamDestroy_v2(exchanging);
  }
  for (const Bucket &bucket : buckets)
    for (Event event : {bucket.begin, bucket.end})
      if (event)
        driver.cuEventDestroy_v2(event);
  for (Event event : {ready, reduced})
    if (event)
      driver.cuEventDestroy_v2(event);
  if (module)
    driver.cuModuleUnload(module);
}

void DeviceReduction::close(bool hasFailed) {
  const vit_device_collective *collective = reduction.device();
  if (isConnected && collective->close)
    collective->close(collective->context, hasFailed);
  isConnected = false;
}

void DeviceReduction::abandon() {
  close(/*hasFailed=*/true);
  driver.cuStreamSynchronize(exchanging);
}

/// The status of a function of the collective, with its message `given`.
vit_status DeviceReduction::check(vit_status status, const vit_error *given,
                                  vit_error *error) const {
  if (status == VIT_OK)
    return VIT_OK;
  if (given->message[0] == 0)
    return fail(error, status, "the device collective failed with %s",
                vit_status_name(status));
  return fail(error, status, "%s", given->message);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

vit_status DeviceReduction::addPieces(DevicePointer result, DevicePointer sums,
                                      DevicePointer pieces, uint64_t elements,
                                      int32_t count, vit_error *error) {
  if (elements == 0) // An empty grid is an error.
    return VIT_OK;
  auto length = int32_t(elements);
  void *parameters[] = {&result, &sums, &pieces, &length, &count};
  uint64_t blocks = (elements + kThreads * kElementsOfThread - 1) /
                    (kThreads * kElementsOfThread);
  return driver.check(driver.cuLaunchKernel(kernel, unsigned(blocks), 1, 1,
                                            unsigned(kThreads), 1, 1, 0,
                                            exchanging, parameters, nullptr),
                      "add gradients", error);
}

vit_status DeviceReduction::reduceInOrder(DevicePointer gradients,
                                          DevicePointer sums, uint64_t elements,
                                          vit_error *error) {
  const vit_device_collective &collective = *reduction.device();
  int32_t ranks = reduction.ranks(), rank = reduction.rank();
  for (int32_t i = 0; i < ranks; ++i)
    sizes[size_t(i)] =
        (sliceBegin(elements, i + 1, ranks) - sliceBegin(elements, i, ranks)) *
        sizeof(float);
  vit_error reason = {};
  VIT_TRY(check(collective.exchange(collective.context, toPointer(gradients),
                                    sizes.data(), toPointer(received.at(0)),
                                    exchanging, &reason),
                &reason, error));
  uint64_t begin = sliceBegin(elements, rank, ranks) * sizeof(float);
  uint64_t bytes = sizes[size_t(rank)];
  const Turn &turn = reduction.currentTurn();
  VIT_TRY(addPieces(gradients + begin, sums + begin,
                    received.at(uint64_t(turn.first) * bytes),
                    bytes / sizeof(float), turn.end - turn.first, error));
  return check(collective.all_gather(collective.context, toPointer(gradients),
                                     sizes.data(), exchanging, &reason),
               &reason, error);
}

vit_status DeviceReduction::reduce(DevicePointer gradients, DevicePointer sums,
                                   uint64_t elements, vit_error *error) {
  if (reduction.reduction() == VIT_REDUCE_ORDERED)
    return reduceInOrder(gradients, sums, elements, error);
  const Turn &turn = reduction.currentTurn();
  bool takesPart =
      turn.first <= reduction.rank() && reduction.rank() < turn.end;
  VIT_TRY(addPieces(gradients, sums, gradients, elements, takesPart ? 1 : 0,
                    error));
  if (!turn.updates)
    return VIT_OK;
  const vit_device_collective &collective = *reduction.device();
  vit_error reason = {};
  return check(collective.all_reduce(collective.context,
                                     static_cast<float *>(toPointer(gradients)),
                                     elements, exchanging, &reason),
               &reason, error);
}

//===----------------------------------------------------------------------===//
// A step
//===----------------------------------------------------------------------===//

vit_status DeviceReduction::begin(const char *name, Stream stream,
                                  vit_error *error) {
  // A wait is for the last record before it, so that one event is enough.
  VIT_TRY(driver.check(driver.cuEventRecord(ready, stream),
                       "order the exchange of gradients", error));
  VIT_TRY(driver.check(driver.cuStreamWaitEvent(exchanging, ready, 0),
                       "order the exchange of gradients", error));
  if (timed == buckets.size())
    return VIT_OK;
  buckets[timed].name = name;
  return driver.check(driver.cuEventRecord(buckets[timed].begin, exchanging),
                      "measure times", error);
}

vit_status DeviceReduction::end(vit_error *error) {
  if (timed == buckets.size())
    return VIT_OK;
  return driver.check(driver.cuEventRecord(buckets[timed++].end, exchanging),
                      "measure times", error);
}

vit_status DeviceReduction::finish(Stream stream, vit_error *error) {
  VIT_TRY(driver.check(driver.cuEventRecord(reduced, exchanging),
                       "order the exchange of gradients", error));
  return driver.check(driver.cuStreamWaitEvent(stream, reduced, 0),
                      "order the exchange of gradients", error);
}

vit_status DeviceReduction::synchronize(Stream stream, vit_error *error) {
  const vit_device_collective &collective = *reduction.device();
  for (unsigned turn = 0;
       collective.check && driver.cuStreamQuery(stream) == kNotReady; ++turn) {
    vit_error reason = {};
    VIT_TRY(
        check(collective.check(collective.context, &reason), &reason, error));
    // Short pauses first: a step of a small model takes a millisecond.
    timespec pause = {0, turn < 50 ? 10000 : 100000};
    nanosleep(&pause, nullptr);
  }
  return driver.check(driver.cuStreamSynchronize(stream), "reduce gradients",
                      error);
}

vit_status DeviceReduction::report(const vit_session_options &options,
                                   const Timer &timer, vit_error *error) const {
  for (size_t i = 0; i < timed; ++i) {
    const Bucket &bucket = buckets[i];
    vit_event event = {bucket.name, "all_reduce", 0, 0, 0};
    VIT_TRY(timer.timeOf(bucket.begin, event.begin_ns, error));
    VIT_TRY(timer.timeOf(bucket.end, event.end_ns, error));
    options.on_event(options.event_context, &event);
  }
  return VIT_OK;
}

} // namespace vit::runtime::cuda
