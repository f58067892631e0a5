//===- DeviceReduction.h - Sums over ranks on a CUDA device -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gradients that are exchanged from device to device, by a
// vit_device_collective, in a stream of their own while the session's stream
// computes the next ones. The additions are those of Reduction.h, in the same
// order: a kernel adds up this rank's slice.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_DEVICEREDUCTION_H
#define VIT_RUNTIME_DEVICES_CUDA_DEVICEREDUCTION_H

#include "Reduction.h"
#include "devices/cuda/Memory.h"
#include "devices/cuda/Timer.h"

namespace vit::runtime::cuda {

/// The caller makes the device's context current for all functions.
class DeviceReduction {
public:
  DeviceReduction(const Driver &driver, const Reduction &reduction)
      : driver(driver), reduction(reduction), received(driver) {}
  DeviceReduction(const DeviceReduction &) = delete;
  DeviceReduction &operator=(const DeviceReduction &) = delete;
  ~DeviceReduction();

  /// Opens the collective of the reduction, which has one, for ranges of at
  /// most `mostElements`. `mostTimed`: buckets of a step whose times are
  /// wanted.
  vit_status build(const Allocator &allocator, const Adapter &adapter,
                   uint64_t mostElements, size_t mostTimed, vit_error *error);
  /// Whether it is built: the device reduces.
  bool isOpen() const { return exchanging != nullptr; }

  /// Begins a step.
  void restart() { timed = 0; }
  /// Begins a bucket, whose ranges are complete when `stream` has done what was
  /// submitted to it. `name` is that of events and outlives the step.
  vit_status begin(const char *name, Stream stream, vit_error *error);
  /// Replaces `elements` gradients by their sum over ranks and `sums`.
  vit_status reduce(DevicePointer gradients, DevicePointer sums,
                    uint64_t elements, vit_error *error);
  vit_status end(vit_error *error);

  /// What is submitted to `stream` from now on begins when all buckets are
  /// reduced.
  vit_status finish(Stream stream, vit_error *error);
  /// Waits until `stream` has done all; fails if it waits for ranks that will
  /// not come.
  vit_status synchronize(Stream stream, vit_error *error);
  /// Ends what waits for other ranks. Nothing may be reduced afterwards.
  void abandon();

  /// Reports the buckets of a step whose stream has finished.
  vit_status report(const vit_session_options &options, const Timer &timer,
                    vit_error *error) const;

private:
  struct Bucket {
    const char *name;
    Event begin, end;
  };

  vit_status loadKernel(vit_error *error);
  vit_status makeEvents(const Allocator &allocator, size_t mostTimed,
                        vit_error *error);
  vit_status check(vit_status status, const vit_error *given,
                   vit_error *error) const;
  vit_status reduceInOrder(DevicePointer gradients, DevicePointer sums,
                           uint64_t elements, vit_error *error);
  vit_status addPieces(DevicePointer result, DevicePointer sums,
                       DevicePointer pieces, uint64_t elements, int32_t count,
                       vit_error *error);
  void close(bool hasFailed);

  const Driver &driver;
  const Reduction &reduction;
  Stream exchanging = nullptr;
  Event ready = nullptr;   ///< The ranges of a bucket are complete.
  Event reduced = nullptr; ///< All buckets are.
  Module module = nullptr;
  Function kernel = nullptr; ///< add_pieces.mlir
  DeviceMemory received;     ///< the pieces of this rank's slice
  Array<size_t> sizes;       ///< of the slices, in bytes
  Array<Bucket> buckets;     ///< with times; empty: none are taken
  size_t timed = 0;
  bool isConnected = false; ///< The collective is open.
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_DEVICEREDUCTION_H
