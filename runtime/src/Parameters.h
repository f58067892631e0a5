//===- Parameters.h - The weights of a module -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PARAMETERS_H
#define VIT_RUNTIME_PARAMETERS_H

#include "DeviceCopies.h"
#include "Forms.h"
#include "Source.h"
#include "Training.h"

#include <atomic>

/// The present values of a module's parameters: what the module and its files
/// hold, and what was written and trained since.
struct vit_parameters {
  /// Retains the module. Whoever destroys this object releases it, after that.
  explicit vit_parameters(vit_module *module)
      : module(module), forms(*module), training(*module) {
    vit_module_retain(module);
  }
  ~vit_parameters();

  vit_status build(vit_error *error);
  /// Makes the forms that `schedule` reads and that do not exist yet.
  vit_status makeForms(const vit::schema::Schedule &schedule, vit_error *error);
  /// Fails if the module's file was cut short while kernels may have read it.
  vit_status requireWhole(vit_error *error) const {
    return forms.requireWhole(error);
  }
  vit_status read(uint32_t index, float *target, vit_error *error) const;
  vit_status write(uint32_t index, const float *data, vit_error *error);
  const char *findNotFinite() const;
  /// The type that the module holds a parameter in: F32, or that of the form
  /// that it is rounded to and cannot be read back from.
  vit::runtime::ElementType heldType(uint32_t index) const;

  //===--------------------------------------------------------------------===//
  // Training
  //===--------------------------------------------------------------------===//

  /// Makes the arenas, if they do not exist yet, from the parameters' present
  /// values.
  vit_status makeArenas(vit_error *error);
  vit_status readState(const vit::schema::Variable &state, void *target,
                       vit_error *error) const;
  vit_status writeState(const vit::schema::Variable &state, const void *data,
                        vit_error *error);

  /// Prepares a call: makes the arenas if it `usesArenas`, brings their newest
  /// values to the host unless `executor` has them, and remakes the forms that
  /// `schedule` reads and that are older than the variables.
  vit_status prepare(const vit::schema::Schedule &schedule, bool usesArenas,
                     const vit::runtime::ArenaHolder *executor,
                     vit_error *error);
  /// Says that a call changed all variables, on the host (NULL) or at `holder`.
  void trained(vit::runtime::ArenaHolder *holder);
  /// Says that `holder` is about to be destroyed: takes its values.
  void letGo(const vit::runtime::ArenaHolder *holder);

  //===--------------------------------------------------------------------===//
  // What is there
  //===--------------------------------------------------------------------===//

  const vit::schema::Parameter &parameter(uint32_t index) const {
    return *module->root->parameters()->Get(index);
  }
  uint32_t parameterCount() const {
    return vit::runtime::count(module->root->parameters());
  }

  vit_module *module;
  std::atomic<int32_t> references{1};
  vit::runtime::Forms forms;
  /// Mutable: reading may bring newer values from a device.
  mutable vit::runtime::Training training;
  /// What sessions on GPUs share.
  vit::runtime::DeviceCopies copies;

private:
  /// Where the present value of a parameter is if it is not in an arena: in a
  /// form that it can be read back from, else in a copy that a write left, else
  /// where it came from. A module may hold nothing but a form that is not
  /// lossless: then nobody reads the value.
  struct Place {
    int64_t form;   ///< index of the form, or -1
    int64_t offset; ///< of the first element among the form's sources
    float *written;
  };

  template <typename IsWanted> void findPlaces(IsWanted isWanted);
  bool isRounded(uint32_t index) const {
    return places[index].form >= 0 &&
           !isLossless(forms.form(uint32_t(places[index].form)));
  }
  vit_status requireExact(uint32_t index, vit_error *error) const;
  bool isAtSource(uint32_t index) const {
    return places[index].form < 0 && !places[index].written;
  }
  template <typename Visit>
  static void forEachForm(const vit::schema::Schedule &schedule, Visit visit);
  vit_status makeNew(vit_error *error);
  vit_status completeAffected(vit_error *error);
  vit_status openSources(vit::runtime::Sources &sources, vit_error *error);
  /// Fails: a form of f16 cannot hold the parameter's values.
  vit_status beyondHalf(uint32_t index, vit_error *error) const;
  vit_status makeForm(uint32_t index, const vit::runtime::Sources &sources,
                      vit_error *error);
  vit_status makePart(const vit::runtime::Form &form, void *target,
                      uint32_t index, const vit::runtime::Sources &sources,
                      int64_t offset, vit_error *error);
  void readRange(uint32_t index, const vit::runtime::Sources &sources,
                 float *target, int64_t begin, int64_t size) const;
  bool isFinite(uint32_t index, const vit::runtime::Sources &sources) const;
  bool findStale(const vit::schema::Schedule &schedule);
  vit_status refresh(const vit::schema::Schedule &schedule, vit_error *error);

  vit::runtime::Array<Place> places;
  vit::runtime::Array<uint8_t> isTrained;  ///< per form: made from a variable
  vit::runtime::Array<uint8_t> isStale;    ///< per form: older than a variable
  vit::runtime::Array<uint8_t> isAffected; ///< per form, during one call
  vit::runtime::Array<uint8_t> isNew;      ///< per form, during one call

  /// Several threads may read, make sessions, and find stale forms at once.
  mutable vit::runtime::Mutex mutex;
  std::atomic<bool> isAnyStale{false};
};

#endif // VIT_RUNTIME_PARAMETERS_H
