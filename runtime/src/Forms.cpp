//===- Forms.cpp - The derived forms of a module in memory ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Forms.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

namespace vit::runtime {

Forms::~Forms() {
  for (Held &form : held)
    if (form.origin == Origin::Copied)
      module.allocator.deallocate(form.data);
  for (uint32_t i = 0; i < blockCount; ++i)
    module.allocator.deallocate(blocks[i]);
  guard.stop();
  if (mapping)
    munmap(mapping, module.segmentsSize);
}

vit_status Forms::place(vit_error *error) {
  if (!held.allocate(module.allocator, size()) ||
      !blocks.allocate(module.allocator, size()) ||
      !known.allocate(module.allocator, size()))
    return outOfMemory(error, size() * sizeof(Held), "weights");
  findKnownForms(*module.root, known);
  bool isAnyStored = false;
  for (uint32_t i = 0; i < size(); ++i)
    isAnyStored = isAnyStored || isStored(i);
  if (isAnyStored && module.file.isOpen()) {
    mapping =
        module.file.mapPrivate(module.segmentsOffset, module.segmentsSize);
    if (!mapping)
      return fail(error, VIT_IO_ERROR, "cannot map the weights of '%s': %s",
                  module.name.data(), std::strerror(errno));
    guard.start(mapping, module.segmentsSize);
  }
  for (uint32_t i = 0; i < size(); ++i) {
    if (!known[i])
      continue;
    Held &form = held[i];
    form.form = formOf(recipe(i));
    form.version = 1;
    form.origin = Origin::Writable;
    if (!isStored(i))
      continue;
    uint64_t offset = recipe(i).data()->offset();
    form.origin = mapping ? Origin::Mapped : Origin::Borrowed;
    form.data = mapping ? mapping + offset
                        : const_cast<unsigned char *>(module.segments) + offset;
  }
  return VIT_OK;
}

vit_status Forms::allocate(const Array<uint8_t> &isNew, vit_error *error) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < size(); ++i)
    if (isNew[i] && __builtin_add_overflow(
                        bytes, alignUp(recipe(i).bytes(), kAlignment), &bytes))
      return outOfMemory(error, bytes, "weights");
  auto *block = static_cast<unsigned char *>(module.allocator.allocate(bytes));
  if (!block)
    return outOfMemory(error, bytes, "weights");
  // Each block has at least one form, so there is room for all.
  blocks[blockCount++] = block;
  for (uint32_t i = 0; i < size(); ++i)
    if (isNew[i]) {
      held[i].data = block;
      block += alignUp(recipe(i).bytes(), kAlignment);
    }
  return VIT_OK;
}

void Forms::drop(const Array<uint8_t> &isNew) {
  for (uint32_t i = 0; i < size(); ++i)
    if (isNew[i])
      held[i].data = nullptr;
  module.allocator.deallocate(blocks[--blockCount]);
}

vit_status Forms::requireWhole(vit_error *error) const {
  return module.file.requireWhole(module.name.data(), guard.wasCut(), error);
}

void Forms::forget(uint32_t index) const {
  if (held[index].origin == Origin::Mapped)
    forgetPages(held[index].data, recipe(index).bytes());
}

void Forms::ready(uint32_t index) const {
  if (held[index].origin == Origin::Mapped)
    readyPages(held[index].data, recipe(index).bytes());
}

vit_status Forms::makeWritable(uint32_t index, vit_error *error) {
  Held &form = held[index];
  uint64_t bytes = recipe(index).bytes();
  if (form.origin == Origin::Borrowed) {
    void *copy = module.allocator.allocate(bytes);
    if (!copy)
      return outOfMemory(error, bytes, "a written weight");
    std::memcpy(copy, form.data, bytes);
    form.data = static_cast<unsigned char *>(copy);
    form.origin = Origin::Copied;
  } else if (form.origin == Origin::Mapped) {
    auto page = uint64_t(sysconf(_SC_PAGESIZE));
    uint64_t before = reinterpret_cast<uintptr_t>(form.data) % page;
    if (mprotect(form.data - before, (before + bytes + page - 1) / page * page,
                 PROT_READ | PROT_WRITE) != 0)
      return outOfMemory(error, bytes, "a written weight");
    form.origin = Origin::Writable;
  }
  return VIT_OK;
}

} // namespace vit::runtime
