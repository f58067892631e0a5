//===- Session.h - Calling a module's entries -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_SESSION_H
#define VIT_RUNTIME_SESSION_H

#include "Reduction.h"
#include "devices/Device.h"

/// Binds tensors, checks calls, and runs them on its executor. One thread at a
/// time may use it.
struct vit_session {
  explicit vit_session(vit_module *module) : module(module) {
    vit_module_retain(module);
  }
  ~vit_session();

  vit_status build(const vit_session_options &given, vit_error *error);
  vit_status run(const char *entry, const vit_tensor *inputs,
                 int32_t inputCount, vit_tensor *outputs, int32_t outputCount,
                 vit_error *error);
  vit_status warmUp(const char *entry, int64_t atBatch, vit_error *error);
  vit_status step(vit_step &step, vit_error *error);
  vit_status findNotFinite(const char *entry, const vit_tensor *inputs,
                           int32_t inputCount, char *name, size_t size,
                           vit_error *error);
  vit_status workspaceSize(const char *entry, int64_t batch, uint64_t &bytes,
                           vit_error *error) const;

  vit_status describeCode(const char *entry, vit_code_info &info,
                          vit_error *error) const;

  vit_module *module;

private:
  vit_status buildReduction(vit_error *error);
  vit_status runStep(vit_step &step, vit_error *error);
  vit_status prepare(const char *entry, const vit_tensor *inputs,
                     int32_t inputCount, vit_tensor *outputs,
                     int32_t outputCount, vit::runtime::Call &call,
                     vit_error *error);
  vit_status bind(const vit::schema::Entry &entry, const vit_tensor *inputs,
                  int32_t inputCount, vit_tensor *outputs, int32_t outputCount,
                  vit_error *error);
  vit_status plan(uint32_t entry, int64_t batch, vit_error *error);
  bool workspaceBytes(uint32_t entry, int64_t batch, void *const *outputs,
                      uint64_t &bytes) const;
  vit_status checkBudget(uint32_t entry, vit_error *error) const;
  vit_status checkMemory(const vit::schema::Binding &binding,
                         const vit_tensor &tensor, const char *what,
                         vit_error *error) const;

  vit_parameters *parameters = nullptr;
  vit_session_options options = {};
  bool hasOwnBudget = false;         ///< The caller gave a memory budget.
  vit::runtime::Reduction reduction; ///< outlives the executor
  bool isStep = false; ///< The current call is one of vit_session_step.
  vit::runtime::Executor *executor = nullptr;

  // The current call.
  int64_t batch = 0;
  vit::runtime::Array<const void *> inputPointers;
  vit::runtime::Array<void *> outputPointers; ///< NULL: left out
  vit::runtime::Array<vit_memory> inputMemory;
  vit::runtime::Array<vit_memory> outputMemory;

  // The last plan, and the entry and batch that it was made for.
  uint32_t plannedEntry = 0;
  int64_t plannedBatch = 0;
  vit::runtime::Array<uint64_t> slotSizes;
  vit::runtime::Array<uint64_t> slotOffsets;
  uint64_t slotBytes = 0;
  uint32_t firstChange = 0;
  bool usesArenas = false;
};

#endif // VIT_RUNTIME_SESSION_H
