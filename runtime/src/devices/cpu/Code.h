//===- Code.h - Machine code in memory --------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_CODE_H
#define VIT_RUNTIME_DEVICES_CPU_CODE_H

#include "Error.h"
#include "format/Memory.h"
#include "module_generated.h"

#include <cstdint>

namespace vit::runtime {

/// A generated function: work units [begin, end) of a command. See "The
/// kernel's calling convention" in docs/architecture.md.
using KernelFunction = void (*)(void *const *arguments, int64_t batch,
                                int64_t begin, int64_t end, void *scratch);

/// Copies of code images in memory that is never writable and executable at
/// once.
class Code {
public:
  Code() = default;
  Code(const Code &) = delete;
  Code &operator=(const Code &) = delete;
  ~Code();

  /// Copies the images of a verified module for which `wanted` is not 0.
  vit_status load(const schema::Module &module, const unsigned char *segments,
                  const Array<uint8_t> &wanted, const Allocator &allocator,
                  vit_error *error);

  /// The function of a kernel, whose image must have been loaded.
  KernelFunction function(const schema::Kernel &kernel) const;

private:
  unsigned char *memory = nullptr;
  uint64_t size = 0;
  Array<uint64_t> offsets; ///< of each image in `memory`
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_CODE_H
