//===- Library.h - A shared object of kernels -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_LIBRARY_H
#define VIT_SIMULATOR_LIBRARY_H

#include "Interface.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vit::sim {

/// Uninitialised memory: a signalling NaN that no computation produces.
constexpr uint32_t unwritten = 0x7fb1f00d;

struct SharedVariable {
  std::string name;
  uint32_t bytes; ///< 0: as many as the launch asks for
  uint32_t alignment;
};

/// A number that depends on the batch: times * ceil(batch * of / per). Used for
/// the bytes of a pointer argument and the units of a kernel.
struct ClosedForm {
  uint64_t times = 0, of = 1, per = 1; ///< times = 0: unknown
  uint64_t evaluate(uint64_t batch) const {
    return times * ((batch * of + per - 1) / per);
  }
};

struct Argument {
  uint32_t bytes = 0; ///< size of the argument: 8 for a pointer
  bool pointer = false;
  ClosedForm memory;
  bool written = false; ///< a result of the dispatch
  std::string element;  ///< of it: bf16, f16 or any other
  /// A tensor map: of which argument, and its shape; no columns: unknown.
  uint32_t mapOf = 0, mapColumns = 0, mapBoxRows = 0, mapRows = 0;
};

struct Kernel {
  std::string name;
  uint32_t threads = 0; ///< declared threads per block; 0: none
  /// Shared memory that its launch asks for.
  uint32_t dynamicShared = 0;
  /// The binary logarithm of the bytes of its smallest access, at most 2.
  uint32_t shift = 2;
  /// Whether its threads wait for some others (see Order.h).
  bool ordered = false;
  /// Blocks of a cluster, which follow each other along x.
  uint32_t cluster = 1;
  ClosedForm units;
  std::vector<Argument> arguments;
  std::vector<uint32_t> shared; ///< indices into Library::shared
  /// The number of ops of each class in each basic block; empty if the kernel
  /// is compiled without counters.
  std::vector<std::array<uint32_t, opClasses>> basicBlocks;
  void (*entry)(void **arguments) = nullptr;
};

/// Kernels compiled by vit-simulate. Never closed.
class Library {
public:
  /// Opens the file; on failure returns null and sets `error`.
  static std::unique_ptr<Library> open(const std::string &path,
                                       std::string &error);

  const Kernel *find(const std::string &name) const;
  const std::string &getSite(uint32_t site) const;

  std::vector<Kernel> kernels;
  std::vector<SharedVariable> shared;
  std::vector<std::string> sites;
  /// Hash of the PTX that belongs to the kernels; 0: unknown.
  uint64_t ptxHash = 0;

private:
  bool parse(const char *manifest, std::string &error);
};

/// FNV-1a, to identify a PTX text.
uint64_t hashText(const char *text, size_t bytes);

} // namespace vit::sim

#endif // VIT_SIMULATOR_LIBRARY_H
