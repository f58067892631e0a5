//===- Dependencies.h - Which commands wait for which -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEPENDENCIES_H
#define VIT_RUNTIME_DEPENDENCIES_H

#include "Error.h"
#include "format/Memory.h"
#include "module_generated.h"

namespace vit::runtime {

/// For each command of a schedule at one batch, the earlier ones that it must
/// wait for, because one of the two writes bytes that the other reads or
/// writes. A command that is waited for through another is not listed.
///
/// Inputs, outputs and slots are taken to share no memory. A dispatch writes
/// its results and the arenas of an update, with their rounded copies; if the
/// module does not say how many results it has, all of its arguments. Barriers
/// and commands without work wait for nothing.
class Dependencies {
public:
  /// The schedule is checked for this batch (checkCommand).
  vit_status find(const Allocator &allocator, const schema::Schedule &schedule,
                  int64_t batch, vit_error *error);

  /// The commands that `command` waits for, the latest first.
  uint32_t size(uint32_t command) const {
    return first[command + 1] - first[command];
  }
  const uint32_t *of(uint32_t command) const {
    return edges.data() + first[command];
  }

private:
  /// A range of bytes of an input, output, slot, arena or rounded copy.
  struct Use {
    schema::ArgumentKind kind;
    bool isWritten;
    uint32_t index;
    uint64_t begin, end;
  };

  vit_status listUses(const Allocator &allocator,
                      const schema::Schedule &schedule, int64_t batch,
                      vit_error *error);
  bool conflict(uint32_t a, uint32_t b) const;
  template <typename Visit>
  void forEachEdge(uint32_t commands, Array<uint64_t> &ancestors,
                   Visit visit) const;

  Array<Use> uses;
  Array<uint32_t> firstUse; ///< per command, and the end
  Array<uint32_t> edges;
  Array<uint32_t> first; ///< per command, into edges, and the end
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEPENDENCIES_H
