//===- VerifyEntries.cpp - Checks of code and commands --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"

#include "Module.h"
#include "Plan.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime {

vit_status Checker::images() {
  for (uint32_t i = 0; i < count(module.images()); ++i) {
    const schema::Image &image = *module.images()->Get(i);
    char what[64];
    std::snprintf(what, sizeof what, "code image %u", i);
    uint64_t size = image.data() ? image.data()->size() : 0;
    if (size == 0)
      return corrupt("%s is empty", what);
    bool isCubin = image.format() == schema::ImageFormat::Cubin;
    VIT_TRY(text(image.arch(), "the architecture of a cubin", !isCubin));
    VIT_TRY(segment(image.data(), size, imageAlignment(image.format()), what));
    VIT_TRY(hash(*image.data(), image.hash(), what));
    // Code of an unknown format is not for schedules that are known.
    if (const char *reason =
            checkImage(image.format(), segments + image.data()->offset(), size))
      return corrupt("%s %s", what, reason);
  }
  return VIT_OK;
}

vit_status Checker::entries() {
  uint32_t total = count(module.entries());
  if (total == 0)
    return corrupt("it has no entry");
  Array<const char *> names;
  if (!names.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(char *), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Entry &entry = *module.entries()->Get(i);
    VIT_TRY(text(entry.name(), "an entry's name"));
    names[i] = entry.name()->c_str();
    VIT_TRY(bindings(*entry.inputs(), "input", false));
    VIT_TRY(bindings(*entry.outputs(), "output", true));
    if (entry.schedules()->size() == 0)
      return corrupt("entry '%s' has no code", names[i]);
    for (const schema::Schedule *s : *entry.schedules())
      VIT_TRY(schedule(entry, *s));
  }
  return unique(names.data(), total, "entries");
}

vit_status Checker::bindings(
    const flatbuffers::Vector<flatbuffers::Offset<schema::Binding>> &list,
    const char *what, bool aliases) {
  if (list.size() == 0)
    return corrupt("an entry has no %s", what);
  Array<const char *> names;
  if (!names.allocate(allocator, size_t(list.size()) * 2))
    return outOfMemory(error, list.size() * 2 * sizeof(char *), "checks");
  size_t total = 0;
  for (const schema::Binding *binding : list) {
    VIT_TRY(text(binding->name(), "the name of an input or output"));
    names[total++] = binding->name()->c_str();
    if (binding->alias()) {
      if (!aliases)
        return corrupt("an input has an alias");
      VIT_TRY(text(binding->alias(), "the alias of an output"));
      names[total++] = binding->alias()->c_str();
    }
    char label[256];
    std::snprintf(label, sizeof label, "%s '%.200s'", what,
                  binding->name()->c_str());
    VIT_TRY(dims(*binding->dims(), label, true));
    if (!isElement(binding->dtype()))
      return newer("%s is of an unknown type", label);
  }
  return unique(names.data(), total, "inputs or outputs of an entry");
}

vit_status Checker::schedule(const schema::Entry &entry,
                             const schema::Schedule &s) {
  VIT_TRY(text(s.level(), "the level of an entry's code"));
  // Nothing reads code for a target, level or precision that is not known.
  if (!levelOf(s))
    return VIT_OK;
  for (uint32_t i = 0; i < count(s.kernels()); ++i) {
    const schema::Kernel &kernel = *s.kernels()->Get(i);
    VIT_TRY(text(kernel.name(), "a kernel's name"));
    VIT_TRY(text(kernel.family(), "a kernel's family"));
    VIT_TRY(text(kernel.tile(), "a kernel's tile", true));
  }
  for (uint32_t i = 0; i < count(s.features()); ++i)
    VIT_TRY(text(s.features()->Get(i), "a feature that code needs"));
  for (uint32_t i = 0; i < count(s.kept()); ++i)
    VIT_TRY(text(s.kept()->Get(i)->name(), "the name of a product", true));
  char reason[256];
  for (uint32_t i = 0; i < count(s.kernels()); ++i) {
    const schema::Kernel &kernel = *s.kernels()->Get(i);
    if (kernel.image() < count(module.images()) &&
        !isKnown(module.images()->Get(kernel.image())->format()))
      return newer("kernel '%.100s' is in a code image of an unknown format",
                   kernel.name()->c_str());
  }
  if (!checkCode(module, s, reason, sizeof reason))
    return corrupt("%s", reason);
  Array<uint64_t> sizes;
  if (!sizes.allocate(allocator, count(s.slots())))
    return outOfMemory(error, count(s.slots()) * 8ull, "checks");
  for (uint32_t i = 0; i < count(s.slots()); ++i)
    VIT_TRY(aligned(s.slots()->Get(i)->values(), "a slot"));
  uint64_t total;
  if (!planSlots(s, 1, sizes.data(), nullptr, total))
    return corrupt("entry '%s' has a slot of impossible size",
                   entry.name()->c_str());
  for (uint32_t i = 0; i < count(s.commands()); ++i)
    VIT_TRY(command(entry, s, i, sizes.data()));
  const schema::Schedule *self = &s;
  if (const schema::Command *update = findUnrounded(s, &self, 1))
    return corrupt("update '%.100s' of entry '%.200s' %s",
                   update->name() ? update->name()->c_str() : "",
                   entry.name()->c_str(), kUnrounded);
  return reductions(entry, s);
}

