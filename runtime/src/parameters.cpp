//===- parameters.cpp - The weights of a module ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "parameters.h"

#include "finite.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

using namespace vit::runtime;
namespace schema = vit::schema;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

vit_parameters::~vit_parameters() {
  for (Place &place : places)
    module->allocator.deallocate(place.written);
  for (HeldForm &form : forms)
    if (form.owned)
      module->allocator.deallocate(form.data);
  if (mapping)
    munmap(mapping, module->segmentsSize);
  vit_module_release(module);
}

/// Gives parameters that have no place yet one in a form that is (or is not)
/// stored in the module.
void vit_parameters::findPlaces(bool stored) {
  for (uint32_t d = 0; d < derivedCount(); ++d) {
    if (!isInvertible(derived(d)) || (storedBytes(derived(d)) != 0) != stored)
      continue;
    int64_t offset = 0;
    for (uint32_t source : sourcesOf(derived(d))) {
      bool isParameter = source < parameterCount();
      if (isParameter && places[source].form < 0)
        places[source] = {int64_t(d), offset, nullptr};
      offset += sourceElements(*module->root, source);
    }
  }
}

/// Says where each form lives and gets the memory for that.
vit_status vit_parameters::place(vit_error *error) {
  uint64_t bytes = 0;
  bool anyStored = false;
  for (uint32_t d = 0; d < derivedCount(); ++d)
    if (storedBytes(derived(d)) != 0)
      anyStored = true;
    else if (__builtin_add_overflow(bytes, alignUp(derived(d).bytes(), 64),
                                    &bytes))
      return outOfMemory(error, bytes, "weights");
  if (bytes != 0 && !made.allocateRaw(module->allocator, bytes))
    return outOfMemory(error, bytes, "weights");
  if (anyStored && module->file.isOpen()) {
    mapping =
        module->file.mapPrivate(module->segmentsOffset, module->segmentsSize);
    if (!mapping)
      return fail(error, VIT_IO_ERROR, "cannot map the weights of '%s': %s",
                  module->name.data(), std::strerror(errno));
  }
  bytes = 0;
  for (uint32_t d = 0; d < derivedCount(); ++d) {
    HeldForm &form = forms[d];
    form.version = 1;
    if (storedBytes(derived(d)) == 0) {
      form.data = reinterpret_cast<float *>(made.data() + bytes);
      bytes += alignUp(derived(d).bytes(), 64);
    } else if (mapping) {
      form.data =
          reinterpret_cast<float *>(mapping + derived(d).data()->offset());
      form.mapped = true;
    } else {
      form.data = const_cast<float *>(reinterpret_cast<const float *>(
          module->segments + derived(d).data()->offset()));
      form.borrowed = true;
    }
  }
  return VIT_OK;
}

vit_status vit_parameters::build(vit_error *error) {
  if (!forms.allocate(module->allocator, derivedCount()) ||
      !affected.allocate(module->allocator, derivedCount()) ||
      !places.allocate(module->allocator, parameterCount()) ||
      !variableOf.allocate(module->allocator, parameterCount()))
    return outOfMemory(error, parameterCount() * sizeof(Place), "weights");
  for (Place &place : places)
    place.form = -1;
  for (uint32_t v = 0; v < count(module->root->variables()); ++v)
    if (uint32_t number = module->root->variables()->Get(v)->parameter())
      variableOf[number - 1] = v + 1;
  for (uint32_t d = 0; d < derivedCount(); ++d)
    for (uint32_t source : sourcesOf(derived(d)))
      if (source < parameterCount() ? variableOf[source] != 0
                                    : forms[source - parameterCount()].trained)
        forms[d].trained = true;
  findPlaces(true);
  findPlaces(false);
  Sources sources(*module);
  VIT_TRY(sources.openAll(error));
  VIT_TRY(place(error));
  for (uint32_t d = 0; d < derivedCount(); ++d)
    if (storedBytes(derived(d)) == 0)
      VIT_TRY(derive(d, sources, error));
  return VIT_OK;
}

