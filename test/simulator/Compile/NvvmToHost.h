//===- NvvmToHost.h - Converts the NVVM dialect to host code ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_NVVMTOHOST_H
#define VIT_SIMULATOR_NVVMTOHOST_H

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vit::sim {

/// The size of the memory of a pointer argument: times * ceil(batch * of / per)
/// bytes.
struct ArgumentBytes {
  int64_t times = 0, of = 1, per = 1;
  bool written = false;
  std::string element = "any"; ///< of it: bf16, f16 or any other
};
/// A tensor map: of the memory of pointer argument `argument`.
struct MapArgument {
  int64_t argument = 0, columns = 0, boxRows = 0, rows = 0;
};
struct HostOptions {
  /// For each kernel, one per pointer argument in order; empty: unknown.
  std::map<std::string, std::vector<ArgumentBytes>> bytes;
  /// For each kernel, its units in the same form; missing: unknown.
  std::map<std::string, ArgumentBytes> units;
  /// For each kernel, its arguments that are tensor maps, in order.
  std::map<std::string, std::vector<MapArgument>> maps;
  /// For each kernel, the shared memory that its launch asks for.
  std::map<std::string, int64_t> dynamicShared;
  uint64_t ptxHash = 0;
  bool counters = false; ///< whether launches can be counted
  /// Of a thread of the only kernel that is counted, by architecture; empty
  /// without ptxas.
  std::string counted;
  std::map<std::string, uint32_t> registers;
};

/// Converts the kernels in `root` (llvm.func with nvvm.kernel) to plain LLVM
/// dialect for the host: ops of the NVVM dialect become calls of
/// test/simulator/Runtime/Interface.h, and such a call checks each memory
/// access. Each kernel K gets an entry `sim_entry_K`, described by
/// `sim_manifest`. Emits an error for an unknown op at its location.
mlir::OwningOpRef<mlir::ModuleOp> convertNvvmToHost(mlir::ModuleOp root,
                                                    const HostOptions &options);

} // namespace vit::sim

#endif // VIT_SIMULATOR_NVVMTOHOST_H
