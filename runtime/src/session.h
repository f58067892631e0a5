//===- session.h - Calling a module's entries -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_SESSION_H
#define VIT_RUNTIME_SESSION_H

#include "module.h"
#include "parameters.h"
#include "pool.h"

/// A workspace and threads. For one thread at a time.
struct vit_session {
  explicit vit_session(vit_module *module) : module(module) {
    vit_module_retain(module);
  }
  ~vit_session();

  vit_status build(const vit_session_options &given, vit_error *error);
  vit_status run(const char *entry, const vit_tensor *inputs,
                 int32_t inputCount, vit_tensor *outputs, int32_t outputCount,
                 vit_error *error);

  vit_module *module;

private:
  vit_status bind(const vit_tensor *inputs, int32_t inputCount,
                  vit_tensor *outputs, int32_t outputCount, vit_error *error);
  vit_status plan(uint32_t entry, int64_t batch, vit_error *error);
  vit_status makeRoom(vit_error *error);
  bool workspaceBytes(int64_t batch, uint64_t &slots, uint64_t &total) const;
  vit_status execute(vit_error *error);
  void dispatch(const vit::schema::Command &command);
  void *resolve(const vit::schema::Argument &argument) const;

  vit_parameters *parameters = nullptr;
  vit_session_options options = {};
  int threads = 1;
  vit::runtime::Pool pool;

  // The present call.
  uint32_t entryIndex = 0;
  const vit::schema::Schedule *schedule = nullptr;
  int64_t batch = 0;
  vit::runtime::Array<void *> inputPointers;
  vit::runtime::Array<void *> outputPointers; ///< NULL: left out

  // What the last plan was made for, and the plan.
  uint32_t plannedEntry = 0;
  int64_t plannedBatch = 0;
  vit::runtime::Array<uint64_t> slotSizes;
  vit::runtime::Array<uint64_t> slotOffsets;

  /// Slots, then outputs that were left out, then each thread's scratch.
  vit::runtime::Array<unsigned char> workspace;
  unsigned char *scratch = nullptr;
  uint64_t scratchStride = 0;
};

#endif // VIT_RUNTIME_SESSION_H