/// Elements of one piece in which a source without a view is made: whole
/// vectors of rows, a few megabytes at most unless one such is larger.
static int64_t pieceElements(const Form &form, int64_t total) {
  int64_t vector = 16 * form.width;
  int64_t piece = vector * ((int64_t(1) << 20) / vector + 1);
  return piece < total ? piece : total;
}

/// Makes a form of what the module says of its sources.
vit_status vit_parameters::derive(uint32_t index, const Sources &sources,
                                  vit_error *error) {
  const schema::Derived &d = derived(index);
  bool resampled = d.kind() == schema::DerivedKind::Resample;
  // A table is resampled from its row-major values.
  Form form = resampled ? Form() : formOf(d);
  Array<float> table;
  float *target = forms[index].data;
  if (resampled) {
    uint32_t source = sourcesOf(d).Get(0);
    form.rows = 1;
    form.width = sourceElements(*module->root, source);
    if (!table.allocateRaw(module->allocator, size_t(form.width)))
      return outOfMemory(error, uint64_t(form.width) * 4, "a position table");
    target = table.data();
  } else if (formElements(form) != form.rows * form.width) {
    std::memset(target, 0, d.bytes()); // padding
  }
  int64_t offset = 0;
  for (uint32_t source : sourcesOf(d)) {
    if (source >= parameterCount()) {
      uint32_t from = source - parameterCount();
      int64_t total = elements(*derived(from).dims());
      deriveElements(form, target, forms[from].data, StoredType::F32, offset,
                     total);
      offset += total;
      continue;
    }
    const schema::Parameter &p = parameter(source);
    int64_t total = elements(*p.dims());
    StoredType type;
    bool stored = p.source() == schema::Source::Derived;
    const void *view = stored ? nullptr : sources.view(p, type);
    if (view) {
      deriveElements(form, target, view, type, offset, total);
      forgetPages(view, uint64_t(total * storedSize(type)));
      offset += total;
      continue;
    }
    Array<float> piece;
    int64_t most = pieceElements(form, total);
    if (!piece.allocateRaw(module->allocator, size_t(most)))
      return outOfMemory(error, uint64_t(most) * 4, "weights");
    for (int64_t begin = 0; begin < total; begin += most) {
      int64_t part = total - begin < most ? total - begin : most;
      if (stored)
        restoreElements(formOf(derived(uint32_t(places[source].form))),
                        forms[places[source].form].data, piece.data(),
                        places[source].offset + begin, part);
      else
        sources.read(p, piece.data(), begin, part);
      deriveElements(form, target, piece.data(), StoredType::F32,
                     offset + begin, part);
    }
    offset += total;
  }
  if (resampled) {
    int64_t from[2] = {d.from()->Get(0), d.from()->Get(1)};
    int64_t to[2] = {d.to()->Get(0), d.to()->Get(1)};
    resamplePositions(forms[index].data, table.data(), d.dims()->Get(1),
                      d.prefix(), from, to, d.antialias());
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Reading and writing
//===----------------------------------------------------------------------===//

/// Where its value is not in an arena. The parameter's file is open where it
/// has to be read from there.
void vit_parameters::readRange(uint32_t index, const Sources &sources,
                               float *target, int64_t begin,
                               int64_t size) const {
  const Place &place = places[index];
  if (place.form >= 0)
    restoreElements(formOf(derived(uint32_t(place.form))),
                    forms[place.form].data, target, place.offset + begin, size);
  else if (place.written)
    std::memcpy(target, place.written + begin, size_t(size) * sizeof(float));
  else
    sources.read(parameter(index), target, begin, size);
}

vit_status vit_parameters::read(uint32_t index, float *target,
                                vit_error *error) const {
  const schema::Parameter &p = parameter(index);
  if (isInArena(index)) {
    const schema::Variable &v = *variable(index);
    Lock lock(mutex);
    VIT_TRY(arenas.fetch(error));
    std::memcpy(target, arenas.data(v), variableBytes(v));
    return VIT_OK;
  }
  Sources sources(*module);
  if (isAtSource(index))
    VIT_TRY(sources.openFor(p, error));
  readRange(index, sources, target, 0, elements(*p.dims()));
  return VIT_OK;
}

/// Weights that the file holds become this object's own when first written.
vit_status vit_parameters::makeWritable(uint32_t index, vit_error *error) {
  HeldForm &form = forms[index];
  uint64_t bytes = derived(index).bytes();
  if (form.borrowed) {
    void *copy = module->allocator.allocate(bytes);
    if (!copy)
      return outOfMemory(error, bytes, "a written weight");
    std::memcpy(copy, form.data, bytes);
    form.data = static_cast<float *>(copy);
    form.borrowed = false;
    form.owned = true;
  } else if (form.mapped) {
    auto page = uint64_t(sysconf(_SC_PAGESIZE));
    uint64_t before = reinterpret_cast<uintptr_t>(form.data) % page;
    char *begin = reinterpret_cast<char *>(form.data) - before;
    if (mprotect(begin, (before + bytes + page - 1) / page * page,
                 PROT_READ | PROT_WRITE) != 0)
      return outOfMemory(error, bytes, "a written weight");
    form.mapped = false;
  }
  return VIT_OK;
}

/// Lays out anew what of a form `valuesOf(source)` gives; the rest, for which
/// that is NULL, stays.
template <typename ValuesOf>
void vit_parameters::remake(uint32_t index, ValuesOf valuesOf) {
  const schema::Derived &d = derived(index);
  ++forms[index].version;
  int64_t offset = 0;
  for (uint32_t source : sourcesOf(d)) {
    int64_t size = sourceElements(*module->root, source);
    const float *values = valuesOf(source);
    if (values && d.kind() == schema::DerivedKind::Resample) {
      int64_t from[2] = {d.from()->Get(0), d.from()->Get(1)};
      int64_t to[2] = {d.to()->Get(0), d.to()->Get(1)};
      resamplePositions(forms[index].data, values, d.dims()->Get(1), d.prefix(),
                        from, to, d.antialias());
    } else if (values) {
      deriveElements(formOf(d), forms[index].data, values, StoredType::F32,
                     offset, size);
    }
    offset += size;
  }
}

vit_status vit_parameters::write(uint32_t index, const float *data,
                                 vit_error *error) {
  // Everything that can fail comes first, so that a failure changes nothing.
  bool inArena = isInArena(index);
  if (inArena)
    VIT_TRY(arenas.fetch(error));
  for (uint32_t d = 0; d < derivedCount(); ++d) {
    affected[d] = 0;
    for (uint32_t source : sourcesOf(derived(d)))
      if (source == index ||
          (source >= parameterCount() && affected[source - parameterCount()]))
        affected[d] = 1;
    if (affected[d] && !inArena)
      VIT_TRY(makeWritable(d, error));
  }
  if (inArena) {
    const schema::Variable &v = *variable(index);
    std::memcpy(arenas.data(v), data, variableBytes(v));
    arenas.changed(v.arena());
    for (uint32_t d = 0; d < derivedCount(); ++d)
      if (affected[d]) {
        forms[d].stale = true;
        anyStale = true;
      }
    return VIT_OK;
  }
  int64_t total = elements(*parameter(index).dims());
  Place &place = places[index];
  if (place.form < 0 && !place.written) {
    place.written = static_cast<float *>(
        module->allocator.allocate(size_t(total) * sizeof(float)));
    if (!place.written)
      return outOfMemory(error, uint64_t(total) * 4, "a written weight");
  }
  if (place.written)
    std::memcpy(place.written, data, size_t(total) * sizeof(float));
  ++writes;
  for (uint32_t f = 0; f < derivedCount(); ++f)
    if (affected[f])
      remake(f, [&](uint32_t source) -> const float * {
        if (source < parameterCount())
          return source == index ? data : nullptr;
        uint32_t from = source - parameterCount();
        return affected[from] ? forms[from].data : nullptr;
      });
  return VIT_OK;
}

/// Remakes the stale forms that a schedule reads, after those that they are
/// made of.
vit_status vit_parameters::refresh(const schema::Schedule &schedule,
                                   vit_error *error) {
  for (uint8_t &flag : affected)
    flag = 0;
  bool any = false;
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const auto *arguments = schedule.commands()->Get(i)->arguments();
    for (uint32_t a = 0; a < count(arguments); ++a) {
      const schema::Argument &argument = *arguments->Get(a);
      if (argument.kind() == schema::ArgumentKind::Derived &&
          forms[argument.index()].stale) {
        affected[argument.index()] = 1;
        any = true;
      }
    }
  }
  if (!any)
    return VIT_OK;
  VIT_TRY(arenas.fetch(error));
  for (uint32_t d = derivedCount(); d-- > 0;)
    for (uint32_t source : sourcesOf(derived(d)))
      if (affected[d] && source >= parameterCount() &&
          forms[source - parameterCount()].stale)
        affected[source - parameterCount()] = 1;
  for (uint32_t d = 0; d < derivedCount(); ++d)
    if (affected[d])
      VIT_TRY(makeWritable(d, error));
  ++writes;
  for (uint32_t d = 0; d < derivedCount(); ++d) {
    if (!affected[d])
      continue;
    remake(d, [&](uint32_t source) -> const float * {
      if (source >= parameterCount())
        return forms[source - parameterCount()].data;
      const schema::Variable *v = variable(source);
      return v ? reinterpret_cast<const float *>(arenas.data(*v)) : nullptr;
    });
    forms[d].stale = false;
  }
  bool stale = false;
  for (const HeldForm &form : forms)
    stale = stale || form.stale;
  anyStale = stale;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// NaN and infinity
//===----------------------------------------------------------------------===//

bool vit_parameters::isFinite(uint32_t index, const Sources &sources) const {
  constexpr int64_t most = 1024;
  float piece[most];
  int64_t total = elements(*parameter(index).dims());
  for (int64_t begin = 0; begin < total; begin += most) {
    int64_t part = total - begin < most ? total - begin : most;
    readRange(index, sources, piece, begin, part);
    if (!areFinite(piece, uint64_t(part)))
      return false;
  }
  return true;
}

const char *vit_parameters::findNotFinite() const {
  // Forms are scanned front to back, which is quick; element by element only
  // parameters in those where something was found.
  enum : uint8_t { Unknown, Finite, Suspect };
  Array<uint8_t> known;
  bool remember = known.allocate(module->allocator, derivedCount());
  Sources sources(*module);
  Lock lock(mutex);
  // Of what was lost with a device there is nothing to say.
  bool fetched = arenas.fetch(nullptr) == VIT_OK;
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    if (isInArena(i)) {
      const schema::Variable &v = *variable(i);
      if (fetched &&
          !areFinite(arenas.data(v), variableBytes(v) / sizeof(float)))
        return parameter(i).name()->c_str();
      continue;
    }
    int64_t form = places[i].form;
    if (form >= 0 && remember) {
      if (known[form] == Unknown)
        known[form] = areFinite(forms[form].data,
                                derived(uint32_t(form)).bytes() / sizeof(float))
                          ? Finite
                          : Suspect;
      if (known[form] == Finite)
        continue;
    }
    // Of a file that has gone since there is nothing to say.
    if (isAtSource(i) && sources.openFor(parameter(i), nullptr) != VIT_OK)
      continue;
    if (!isFinite(i, sources))
      return parameter(i).name()->c_str();
  }
  return nullptr;
}
