//===- vit-check-ranks.cpp - Compares ranks with accumulated batches ------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vit-check-ranks [--fast] [--nccl] ALONE DISTRIBUTED DEVICE K UPDATES RANKS...
//
// Both modules have a training step with accumulate=K, the second one with
// --distribute. Trains the first on DEVICE for UPDATES times K micro-batches of
// random pictures, and for K - 1 more; then the second with each number of
// RANKS, threads of this process. Losses, correct answers, parameters and
// states must be equal, bit for bit. With --fast, which leaves out the last
// K - 1, losses must agree within 1e-4 of their value. With --nccl, gradients
// go from device to device by the library that VIT_NCCL_LIBRARY names.
//
//===----------------------------------------------------------------------===//

#include "../../tools/vit-run/Nccl.h"
#include "../ThreadRanks.h"
#include "CheckSupport.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <thread>

namespace {

struct Task {
  vit_module *module;
  const char *device;
  int every, updates;
  bool fast;
  const vit::tools::NcclLibrary *nccl; ///< NULL: through the host

  int count() const { return every * updates + (fast ? 0 : every - 1); }
};

/// Of a rank: losses and correct answers of all micro-batches, and the
/// variables at the end.
struct Outcome {
  std::vector<float> losses;
  std::vector<int32_t> correct;
  std::map<std::string, std::vector<float>> variables;
};

/// The pictures and labels of micro-batch `number`.
struct Batch {
  Batch(vit_module *module, int number) {
    vit_error error;
    vit_binding_info info = {}, logits = {};
    check(vit_module_input(module, "train_step", 0, &info, &error), error);
    check(vit_module_output(module, "forward", 0, &logits, &error), error);
    std::mt19937 random(number + 1);
    info.dims[0] = 1 + number % 2;
    pixels.resize(elements(info));
    for (float &pixel : pixels)
      pixel = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    classes.resize(info.dims[0]);
    for (int32_t &label : classes)
      label = static_cast<int32_t>(random() % logits.dims[1]);
    images.data = pixels.data();
    images.size = pixels.size() * sizeof(float);
    images.rank = info.rank;
    std::copy(info.dims, info.dims + info.rank, images.dims);
    labels.data = classes.data();
    labels.size = classes.size() * sizeof(int32_t);
    labels.dtype = VIT_I32;
    labels.rank = 1;
    labels.dims[0] = info.dims[0];
  }
  std::vector<float> pixels;
  std::vector<int32_t> classes;
  vit_tensor images = {}, labels = {};
};

std::vector<float> readOne(vit_parameters *parameters,
                           const vit_binding_info &info, bool isState) {
  std::vector<float> value(elements(info));
  vit_error error;
  size_t size = value.size() * sizeof(float);
  check(isState ? vit_parameters_state_read(parameters, info.name, value.data(),
                                            size, &error)
                : vit_parameters_read(parameters, info.name, value.data(), size,
                                      &error),
        error);
  return value;
}

void readVariables(vit_parameters *parameters, Outcome &outcome) {
  vit_error error;
  vit_binding_info info = {};
  for (int32_t i = 0; i < vit_parameters_count(parameters); ++i) {
    check(vit_parameters_info(parameters, i, &info, &error), error);
    outcome.variables[info.name] = readOne(parameters, info, false);
  }
  for (int32_t i = 0; i < vit_parameters_state_count(parameters); ++i) {
    check(vit_parameters_state_info(parameters, i, &info, &error), error);
    if (info.dtype == VIT_F32)
      outcome.variables[info.name] = readOne(parameters, info, true);
  }
}

/// Trains as one rank; `collective` NULL: the only one.
void train(const Task &task, const vit_collective *collective,
           Outcome &outcome) {
  int rank = collective ? collective->rank : 0;
  int ranks = collective ? collective->ranks : 1;
  vit_error error;
  vit_parameters *parameters = nullptr;
  vit_session *session = nullptr;
  check(vit_parameters_create(task.module, &parameters, &error), error);
  vit_parameters_seed(parameters, 11);
  vit_session_options options = {};
  options.struct_size = sizeof(options);
  options.parameters = parameters;
  options.threads = 1;
  options.device = task.device;
  options.collective = collective;
  options.reduction = task.fast ? VIT_REDUCE_FAST : VIT_REDUCE_ORDERED;
  check(vit_session_create(task.module, &options, &session, &error), error);
  std::vector<float> losses(ranks);
  std::vector<int32_t> correct(ranks);
  while (int(vit_parameters_steps(parameters)) < task.count()) {
    int done = int(vit_parameters_steps(parameters));
    int row = done / ranks * ranks, end = std::min(row + ranks, task.count());
    // A row in two parts; which one depends on its number.
    if (!task.fast && end - done > 1 && done % 3 == 1)
      end = done + 1;
    Batch batch(task.module, std::clamp(row + rank, done, end - 1));
    vit_step step = {};
    step.struct_size = sizeof(step);
    step.images = &batch.images;
    step.targets = &batch.labels;
    step.learning_rate = 1e-3F;
    step.update = end % task.every == 0;
    step.batches = end - done;
    step.losses = losses.data();
    step.corrects = correct.data();
    check(vit_session_step(session, &step, &error), error);
    for (int i = 0; i < end - done; ++i) {
      outcome.losses.push_back(losses[i]);
      outcome.correct.push_back(correct[i]);
    }
  }
  readVariables(parameters, outcome);
  vit_session_release(session);
  vit_parameters_release(parameters);
}

std::vector<Outcome> trainOn(const Task &task, int ranks) {
  vit::test::ThreadRanks all(ranks);
  std::vector<Outcome> outcomes(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      vit_collective collective = all.collective(rank);
      std::unique_ptr<vit::tools::Nccl> nccl;
      if (task.nccl) {
        nccl = std::make_unique<vit::tools::Nccl>(*task.nccl, collective,
                                                  nullptr, 600);
        collective.device = &nccl->collective();
      }
      train(task, &collective, outcomes[rank]);
    });
  for (std::thread &thread : threads)
    thread.join();
  return outcomes;
}

