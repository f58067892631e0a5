//===- RanksTest.cpp - Training steps of several CUDA devices -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../ThreadRanks.h"
#include "CudaSupport.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

using namespace vit::test;

namespace {

constexpr int kRanks = 3;

/// A vit_device_collective of threads: the test driver's memory is the host's,
/// and its streams have nothing that waits.
class DeviceRank {
public:
  void connect(ThreadRanks &ranks, int rank) {
    host = ranks.collective(rank);
    functions = {sizeof(vit_device_collective),
                 this,
                 open,
                 exchange,
                 allGather,
                 allReduce,
                 check,
                 close};
  }

  vit_device_collective functions = {};
  vit_status openStatus = VIT_OK, checkStatus = VIT_OK;
  int opened = 0, closed = 0, failures = 0, checks = 0;
  std::atomic<int> calls{0};

private:
  static DeviceRank &self(void *context) {
    return *static_cast<DeviceRank *>(context);
  }
  static vit_status open(void *context, vit_error *error) {
    ++self(context).opened;
    if (self(context).openStatus != VIT_OK)
      std::snprintf(error->message, sizeof error->message, "no network");
    return self(context).openStatus;
  }
  static vit_status exchange(void *context, const void *send,
                             const size_t *sizes, void *receive, void *stream,
                             vit_error *error) {
    EXPECT_NE(stream, nullptr);
    vit_collective &host = self(context).host;
    ++self(context).calls;
    return host.exchange(host.context, send, sizes, receive, error);
  }
  static vit_status allGather(void *context, void *data, const size_t *sizes,
                              void *, vit_error *error) {
    vit_collective &host = self(context).host;
    ++self(context).calls;
    return host.all_gather(host.context, data, sizes, error);
  }
  static vit_status allReduce(void *context, float *data, size_t count, void *,
                              vit_error *error) {
    vit_collective &host = self(context).host;
    ++self(context).calls;
    return host.all_reduce(host.context, data, count, error);
  }
  /// Fails without a message.
  static vit_status check(void *context, vit_error *) {
    ++self(context).checks;
    return self(context).checkStatus;
  }
  /// Ends what the other ranks wait for, as ncclCommAbort ends a connection.
  static void close(void *context, int32_t hasFailed) {
    ++self(context).closed;
    self(context).failures += hasFailed;
    if (hasFailed)
      self(context).host.abort(self(context).host.context, "gone");
  }