/// Checks that one Wait follows all reductions, and updates follow that.
vit_status Checker::reductions(const schema::Entry &entry,
                               const schema::Schedule &s) {
  bool isReducing = false, hasWaited = false;
  for (uint32_t i = 0; i < count(s.commands()); ++i) {
    const schema::Command &c = *s.commands()->Get(i);
    bool isWait = c.kind() == schema::CommandKind::Wait;
    bool isReduction = c.kind() == schema::CommandKind::AllReduce;
    if (hasWaited ? isWait || isReduction : isReducing && c.is_update())
      return corrupt("command %u of entry '%.200s' is not where gradients are "
                     "reduced",
                     i, entry.name()->c_str());
    hasWaited = hasWaited || isWait;
    isReducing = isReducing || isReduction;
  }
  if (isReducing != hasWaited)
    return corrupt("entry '%.200s' does not wait for its reductions",
                   entry.name()->c_str());
  return VIT_OK;
}

/// Checks that an argument of the command that is called `what` exists.
vit_status Checker::argument(const schema::Entry &entry,
                             const schema::Schedule &s,
                             const schema::Command &c, uint32_t index,
                             const char *what) {
  const schema::Argument &argument = *c.arguments()->Get(index);
  uint32_t limit = 0;
  switch (argument.kind()) {
  case schema::ArgumentKind::Input:
    limit = entry.inputs()->size();
    break;
  case schema::ArgumentKind::Output:
    limit = entry.outputs()->size();
    break;
  case schema::ArgumentKind::Slot:
    limit = count(s.slots());
    break;
  case schema::ArgumentKind::Derived:
    limit = count(module.derived());
    break;
  case schema::ArgumentKind::Constant:
    limit = count(module.constants());
    break;
  case schema::ArgumentKind::Arena:
    limit = count(module.arenas());
    break;
  case schema::ArgumentKind::Rounded:
    if (s.target() == schema::Target::Cpu)
      return corrupt("argument %u of %s is of a rounded copy of variables, "
                     "which the CPU has not",
                     index, what);
    limit = count(module.arenas());
    break;
  default:
    return newer("argument %u of %s is of an unknown kind", index, what);
  }
  if (argument.index() >= limit)
    return corrupt("argument %u of %s is number %u of %u", index, what,
                   argument.index(), limit);
  if (argument.kind() == schema::ArgumentKind::Derived &&
      !knownForms[argument.index()])
    return newer("argument %u of %s is derived form %u, which is made in an "
                 "unknown way",
                 index, what, argument.index());
  return VIT_OK;
}

vit_status Checker::command(const schema::Entry &entry,
                            const schema::Schedule &s, uint32_t index,
                            const uint64_t *slotSizes) {
  const schema::Command &c = *s.commands()->Get(index);
  VIT_TRY(text(c.name(), "a command's name", true));
  char what[256];
  std::snprintf(what, sizeof what, "command %u of entry '%.200s'", index,
                entry.name()->c_str());
  uint32_t expected = 0;
  switch (c.kind()) {
  case schema::CommandKind::Dispatch:
    if (c.kernel() >= count(s.kernels()))
      return corrupt("%s runs kernel %u of %u", what, c.kernel(),
                     count(s.kernels()));
    if (!c.units())
      return corrupt("%s has no work units", what);
    if (uint32_t cluster = s.kernels()->Get(c.kernel())->cluster();
        cluster && c.units()->times() % cluster)
      return corrupt("%s has multiples of %llu work units, for clusters of %u",
                     what, static_cast<unsigned long long>(c.units()->times()),
                     cluster);
    expected = s.kernels()->Get(c.kernel())->argument_count();
    break;
  case schema::CommandKind::Barrier:
    break;
  case schema::CommandKind::Copy:
    expected = 2;
    break;
  case schema::CommandKind::Fill:
    expected = 1;
    break;
  case schema::CommandKind::AllReduce:
    // Pairs; checkCommand checks what they are.
    expected = count(c.arguments()) + count(c.arguments()) % 2;
    if (expected == 0)
      return corrupt("%s reduces nothing", what);
    break;
  case schema::CommandKind::Wait:
    expected = std::clamp(count(c.arguments()), 1u, 2u);
    break;
  default:
    return newer("%s is of an unknown kind", what);
  }
  VIT_TRY(aligned(c.arguments(), what));
  uint32_t given = c.arguments() ? c.arguments()->size() : 0;
  if (given != expected)
    return corrupt("%s has %u arguments, expected %u", what, given, expected);
  for (uint32_t i = 0; i < given; ++i)
    VIT_TRY(argument(entry, s, c, i, what));
  uint32_t types = count(c.element_types());
  if (types != 0 && types != given)
    return corrupt("%s has %u arguments and types of %u", what, given, types);
  for (uint32_t i = 0; i < types; ++i)
    if (!isElement(c.element_types()->Get(i)))
      return newer("argument %u of %s is of an unknown type", i, what);
  if (c.results() > given)
    return corrupt("%s has %u results among %u arguments", what, c.results(),
                   given);
  uint32_t changed = given;
  while (changed != 0 && c.arguments()->Get(changed - 1)->kind() ==
                             schema::ArgumentKind::Rounded)
    --changed;
  if (c.is_update() &&
      (c.kind() != schema::CommandKind::Dispatch || changed == 0 ||
       c.arguments()->Get(changed - 1)->kind() != schema::ArgumentKind::Arena))
    return corrupt("%s is an update that changes no arena", what);
  // The same checks run again for each batch that a session sees.
  char reason[256];
  if (!checkCommand(module, entry, c, 1, slotSizes, reason, sizeof reason))
    return corrupt("%s %s", what, reason);
  return VIT_OK;
}

} // namespace vit::runtime
