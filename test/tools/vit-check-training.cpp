//===- vit-check-training.cpp - Compares training steps with references ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vit-check-training gradients MODULE FOLDER DEVICE TOLERANCE
// vit-check-training steps MODULE FOLDER DEVICE
//
// FOLDER is as for test/Import/TrainFolder.cpp: batches, and the gradients,
// losses and weights of PyTorch in double. `gradients` needs a module whose
// train_step returns gradients (optimizer=none); each must be within TOLERANCE
// times the largest one. `steps` needs one that updates; it compares losses,
// and weights after the first and last step: 99.99 % of the elements within
// 2e-5, all within twice the learning rate. Key biases, whose gradients are
// rounding errors, must be within the learning rate per step.
//
//===----------------------------------------------------------------------===//

#include "CheckSupport.h"

#include "vit/vit-data.h"
#include "vit/vit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

struct Tensor {
  std::vector<int64_t> dims;
  std::vector<double> data;
};
using Tensors = std::map<std::string, Tensor>;

Tensors readTensors(const std::string &path) {
  vit_error error;
  vit_weights *weights = nullptr;
  check(vit_weights_open(path.c_str(), &weights, &error), error);
  Tensors tensors;
  for (int64_t i = 0; i < vit_weights_count(weights); ++i) {
    vit_weight_info info;
    check(vit_weights_info(weights, i, &info, &error), error);
    Tensor &tensor = tensors[info.name];
    tensor.dims.assign(info.dims, info.dims + info.rank);
    int64_t count = 1;
    for (int64_t dim : tensor.dims)
      count *= dim;
    tensor.data.resize(count);
    check(
        vit_weights_read_f64(weights, i, 0, count, tensor.data.data(), &error),
        error);
  }
  vit_weights_release(weights);
  return tensors;
}

/// Statistics of the differences from expected values.
struct Distance {
  double largest = 0.0;
  int64_t count = 0, beyond = 0; ///< the number of those above 2e-5

  void add(double difference) {
    difference = std::fabs(difference);
    // NaN counts as an infinite difference.
    largest = difference <= largest ? largest : difference;
    beyond += !(difference <= 2e-5);
    ++count;
  }
};

/// A module, its parameters and a session.
class Model {
public:
  Model(const char *path, const std::string &folder, const char *device)
      : data(readTensors(folder + "/train/data.safetensors")) {
    vit_error error;
    check(vit_module_load(path, nullptr, &module, &error), error);
    check(vit_parameters_create(module, &parameters, &error), error);
    vit_session_options options = {};
    options.struct_size = sizeof(options);
    options.parameters = parameters;
    options.device = device;
    check(vit_session_create(module, &options, &session, &error), error);
  }
  ~Model() {
    vit_session_release(session);
    vit_parameters_release(parameters);
    vit_module_release(module);
  }

  void takeBatch(int64_t step) {
    const Tensor &x = data["x"], &y = data["y"];
    batch = y.dims[1];
    size_t size = x.data.size() / x.dims[0];
    images.assign(x.data.begin() + step * size,
                  x.data.begin() + (step + 1) * size);
    labels.assign(y.data.begin() + step * batch,
                  y.data.begin() + (step + 1) * batch);
    imagesView = {};
    imagesView.data = images.data();
    imagesView.size = images.size() * sizeof(float);
    imagesView.rank = static_cast<int32_t>(x.dims.size()) - 1;
    std::copy(x.dims.begin() + 1, x.dims.end(), imagesView.dims);
    labelsView = {};
    labelsView.name = "labels";
    labelsView.data = labels.data();
    labelsView.size = labels.size() * sizeof(int32_t);
    labelsView.dtype = VIT_I32;
    labelsView.rank = 1;
    labelsView.dims[0] = batch;
  }

  /// Compares the values of each parameter with its stored tensor. Parameters
  /// that are rows of one tensor come in order.
  template <typename Values>
  void compare(const Tensors &expected, Values values, Distance &distance,
               Distance &keyBiases) {
    std::map<std::string, size_t> used;
    for (int32_t i = 0; i < vit_parameters_count(parameters); ++i) {
      vit_binding_info info;
      vit_error error;
      check(vit_parameters_info(parameters, i, &info, &error), error);
      std::string stored = info.alias ? info.alias : info.name;
      auto found = expected.find(stored);
      std::vector<float> value = values(info);
      if (found == expected.end() ||
          used[stored] + value.size() > found->second.data.size()) {
        std::fprintf(stderr, "error: nothing to compare %s with\n", info.name);
        std::exit(1);
      }
      bool isKeyBias = info.rank == 1 && std::strstr(info.name, "key");
      const double *wanted = found->second.data.data() + used[stored];
      for (size_t j = 0; j < value.size(); ++j)
        (isKeyBias ? keyBiases : distance).add(value[j] - wanted[j]);
      used[stored] += value.size();
    }
  }

  std::vector<float> read(const vit_binding_info &info) const {
    std::vector<float> value(elements(info));
    vit_error error;
    check(vit_parameters_read(parameters, info.name, value.data(),
                              value.size() * sizeof(float), &error),
          error);
    return value;
  }