bool areEqual(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The number of differences, which are printed.
int compare(const Outcome &wanted, const Outcome &got, bool fast) {
  int wrong = 0;
  for (size_t i = 0; i < wanted.losses.size(); ++i) {
    float a = wanted.losses[i], b = got.losses[i];
    bool good = fast ? std::fabs(a - b) <= 1e-4F * std::fabs(a)
                     : a == b && wanted.correct[i] == got.correct[i];
    if (!good && wrong++ < 3)
      std::fprintf(stderr, "micro-batch %zu: loss %.9g, not %.9g\n", i, b, a);
  }
  for (const auto &[name, value] : wanted.variables)
    if (!fast && !areEqual(value, got.variables.at(name)) && wrong++ < 6)
      std::fprintf(stderr, "%s differs\n", name.c_str());
  return wrong;
}

} // namespace

int main(int argc, char **argv) {
  bool fast = false, hasNccl = false;
  for (; argc > 1 && argv[1][0] == '-'; ++argv, --argc)
    (std::string(argv[1]) == "--nccl" ? hasNccl : fast) = true;
  if (argc < 7) {
    std::fprintf(stderr, "usage: vit-check-ranks [--fast] [--nccl] ALONE "
                         "DISTRIBUTED DEVICE K UPDATES RANKS...\n");
    return 1;
  }
  vit::tools::NcclLibrary nccl;
  if (std::string fault; hasNccl && !nccl.open(fault)) {
    std::fprintf(stderr, "error: %s\n", fault.c_str());
    return 1;
  }
  vit_error error;
  vit_module *alone = nullptr, *distributed = nullptr;
  check(vit_module_load(argv[1], nullptr, &alone, &error), error);
  check(vit_module_load(argv[2], nullptr, &distributed, &error), error);
  Task task = {alone,
               argv[3],
               std::atoi(argv[4]),
               std::atoi(argv[5]),
               fast,
               hasNccl ? &nccl : nullptr};
  Outcome wanted;
  train(task, nullptr, wanted);
  float first = wanted.losses.front(), last = wanted.losses.back();
  std::printf("alone: %zu micro-batches, loss %.4f to %.4f\n",
              wanted.losses.size(), first, last);
  task.module = distributed;
  int wrong = 0;
  for (int i = 6; i < argc; ++i) {
    int different = 0;
    for (const Outcome &outcome : trainOn(task, std::atoi(argv[i])))
      different += compare(wanted, outcome, fast);
    std::printf("%s ranks: %d differences\n", argv[i], different);
    wrong += different;
  }
  vit_module_release(alone);
  vit_module_release(distributed);
  return wrong == 0 ? 0 : 1;
}
