//===- DeviceCopies.h - Copies of weights on devices ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sessions over the same parameters on the same device share one copy of the
// forms and constants there. The parameters list the copies; the sessions own
// them together.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICECOPIES_H
#define VIT_RUNTIME_DEVICECOPIES_H

#include "Arenas.h"

namespace vit::runtime {

/// A copy on a device. `kind` tells copies of one class from others: the
/// address of a variable of the class.
class DeviceCopy {
public:
  const void *const kind;

protected:
  explicit DeviceCopy(const void *kind) : kind(kind) {}
  ~DeviceCopy() = default;

private:
  friend class DeviceCopies;
  DeviceCopy *next = nullptr;
  int32_t users = 1;
};

class DeviceCopies {
public:
  /// The copy of class `Copy` for which `matches(copy)` holds, with one more
  /// user, else what `make()` returns, if anything.
  template <typename Copy, typename Matches, typename Make>
  Copy *acquire(Matches matches, Make make) {
    Lock lock(mutex);
    for (DeviceCopy *copy = first; copy; copy = copy->next)
      if (copy->kind == &Copy::kKind && matches(*static_cast<Copy *>(copy))) {
        ++copy->users;
        return static_cast<Copy *>(copy);
      }
    Copy *made = make();
    if (made) {
      made->next = first;
      first = made;
    }
    return made;
  }

  /// Takes away a user; true if it was the last: nobody else can reach the copy
  /// any more, and the caller destroys it.
  bool release(DeviceCopy *copy) {
    Lock lock(mutex);
    if (--copy->users > 0)
      return false;
    DeviceCopy **link = &first;
    while (*link != copy)
      link = &(*link)->next;
    *link = copy->next;
    return true;
  }

private:
  Mutex mutex;
  DeviceCopy *first = nullptr;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICECOPIES_H
