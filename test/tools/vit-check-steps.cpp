//===- vit-check-steps.cpp - Compares training steps with the CPU ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vit-check-steps MODULE DEVICE EVERY [SHARE [CPU-MODULE]]
//
// Makes four calls on DEVICE and on the CPU, by the code of CPU-MODULE if it is
// given, with the same parameters and random pictures; every EVERYth call is an
// update, and between the second and the third the largest matrix is written.
// Losses must agree within 1e-5, and so must all parameters and optimizer
// states after the last step, which must have changed by at least 5e-4; correct
// answers must be equal. A module with gradients near zero needs an optimizer
// that does not divide by them (sgd, or a large epsilon). In bf16 devices round
// some operands differently: with SHARE a variable may also differ by so much
// of what it has moved, a bias of keys by so much of what that of queries has,
// and a loss by a tenth of that share of it.
//
//===----------------------------------------------------------------------===//

#include "CheckSupport.h"

#include "vit/vit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr double kTolerance = 1e-5;
constexpr double kLeastChange = 50 * kTolerance;
constexpr int kCalls = 4;

/// Losses, correct answers, and all variables by name.
struct Outcome {
  std::vector<double> losses;
  std::vector<int32_t> correct;
  std::map<std::string, std::vector<float>> first, last;
};

class Training {
public:
  Training(vit_module *module, const char *device) : module(module) {
    vit_error error;
    check(vit_parameters_create(module, &parameters, &error), error);
    vit_session_options options = {};
    options.struct_size = sizeof(options);
    options.parameters = parameters;
    options.device = device;
    check(vit_session_create(module, &options, &session, &error), error);
    vit_parameters_seed(parameters, 11);
  }
  Training(const Training &) = delete;
  ~Training() {
    vit_session_release(session);
    vit_parameters_release(parameters);
  }

  Outcome run(int every) {
    Outcome outcome;
    outcome.first = read();
    std::mt19937 random(5);
    vit_binding_info info = {};
    vit_error error;
    check(vit_module_input(module, "train_step", 0, &info, &error), error);
    check(vit_module_output(module, "forward", 0, &logits, &error), error);
    for (int i = 0; i < kCalls; ++i) {
      if (i == kCalls / 2)
        writeLargest();
      step(info, /*batch=*/i % 2 ? 3 : 5, i % every == every - 1, random,
           outcome);
    }
    outcome.last = read();
    return outcome;
  }

private:
  void step(vit_binding_info info, int64_t batch, bool update,
            std::mt19937 &random, Outcome &outcome) {
    info.dims[0] = batch;
    std::vector<float> pixels(elements(info));
    for (float &pixel : pixels)
      pixel = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    std::vector<int32_t> classes(batch);
    for (int32_t &label : classes)
      label = static_cast<int32_t>(random() % logits.dims[1]);
    vit_tensor images = {}, labels = {};
    images.data = pixels.data();
    images.size = pixels.size() * sizeof(float);
    images.rank = info.rank;
    std::copy(info.dims, info.dims + info.rank, images.dims);
    labels.data = classes.data();
    labels.size = classes.size() * sizeof(int32_t);
    labels.dtype = VIT_I32;
    labels.rank = 1;
    labels.dims[0] = batch;
    vit_step step = {};
    step.struct_size = sizeof(step);
    step.images = &images;
    step.targets = &labels;
    step.learning_rate = 0.05F;
    step.update = update;
    vit_error error;
    check(vit_session_step(session, &step, &error), error);
    outcome.losses.push_back(step.loss);
    outcome.correct.push_back(step.correct);
  }

  /// Multiplies the largest matrix among the parameters by 1.25. If a device
  /// went on with forms of the former one, all gradients would be others.
  void writeLargest() {
    vit_binding_info largest = {};
    vit_error error;
    for (int32_t i = 0; i < vit_parameters_count(parameters); ++i) {
      vit_binding_info info = {};
      check(vit_parameters_info(parameters, i, &info, &error), error);
      if (info.rank == 2 &&
          (!largest.name || elements(info) > elements(largest)))
        largest = info;
    }
    std::vector<float> value(elements(largest));
    size_t bytes = value.size() * sizeof(float);
    check(vit_parameters_read(parameters, largest.name, value.data(), bytes,
                              &error),
          error);
    for (float &element : value)
      element *= 1.25F;
    check(vit_parameters_write(parameters, largest.name, value.data(), bytes,
                               &error),
          error);
  }

