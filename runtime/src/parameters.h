//===- parameters.h - The weights of a module -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_PARAMETERS_H
#define VIT_RUNTIME_PARAMETERS_H

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
};

/// Where the present value of a parameter is: in a form that it can be read
/// back from, else in a copy that a write left, else where it came from.
struct Place {
  int64_t form;   ///< index of the form, -1: none
  int64_t offset; ///< of its first element among the form's
  float *written;
};

} // namespace vit::runtime

/// What was in the module and its files once, and what was written since.
struct vit_parameters {
  explicit vit_parameters(vit_module *module) : module(module) {
    vit_module_retain(module);
  }
  ~vit_parameters();

  vit_status build(vit_error *error);
  vit_status read(uint32_t index, float *target, vit_error *error) const;
  vit_status write(uint32_t index, const float *data, vit_error *error);
  const char *findNotFinite() const;

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
  /// Changes with each write at all.
  uint64_t version() const { return writes; }
  const vit::schema::Parameter &parameter(uint32_t index) const {
    return *module->root->parameters()->Get(index);
  }
  const vit::schema::Derived &derived(uint32_t index) const {
    return *module->root->derived()->Get(index);
  }
  uint32_t parameterCount() const {
    return vit::runtime::count(module->root->parameters());
  }
  uint32_t derivedCount() const {
    return vit::runtime::count(module->root->derived());
  }

  vit_module *module;
  std::atomic<int32_t> references{1};

private:
  void findPlaces(bool stored);
  vit_status place(vit_error *error);
  vit_status derive(uint32_t index, const vit::runtime::Sources &sources,
                    vit_error *error);
  vit_status makeWritable(uint32_t index, vit_error *error);
  bool isFinite(uint32_t index, const vit::runtime::Sources &sources) const;

  vit::runtime::Array<vit::runtime::HeldForm> forms;
  vit::runtime::Array<vit::runtime::Place> places;
  vit::runtime::Array<unsigned char> arena; ///< forms that are made at load
  unsigned char *mapping = nullptr;
  uint64_t writes = 1;
};

#endif // VIT_RUNTIME_PARAMETERS_H
