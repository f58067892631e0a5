//===- parameters.h - The weights of a module -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PARAMETERS_H
#define VIT_RUNTIME_PARAMETERS_H

#include "arenas.h"
#include "module.h"
#include "source.h"

#include <atomic>

namespace vit::runtime {

/// A derived form in memory.
struct HeldForm {
  float *data;
  uint64_t version; ///< counts its writes, from 1
  bool mapped;      ///< in the private mapping of the module's file
  bool borrowed;    ///< in the caller's memory, which is never written
  bool owned;       ///< a copy of a borrowed form, made when it was written
  bool trained;     ///< made, by way of others maybe, from a variable
  bool stale;       ///< variables changed since it was made
};

/// Where the present value of a parameter is: in a form that it can be read
/// back from, else in a copy that a write left, else where it came from.
struct Place {
  int64_t form;   ///< index of the form, -1: none
  int64_t offset; ///< of its first element among the form's
  float *written;
};

} // namespace vit::runtime

/// What was in the module and its files once, and what was written and trained
/// since. Where arenas exist the value of a parameter that is a variable is
/// there, and forms made from it are remade when a call wants them.
struct vit_parameters {
  explicit vit_parameters(vit_module *module) : module(module) {
    vit_module_retain(module);
  }
  ~vit_parameters();

  vit_status build(vit_error *error);
  vit_status read(uint32_t index, float *target, vit_error *error) const;
  vit_status write(uint32_t index, const float *data, vit_error *error);
  const char *findNotFinite() const;

  //===--------------------------------------------------------------------===//
  // Training
  //===--------------------------------------------------------------------===//

  /// Makes the arenas, where they are not there yet, of the parameters'
  /// present values.
  vit_status makeArenas(vit_error *error);
  vit_status readState(const vit::schema::Variable &state, void *target,
                       vit_error *error) const;
  vit_status writeState(const vit::schema::Variable &state, const void *data,
                        vit_error *error);
  void setSeed(uint64_t newSeed);

  /// What comes before a call: the arenas, where it `usesArenas`, with their
  /// newest values on the host or at `executor`, and the forms that it reads.
  vit_status prepare(const vit::schema::Schedule &schedule, bool usesArenas,
                     const vit::runtime::ArenaHolder *executor,
                     vit_error *error);
  /// A call changed all variables: on the host, or `holder` has them.
  void trained(vit::runtime::ArenaHolder *holder);
  /// `holder` goes: it gives what it has.
  void letGo(const vit::runtime::ArenaHolder *holder);

  //===--------------------------------------------------------------------===//
  // What is there
  //===--------------------------------------------------------------------===//

  const float *form(uint32_t index) const { return forms[index].data; }
  /// Changes with each write that touches the form, so that copies of it on a
  /// device know that they are old. At least 1.
  uint64_t version(uint32_t index) const { return forms[index].version; }
  /// Says that the form was copied elsewhere: where it is mapped and was never
  /// written, its pages need not stay in memory.
  void forget(uint32_t index) const {
    if (forms[index].mapped)
      vit::runtime::forgetPages(forms[index].data, derived(index).bytes());
  }
  /// Changes with each write to a form at all.
  uint64_t version() const { return writes; }
  const vit::schema::Parameter &parameter(uint32_t index) const {
    return *module->root->parameters()->Get(index);
  }
  const vit::schema::Derived &derived(uint32_t index) const {
    return *module->root->derived()->Get(index);
  }
  /// The variable that a parameter is, NULL where no entry changes it.
  const vit::schema::Variable *variable(uint32_t index) const {
    uint32_t number = variableOf[index];
    return number ? module->root->variables()->Get(number - 1) : nullptr;
  }
  uint32_t parameterCount() const {
    return vit::runtime::count(module->root->parameters());
  }
  uint32_t derivedCount() const {
    return vit::runtime::count(module->root->derived());
  }

  vit_module *module;
  std::atomic<int32_t> references{1};
  mutable vit::runtime::Arenas arenas;
  uint64_t steps = 0; ///< of training

private:
  void findPlaces(bool stored);
  vit_status place(vit_error *error);
  vit_status derive(uint32_t index, const vit::runtime::Sources &sources,
                    vit_error *error);
  /// Whether a parameter's value is nowhere but where the module says.
  bool isAtSource(uint32_t index) const {
    return places[index].form < 0 && !places[index].written;
  }
  void readRange(uint32_t index, const vit::runtime::Sources &sources,
                 float *target, int64_t begin, int64_t size) const;
  vit_status makeWritable(uint32_t index, vit_error *error);
  template <typename ValuesOf> void remake(uint32_t index, ValuesOf valuesOf);
  vit_status refresh(const vit::schema::Schedule &schedule, vit_error *error);
  bool isFinite(uint32_t index, const vit::runtime::Sources &sources) const;
  bool isInArena(uint32_t index) const {
    return arenas.exist() && variableOf[index] != 0;
  }

  vit::runtime::Array<vit::runtime::HeldForm> forms;
  vit::runtime::Array<vit::runtime::Place> places;
  vit::runtime::Array<uint32_t> variableOf; ///< per parameter, + 1; 0: none
  vit::runtime::Array<unsigned char> made;  ///< forms that are made at load
  vit::runtime::Array<uint8_t> affected;    ///< per form, for one write
  unsigned char *mapping = nullptr;
  uint64_t writes = 1;
  uint64_t seed = 0; ///< of dropout

  /// Calls of several sessions may find stale forms at once.
  mutable vit::runtime::Mutex mutex;
  std::atomic<bool> anyStale{false};
};

#endif // VIT_RUNTIME_PARAMETERS_H
