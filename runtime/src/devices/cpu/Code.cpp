//===- Code.cpp - Machine code in memory ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Code.h"

#include "Verify.h"
#include "format/ModuleFile.h"

#include <cerrno>
#include <sys/mman.h>

namespace vit::runtime {

Code::~Code() {
  if (memory)
    munmap(memory, size);
}

vit_status Code::load(const schema::Module &module,
                      const unsigned char *segments,
                      const Array<uint8_t> &wanted, const Allocator &allocator,
                      vit_error *error) {
  uint32_t images = count(module.images());
  if (!offsets.allocate(allocator, images))
    return outOfMemory(error, images * 8ull, "code");
  uint64_t total = 0;
  for (uint32_t i = 0; i < images; ++i)
    if (wanted[i]) {
      offsets[i] = total;
      // Images were compiled for an alignment to cache lines.
      total += alignUp(module.images()->Get(i)->data()->size(), kAlignment);
    }
  if (total == 0)
    return VIT_OK;
  void *mapped = mmap(nullptr, total, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return outOfMemory(error, total, "code");
  memory = static_cast<unsigned char *>(mapped);
  size = total;
  for (uint32_t i = 0; i < images; ++i)
    if (wanted[i]) {
      const schema::Segment &data = *module.images()->Get(i)->data();
      std::memcpy(memory + offsets[i], segments + data.offset(), data.size());
    }
  if (mprotect(memory, size, PROT_READ | PROT_EXEC) != 0)
    return fail(error, VIT_UNSUPPORTED,
                "the system does not let this process run generated code: %s",
                std::strerror(errno));
  return VIT_OK;
}

KernelFunction Code::function(const schema::Kernel &kernel) const {
  return reinterpret_cast<KernelFunction>(memory + offsets[kernel.image()] +
                                          kernel.entry());
}

} // namespace vit::runtime
