//===- parameters.cpp - The weights of a module ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "parameters.h"

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
  if (bytes != 0 && !arena.allocateRaw(module->allocator, bytes))
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
      form.data = reinterpret_cast<float *>(arena.data() + bytes);
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
      !places.allocate(module->allocator, parameterCount()))
    return outOfMemory(error, parameterCount() * sizeof(Place), "weights");
  for (Place &place : places)
    place.form = -1;
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

vit_status vit_parameters::read(uint32_t index, float *target,
                                vit_error *error) const {
  const schema::Parameter &p = parameter(index);
  const Place &place = places[index];
  int64_t total = elements(*p.dims());
  if (place.form >= 0) {
    restoreElements(formOf(derived(uint32_t(place.form))),
                    forms[place.form].data, target, place.offset, total);
  } else if (place.written) {
    std::memcpy(target, place.written, size_t(total) * sizeof(float));
  } else {
    Sources sources(*module);
    VIT_TRY(sources.openFor(p, error));
    sources.read(p, target, 0, total);
  }
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

vit_status vit_parameters::write(uint32_t index, const float *data,
                                 vit_error *error) {
  const schema::Parameter &p = parameter(index);
  int64_t total = elements(*p.dims());
  // Everything that can fail comes first, so that a failure changes nothing.
  Array<uint8_t> affected;
  if (!affected.allocate(module->allocator, derivedCount()))
    return outOfMemory(error, derivedCount(), "a written weight");
  for (uint32_t d = 0; d < derivedCount(); ++d) {
    for (uint32_t source : sourcesOf(derived(d)))
      if (source == index ||
          (source >= parameterCount() && affected[source - parameterCount()]))
        affected[d] = 1;
    if (affected[d])
      VIT_TRY(makeWritable(d, error));
  }
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
  for (uint32_t f = 0; f < derivedCount(); ++f) {
    if (!affected[f])
      continue;
    const schema::Derived &d = derived(f);
    ++forms[f].version;
    int64_t offset = 0;
    for (uint32_t source : sourcesOf(d)) {
      bool isParameter = source < parameterCount();
      uint32_t from = isParameter ? 0 : source - parameterCount();
      int64_t size = sourceElements(*module->root, source);
      const float *values = source == index                  ? data
                            : !isParameter && affected[from] ? forms[from].data
                                                             : nullptr;
      if (values && d.kind() == schema::DerivedKind::Resample) {
        int64_t grid[2] = {d.from()->Get(0), d.from()->Get(1)};
        int64_t to[2] = {d.to()->Get(0), d.to()->Get(1)};
        resamplePositions(forms[f].data, values, d.dims()->Get(1), d.prefix(),
                          grid, to, d.antialias());
      } else if (values) {
        deriveElements(formOf(d), forms[f].data, values, StoredType::F32,
                       offset, size);
      }
      offset += size;
    }
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// NaN and infinity
//===----------------------------------------------------------------------===//

static bool allFinite(const float *values, uint64_t count) {
  uint32_t bad = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    bad |= uint32_t((bits & 0x7f800000) == 0x7f800000);
  }
  return bad == 0;
}

bool vit_parameters::isFinite(uint32_t index, const Sources &sources) const {
  constexpr int64_t most = 1024;
  float piece[most];
  const schema::Parameter &p = parameter(index);
  const Place &place = places[index];
  int64_t total = elements(*p.dims());
  for (int64_t begin = 0; begin < total; begin += most) {
    int64_t part = total - begin < most ? total - begin : most;
    if (place.form >= 0)
      restoreElements(formOf(derived(uint32_t(place.form))),
                      forms[place.form].data, piece, place.offset + begin,
                      part);
    else if (place.written)
      std::memcpy(piece, place.written + begin, size_t(part) * sizeof(float));
    else
      sources.read(p, piece, begin, part);
    if (!allFinite(piece, uint64_t(part)))
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
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    int64_t form = places[i].form;
    if (form >= 0 && remember) {
      if (known[form] == Unknown)
        known[form] = allFinite(forms[form].data,
                                derived(uint32_t(form)).bytes() / sizeof(float))
                          ? Finite
                          : Suspect;
      if (known[form] == Finite)
        continue;
    }
    // Of a file that has gone since there is nothing to say.
    if (form < 0 && !places[i].written &&
        sources.openFor(parameter(i), nullptr) != VIT_OK)
      continue;
    if (!isFinite(i, sources))
      return parameter(i).name()->c_str();
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// The C API
//===----------------------------------------------------------------------===//

extern "C" vit_status vit_parameters_create(vit_module *module,
                                            vit_parameters **out_parameters,
                                            vit_error *error) {
  if (!module || !out_parameters)
    return fail(error, VIT_INVALID_ARGUMENT,
                "module or out_parameters is NULL");
  *out_parameters = nullptr;
  auto *parameters = create<vit_parameters>(module->allocator, module);
  if (!parameters)
    return outOfMemory(error, sizeof(vit_parameters), "weights");
  if (vit_status status = parameters->build(error)) {
    vit_parameters_release(parameters);
    return status;
  }
  *out_parameters = parameters;
  return VIT_OK;
}

extern "C" void vit_parameters_retain(vit_parameters *parameters) {
  if (parameters)
    parameters->references.fetch_add(1, std::memory_order_relaxed);
}

extern "C" void vit_parameters_release(vit_parameters *parameters) {
  if (!parameters ||
      parameters->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  // The module, and with it the allocator's copy, may go with the parameters.
  Allocator allocator = parameters->module->allocator;
  destroy(allocator, parameters);
}

extern "C" int32_t vit_parameters_count(const vit_parameters *parameters) {
  return parameters ? int32_t(parameters->parameterCount()) : 0;
}

extern "C" vit_status vit_parameters_info(const vit_parameters *parameters,
                                          int32_t index,
                                          vit_binding_info *out_info,
                                          vit_error *error) {
  if (!parameters || !out_info)
    return fail(error, VIT_INVALID_ARGUMENT, "parameters or out_info is NULL");
  if (index < 0 || uint32_t(index) >= parameters->parameterCount())
    return fail(error, VIT_NOT_FOUND, "there is no parameter %d of %u", index,
                parameters->parameterCount());
  const schema::Parameter &p = parameters->parameter(uint32_t(index));
  *out_info = {};
  out_info->name = p.name()->c_str();
  if (p.stored_name()->str() != p.name()->str())
    out_info->alias = p.stored_name()->c_str();
  out_info->dtype = VIT_F32;
  out_info->rank = int32_t(p.dims()->size());
  for (uint32_t i = 0; i < p.dims()->size(); ++i)
    out_info->dims[i] = p.dims()->Get(i);
  return VIT_OK;
}

/// Finds a parameter by name and checks the caller's size for it.
static vit_status findParameter(const vit_parameters *parameters,
                                const char *name, const void *data, size_t size,
                                uint32_t &index, vit_error *error) {
  if (!parameters || !name || !data)
    return fail(error, VIT_INVALID_ARGUMENT,
                "parameters, name or data is NULL");
  for (index = 0; index < parameters->parameterCount(); ++index) {
    const schema::Parameter &p = parameters->parameter(index);
    if (std::strcmp(p.name()->c_str(), name) != 0)
      continue;
    uint64_t bytes = uint64_t(elements(*p.dims())) * sizeof(float);
    if (size == bytes)
      return VIT_OK;
    return fail(error, VIT_INVALID_ARGUMENT,
                "parameter '%s' has %llu bytes, given are %zu", name,
                static_cast<unsigned long long>(bytes), size);
  }
  return fail(error, VIT_NOT_FOUND, "'%s' has no parameter '%s'",
              parameters->module->name.data(), name);
}

extern "C" vit_status vit_parameters_read(const vit_parameters *parameters,
                                          const char *name, float *out_data,
                                          size_t size, vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findParameter(parameters, name, out_data, size, index, error));
  return parameters->read(index, out_data, error);
}

extern "C" vit_status vit_parameters_write(vit_parameters *parameters,
                                           const char *name, const float *data,
                                           size_t size, vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findParameter(parameters, name, data, size, index, error));
  return parameters->write(index, data, error);
}

extern "C" const char *
vit_parameters_find_not_finite(const vit_parameters *parameters) {
  return parameters ? parameters->findNotFinite() : nullptr;
}
