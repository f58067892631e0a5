//===- plan.h - Memory of one call ------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Slots, and what commands read and write, are closed forms in the batch; here
// they become numbers.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PLAN_H
#define VIT_RUNTIME_PLAN_H

#include "error.h"
#include "module_generated.h"

#include <cstddef>
#include <cstdint>

namespace vit::runtime {

/// Computes for each slot its bytes at `batch`, the largest of its values, and
/// its offset in a workspace of `total` bytes, multiples of 64. `sizes` and
/// `offsets` have room for each slot or are NULL. False where a number exceeds
/// what 56 bits hold.
bool planSlots(const schema::Schedule &schedule, int64_t batch, uint64_t *sizes,
               uint64_t *offsets, uint64_t &total);

/// The bytes of an argument. False where they exceed kMaxExtent.
bool argumentBytes(const schema::Argument &argument, int64_t batch,
                   uint64_t &bytes);

/// Whether a command changes variables: a dispatch has operands, then results;
/// one whose last argument is in an arena has no results and changes what its
/// Arena arguments say. All others only read arenas.
bool changesArenas(const schema::Command &command);
/// The first command that changes variables; their number where none does.
uint32_t firstChange(const schema::Schedule &schedule);
/// Whether any command reads or changes a variable.
bool usesArenas(const schema::Schedule &schedule);

/// Checks that at this batch no command goes beyond the memory that its
/// arguments have. Indices must have been checked. False, with a reason for
/// people, where one does.
bool checkCommand(const schema::Module &module, const schema::Entry &entry,
                  const schema::Command &command, int64_t batch,
                  const uint64_t *slotSizes, char *reason, size_t reasonSize);

/// Checks that GPU kernels, which count elements and work units in 31 bits, can
/// run the schedule at this batch. Fails with VIT_INVALID_ARGUMENT, naming the
/// command, where they cannot.
vit_status fitsGpu(const schema::Schedule &schedule, int64_t batch,
                   vit_error *error);

/// Bytes of all inputs and outputs of an entry, each up to a multiple of
/// `alignment`; false where they exceed kMaxExtent.
bool allBindingBytes(const schema::Entry &entry, int64_t batch,
                     uint64_t alignment, uint64_t &bytes);

/// VIT_INVALID_ARGUMENT where no call can have such a batch.
vit_status checkBatch(int64_t batch, vit_error *error);
/// The failure of a call whose numbers exceed 56 bits.
vit_status batchTooLarge(int64_t batch, vit_error *error);

} // namespace vit::runtime

#endif // VIT_RUNTIME_PLAN_H
