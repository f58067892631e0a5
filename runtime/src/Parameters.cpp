//===- Parameters.cpp - The weights of a module ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "Finite.h"

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

vit_parameters::~vit_parameters() {
  for (Place &place : places)
    module->allocator.deallocate(place.written);
}

/// Gives parameters that have no place yet one in a form for which
/// `isWanted(form, parameter)`, and drops copies that writes left of them.
template <typename IsWanted>
void vit_parameters::findPlaces(IsWanted isWanted) {
  for (uint32_t f = 0; f < forms.size(); ++f) {
    int64_t offset = 0;
    for (uint32_t source : sourcesOf(forms.recipe(f))) {
      if (source < parameterCount() && places[source].form < 0 &&
          isWanted(f, source)) {
        module->allocator.deallocate(places[source].written);
        places[source] = {int64_t(f), offset, nullptr};
      }
      offset += sourceElements(*module->root, source);
    }
  }
}

vit_status vit_parameters::build(vit_error *error) {
  if (!places.allocate(module->allocator, parameterCount()) ||
      !isTrained.allocate(module->allocator, forms.size()) ||
      !isStale.allocate(module->allocator, forms.size()) ||
      !isAffected.allocate(module->allocator, forms.size()) ||
      !isNew.allocate(module->allocator, forms.size()))
    return outOfMemory(error, parameterCount() * sizeof(Place), "weights");
  for (Place &place : places)
    place.form = -1;
  VIT_TRY(training.build(error));
  forms.findAffected(isTrained, [&](uint32_t parameter) {
    return training.variable(parameter) != nullptr;
  });
  Sources sources(*module);
  VIT_TRY(sources.openAll(error));
  VIT_TRY(forms.place(error));
  findPlaces([&](uint32_t f, uint32_t) {
    return forms.isStored(f) && isLossless(forms.form(f));
  });
  findPlaces([&](uint32_t f, uint32_t p) {
    return forms.isStored(f) && holdsValues(forms.form(f)) &&
           parameter(p).source() == schema::Source::Derived;
  });
  return sources.requireWhole(error);
}

//===----------------------------------------------------------------------===//
// Making forms
//===----------------------------------------------------------------------===//

/// Calls `visit(form)` for each use of a form by a schedule.
template <typename Visit>
void vit_parameters::forEachForm(const schema::Schedule &schedule,
                                 Visit visit) {
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const auto *arguments = schedule.commands()->Get(i)->arguments();
    for (uint32_t a = 0; a < count(arguments); ++a)
      if (arguments->Get(a)->kind() == schema::ArgumentKind::Derived)
        visit(arguments->Get(a)->index());
  }
}

vit_status vit_parameters::makeForms(const schema::Schedule &schedule,
                                     vit_error *error) {
  Lock lock(mutex);
  for (uint8_t &flag : isNew)
    flag = 0;
  forEachForm(schedule, [&](uint32_t f) { isNew[f] = !forms.exists(f); });
  return makeNew(error);
}

/// Makes the forms with `isNew`, and those that they are made from.
vit_status vit_parameters::makeNew(vit_error *error) {
  bool isAny = false;
  for (uint32_t f = forms.size(); f-- > 0;) {
    if (!isNew[f])
      continue;
    isAny = true;
    for (uint32_t source : sourcesOf(forms.recipe(f)))
      if (int64_t from = forms.formOfSource(source); from >= 0)
        isNew[from] = !forms.exists(uint32_t(from));
  }
  if (!isAny)
    return VIT_OK;
  Sources sources(*module);
  VIT_TRY(openSources(sources, error));
  VIT_TRY(forms.allocate(isNew, error));
  vit_status status = VIT_OK;
  for (uint32_t f = 0; f < forms.size() && status == VIT_OK; ++f)
    if (isNew[f])
      status = makeForm(f, sources, error);
  if (status == VIT_OK)
    status = sources.requireWhole(error);
  if (status != VIT_OK) {
    forms.drop(isNew);
    return status;
  }
  // What is in an arena is laid out before a call that reads it.
  for (uint32_t f = 0; f < forms.size(); ++f)
    if (isNew[f] && isTrained[f] && training.arenas.exist())
      isAnyStale = isStale[f] = 1;
  findPlaces([&](uint32_t f, uint32_t) {
    return isNew[f] && isLossless(forms.form(f));
  });
  return VIT_OK;
}

