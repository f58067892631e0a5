//===- Graphs.h - Recorded calls --------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H
#define VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H

#include "devices/cuda/Driver.h"

namespace vit::runtime::cuda {

/// The CUDA graphs of the last few pairs of entry and batch. The caller makes
/// their context current.
class Graphs {
public:
  explicit Graphs(const Driver &driver) : driver(driver) {}
  Graphs(const Graphs &) = delete;
  Graphs &operator=(const Graphs &) = delete;
  ~Graphs() { clear(); }

  /// The graph of a call; NULL if there is none.
  GraphExec find(uint32_t entry, int64_t batch) {
    for (Slot &slot : slots)
      if (slot.graph && slot.entry == entry && slot.batch == batch) {
        slot.lastUse = ++uses;
        return slot.graph;
      }
    return nullptr;
  }

  /// Creates the graph of what `record()` submits to the stream, without
  /// running it. Replaces the least recently used graph if there is no room.
  template <typename Record>
  vit_status capture(uint32_t entry, int64_t batch, Stream stream,
                     Record record, GraphExec &executable, vit_error *error) {
    constexpr const char *what = "record a call";
    VIT_TRY(driver.check(
        driver.cuStreamBeginCapture_v2(stream, kCaptureModeRelaxed), what,
        error));
    vit_status status = record();
    // Also ends the capture if recording failed.
    Graph graph = nullptr;
    Result result = driver.cuStreamEndCapture(stream, &graph);
    executable = nullptr;
    if (status == VIT_OK && result == kSuccess)
      result = driver.cuGraphInstantiateWithFlags(&executable, graph, 0);
    if (graph)
      driver.cuGraphDestroy(graph);
    if (status == VIT_OK)
      status = driver.check(result, what, error);
    if (status != VIT_OK)
      return status;
    Slot *oldest = &slots[0];
    for (Slot &slot : slots)
      if (slot.lastUse < oldest->lastUse)
        oldest = &slot;
    drop(*oldest);
    *oldest = {executable, entry, batch, ++uses};
    return VIT_OK;
  }

  void clear() {
    for (Slot &slot : slots)
      drop(slot);
  }

private:
  struct Slot {
    GraphExec graph;
    uint32_t entry;
    int64_t batch;
    uint64_t lastUse;
  };

  void drop(Slot &slot) {
    if (slot.graph)
      driver.cuGraphExecDestroy(slot.graph);
    slot = {};
  }

  const Driver &driver;
  Slot slots[8] = {};
  uint64_t uses = 0;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H
