//===- MappingGuard.h - Mappings of files that may shrink -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whoever reads a mapped page of a file that another program has cut short
// meanwhile gets SIGBUS, which ends the process. Reading the file to memory
// instead costs several times as much as mapping it, and asking for its size
// before each use leaves a gap. So the signal is handled, as libwayland does
// for memory that clients share: the lost pages are replaced by zeros, and the
// user of the mapping asks afterwards whether that has happened.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_MAPPINGGUARD_H
#define VIT_FORMAT_MAPPINGGUARD_H

#include <cstdint>

namespace vit::format {

struct Range;

/// Guards a mapping from `start` until its end. The first one installs the
/// handler for SIGBUS, which passes on every signal that is not about a guarded
/// mapping to the handler that was there before.
class MappingGuard {
public:
  MappingGuard() = default;
  MappingGuard(const MappingGuard &) = delete;
  MappingGuard &operator=(const MappingGuard &) = delete;
  ~MappingGuard() { stop(); }

  /// `data` is the begin of a mapping. Without effect where too many mappings
  /// are guarded already.
  void start(const void *data, uint64_t size);
  void stop();
  /// Whether pages were replaced because the file did not have them any more.
  bool wasCut() const;

private:
  Range *range = nullptr;
};

} // namespace vit::format

#endif // VIT_FORMAT_MAPPINGGUARD_H
