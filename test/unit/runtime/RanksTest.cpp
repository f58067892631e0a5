//===- RanksTest.cpp - Training steps of several ranks --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../ThreadRanks.h"
#include "TestSupport.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

using namespace vit::test;

namespace {

constexpr int kRanks = 3;

/// What one rank has: parameters, a session, and its micro-batch.
struct Rank {
  ParametersHandle parameters;
  SessionHandle session;
  std::unique_ptr<Trainer> trainer;
  std::vector<float> losses = std::vector<float>(kRanks);
  std::vector<int32_t> corrects = std::vector<int32_t>(kRanks);
};

/// A module for several ranks, and ranks that are threads.
class Ranks : public testing::TestWithParam<vit_reduction> {
protected:
  void SetUp() override {
    Builder builder;
    builder.addTraining();
    builder.addRanks();
    bytes = std::make_unique<Bytes>(builder.write());
    module = load(*bytes);
    ASSERT_TRUE(module);
  }

  vit_session_options options(const Rank &rank,
                              const vit_collective *collective) const {
    vit_session_options result = {};
    result.struct_size = sizeof result;
    result.parameters = rank.parameters.get();
    result.threads = 2;
    result.collective = collective;
    result.reduction = GetParam();
    return result;
  }

  void makeRanks() {
    for (int i = 0; i < kRanks; ++i) {
      ranks[i].parameters = makeParameters(module);
      vit_collective collective = all.collective(i);
      vit_session_options given = options(ranks[i], &collective);
      ranks[i].session = makeSession(module, &given);
      ranks[i].trainer = std::make_unique<Trainer>(2 + i);
      ranks[i].trainer->step.learning_rate = 0.25f;
      ranks[i].trainer->step.losses = ranks[i].losses.data();
      ranks[i].trainer->step.corrects = ranks[i].corrects.data();
    }
  }

  /// All ranks make a step; returns their statuses.
  std::vector<vit_status> step() {
    std::vector<vit_status> statuses(kRanks);
    std::vector<std::thread> threads;
    for (int i = 0; i < kRanks; ++i)
      threads.emplace_back([this, &statuses, i] {
        statuses[i] = ranks[i].trainer->run(ranks[i].session);
      });
    for (std::thread &thread : threads)
      thread.join();
    return statuses;
  }

  void expectUnchanged(const std::vector<float> &values, uint64_t steps) const {
    for (const Rank &rank : ranks) {
      EXPECT_EQ(readParameters(rank.parameters), values);
      EXPECT_EQ(vit_parameters_steps(rank.parameters.get()), steps);
    }
  }

  vit_status createStatus(const vit_collective &collective, vit_error &error) {
    Rank rank;
    rank.parameters = makeParameters(module);
    vit_session_options given = options(rank, &collective);
    vit_session *session = nullptr;
    vit_status status =
        vit_session_create(module.get(), &given, &session, &error);
    vit_session_release(session);
    return status;
  }

