//===- VerifyParameters.cpp - Checks of parameters and their forms --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"

#include <cmath>
#include <cstdio>

namespace vit::runtime {

vit_status Checker::parameters() {
  uint32_t total = count(module.parameters());
  Array<const char *> names;
  if (!names.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(char *), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    VIT_TRY(parameter(i));
    names[i] = module.parameters()->Get(i)->name()->c_str();
  }
  return unique(names.data(), total, "parameters");
}

vit_status Checker::parameter(uint32_t index) {
  const schema::Parameter &p = *module.parameters()->Get(index);
  VIT_TRY(text(p.name(), "a parameter's name"));
  char what[256];
  std::snprintf(what, sizeof what, "parameter '%.200s'", p.name()->c_str());
  VIT_TRY(dims(*p.dims(), what, false));
  VIT_TRY(text(p.stored_name(), "the stored name of a parameter"));
  if (!isKnown(p.source()) || !isElement(p.dtype()))
    return newer("%s comes from an unknown source or type", what);
  switch (p.source()) {
  case schema::Source::Derived:
    return VIT_OK;
  case schema::Source::Init:
    if (!isKnown(p.distribution()))
      return newer("%s has an unknown initialiser", what);
    return std::isfinite(p.value())
               ? VIT_OK
               : corrupt("%s is initialised with a number that is not finite",
                         what);
  case schema::Source::Inline:
  case schema::Source::File:
    break;
  }
  if (!isFloat(ElementType(p.dtype())))
    return corrupt("%s is stored in a type that is not f32, bf16 or f16", what);
  if (p.source() == schema::Source::Inline) {
    VIT_TRY(segment(p.data(),
                    uint64_t(elements(*p.dims())) * elementSize(p.dtype()),
                    kAlignment, what));
    return hashWeights ? hash(*p.data(), p.hash(), what) : VIT_OK;
  }
  if (p.file() >= count(module.files()))
    return corrupt("%s lies in a file that is not listed", what);
  VIT_TRY(dims(*p.stored_dims(), what, false));
  if (p.stored_begin() >= p.stored_end())
    return corrupt("%s is rows %llu to %llu", what, llu(p.stored_begin()),
                   llu(p.stored_end()));
  // The rows of the first dimension, or of a later one if all before it are 1.
  uint64_t own = uint64_t(elements(*p.dims())), rows = 1, stored = 0;
  uint64_t total = uint64_t(elements(*p.stored_dims()));
  uint64_t count = p.stored_end() - p.stored_begin();
  for (uint32_t i = 0; i < p.stored_dims()->size(); ++i) {
    rows = uint64_t(p.stored_dims()->Get(i));
    stored = total / rows * count;
    if (stored == own || rows != 1)
      break;
  }
  if (p.stored_end() > rows)
    return corrupt("%s is rows %llu to %llu of a tensor with %llu", what,
                   llu(p.stored_begin()), llu(p.stored_end()), llu(rows));
  if (stored != own)
    return corrupt("%s has %llu elements and %llu are stored", what, llu(own),
                   llu(stored));
  return VIT_OK;
}

/// A parameter without a source of its own is in a stored form. If that rounds
/// it, no other form can be made from it.
vit_status Checker::parameterHasForm(uint32_t index) {
  const schema::Parameter &p = *module.parameters()->Get(index);
  if (p.source() != schema::Source::Derived)
    return VIT_OK;
  bool isRounded = false, isUnknown = false;
  uint32_t made = count(module.derived());
  for (uint32_t d = 0; d < count(module.derived()); ++d) {
    const schema::Derived &derived = *module.derived()->Get(d);
    for (uint32_t source : sourcesOf(derived)) {
      if (source != index)
        continue;
      if (!knownForms[d]) {
        isUnknown = isUnknown || storedBytes(derived) != 0;
        continue;
      }
      Form form = formOf(derived);
      if (storedBytes(derived) == 0)
        made = d;
      else if (isLossless(form))
        return VIT_OK;
      else if (holdsValues(form))
        isRounded = true;
    }
  }
  if (!isRounded && isUnknown)
    return newer("parameter '%.200s' is stored in a form that is unknown",
                 p.name()->c_str());
  if (!isRounded)
    return corrupt("parameter '%.200s' is stored nowhere", p.name()->c_str());
  if (made != count(module.derived()))
    return corrupt("derived form %u is made from parameter '%.200s', which is "
                   "stored rounded",
                   made, p.name()->c_str());
  return VIT_OK;
}

vit_status Checker::derivedForms() {
  uint32_t total = count(module.derived());
  for (uint32_t i = 0; i < total; ++i)
    VIT_TRY(derivedSources(i));
  if (!knownForms.allocate(allocator, total))
    return outOfMemory(error, total, "checks");
  findKnownForms(module, knownForms);
  for (uint32_t i = 0; i < total; ++i)
    VIT_TRY(knownForms[i] ? derived(i) : unknownForm(i));
  return VIT_OK;
}

/// Checks what all forms have, of whatever kind.
vit_status Checker::derivedSources(uint32_t index) {
  const schema::Derived &d = *module.derived()->Get(index);
  char what[64];
  std::snprintf(what, sizeof what, "derived form %u", index);
  VIT_TRY(dims(*d.dims(), what, false));
  if (count(d.sources()) == 0)
    return corrupt("%s has no sources", what);
  uint64_t total = 0;
  for (uint32_t source : sourcesOf(d)) {
    // Forms may be sources of later ones.
    if (source >= uint64_t(count(module.parameters())) + index)
      return corrupt("%s has a source %u that is not before it", what, source);
    total += uint64_t(sourceElements(module, source));
    if (total > uint64_t(kMaxElements))
      return corrupt("%s is too large", what);
  }
  return VIT_OK;
}

/// Nothing reads it, but its place in the file belongs to it.
vit_status Checker::unknownForm(uint32_t index) {
  const schema::Derived &d = *module.derived()->Get(index);
  char what[64];
  std::snprintf(what, sizeof what, "derived form %u", index);
  if (storedBytes(d) == 0)
    return VIT_OK;
  VIT_TRY(segment(d.data(), d.bytes(), kAlignment, what));
  return hashWeights ? hash(*d.data(), d.hash(), what) : VIT_OK;
}

vit_status Checker::derived(uint32_t index) {
  const schema::Derived &d = *module.derived()->Get(index);
  uint32_t parameterCount = count(module.parameters());
  char what[64];
  std::snprintf(what, sizeof what, "derived form %u", index);
  uint64_t total = 0;
  for (uint32_t source : sourcesOf(d)) {
    if (source >= parameterCount) {
      const schema::Derived &from =
          *module.derived()->Get(source - parameterCount);
      if ((from.kind() != schema::DerivedKind::Resample &&
           from.kind() != schema::DerivedKind::RowScales &&
           from.kind() != schema::DerivedKind::RowMajor) ||
          from.element_type() != schema::DType::F32)
        return corrupt("%s is made from a form that is not row-major f32",
                       what);
    }
    total += uint64_t(sourceElements(module, source));
  }
  bool isResampled = d.kind() == schema::DerivedKind::Resample;
  bool isRelative = d.kind() == schema::DerivedKind::RelativePositions;
  if (isResampled &&
      (d.sources()->size() != 1 || count(d.from()) != 2 || count(d.to()) != 2))
    return corrupt("%s resamples something that is not one table", what);
  if (isRelative &&
      (d.sources()->size() != 1 || count(d.to()) != 2 || d.dims()->size() != 3))
    return corrupt("%s expands something that is not one table", what);
  if ((isResampled || d.kind() == schema::DerivedKind::Panels) &&
      d.dims()->size() != 2)
    return corrupt("%s has rank %u, expected 2", what, d.dims()->size());
  Form form = formOf(d);
  if (const char *reason = checkForm(form))
    return corrupt("%s %s", what, reason);
  VIT_TRY(migration(d, form, what));
  if (uint64_t(form.sourceElements()) != total)
    return corrupt("%s has %lld elements and its sources %llu", what,
                   lld(form.sourceElements()), llu(total));
  if (d.bytes() != formBytes(form))
    return corrupt("%s has %llu bytes, expected %llu", what, llu(d.bytes()),
                   llu(formBytes(form)));
  if (storedBytes(d) == 0)
    return VIT_OK;
  VIT_TRY(segment(d.data(), d.bytes(), kAlignment, what));
  return hashWeights ? hash(*d.data(), d.hash(), what) : VIT_OK;
}

/// The factors of what is rounded to i8.
vit_status Checker::migration(const schema::Derived &derived, const Form &form,
                              const char *what) {
  if (!derived.migration())
    return VIT_OK;
  if (form.type != ElementType::I8 && form.kind != FormKind::RowScales)
    return corrupt("%s has a migration, but is not of int8", what);
  if (int64_t(derived.migration()->size()) != rowElements(form))
    return corrupt("%s has a migration of %u factors for rows of %lld", what,
                   derived.migration()->size(), lld(rowElements(form)));
  for (uint32_t i = 0; i < derived.migration()->size(); ++i)
    if (float factor = derived.migration()->Get(i); !format::isScale(factor))
      return corrupt("%s has the factor %g for channel %u, which must be 2^-60 "
                     "to 2^60",
                     what, double(factor), i);
  return VIT_OK;
}

vit_status Checker::constants() {
  for (uint32_t i = 0; i < count(module.constants()); ++i) {
    const schema::Constant &c = *module.constants()->Get(i);
    char what[64];
    std::snprintf(what, sizeof what, "constant %u", i);
    VIT_TRY(dims(*c.dims(), what, false, /*mayBeScalar=*/true));
    if (!isKnown(c.element_type()))
      return newer("%s has elements of an unknown type", what);
    if (!isFloat(ElementType(c.element_type())))
      return corrupt("%s has elements that are not f32, bf16 or f16", what);
    VIT_TRY(segment(
        c.data(), uint64_t(elements(*c.dims())) * elementSize(c.element_type()),
        kAlignment, what));
    VIT_TRY(hash(*c.data(), c.hash(), what));
  }
  return VIT_OK;
}
} // namespace vit::runtime
