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

/// Commands [begin, end) of a call: one CUDA graph.
struct RecordedPart {
  uint32_t begin, end;
  Graph graph;          ///< which the nodes belong to
  GraphExec executable; ///< NULL: no command has work
};

/// The graphs of an entry and a batch.
struct RecordedCall {
  uint32_t entry = 0;
  int64_t batch = 0;
  uint64_t lastUse = 0; ///< 0: nothing is recorded
  Array<RecordedPart> parts;
  Array<GraphNode> nodes; ///< per command; NULL: it has no work
  /// The addresses that the executables have for inputs, then for outputs.
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

  /// What is recorded of a call; NULL if nothing is.
  RecordedCall *find(uint32_t entry, int64_t batch) {
    for (RecordedCall &slot : slots)
      if (slot.lastUse && slot.entry == entry && slot.batch == batch) {
        slot.lastUse = ++uses;
        return &slot;
      }
    return nullptr;
  }

  /// Records a call: `add(recorded)` makes its parts, whose graphs are NULL or
  /// created. Replaces what was recorded of the same call, else of the least
  /// recently used one.
  template <typename Add>
  vit_status record(uint32_t entry, int64_t batch, Add add,
                    RecordedCall *&recorded, vit_error *error) {
    RecordedCall *old = find(entry, batch);
    RecordedCall &slot = old ? *old : leastRecentlyUsed();
    drop(slot);
    slot.entry = entry;
    slot.batch = batch;
    vit_status status = add(slot);
    for (RecordedPart &part : slot.parts)
      if (status == VIT_OK && part.graph)
        status = driver.check(
            driver.cuGraphInstantiateWithFlags(&part.executable, part.graph, 0),
            "record a call", error);
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
    for (RecordedPart &part : slot.parts) {
      if (part.executable)
        driver.cuGraphExecDestroy(part.executable);
      if (part.graph)
        driver.cuGraphDestroy(part.graph);
    }
    slot.parts.clear();
    slot.lastUse = 0;
  }

  const Driver &driver;
  RecordedCall slots[8];
  uint64_t uses = 0;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_GRAPHS_H
