//===- DeviceCopies.h - Copies of weights on devices ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sessions over the same parameters on the same device share one copy of the
// forms and constants there, and what of the device they need for that. The
// parameters list the copies; the sessions own them together.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICECOPIES_H
#define VIT_RUNTIME_DEVICECOPIES_H

#include "Arenas.h"

namespace vit::runtime {

/// What sessions share. `kind` tells objects of one class from others: the
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
  /// The copy of class `Copy` that `made.isLike(copy)` holds for, with one more
  /// user, else `made`, which is listed if `complete()` is VIT_OK.
  template <typename Copy, typename Complete>
  vit_status acquire(Copy &made, Complete complete, Copy *&copy) {
    Lock lock(mutex);
    for (DeviceCopy *other = first; other; other = other->next)
      if (other->kind == &Copy::kKind &&
          made.isLike(*static_cast<Copy *>(other))) {
        ++other->users;
        copy = static_cast<Copy *>(other);
        return VIT_OK;
      }
    VIT_TRY(complete());
    made.next = first;
    first = &made;
    copy = &made;
    return VIT_OK;
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

/// A session's use of a copy.
template <typename Copy> class Shared {
public:
  Shared() = default;
  Shared(const Shared &) = delete;
  Shared &operator=(const Shared &) = delete;
  ~Shared() {
    if (copy && copies->release(copy))
      destroy(allocator, copy);
  }

  /// Uses the copy of `all` that `made` is like, and destroys `made`; if there
  /// is none, uses `made` once `complete()` has made it ready. `made` is from
  /// `create` with this allocator; it is destroyed after a failure, too.
  template <typename Complete>
  vit_status share(DeviceCopies &all, const Allocator &from, Copy *made,
                   Complete complete) {
    copies = &all;
    allocator = from;
    vit_status status = all.acquire(*made, complete, copy);
    if (copy != made)
      destroy(allocator, made);
    return status;
  }

  explicit operator bool() const { return copy != nullptr; }
  Copy *operator->() const { return copy; }
  Copy &operator*() const { return *copy; }

private:
  DeviceCopies *copies = nullptr;
  Allocator allocator;
  Copy *copy = nullptr;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICECOPIES_H
