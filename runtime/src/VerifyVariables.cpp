//===- VerifyVariables.cpp - Checks of arenas and variables ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"

#include "format/Extent.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime {

vit_status Checker::arenas() {
  uint32_t total = count(module.arenas());
  Array<const char *> names;
  if (!names.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(char *), "checks");
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Arena &arena = *module.arenas()->Get(i);
    VIT_TRY(text(arena.name(), "an arena's name"));
    names[i] = arena.name()->c_str();
    bool possible = arena.bytes() != 0 && arena.bytes() % kAlignment == 0 &&
                    arena.bytes() <= kMaxExtent;
    bytes += possible ? arena.bytes() : 0;
    if (!possible || bytes > kMaxExtent)
      return corrupt("arena '%.200s' has an impossible size", names[i]);
  }
  return unique(names.data(), total, "arenas");
}

vit_status Checker::variables() {
  uint32_t total = count(module.variables());
  Array<const char *> names;
  Array<uint8_t> isVariable;
  if (!names.allocate(allocator, total) ||
      !isVariable.allocate(allocator, count(module.parameters())))
    return outOfMemory(error, total * sizeof(char *), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    VIT_TRY(variable(i));
    const schema::Variable &v = *module.variables()->Get(i);
    names[i] = v.name()->c_str();
    if (v.parameter() != 0 && isVariable[v.parameter() - 1]++ != 0)
      return corrupt("parameter '%.200s' is two variables", names[i]);
  }
  VIT_TRY(unique(names.data(), total, "variables"));

  struct Range {
    uint32_t arena;
    uint64_t begin, end;
  };
  Array<Range> taken;
  if (!taken.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(Range), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Variable &v = *module.variables()->Get(i);
    taken[i] = {v.arena(), v.offset(), v.offset() + variableBytes(v)};
  }
  std::sort(taken.begin(), taken.end(), [](const Range &a, const Range &b) {
    return a.arena != b.arena ? a.arena < b.arena : a.begin < b.begin;
  });
  for (uint32_t i = 1; i < total; ++i)
    if (taken[i].arena == taken[i - 1].arena &&
        taken[i].begin < taken[i - 1].end)
      return corrupt("variables overlap at offset %llu of arena '%.200s'",
                     llu(taken[i].begin),
                     module.arenas()->Get(taken[i].arena)->name()->c_str());
  return VIT_OK;
}

vit_status Checker::variable(uint32_t index) {
  const schema::Variable &v = *module.variables()->Get(index);
  VIT_TRY(text(v.name(), "a variable's name"));
  VIT_TRY(text(v.role(), "a variable's role", true));
  char what[256];
  std::snprintf(what, sizeof what, "variable '%.200s'", v.name()->c_str());
  VIT_TRY(dims(*v.dims(), what, false));
  if (v.dtype() != schema::DType::F32 && v.dtype() != schema::DType::I32)
    return corrupt("%s is of a type that is not f32 or i32", what);
  if (v.arena() >= count(module.arenas()))
    return corrupt("%s lies in arena %u of %u", what, v.arena(),
                   count(module.arenas()));
  uint64_t room = module.arenas()->Get(v.arena())->bytes();
  if (v.offset() % kAlignment != 0 || v.offset() > room ||
      variableBytes(v) > room - v.offset())
    return corrupt("%s does not lie in its arena", what);
  if (v.parameter() == 0)
    return VIT_OK;
  if (v.parameter() > count(module.parameters()))
    return corrupt("%s is parameter %u of %u", what, v.parameter() - 1,
                   count(module.parameters()));
  const schema::Parameter &p = *module.parameters()->Get(v.parameter() - 1);
  if (!std::equal(v.name()->begin(), v.name()->end(), p.name()->begin(),
                  p.name()->end()) ||
      v.dtype() != schema::DType::F32 ||
      !std::equal(v.dims()->begin(), v.dims()->end(), p.dims()->begin(),
                  p.dims()->end()))
    return corrupt("%s is not as its parameter '%.200s'", what,
                   p.name()->c_str());
  return VIT_OK;
}

} // namespace vit::runtime
