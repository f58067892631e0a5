//===- Step.cpp - One step of training ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"
#include "Roles.h"
#include "Session.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

using namespace vit::runtime;
namespace schema = vit::schema;

/// The inputs of a training entry: images, targets, learning rate and step.
static constexpr uint32_t kMaxInputs = 4;

static bool isScalar(const schema::Binding &binding, schema::DType dtype) {
  return binding.dims()->size() == 0 && binding.dtype() == dtype;
}

/// An input or output of one element.
static vit_tensor scalar(const schema::Binding &binding, void *value) {
  vit_tensor tensor = {};
  tensor.name = binding.name()->c_str();
  tensor.data = value;
  tensor.size = sizeof(float);
  tensor.dtype = vit_dtype(binding.dtype());
  return tensor;
}

static vit_tensor renamed(const vit_tensor &tensor,
                          const schema::Binding &binding) {
  vit_tensor copy = tensor;
  copy.name = binding.name()->c_str();
  return copy;
}

static vit_status notATrainingEntry(const vit_module &module, const char *entry,
                                    const char *what, vit_error *error) {
  return fail(error, VIT_UNSUPPORTED,
              "entry '%s' of '%s' is no training step: %s", entry,
              module.name.data(), what);
}

static vit_status findTrainingEntry(const vit_module &module, const char *name,
                                    bool update, uint32_t &index,
                                    vit_error *error) {
  if (findEntry(module, name, index, nullptr) == VIT_OK)
    return VIT_OK;
  return fail(error, VIT_UNSUPPORTED,
              "'%s' has no entry '%s': compile it again with vit-compile %s",
              module.name.data(), name,
              update ? "--train" : "--train accumulate=K");
}

/// Kernels would turn a label outside the classes into a NaN: report it here.
static vit_status checkLabels(const vit_module &module,
                              const schema::Binding &binding,
                              const vit_tensor &targets, int64_t batch,
                              vit_error *error) {
  VIT_TRY(checkTensor(binding, targets, "input", batch, error));
  if (targets.memory != VIT_HOST)
    return fail(error, VIT_UNSUPPORTED,
                "targets are checked before a step and must be in host memory");
  int64_t classes = classesOf(module, binding);
  if (classes == 0)
    return VIT_OK;
  const auto *labels = static_cast<const int32_t *>(targets.data);
  for (int64_t i = 0; i < batch; ++i)
    if (labels[i] < 0 || labels[i] >= classes)
      return fail(error, VIT_INVALID_ARGUMENT,
                  "label %d of picture %lld is out of range: the model has "
                  "the classes 0 to %lld",
                  int(labels[i]), static_cast<long long>(i),
                  static_cast<long long>(classes - 1));
  return VIT_OK;
}

vit_status vit_session::step(vit_step &given, vit_error *error) {
  // Before training on several ranks, the step ended with `correct`.
  if (given.struct_size < offsetof(vit_step, batches) ||
      given.struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size of the step is %zu: set it to sizeof(vit_step)",
                given.struct_size);
  vit_step step = {};
  std::memcpy(&step, &given, std::min(given.struct_size, sizeof step));
  vit_error reason = {};
  isStep = true;
  vit_status status = runStep(step, &reason);
  isStep = false;
  if (status != VIT_OK) {
    reduction.abandon(status, reason);
    return fail(error, status, "%s", reason.message);
  }
  given.loss = step.loss;
  given.correct = step.correct;
  return VIT_OK;
}

/// The micro-batches of a step after `steps` others.
static vit_status chooseTurn(const vit_step &step, uint64_t steps,
                             int32_t ranks, Turn &turn, vit_error *error) {
  turn.first = int32_t(steps % uint64_t(ranks));
  turn.updates = step.update != 0;
  int32_t left = ranks - turn.first;
  if (step.batches < 0 || step.batches > left)
    return fail(error, VIT_INVALID_ARGUMENT,
                "a step of %d micro-batches is not possible: after %llu, 1 to "
                "%d are, or 0 for as many as possible",
                step.batches, static_cast<unsigned long long>(steps), left);
  turn.end = turn.first + (step.batches ? step.batches : left);
  return VIT_OK;
}

