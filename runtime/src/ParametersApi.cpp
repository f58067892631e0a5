//===- ParametersApi.cpp - Parameters in the C API ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "format/FloatControl.h"

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

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
  format::StandardFloats floats;
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
  // The members of the parameters need the module until the end.
  vit_module *module = parameters->module;
  destroy(module->allocator, parameters);
  vit_module_release(module);
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
  out_info->dtype = vit_dtype(parameters->heldType(uint32_t(index)));
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
                llu(bytes), size);
  }
  return fail(error, VIT_NOT_FOUND, "'%s' has no parameter '%s'",
              parameters->module->name.data(), name);
}

extern "C" vit_status vit_parameters_read(const vit_parameters *parameters,
                                          const char *name, float *out_data,
                                          size_t size, vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findParameter(parameters, name, out_data, size, index, error));
  format::StandardFloats floats;
  return parameters->read(index, out_data, error);
}

extern "C" vit_status vit_parameters_write(vit_parameters *parameters,
                                           const char *name, const float *data,
                                           size_t size, vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findParameter(parameters, name, data, size, index, error));
  format::StandardFloats floats;
  return parameters->write(index, data, error);
}

extern "C" const char *
vit_parameters_find_not_finite(const vit_parameters *parameters) {
  return parameters ? parameters->findNotFinite() : nullptr;
}

extern "C" int32_t vit_parameters_is_trained(const vit_parameters *parameters,
                                             int32_t index) {
  return parameters && index >= 0 &&
         uint32_t(index) < parameters->parameterCount() &&
         parameters->training.variable(uint32_t(index));
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

static const schema::Variable &variable(const vit_parameters &parameters,
                                        uint32_t index) {
  return *parameters.module->root->variables()->Get(index);
}

/// Returns the index, among variables, of the first state for which
/// `wanted(state)`; the number of variables if there is none.
template <typename Wanted>
static uint32_t findState(const vit_parameters &parameters, Wanted wanted) {
  uint32_t total = count(parameters.module->root->variables());
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Variable &v = variable(parameters, i);
    if (v.parameter() == 0 && wanted(v))
      return i;
  }
  return total;
}

extern "C" int32_t
vit_parameters_state_count(const vit_parameters *parameters) {
  int32_t total = 0;
  if (parameters)
    findState(*parameters, [&](const schema::Variable &) {
      ++total;
      return false;
    });
  return total;
}

extern "C" vit_status
vit_parameters_state_info(const vit_parameters *parameters, int32_t index,
                          vit_binding_info *out_info, vit_error *error) {
  if (!parameters || !out_info)
    return fail(error, VIT_INVALID_ARGUMENT, "parameters or out_info is NULL");
  int32_t at = 0;
  uint32_t found = findState(
      *parameters, [&](const schema::Variable &) { return at++ == index; });
  if (found == count(parameters->module->root->variables()))
    return fail(error, VIT_NOT_FOUND, "there is no state %d of %d", index, at);
  const schema::Variable &state = variable(*parameters, found);
  *out_info = {};
  out_info->name = state.name()->c_str();
  out_info->dtype = vit_dtype(state.dtype());
  out_info->rank = int32_t(state.dims()->size());
  for (uint32_t i = 0; i < state.dims()->size(); ++i)
    out_info->dims[i] = state.dims()->Get(i);
  return VIT_OK;
}

/// Finds a state by name and checks the caller's size for it.
static vit_status findState(const vit_parameters *parameters, const char *name,
                            const void *data, size_t size, uint32_t &index,
                            vit_error *error) {
  if (!parameters || !name || !data)
    return fail(error, VIT_INVALID_ARGUMENT,
                "parameters, name or data is NULL");
  index = findState(*parameters, [&](const schema::Variable &v) {
    return std::strcmp(v.name()->c_str(), name) == 0;
  });
  if (index == count(parameters->module->root->variables()))
    return fail(error, VIT_NOT_FOUND, "'%s' has no state '%.200s'",
                parameters->module->name.data(), name);
  uint64_t bytes = variableBytes(variable(*parameters, index));
  if (size == bytes)
    return VIT_OK;
  return fail(error, VIT_INVALID_ARGUMENT,
              "state '%s' has %llu bytes, given are %zu", name, llu(bytes),
              size);
}

extern "C" vit_status
vit_parameters_state_read(const vit_parameters *parameters, const char *name,
                          void *out_data, size_t size, vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findState(parameters, name, out_data, size, index, error));
  return parameters->readState(variable(*parameters, index), out_data, error);
}

extern "C" vit_status vit_parameters_state_write(vit_parameters *parameters,
                                                 const char *name,
                                                 const void *data, size_t size,
                                                 vit_error *error) {
  uint32_t index = 0;
  VIT_TRY(findState(parameters, name, data, size, index, error));
  return parameters->writeState(variable(*parameters, index), data, error);
}

extern "C" uint64_t vit_parameters_steps(const vit_parameters *parameters) {
  return parameters ? parameters->training.steps : 0;
}

extern "C" void vit_parameters_set_steps(vit_parameters *parameters,
                                         uint64_t steps) {
  if (parameters)
    parameters->training.steps = steps;
}

extern "C" void vit_parameters_seed(vit_parameters *parameters, uint64_t seed) {
  if (parameters)
    parameters->training.setSeed(seed);
}