  vit_collective host = {};
};

struct Rank {
  DeviceRank device;
  ParametersHandle parameters;
  SessionHandle session;
  std::unique_ptr<Trainer> trainer;
};

using Ranks = std::array<Rank, kRanks>;

class CudaRanks : public CudaTest,
                  public testing::WithParamInterface<vit_reduction> {
protected:
  static Bytes makeModule() {
    Builder builder;
    builder.addTraining();
    builder.addRanks();
    builder.addGpu(vit::schema::Target::Cuda);
    return builder.write();
  }

  /// The results of ranks go by `losses`, gradients by `gradients`, or by
  /// `losses` as well if that is null.
  void makeRanks(Ranks &ranks, ThreadRanks &losses, ThreadRanks *gradients) {
    for (int i = 0; i < kRanks; ++i) {
      ranks[i].parameters = makeParameters(module);
      vit_collective collective = losses.collective(i);
      if (gradients) {
        ranks[i].device.connect(*gradients, i);
        collective.device = &ranks[i].device.functions;
      }
      options.parameters = ranks[i].parameters.get();
      options.collective = &collective;
      options.reduction = GetParam();
      ranks[i].session = makeSession(module, &options);
      ranks[i].trainer = std::make_unique<Trainer>(2 + i);
      ranks[i].trainer->step.learning_rate = 0.25f;
    }
  }

  /// All ranks make a step; calls `after(rank)` when one of them has.
  static std::vector<vit_status>
  step(Ranks &ranks, const std::function<void(int)> &after = nullptr) {
    std::vector<vit_status> statuses(kRanks);
    std::vector<std::thread> threads;
    for (int i = 0; i < kRanks; ++i)
      threads.emplace_back([&, i] {
        statuses[i] = ranks[i].trainer->run(ranks[i].session);
        if (after)
          after(i);
      });
    for (std::thread &thread : threads)
      thread.join();
    return statuses;
  }

  void TearDown() override {
    for (Rank &rank : ranks)
      rank.session.reset();
    CudaTest::TearDown();
  }

  static void expectUnchanged(Ranks &ranks) {
    for (Rank &rank : ranks) {
      EXPECT_EQ(readParameters(rank.parameters), initialParameters());
      EXPECT_EQ(vit_parameters_steps(rank.parameters.get()), 0u);
    }
  }

  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  ThreadRanks losses{kRanks}, gradients{kRanks};
  Ranks ranks;
};

TEST_P(CudaRanks, GradientsGoFromDeviceToDevice) {
  ThreadRanks host(kRanks);
  Ranks others; // released at the end of this function
  makeRanks(ranks, losses, &gradients);
  makeRanks(others, host, nullptr);
  driver->notReady = 2;
  // The last row is in two parts.
  const std::pair<int, int> turns[] = {{0, 3}, {0, 3}, {0, 1}, {1, 3}};
  for (auto [first, end] : turns) {
    for (Ranks *all : {&ranks, &others})
      for (Rank &rank : *all)
        rank.trainer->step.batches = end - first;
    int before = driver->kernelLaunches, launched = driver->graphLaunches;
    for (vit_status status : step(ranks))
      ASSERT_EQ(status, VIT_OK) << ranks[0].trainer->error.message;
    // Three ranges are added, each a line, which one rank adds up in order.
    // What is before the first bucket and after the Wait are graphs of each
    // rank; between two buckets is nothing.
    EXPECT_EQ(driver->kernelLaunches - before,
              GetParam() == VIT_REDUCE_FAST ? kRanks * 3 : 3);
    EXPECT_EQ(driver->graphLaunches - launched, kRanks * 2);
    // Two buckets wait for gradients, the update waits for the buckets.
    EXPECT_EQ(driver->waits, kRanks * 3);
    driver->waits = 0;
    before = driver->kernelLaunches;
    for (vit_status status : step(others))
      ASSERT_EQ(status, VIT_OK) << others[0].trainer->error.message;
    EXPECT_EQ(driver->kernelLaunches, before);
    EXPECT_EQ(driver->waits, 0);
    for (int i = 0; i < kRanks; ++i) {
      EXPECT_EQ(ranks[i].trainer->step.loss, others[i].trainer->step.loss);
      EXPECT_EQ(ranks[i].trainer->step.correct,
                others[i].trainer->step.correct);
      EXPECT_EQ(readParameters(ranks[i].parameters),
                readParameters(others[i].parameters));
      EXPECT_EQ(readMomentum(ranks[i].parameters),
                readMomentum(others[i].parameters));
    }
  }
  EXPECT_NE(readParameters(ranks[0].parameters), initialParameters());
  // One plan for each batch: a part without commands is no graph.
  EXPECT_EQ(driver->graphs, 2 * kRanks * 2);
  int checks = 0;
  for (Rank &rank : ranks) {
    checks += rank.device.checks;
    rank.session.reset();
    EXPECT_EQ(rank.device.opened, 1);
    EXPECT_EQ(rank.device.closed, 1);
    EXPECT_EQ(rank.device.failures, 0);
    // Fast: one call for each range of three updates and no other.
    EXPECT_EQ(rank.device.calls, GetParam() == VIT_REDUCE_FAST ? 12 : 24);
  }
  EXPECT_EQ(checks, 2);
}

TEST_P(CudaRanks, ALossThatIsNotFiniteChangesNothing) {
  makeRanks(ranks, losses, &gradients);
  ranks[1].trainer->image[0] = std::numeric_limits<float>::infinity();
  for (vit_status status : step(ranks))
    EXPECT_EQ(status, VIT_OK);
  for (const Rank &rank : ranks)
    EXPECT_FALSE(std::isfinite(rank.trainer->step.loss));
  expectUnchanged(ranks);
}

TEST_P(CudaRanks, AFailureOfTheNetworkEndsTheStepEverywhere) {
  gradients.failAt(2, 1);
  makeRanks(ranks, losses, &gradients);
  for (vit_status status : step(ranks))
    EXPECT_EQ(status, VIT_IO_ERROR);
  EXPECT_STREQ(ranks[2].trainer->error.message, "rank 2 is gone");
  expectUnchanged(ranks);
  // Nothing is exchanged any more.
  int calls = ranks[0].device.calls;
  for (vit_status status : step(ranks))
    EXPECT_EQ(status, VIT_IO_ERROR);
  EXPECT_EQ(ranks[0].device.calls, calls);
  for (Rank &rank : ranks) {
    rank.session.reset();
    EXPECT_EQ(rank.device.closed, 1);
    EXPECT_EQ(rank.device.failures, 1);
  }
}

TEST_P(CudaRanks, ARankThatCannotGoOnTellsTheOthers) {
  makeRanks(ranks, losses, &gradients);
  ranks[1].trainer->labels[0] = 3;
  // The others wait for its gradients until its communicator is gone.
  vit_collective gone = gradients.collective(1);
  std::vector<vit_status> statuses = step(ranks, [&](int rank) {
    if (rank == 1)
      gone.abort(gone.context, "gone");
  });
  EXPECT_EQ(statuses[1], VIT_INVALID_ARGUMENT);
  EXPECT_EQ(statuses[0], VIT_IO_ERROR);
  EXPECT_EQ(statuses[2], VIT_IO_ERROR);
  expectUnchanged(ranks);
  for (Rank &rank : ranks) {
    rank.session.reset();
    EXPECT_EQ(rank.device.closed, 1);
    EXPECT_EQ(rank.device.failures, 1);
  }
}

/// All is submitted, and the others do not come.
TEST_P(CudaRanks, AWaitForOtherRanksEnds) {
  makeRanks(ranks, losses, &gradients);
  for (Rank &rank : ranks)
    rank.device.checkStatus = VIT_CANCELLED;
  driver->notReady = 1000000;
  for (vit_status status : step(ranks))
    EXPECT_EQ(status, VIT_CANCELLED);
  driver->notReady = 0;
  EXPECT_STREQ(ranks[0].trainer->error.message,
               "the device collective failed with VIT_CANCELLED");
  for (Rank &rank : ranks) {
    EXPECT_EQ(rank.device.checks, 1);
    EXPECT_EQ(rank.device.failures, 1);
    // Updates may have begun: nobody knows the values.
    std::vector<float> values(4);
    EXPECT_EQ(vit_parameters_read(rank.parameters.get(), "scale", values.data(),
                                  16, &error),
              VIT_DEVICE_LOST);
  }
}

TEST_P(CudaRanks, TimesOfExchanges) {
  std::vector<std::string> names;
  options.on_event = [](void *context, const vit_event *event) {
    EXPECT_LE(event->begin_ns, event->end_ns);
    if (std::strcmp(event->kernel, "all_reduce") == 0)
      static_cast<std::vector<std::string> *>(context)->push_back(event->name);
  };
  std::vector<std::string> ofRank[kRanks];
  for (int i = 0; i < kRanks; ++i) {
    options.event_context = &ofRank[i];
    ranks[i].parameters = makeParameters(module);
    vit_collective collective = losses.collective(i);
    ranks[i].device.connect(gradients, i);
    collective.device = &ranks[i].device.functions;
    options.parameters = ranks[i].parameters.get();
    options.collective = &collective;
    options.reduction = GetParam();
    ranks[i].session = makeSession(module, &options);
    ranks[i].trainer = std::make_unique<Trainer>(2);
  }
  for (int turn = 0; turn < 2; ++turn)
    for (vit_status status : step(ranks))
      EXPECT_EQ(status, VIT_OK) << ranks[0].trainer->error.message;
  const std::vector<std::string> wanted = {"results",      "all_reduce.0",
                                           "all_reduce.1", "results",
                                           "all_reduce.0", "all_reduce.1"};
  for (const auto &seen : ofRank)
    EXPECT_EQ(seen, wanted);
}

TEST_P(CudaRanks, SessionsThatCannotBeMade) {
  vit_collective collective = losses.collective(0);
  DeviceRank &device = ranks[0].device;
  device.connect(gradients, 0);
  collective.device = &device.functions;
  options.collective = &collective;
  options.reduction = GetParam();
  device.openStatus = VIT_IO_ERROR;
  EXPECT_EQ(tryCreate(module), VIT_IO_ERROR);
  EXPECT_STREQ(error.message, "no network");
  EXPECT_EQ(device.closed, 0);
  device.openStatus = VIT_OK;
  driver->cubinsLoaded = 0;
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  EXPECT_EQ(device.closed, 1);
  EXPECT_EQ(device.failures, 0);
  // What is opened is closed, so that the others do not wait. The code of the
  // module is loaded before.
  const std::pair<const char *, int> cases[] = {
      {"cuEventCreate", 0},
      {"cuStreamCreate", 1},
      {"cuModuleLoadDataEx", driver->cubinsLoaded}};
  for (auto [function, after] : cases) {
    device.closed = device.failures = 0;
    failAt(function, 2, after);
    EXPECT_EQ(tryCreate(module), VIT_OUT_OF_MEMORY) << error.message;
    EXPECT_EQ(device.closed, 1) << function;
    EXPECT_EQ(device.failures, 1) << function;
  }
  failAt("", 0);
  device.functions.exchange = nullptr;
  EXPECT_EQ(tryCreate(module), VIT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error.message, "needs both exchange and all_gather"),
            nullptr);
  device.functions.struct_size = 8;
  EXPECT_EQ(tryCreate(module), VIT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error.message, "struct_size of the device collective"),
            nullptr);
  // One from before there were such collectives, and a CPU, have none.
  device.opened = 0;
  collective.struct_size = offsetof(vit_collective, device);
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  device.connect(gradients, 0);
  collective.struct_size = sizeof collective;
  options.device = "cpu";
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  EXPECT_EQ(device.opened, 0);
}

INSTANTIATE_TEST_SUITE_P(Both, CudaRanks,
                         testing::Values(VIT_REDUCE_ORDERED, VIT_REDUCE_FAST));

} // namespace
