//===- Graphs.h - Recorded calls --------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H
#define VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H

#include "devices/cuda/Driver.h"
#include "format/Memory.h"

namespace vit::runtime::cuda {

/// The CUDA graph of an entry and a batch.
struct RecordedCall {
  uint32_t entry = 0;
  int64_t batch = 0;
  uint64_t lastUse = 0;
  Graph graph = nullptr; ///< which the nodes belong to
  GraphExec executable = nullptr;
  Array<GraphNode> nodes; ///< per command; NULL: it has no work
  /// The addresses that the executable has for inputs, then for outputs.
  Array<DevicePointer> bindings;
};

/// The graphs of the last few pairs of entry and batch. The caller makes their
/// context current.
class Graphs {
public:
  explicit Graphs(const Driver &driver) : driver(driver) {}
  Graphs(const Graphs &) = delete;
  Graphs &operator=(const Graphs &) = delete;
  ~Graphs() { clear(); }

  /// The graph of a call; NULL if there is none.
  RecordedCall *find(uint32_t entry, int64_t batch) {
    for (RecordedCall &slot : slots)
      if (slot.executable && slot.entry == entry && slot.batch == batch) {
        slot.lastUse = ++uses;
        return &slot;
      }
    return nullptr;
  }

  /// Creates the graph of a call: `add(recorded)` adds nodes to an empty graph.
  /// Replaces the one of the same call, else the least recently used one.
  template <typename Add>
  vit_status record(uint32_t entry, int64_t batch, Add add,
                    RecordedCall *&recorded, vit_error *error) {
    constexpr const char *what = "record a call";
    RecordedCall *old = find(entry, batch);
    RecordedCall &slot = old ? *old : leastRecentlyUsed();
    drop(slot);
    slot.entry = entry;
    slot.batch = batch;
    vit_status status =
        driver.check(driver.cuGraphCreate(&slot.graph, 0), what, error);
    if (status == VIT_OK)
      status = add(slot);
    if (status == VIT_OK)
      status = driver.check(
          driver.cuGraphInstantiateWithFlags(&slot.executable, slot.graph, 0),
          what, error);
    if (status != VIT_OK) {
      drop(slot);
      return status;
    }
    slot.lastUse = ++uses;
    recorded = &slot;
    return VIT_OK;
  }

  void clear() {
    for (RecordedCall &slot : slots)
      drop(slot);
  }

private:
  RecordedCall &leastRecentlyUsed() {
    RecordedCall *oldest = &slots[0];
    for (RecordedCall &slot : slots)
      if (slot.lastUse < oldest->lastUse)
        oldest = &slot;
    return *oldest;
  }

  void drop(RecordedCall &slot) {
    if (slot.executable)
      driver.cuGraphExecDestroy(slot.executable);
    if (slot.graph)
      driver.cuGraphDestroy(slot.graph);
    slot.executable = nullptr;
    slot.graph = nullptr;
    slot.lastUse = 0;
  }

  const Driver &driver;
  RecordedCall slots[8];
  uint64_t uses = 0;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H
