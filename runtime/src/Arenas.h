//===- Arenas.h - What training changes -------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_ARENAS_H
#define VIT_RUNTIME_ARENAS_H

#include "Error.h"
#include "format/Memory.h"
#include "module_generated.h"

#include <pthread.h>

namespace vit::runtime {

/// Holds the newest values of the arenas while the host's copy is old: the
/// executor of a GPU after a training step.
class ArenaHolder {
public:
  /// Copies each arena to `targets[i]`, its memory on the host.
  virtual vit_status fetchArenas(unsigned char *const *targets,
                                 vit_error *error) = 0;

protected:
  ~ArenaHolder() = default;
};

/// Protects what several sessions over the same parameters may do at once.
class Mutex {
public:
  Mutex() = default;
  Mutex(const Mutex &) = delete;
  Mutex &operator=(const Mutex &) = delete;
  ~Mutex() { pthread_mutex_destroy(&mutex); }
  void lock() { pthread_mutex_lock(&mutex); }
  void unlock() { pthread_mutex_unlock(&mutex); }

private:
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
};

class Lock {
public:
  explicit Lock(Mutex &mutex) : mutex(mutex) { mutex.lock(); }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;
  ~Lock() { mutex.unlock(); }

private:
  Mutex &mutex;
};

/// The arenas of a module in host memory, and the holder of newer values.
class Arenas {
public:
  /// Allocates all arenas and zeroes them.
  vit_status allocate(const schema::Module &module, const Allocator &allocator,
                      vit_error *error);
  bool exist() const { return pointers.size() != 0; }

  unsigned char *data(uint32_t arena) const { return pointers[arena]; }
  unsigned char *data(const schema::Variable &variable) const {
    return pointers[variable.arena()] + variable.offset();
  }
  /// Changes with each change of the arena, wherever its newest values are, so
  /// that old copies are recognised. At least 1.
  uint64_t version(uint32_t arena) const { return versions[arena]; }

  /// Copies newer values, if there are any, to the host.
  vit_status fetch(vit_error *error);
  /// Notes that one arena changed on the host, which had the newest values.
  void changed(uint32_t arena) { ++versions[arena]; }
  /// Notes that all arenas changed: on the host (NULL) or at `newHolder`.
  void allChanged(ArenaHolder *newHolder);
  bool isHeldBy(const ArenaHolder *who) const { return holder == who; }
  /// Notes that the newest values were lost with a device: every later fetch
  /// fails.
  void lose() {
    lost = true;
    holder = nullptr;
  }

private:
  Array<unsigned char> memory;
  Array<unsigned char *> pointers;
  Array<uint64_t> versions;
  ArenaHolder *holder = nullptr;
  bool lost = false;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_ARENAS_H