/// Hands over what the micro-batches of the step resulted in, `own` on one
/// rank.
static void returnResults(const Reduction &reduction, const Turn &turn,
                          const RankResult &own, vit_step &step) {
  for (int32_t i = 0; i < turn.end - turn.first; ++i) {
    const RankResult &result =
        reduction.isAlone() ? own : reduction.results()[turn.first + i];
    if (step.losses)
      step.losses[i] = result.loss;
    if (step.corrects)
      step.corrects[i] = result.correct;
  }
  step.loss = own.loss;
  step.correct = own.correct;
}

vit_status vit_session::runStep(vit_step &step, vit_error *error) {
  if (!step.images || !step.targets)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the step has no images or no targets");
  if (step.update && !std::isfinite(step.learning_rate))
    return fail(error, VIT_INVALID_ARGUMENT,
                "the learning rate of the step is %g: the update would ruin "
                "all parameters",
                static_cast<double>(step.learning_rate));
  if (parameters->training.steps >= uint64_t(INT32_MAX - reduction.ranks()))
    return fail(error, VIT_INVALID_ARGUMENT,
                "%llu steps are as many as can be counted",
                static_cast<unsigned long long>(parameters->training.steps));
  const char *name = step.update ? "train_step" : "accumulate_step";
  uint32_t index;
  VIT_TRY(findTrainingEntry(*module, name, step.update != 0, index, error));
  const schema::Entry &entry = module->entry(index);

  Turn turn;
  VIT_TRY(chooseTurn(step, parameters->training.steps, reduction.ranks(), turn,
                     error));
  VIT_TRY(reduction.begin(turn, error));
  const schema::Schedule *schedule = executor->schedule(index);
  if (!reduction.isAlone() && schedule && !reduces(*schedule))
    return notATrainingEntry(*module, name, "it does not reduce gradients",
                             error);
  auto number =
      int32_t(parameters->training.steps) - turn.first + reduction.rank();
  vit_tensor inputs[kMaxInputs];
  uint32_t inputCount = entry.inputs()->size();
  if (inputCount > kMaxInputs)
    return notATrainingEntry(*module, name, "it has other inputs", error);
  inputs[0] = renamed(*step.images, *entry.inputs()->Get(0));
  int64_t batch;
  VIT_TRY(readBatch(*entry.inputs()->Get(0), inputs[0], batch, error));
  bool hasTargets = false;
  for (uint32_t i = 1; i < inputCount; ++i) {
    const schema::Binding &binding = *entry.inputs()->Get(i);
    schema::Role role = roleOf(*module, binding);
    if (role == schema::Role::LearningRate &&
        isScalar(binding, schema::DType::F32)) {
      inputs[i] = scalar(binding, &step.learning_rate);
    } else if (role == schema::Role::Step &&
               isScalar(binding, schema::DType::I32)) {
      inputs[i] = scalar(binding, &number);
    } else if (role == schema::Role::Targets && !hasTargets) {
      inputs[i] = renamed(*step.targets, binding);
      VIT_TRY(checkLabels(*module, binding, inputs[i], batch, error));
      hasTargets = true;
    } else {
      return notATrainingEntry(*module, name, "it has other inputs", error);
    }
  }
  if (!hasTargets)
    return notATrainingEntry(*module, name, "it takes no targets", error);

  float loss = 0;
  int32_t correct = -1;
  vit_tensor outputs[2];
  int32_t outputCount = 1;
  const auto &bindings = *entry.outputs();
  if (roleOf(*module, *bindings.Get(0)) != schema::Role::Loss ||
      !isScalar(*bindings.Get(0), schema::DType::F32))
    return notATrainingEntry(*module, name, "its first output is no loss",
                             error);
  outputs[0] = scalar(*bindings.Get(0), &loss);
  if (bindings.size() > 1 &&
      roleOf(*module, *bindings.Get(1)) == schema::Role::Correct &&
      isScalar(*bindings.Get(1), schema::DType::I32))
    outputs[outputCount++] = scalar(*bindings.Get(1), &correct);

  VIT_TRY(run(name, inputs, int32_t(inputCount), outputs, outputCount, error));
  returnResults(reduction, turn, {loss, correct}, step);
  // If the loss is not finite, the updates have changed nothing.
  if (std::isfinite(loss))
    parameters->training.steps += uint64_t(turn.end - turn.first);
  return VIT_OK;
}