  std::unique_ptr<Bytes> bytes;
  ModuleHandle module;
  ThreadRanks all{kRanks};
  Rank ranks[kRanks];
};

/// The gradients of ranks [first, end), in order.
std::vector<float> addGradients(const Rank *ranks, int first, int end,
                                const std::vector<float> &values) {
  std::vector<float> sum(28);
  for (int i = first; i < end; ++i) {
    std::vector<float> same = values, gradient(28);
    float loss;
    ranks[i].trainer->expect(same, gradient, loss, false);
    for (size_t k = 0; k < sum.size(); ++k)
      sum[k] += gradient[k];
  }
  return sum;
}

TEST_P(Ranks, StepsAddTheGradientsOfAll) {
  makeRanks();
  std::vector<float> values = initialParameters(), momentum(28);
  uint64_t steps = 0;
  // Rows of three micro-batches; the third row is in two parts.
  for (auto [first, end] : {std::pair(0, 3), {0, 3}, {0, 1}, {1, 3}, {0, 3}}) {
    std::vector<float> sum = addGradients(ranks, first, end, values);
    std::vector<float> losses;
    for (int i = first; i < end; ++i) {
      std::vector<float> same = values, ignored(28);
      ranks[i].trainer->expect(same, ignored, losses.emplace_back(), false);
    }
    for (size_t k = 0; k < values.size(); ++k) {
      momentum[k] += sum[k];
      values[k] -= 0.25f * momentum[k];
    }
    for (Rank &rank : ranks)
      rank.trainer->step.batches = end - first;
    for (vit_status status : step())
      ASSERT_EQ(status, VIT_OK) << ranks[0].trainer->error.message;
    steps += uint64_t(end - first);
    double mean = 0;
    int32_t correct = 0;
    for (int i = first; i < end; ++i) {
      mean += double(losses[size_t(i - first)]);
      // See kernelCorrect: the step's number, which is the micro-batch's.
      correct += int32_t(steps) - (end - i);
    }
    for (const Rank &rank : ranks) {
      EXPECT_EQ(rank.trainer->step.loss, float(mean / (end - first)));
      EXPECT_EQ(rank.trainer->step.correct, correct);
      for (size_t i = 0; i < losses.size(); ++i)
        EXPECT_EQ(rank.losses[i], losses[i]);
      if (GetParam() == VIT_REDUCE_ORDERED) {
        EXPECT_EQ(readParameters(rank.parameters), values);
        EXPECT_EQ(readMomentum(rank.parameters), momentum);
      }
      EXPECT_EQ(vit_parameters_steps(rank.parameters.get()), steps);
    }
    // Another order of additions, but the same on all ranks.
    values = readParameters(ranks[0].parameters);
    momentum = readMomentum(ranks[0].parameters);
    for (const Rank &rank : ranks)
      EXPECT_EQ(readParameters(rank.parameters), values);
  }
}

TEST_P(Ranks, ALossThatIsNotFiniteChangesNothingAnywhere) {
  makeRanks();
  ranks[1].trainer->image[0] = std::numeric_limits<float>::infinity();
  for (vit_status status : step())
    EXPECT_EQ(status, VIT_OK);
  for (const Rank &rank : ranks)
    EXPECT_FALSE(std::isfinite(rank.trainer->step.loss));
  expectUnchanged(initialParameters(), 0);
  // That of a rank that takes no part does not matter.
  for (Rank &rank : ranks)
    rank.trainer->step.batches = 1;
  for (vit_status status : step())
    EXPECT_EQ(status, VIT_OK);
  std::vector<float> values = readParameters(ranks[0].parameters);
  EXPECT_NE(values, initialParameters());
  expectUnchanged(values, 1);
}

TEST_P(Ranks, AFailureEndsTheStepEverywhere) {
  // The second of the calls of a step, on one rank: an all_gather.
  all.failAt(2, 1);
  makeRanks();
  for (vit_status status : step())
    EXPECT_EQ(status, VIT_IO_ERROR);
  for (const Rank &rank : ranks)
    EXPECT_STREQ(rank.trainer->error.message, "rank 2 is gone");
  expectUnchanged(initialParameters(), 0);
  // The ranks have parted: later steps fail without a call.
  int calls = all.calls();
  for (vit_status status : step())
    EXPECT_EQ(status, VIT_IO_ERROR);
  EXPECT_EQ(all.calls(), calls);
  EXPECT_STREQ(ranks[0].trainer->error.message, "rank 2 is gone");
}

TEST_P(Ranks, ARankThatCannotGoOnTellsTheOthers) {
  makeRanks();
  ranks[1].trainer->labels[0] = 3;
  std::vector<vit_status> statuses = step();
  EXPECT_EQ(statuses[1], VIT_INVALID_ARGUMENT);
  EXPECT_EQ(statuses[0], VIT_IO_ERROR);
  EXPECT_EQ(statuses[2], VIT_IO_ERROR);
  EXPECT_STREQ(ranks[0].trainer->error.message,
               "rank 1: label 3 of picture 0 is out of range: the model has "
               "the classes 0 to 2");
  expectUnchanged(initialParameters(), 0);
}

TEST_P(Ranks, EventsTellOfReductions) {
  ThreadRanks one(1);
  vit_collective collective = one.collective(0);
  Rank &rank = ranks[0];
  rank.parameters = makeParameters(module);
  vit_session_options given = options(rank, &collective);
  std::vector<std::string> names;
  given.on_event = [](void *context, const vit_event *event) {
    static_cast<std::vector<std::string> *>(context)->push_back(event->kernel);
  };
  given.event_context = &names;
  rank.session = makeSession(module, &given);
  Trainer trainer(2);
  std::vector<float> values = initialParameters(), momentum(28);
  float loss;
  trainer.expect(values, momentum, loss);
  ASSERT_EQ(trainer.run(rank.session), VIT_OK) << trainer.error.message;
  // One rank adds its gradients to the state itself.
  EXPECT_EQ(readParameters(rank.parameters), values);
  EXPECT_EQ(trainer.step.loss, loss);
  EXPECT_EQ(std::count(names.begin(), names.end(), "all_reduce"), 2);
}

TEST_P(Ranks, CollectivesAreChecked) {
  vit_error error;
  auto refuses = [&](vit_status status, const char *message,
                     const std::function<void(vit_collective &)> &change) {
    vit_collective collective = all.collective(1);
    change(collective);
    EXPECT_EQ(createStatus(collective, error), status);
    EXPECT_NE(std::string(error.message).find(message), std::string::npos)
        << error.message;
  };
  refuses(VIT_INVALID_ARGUMENT, "struct_size of the collective is 8",
          [](vit_collective &c) { c.struct_size = 8; });
  refuses(VIT_INVALID_ARGUMENT, "rank 1 of 1 ranks",
          [](vit_collective &c) { c.ranks = 1; });
  refuses(VIT_INVALID_ARGUMENT, "rank -1 of 3",
          [](vit_collective &c) { c.rank = -1; });
  refuses(VIT_INVALID_ARGUMENT, "needs both",
          [](vit_collective &c) { c.exchange = nullptr; });
  if (GetParam() == VIT_REDUCE_FAST)
    refuses(VIT_UNSUPPORTED, "has no all_reduce",
            [](vit_collective &c) { c.all_reduce = nullptr; });
  Builder builder;
  builder.addTraining();
  bytes = std::make_unique<Bytes>(builder.write());
  module = load(*bytes);
  refuses(VIT_UNSUPPORTED, "has no training step for several ranks",
          [](vit_collective &) {});
}

TEST_P(Ranks, CallsThatDoNotFitAreRefused) {
  makeRanks();
  for (Rank &rank : ranks)
    rank.trainer->step.batches = 4;
  for (vit_status status : step())
    EXPECT_NE(status, VIT_OK);
  expectUnchanged(initialParameters(), 0);
}

INSTANTIATE_TEST_SUITE_P(Both, Ranks,
                         testing::Values(VIT_REDUCE_ORDERED, VIT_REDUCE_FAST));

} // namespace
