//===- StoredTensors.cpp - What a file of weights holds -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/StoredTensors.h"

#include "format/Error.h"

#include <algorithm>

namespace vit::format {

vit_status StoredTensors::indexNames(const char *name,
                                     const Allocator &allocator,
                                     vit_error *error) {
  if (!byName.allocate(allocator, list.size()))
    return outOfMemory(error, list.size() * sizeof(StoredTensor *),
                       "the list of stored tensors");
  for (size_t i = 0; i < list.size(); ++i)
    byName[i] = &list[i];
  // The order is that of the names, not of the addresses.
  // NOLINTNEXTLINE(bugprone-nondeterministic-pointer-iteration-order)
  std::sort(byName.begin(), byName.end(),
            [](const StoredTensor *a, const StoredTensor *b) {
              return std::strcmp(a->name, b->name) < 0;
            });
  for (size_t i = 1; i < byName.size(); ++i)
    if (std::strcmp(byName[i - 1]->name, byName[i]->name) == 0)
      return fail(error, VIT_CORRUPT,
                  "cannot read %s: tensor %s is there twice", name,
                  byName[i]->name);
  return VIT_OK;
}

const StoredTensor *StoredTensors::find(const char *name) const {
  const StoredTensor *const *found =
      std::lower_bound(byName.begin(), byName.end(), name,
                       [](const StoredTensor *tensor, const char *wanted) {
                         return std::strcmp(tensor->name, wanted) < 0;
                       });
  return found != byName.end() && std::strcmp((*found)->name, name) == 0
             ? *found
             : nullptr;
}

} // namespace vit::format
