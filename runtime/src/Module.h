//===- Module.h - A loaded module -------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_MODULE_H
#define VIT_RUNTIME_MODULE_H

#include "Verify.h"
#include "devices/cpu/Code.h"
#include "devices/cpu/Cpu.h"
#include "format/MappedFile.h"

#include <atomic>

/// Immutable once loaded, so any thread may read it.
struct vit_module {
  explicit vit_module(const vit::runtime::Allocator &allocator)
      : allocator(allocator) {}

  std::atomic<int32_t> references{1};
  vit::runtime::Allocator allocator;
  vit::runtime::Array<char> name;      ///< the path, for messages
  vit::runtime::Array<char> directory; ///< where weight files are, or empty
  vit::runtime::MappedFile file;       ///< not open where it is from memory
  const unsigned char *segments = nullptr;
  uint64_t segmentsOffset = 0;
  uint64_t segmentsSize = 0;
  /// A copy: later changes of the file do not affect what was checked.
  vit::runtime::Array<uint64_t> metadata;
  const vit::schema::Module *root = nullptr;
  uint32_t formatVersion = 0;
  vit::runtime::CpuChoice cpu; ///< lowered by VIT_CPU_LEVEL and the options
  bool levelIsKnown = true;    ///< false: VIT_CPU_LEVEL is set to no level
  uint64_t seed = 0;
  /// Per entry the schedule of its default precision that this machine's
  /// processor runs, or NULL. Sessions with other options and executors of GPUs
  /// choose for themselves.
  vit::runtime::Array<const vit::schema::Schedule *> schedules;
  vit::runtime::Code code;

  const vit::schema::Entry &entry(uint32_t index) const {
    return *root->entries()->Get(index);
  }
};

namespace vit::runtime {

/// The index of the entry called `name` (NULL: the first).
vit_status findEntry(const vit_module &module, const char *name,
                     uint32_t &index, vit_error *error);

/// The level of a schedule's code. NULL if this version of vit does not know it
/// or does not compute in its precision.
const format::Level *levelOf(const schema::Schedule &schedule);

/// "Cuda sm_80 in bf16", for messages; not known ones by number.
format::Names nameOf(const schema::Schedule &schedule);

/// The precision in which code of `target` runs an entry: `wanted` ("bf16";
/// NULL: none is; where the target has no products of tf32, f32 in its place),
/// else that of the entry's first schedule for the target.
ElementType precisionOf(const schema::Entry &entry, schema::Target target,
                        const char *wanted);

/// Whether the schedule is code of `target` in `precision`.
inline bool isCode(const schema::Schedule &schedule, schema::Target target,
                   ElementType precision) {
  return schedule.target() == target &&
         schedule.precision() == schema::DType(precision);
}

/// The best code that the module may run on this machine's processor for an
/// entry in `precision`; NULL if there is none.
const schema::Schedule *bestCpuSchedule(const vit_module &module,
                                        uint32_t entry, ElementType precision);

/// Calls `visit(name, precision)` for each precision of the code of `entry`,
/// the default one first.
template <typename Visit>
void forEachPrecision(const schema::Entry &entry, Visit visit) {
  const auto &schedules = *entry.schedules();
  for (uint32_t i = 0; i < schedules.size(); ++i) {
    auto precision = ElementType(schedules.Get(i)->precision());
    bool isNew = levelOf(*schedules.Get(i)) != nullptr;
    for (uint32_t j = 0; j < i; ++j)
      isNew =
          isNew && (ElementType(schedules.Get(j)->precision()) != precision ||
                    !levelOf(*schedules.Get(j)));
    const char *name = format::precisionName(precision);
    if (isNew && name)
      visit(name, precision);
  }
}

/// Copies the code of those of `schedules`, one per entry, that are not NULL.
vit_status loadCode(const vit_module &module,
                    const Array<const schema::Schedule *> &schedules,
                    Code &code, vit_error *error);

/// Fails with VIT_INVALID_ARGUMENT: `source`, such as VIT_CPU_LEVEL, names no
/// level of `target`.
vit_status unknownLevel(const char *source, format::Target target,
                        vit_error *error);

/// Fails with VIT_UNSUPPORTED: what code the entry has, and what of it `choice`
/// allows on this processor.
vit_status noCpuSchedule(const vit_module &module, uint32_t entry,
                         const CpuChoice &choice, vit_error *error);

/// Fails if the module was loaded without code that this processor runs for
/// the entry.
vit_status requireCpuSchedule(const vit_module &module, uint32_t entry,
                              vit_error *error);

/// Fails with VIT_INVALID_ARGUMENT: the option precision is no precision.
vit_status unknownPrecision(const char *name, vit_error *error);

/// Fails with VIT_UNSUPPORTED: `entry` has no code of `target` in `precision`,
/// but in these.
vit_status noPrecision(const vit_module &module, uint32_t entry,
                       schema::Target target, const char *precision,
                       vit_error *error);

/// Fails with VIT_UNSUPPORTED: what code the entry has, what the machine or
/// device offers ("this machine offers Cpu avx2") and, where `compiles`, how to
/// compile for that.
vit_status noSchedule(const vit_module &module, uint32_t entry,
                      schema::Target target, const char *offers, bool compiles,
                      vit_error *error);

/// Copies the caller's options, of any version, over the defaults.
template <typename Options>
vit_status readOptions(const Options *given, Options &options,
                       vit_error *error) {
  options = Options();
  if (!given)
    return VIT_OK;
  if (given->struct_size < sizeof(size_t) || given->struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size of the options is %zu: set it to their sizeof",
                given->struct_size);
  std::memcpy(&options, given,
              given->struct_size < sizeof options ? given->struct_size
                                                  : sizeof options);
  return VIT_OK;
}

} // namespace vit::runtime

#endif // VIT_RUNTIME_MODULE_H