/// Opens the files of weights that the forms with `isNew` are made from.
vit_status vit_parameters::openSources(Sources &sources, vit_error *error) {
  for (uint32_t f = 0; f < forms.size(); ++f)
    for (uint32_t source : sourcesOf(forms.recipe(f)))
      if (isNew[f] && source < parameterCount() && isAtSource(source))
        VIT_TRY(sources.openFor(parameter(source), error));
  return VIT_OK;
}

/// Returns how many elements of a source to read at a time: whole vectors of
/// rows, a few megabytes unless one vector is larger.
static int64_t pieceElements(const Form &form, int64_t total) {
  int64_t vector = kPanelGranule * rowElements(form);
  int64_t piece = vector * ((int64_t(1) << 20) / vector + 1);
  return piece < total ? piece : total;
}

/// Makes a form from its sources, without those that are in an arena.
vit_status vit_parameters::makeForm(uint32_t index, const Sources &sources,
                                    vit_error *error) {
  const Form &made = forms.form(index);
  Form form = made;
  Array<float> table;
  bool hasAll = true;
  void *target = forms.writableData(index);
  if (isComputed(made)) {
    // A table is used with all of its row-major values.
    form = Form();
    form.rows = 1;
    form.width = made.sourceElements();
    if (!table.allocateRaw(module->allocator, size_t(form.width)))
      return outOfMemory(error, uint64_t(form.width) * sizeof(float),
                         "a position table");
    target = table.data();
  } else if (formElements(form) != form.rows * form.width) {
    std::memset(target, 0, formBytes(form)); // padding
  }
  int64_t offset = 0;
  for (uint32_t source : sourcesOf(forms.recipe(index))) {
    int64_t total = sourceElements(*module->root, source);
    if (int64_t from = forms.formOfSource(source); from >= 0)
      derive(form, target, forms.data(uint32_t(from)), ElementType::F32, offset,
             total);
    else if (training.holds(source))
      hasAll = false;
    else
      VIT_TRY(makePart(form, target, source, sources, offset, error));
    offset += total;
  }
  if (isComputed(made) && hasAll)
    compute(made, forms.writableData(index), table.data());
  return VIT_OK;
}

vit_status vit_parameters::beyondHalf(uint32_t index, vit_error *error) const {
  return fail(
      error, VIT_UNSUPPORTED,
      "parameter '%.200s' has values beyond %g, the largest of f16: run "
      "'%s' in another precision",
      parameter(index).name()->c_str(), double(kLargestHalf),
      module->name.data());
}