  std::map<std::string, std::vector<float>> read() const {
    std::map<std::string, std::vector<float>> values;
    vit_error error;
    for (int32_t i = 0; i < vit_parameters_count(parameters); ++i) {
      vit_binding_info info = {};
      check(vit_parameters_info(parameters, i, &info, &error), error);
      std::vector<float> &value = values[info.name];
      value.resize(elements(info));
      check(vit_parameters_read(parameters, info.name, value.data(),
                                value.size() * sizeof(float), &error),
            error);
    }
    for (int32_t i = 0; i < vit_parameters_state_count(parameters); ++i) {
      vit_binding_info info = {};
      check(vit_parameters_state_info(parameters, i, &info, &error), error);
      if (info.dtype != VIT_F32)
        continue;
      std::vector<float> &value = values[info.name];
      value.resize(elements(info));
      check(vit_parameters_state_read(parameters, info.name, value.data(),
                                      value.size() * sizeof(float), &error),
            error);
    }
    return values;
  }

  vit_module *module;
  vit_binding_info logits = {};
  vit_parameters *parameters = nullptr;
  vit_session *session = nullptr;
};

/// The largest difference; infinite if a value is NaN.
double getDistance(const std::vector<float> &a, const std::vector<float> &b) {
  double largest = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    double difference = std::fabs(double(a[i]) - double(b[i]));
    if (!(difference <= largest))
      largest = std::isnan(difference) ? INFINITY : difference;
  }
  return largest;
}

/// The variable whose movement is the measure of how far two devices may be
/// apart in `name`. A bias of keys adds the same to all scores of a query, so
/// its gradient is zero but for rounding errors, which two devices need not
/// have in common; those of queries are of the same order before they cancel.
std::string getMeasure(const std::string &name) {
  const std::string key = "key.bias";
  size_t at = name.find(key);
  if (at == std::string::npos)
    return name;
  return std::string(name).replace(at, key.size(), "query.bias");
}

int compare(const Outcome &wanted, const Outcome &got, double share) {
  int wrong = 0;
  for (int i = 0; i < kCalls; ++i)
    if (!(std::fabs(wanted.losses[i] - got.losses[i]) <=
          kTolerance + share / 10 * std::fabs(wanted.losses[i])) ||
        wanted.correct[i] != got.correct[i]) {
      std::fprintf(stderr, "call %d: loss %.7g, not %.7g; %d correct, not %d\n",
                   i, got.losses[i], wanted.losses[i], got.correct[i],
                   wanted.correct[i]);
      ++wrong;
    }
  double largest = 0.0, largestShare = 0.0;
  for (const auto &[name, value] : wanted.last) {
    double distance = getDistance(value, got.last.at(name));
    const std::string measure = getMeasure(name);
    double moved =
        getDistance(wanted.last.at(measure), wanted.first.at(measure));
    largest = std::max(largest, distance);
    if (distance > kTolerance)
      largestShare = std::max(largestShare, distance / moved);
    // Accumulated gradients are reset.
    bool stays = name.compare(0, 9, "gradient.") == 0 ||
                 name.compare(0, 10, "exp_avg_sq") == 0;
    if (distance <= kTolerance + share * moved &&
        (stays || moved >= kLeastChange))
      continue;
    std::fprintf(stderr, "%s is %g away and moved by %g\n", name.c_str(),
                 distance, moved);
    ++wrong;
  }
  std::printf("%zu variables within %.1e, %.1e of what they moved\n",
              wanted.last.size(), largest, largestShare);
  return wrong;
}

} // namespace

int main(int argc, char **argv) {
  int every = argc >= 4 && argc <= 6 ? std::atoi(argv[3]) : 0;
  double share = argc > 4 ? std::atof(argv[4]) : 0.0;
  if (every < 1) {
    std::fprintf(stderr, "usage: vit-check-steps MODULE DEVICE EVERY [SHARE "
                         "[CPU-MODULE]]\n");
    return 1;
  }
  auto run = [&](const char *path, const char *device) {
    vit_error error;
    vit_module *module = nullptr;
    check(vit_module_load(path, nullptr, &module, &error), error);
    Outcome outcome = Training(module, device).run(every);
    vit_module_release(module);
    return outcome;
  };
  Outcome wanted = run(argv[argc == 6 ? 5 : 1], "cpu");
  return compare(wanted, run(argv[1], argv[2]), share) == 0 ? 0 : 1;
}
