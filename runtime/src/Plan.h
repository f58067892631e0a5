//===- Plan.h - Memory of one call ------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates the closed forms in the batch: slots, and what commands read and
// write.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PLAN_H
#define VIT_RUNTIME_PLAN_H

#include "Error.h"
#include "module_generated.h"

#include <cstddef>
#include <cstdint>

struct vit_module;

namespace vit::runtime {

/// Computes for each slot its bytes at `batch`, the largest of its values, and
/// its offset in a workspace of `total` bytes, multiples of 64. `sizes` and
/// `offsets` have room for each slot or are NULL. Returns false if a number
/// exceeds 56 bits.
bool planSlots(const schema::Schedule &schedule, int64_t batch, uint64_t *sizes,
               uint64_t *offsets, uint64_t &total);

/// Computes the bytes of an argument. Returns false if they exceed kMaxExtent.
bool argumentBytes(const schema::Argument &argument, int64_t batch,
                   uint64_t &bytes);

/// The work units of a dispatch, the bytes of a copy or fill; 0 for a barrier.
/// The command is checked for this batch (checkCommand).
uint64_t workSize(const schema::Command &command, int64_t batch);

/// The first command that changes variables; the number of commands if none
/// does.
uint32_t firstChange(const vit_module &module,
                     const schema::Schedule &schedule);
/// Whether an argument is of variables: of an arena or of its rounded copy.
inline bool isVariable(const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Arena ||
         argument.kind() == schema::ArgumentKind::Rounded;
}
/// Whether any command reads or changes a variable.
bool usesArenas(const schema::Schedule &schedule);
/// Whether any command reads or changes the rounded copy of this arena.
bool usesRounded(const schema::Schedule &schedule, uint32_t arena);
/// The bytes of the rounded copy, in bf16.
inline uint64_t roundedBytes(const schema::Arena &arena) {
  return arena.bytes() / 2;
}
/// An update in `schedule` after which the rounded copy of an arena would not
/// be that of the arena: it changes a range of only one of the two, and one of
/// `schedules`, `total` of them and NULL for none, uses the copy. NULL if there
/// is no such update.
const schema::Command *findUnrounded(const schema::Schedule &schedule,
                                     const schema::Schedule *const *schedules,
                                     size_t total);
/// What such an update does, for messages.
inline constexpr char kUnrounded[] =
    "changes variables and not their rounded copy, or that alone";

/// Checks that at this batch no command accesses memory outside its arguments.
/// Indices must have been checked. If one does, returns false and writes the
/// reason.
bool checkCommand(const schema::Module &module, const schema::Entry &entry,
                  const schema::Command &command, int64_t batch,
                  const uint64_t *slotSizes, char *reason, size_t reasonSize);

/// Checks that GPU kernels, which count elements and work units in 31 bits, can
/// run the schedule at this batch. Fails with VIT_INVALID_ARGUMENT, naming the
/// command, if they cannot.
vit_status fitsGpu(const schema::Schedule &schedule, int64_t batch,
                   vit_error *error);

/// Computes the bytes of all inputs and outputs of an entry, each rounded up to
/// a multiple of `alignment`. Returns false if they exceed kMaxExtent.
bool allBindingBytes(const schema::Entry &entry, int64_t batch,
                     uint64_t alignment, uint64_t &bytes);

/// Fails with VIT_INVALID_ARGUMENT if no call can have this batch.
vit_status checkBatch(int64_t batch, vit_error *error);
/// The error of a call whose sizes exceed 56 bits.
vit_status batchTooLarge(int64_t batch, vit_error *error);

} // namespace vit::runtime

#endif // VIT_RUNTIME_PLAN_H