/// Lays out a parameter's value from source element `offset` of a form on.
vit_status vit_parameters::makePart(const Form &form, void *target,
                                    uint32_t index, const Sources &sources,
                                    int64_t offset, vit_error *error) {
  const schema::Parameter &p = parameter(index);
  int64_t total = elements(*p.dims());
  ElementType type;
  const void *view = isAtSource(index) ? sources.view(p, type) : nullptr;
  if (view) {
    if (!areInRange(form.type, view, type, total))
      return beyondHalf(index, error);
    derive(form, target, view, type, offset, total);
    sources.forget(p);
    return VIT_OK;
  }
  Array<float> piece;
  int64_t most = pieceElements(form, total);
  if (!piece.allocateRaw(module->allocator, size_t(most)))
    return outOfMemory(error, uint64_t(most) * sizeof(float), "weights");
  for (int64_t begin = 0; begin < total; begin += most) {
    int64_t part = total - begin < most ? total - begin : most;
    readRange(index, sources, piece.data(), begin, part);
    if (!areInRange(form.type, piece.data(), ElementType::F32, part))
      return beyondHalf(index, error);
    derive(form, target, piece.data(), ElementType::F32, offset + begin, part);
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Reading and writing
//===----------------------------------------------------------------------===//

/// Reads a value that is not in an arena. If it is at its source, the file
/// there must be open.
void vit_parameters::readRange(uint32_t index, const Sources &sources,
                               float *target, int64_t begin,
                               int64_t size) const {
  const Place &place = places[index];
  if (place.form >= 0)
    forms.read(uint32_t(place.form), place.offset + begin, size, target);
  else if (place.written)
    std::memcpy(target, place.written + begin, size_t(size) * sizeof(float));
  else
    sources.read(parameter(index), target, begin, size);
}

ElementType vit_parameters::heldType(uint32_t index) const {
  Lock lock(mutex);
  return isRounded(index) ? forms.form(uint32_t(places[index].form)).type
                          : ElementType::F32;
}

/// Fails if the value of a parameter is held rounded alone.
vit_status vit_parameters::requireExact(uint32_t index,
                                        vit_error *error) const {
  if (!isRounded(index))
    return VIT_OK;
  const char *type =
      format::precisionName(forms.form(uint32_t(places[index].form)).type);
  return fail(error, VIT_UNSUPPORTED,
              "'%s' holds parameter '%.200s' in %s only, from which its value "
              "cannot be read back: use the checkpoint, or a module that was "
              "compiled with --precision f32",
              module->name.data(), parameter(index).name()->c_str(),
              type ? type : "a narrower type");
}

vit_status vit_parameters::read(uint32_t index, float *target,
                                vit_error *error) const {
  Lock lock(mutex);
  if (training.holds(index))
    return training.readState(*training.variable(index), target, error);
  VIT_TRY(requireExact(index, error));
  const schema::Parameter &p = parameter(index);
  Sources sources(*module);
  if (isAtSource(index))
    VIT_TRY(sources.openFor(p, error));
  readRange(index, sources, target, 0, elements(*p.dims()));
  return sources.requireWhole(error);
}

vit_status vit_parameters::write(uint32_t index, const float *data,
                                 vit_error *error) {
  Lock lock(mutex);
  forms.findAffected(isAffected,
                     [&](uint32_t parameter) { return parameter == index; });
  if (training.holds(index)) {
    VIT_TRY(training.writeState(*training.variable(index), data, error));
    for (uint32_t f = 0; f < forms.size(); ++f)
      if (isAffected[f] && forms.exists(f))
        isAnyStale = isStale[f] = 1;
    return VIT_OK;
  }
  // Everything that can fail comes first, so that a failure changes nothing.
  VIT_TRY(completeAffected(error));
  for (uint32_t f = 0; f < forms.size(); ++f)
    if (isAffected[f] && !areInRange(forms.form(f).type, data, ElementType::F32,
                                     elements(*parameter(index).dims())))
      return beyondHalf(index, error);
  for (uint32_t f = 0; f < forms.size(); ++f)
    if (isAffected[f])
      VIT_TRY(forms.makeWritable(f, error));
  size_t bytes = size_t(elements(*parameter(index).dims())) * sizeof(float);
  Place &place = places[index];
  if (isAtSource(index)) {
    place.written = static_cast<float *>(module->allocator.allocate(bytes));
    if (!place.written)
      return outOfMemory(error, bytes, "a written weight");
  }
  if (place.written)
    std::memcpy(place.written, data, bytes);
  forms.written();
  for (uint32_t f = 0; f < forms.size(); ++f)
    if (isAffected[f])
      forms.remake(f, [&](uint32_t source) -> const float * {
        int64_t from = forms.formOfSource(source);
        if (from < 0)
          return source == index ? data : nullptr;
        return isAffected[from]
                   ? static_cast<const float *>(forms.data(uint32_t(from)))
                   : nullptr;
      });
  return VIT_OK;
}

/// Leaves those forms affected that exist, and makes what they are made from
/// and does not: a module may store a form, but not its source.
vit_status vit_parameters::completeAffected(vit_error *error) {
  for (uint8_t &flag : isNew)
    flag = 0;
  for (uint32_t f = forms.size(); f-- > 0;) {
    isAffected[f] = isAffected[f] && (forms.exists(f) || isNew[f]);
    for (uint32_t source : sourcesOf(forms.recipe(f)))
      if (int64_t from = forms.formOfSource(source);
          isAffected[f] && from >= 0 && isAffected[from] &&
          !forms.exists(uint32_t(from)))
        isNew[from] = 1;
  }
  return makeNew(error);
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
  // Forms are scanned front to back, which is quick. Only parameters in forms
  // where something was found are read element by element.
  enum : uint8_t { Unknown, Finite, Suspect };
  Array<uint8_t> known;
  bool remember = known.allocate(module->allocator, forms.size());
  Sources sources(*module);
  Lock lock(mutex);
  // Nothing is known about values that were lost with a device.
  bool fetched = training.arenas.fetch(nullptr) == VIT_OK;
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    if (training.holds(i)) {
      const schema::Variable &v = *training.variable(i);
      if (fetched &&
          !areFinite(training.arenas.data(v), variableBytes(v) / sizeof(float)))
        return parameter(i).name()->c_str();
      continue;
    }
    int64_t form = places[i].form;
    if (form >= 0 && remember && !isRounded(i)) {
      if (known[form] == Unknown)
        known[form] =
            areFinite(forms.data(uint32_t(form)),
                      uint64_t(formElements(forms.form(uint32_t(form)))))
                ? Finite
                : Suspect;
      if (known[form] == Finite)
        continue;
    }
    // Nothing is known about a file that is gone.
    if (isAtSource(i) && sources.openFor(parameter(i), nullptr) != VIT_OK)
      continue;
    if (!isFinite(i, sources))
      return parameter(i).name()->c_str();
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

vit_status vit_parameters::makeArenas(vit_error *error) {
  Lock lock(mutex);
  if (training.arenas.exist() || count(module->root->arenas()) == 0)
    return VIT_OK;
  Sources sources(*module);
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    if (!training.variable(i))
      continue;
    VIT_TRY(requireExact(i, error));
    if (isAtSource(i))
      VIT_TRY(sources.openFor(parameter(i), error));
  }
  VIT_TRY(training.makeArenas(error));
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    const schema::Variable *v = training.variable(i);
    if (!v)
      continue;
    readRange(i, sources, reinterpret_cast<float *>(training.arenas.data(*v)),
              0, elements(*v->dims()));
    module->allocator.deallocate(places[i].written);
    places[i].written = nullptr;
  }
  return sources.requireWhole(error);
}

vit_status vit_parameters::readState(const schema::Variable &state,
                                     void *target, vit_error *error) const {
  Lock lock(mutex);
  return training.readState(state, target, error);
}

vit_status vit_parameters::writeState(const schema::Variable &state,
                                      const void *data, vit_error *error) {
  VIT_TRY(makeArenas(error));
  return training.writeState(state, data, error);
}

vit_status vit_parameters::prepare(const schema::Schedule &schedule,
                                   bool usesArenas, const ArenaHolder *executor,
                                   vit_error *error) {
  if (usesArenas) {
    VIT_TRY(makeArenas(error));
    Lock lock(mutex);
    if (!training.arenas.isHeldBy(executor))
      VIT_TRY(training.arenas.fetch(error));
  }
  if (!isAnyStale)
    return VIT_OK;
  Lock lock(mutex);
  return refresh(schedule, error);
}

/// Marks as affected the stale forms that a schedule reads and those that they
/// are made from. Returns false if there are none.
bool vit_parameters::findStale(const schema::Schedule &schedule) {
  for (uint8_t &flag : isAffected)
    flag = 0;
  bool isAny = false;
  forEachForm(schedule, [&](uint32_t f) {
    if (isStale[f])
      isAny = isAffected[f] = 1;
  });
  // Forms are made from earlier ones.
  for (uint32_t f = forms.size(); f-- > 0;)
    for (uint32_t source : sourcesOf(forms.recipe(f)))
      if (int64_t from = forms.formOfSource(source);
          isAffected[f] && from >= 0 &&
          (isStale[from] || (isTrained[from] && !forms.exists(uint32_t(from)))))
        isAffected[from] = 1;
  return isAny;
}

vit_status vit_parameters::refresh(const schema::Schedule &schedule,
                                   vit_error *error) {
  if (!findStale(schedule))
    return VIT_OK;
  VIT_TRY(training.arenas.fetch(error));
  VIT_TRY(completeAffected(error));
  for (uint32_t f = 0; f < forms.size(); ++f)
    if (isAffected[f])
      VIT_TRY(forms.makeWritable(f, error));
  forms.written();
  bool isAny = false;
  for (uint32_t f = 0; f < forms.size(); ++f) {
    if (isAffected[f]) {
      forms.remake(f, [&](uint32_t source) -> const float * {
        if (int64_t from = forms.formOfSource(source); from >= 0)
          return static_cast<const float *>(forms.data(uint32_t(from)));
        const schema::Variable *v = training.variable(source);
        return v ? reinterpret_cast<const float *>(training.arenas.data(*v))
                 : nullptr;
      });
      isStale[f] = 0;
    }
    isAny = isAny || isStale[f];
  }
  isAnyStale = isAny;
  return VIT_OK;
}

void vit_parameters::trained(ArenaHolder *holder) {
  training.arenas.allChanged(holder);
  for (uint32_t f = 0; f < forms.size(); ++f)
    isStale[f] |= isTrained[f] && forms.exists(f);
  isAnyStale = true;
}

void vit_parameters::letGo(const ArenaHolder *holder) {
  if (training.arenas.isHeldBy(holder) &&
      training.arenas.fetch(nullptr) != VIT_OK)
    training.arenas.lose();
}
