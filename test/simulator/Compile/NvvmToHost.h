//===- NvvmToHost.h - From the NVVM dialect to the host ---===//
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

/// How much memory a pointer argument stands for: times * ceil(batch * of /
/// per) bytes.
struct ArgumentBytes {
  int64_t times = 0, of = 1, per = 1;
  bool written = false;
};
struct HostOptions {
  /// By kernel, one per pointer argument in order; none: not known.
  std::map<std::string, std::vector<ArgumentBytes>> bytes;
  /// By kernel, its units in the same form; none: not known.
  std::map<std::string, ArgumentBytes> units;
  uint64_t ptxHash = 0;
};

/// Makes plain LLVM dialect for the host of the kernels (llvm.func with
/// nvvm.kernel) found anywhere in `root`: what the NVVM dialect says becomes a
/// call of test/simulator/Runtime/Interface.h, and such a call checks each
/// access to memory. Each kernel K gets an entry `sim_entry_K`; `sim_manifest`
/// describes them. An op that the simulator does not know is an error at its
/// place.
mlir::OwningOpRef<mlir::ModuleOp> convertNvvmToHost(mlir::ModuleOp root,
                                                    const HostOptions &options);

} // namespace vit::sim

#endif // VIT_SIMULATOR_NVVMTOHOST_H