  Tensors data;
  int64_t batch = 0;
  std::vector<float> images;
  std::vector<int32_t> labels;
  vit_tensor imagesView = {}, labelsView = {};
  vit_module *module = nullptr;
  vit_parameters *parameters = nullptr;
  vit_session *session = nullptr;
};

int checkGradients(Model &model, const std::string &folder, double tolerance) {
  const char *entry = "train_step";
  Tensors expected = readTensors(folder + "/train/grads_f64.safetensors");
  model.takeBatch(0);
  int32_t number = 0;
  vit_tensor step = {};
  step.name = "step";
  step.data = &number;
  step.size = sizeof(number);
  step.dtype = VIT_I32;
  vit_tensor inputs[] = {model.imagesView, model.labelsView, step};
  vit_error error;
  int32_t count = 0;
  for (int32_t i = 0; i < vit_module_entry_count(model.module); ++i) {
    vit_entry_info info = {};
    check(vit_module_entry(model.module, i, &info, &error), error);
    if (!std::strcmp(info.name, entry))
      count = info.output_count;
  }
  std::map<std::string, std::vector<float>> values;
  std::vector<vit_tensor> outputs;
  for (int32_t i = 0; i < count; ++i) {
    vit_binding_info info = {};
    check(vit_module_output(model.module, entry, i, &info, &error), error);
    std::vector<float> &value = values[info.name];
    value.resize(elements(info));
    vit_tensor view = {};
    view.name = info.name;
    view.data = value.data();
    view.size = value.size() * sizeof(float);
    outputs.push_back(view);
  }
  check(vit_session_run(model.session, entry, inputs, 3, outputs.data(), count,
                        &error),
        error);
  double scale = 0.0;
  for (const auto &[name, tensor] : expected)
    for (double value : tensor.data)
      scale = std::max(scale, std::fabs(value));
  Distance distance;
  model.compare(
      expected,
      [&](const vit_binding_info &info) {
        return values["gradient." + std::string(info.name)];
      },
      distance, distance);
  double allowed = tolerance * std::max(1.0, scale);
  std::printf("%lld gradients within %.1e of %.1e\n",
              static_cast<long long>(distance.count), distance.largest,
              allowed);
  return distance.count > 0 && distance.largest <= allowed ? 0 : 1;
}

int checkSteps(Model &model, const std::string &folder) {
  std::ifstream file(folder + "/train/train.json");
  nlohmann::json recipe = nlohmann::json::parse(file);
  double rate = recipe["lr"];
  std::vector<double> losses = recipe["losses_f64"];
  int64_t steps = static_cast<int64_t>(losses.size());
  Tensors first = readTensors(folder + "/train/weights_1_f64.safetensors");
  Tensors last = readTensors(folder + "/train/weights_" +
                             std::to_string(steps) + "_f64.safetensors");
  double ofLosses = 0.0;
  Distance weights[2], keys[2];
  auto read = [&](const vit_binding_info &info) { return model.read(info); };
  for (int64_t i = 0; i < steps; ++i) {
    model.takeBatch(i);
    vit_step step = {};
    step.struct_size = sizeof(step);
    step.images = &model.imagesView;
    step.targets = &model.labelsView;
    step.learning_rate = static_cast<float>(rate);
    step.update = 1;
    vit_error error;
    check(vit_session_step(model.session, &step, &error), error);
    double difference = std::fabs(step.loss - losses[i]);
    ofLosses = difference <= ofLosses ? ofLosses : difference;
    if (i == 0)
      model.compare(first, read, weights[0], keys[0]);
    if (i == steps - 1)
      model.compare(last, read, weights[1], keys[1]);
  }
  auto isClose = [&](const Distance &distance) {
    return distance.count > 0 &&
           static_cast<double>(distance.beyond) <=
               1e-4 * static_cast<double>(distance.count) &&
           distance.largest <= 2.0 * rate;
  };
  std::printf("%lld losses within %.1e, weights within %.1e and %.1e (%lld and "
              "%lld of %lld beyond 2e-5), key biases %.1e and %.1e\n",
              static_cast<long long>(steps), ofLosses, weights[0].largest,
              weights[1].largest, static_cast<long long>(weights[0].beyond),
              static_cast<long long>(weights[1].beyond),
              static_cast<long long>(weights[1].count), keys[0].largest,
              keys[1].largest);
  bool good = ofLosses <= 1e-4 && isClose(weights[0]) && isClose(weights[1]) &&
              keys[0].largest <= rate &&
              keys[1].largest <= rate * static_cast<double>(steps);
  return good ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  std::string verb = argc > 1 ? argv[1] : "";
  bool gradients = verb == "gradients" && argc == 6;
  if (!gradients && !(verb == "steps" && argc == 5)) {
    std::fprintf(stderr,
                 "usage: vit-check-training gradients MODULE FOLDER DEVICE "
                 "TOLERANCE\n       vit-check-training steps MODULE FOLDER "
                 "DEVICE\n");
    return 1;
  }
  Model model(argv[2], argv[3], argv[4]);
  return gradients ? checkGradients(model, argv[3], std::atof(argv[5]))
                   : checkSteps(model, argv[3]);
}
