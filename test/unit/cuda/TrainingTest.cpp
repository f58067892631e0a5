//===- TrainingTest.cpp - Training steps on a CUDA device -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaSupport.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace vit::test;

namespace {

class CudaTraining : public CudaTest {
protected:
  explicit CudaTraining(bool isRounded = false) : bytes(makeModule(isRounded)) {
    options.parameters = parameters.get();
  }

  static Bytes makeModule(bool isRounded) {
    Builder builder;
    builder.addTraining();
    builder.addGpu(vit::schema::Target::Cuda);
    if (isRounded)
      builder.addRounded();
    return builder.write();
  }
  void expectStepsOnTwoDevices();
  SessionHandle open() { return makeSession(module, &options); }

  Bytes bytes;
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
};

TEST_F(CudaTraining, StepsCopyNothingButInputs) {
  std::vector<float> values = initialParameters(), momentum(28);
  vit_parameters_seed(parameters.get(), 30);
  SessionHandle steps = open();
  Trainer trainer(3);
  for (int i = 0; i < 5; ++i) {
    float loss = 0;
    trainer.expect(values, momentum, loss);
    int before = driver->uploads;
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    EXPECT_EQ(trainer.step.correct, 30 + i);
    // Four inputs; the first step adds two forms, a constant, three arenas.
    EXPECT_EQ(driver->uploads - before, i == 0 ? 10 : 4);
    if (i == 2) {
      EXPECT_EQ(readParameters(parameters), values);
      EXPECT_EQ(readMomentum(parameters), momentum);
    }
  }
  EXPECT_EQ(driver->graphs, 1);
  EXPECT_EQ(readParameters(parameters), values);
  // A step on zeros would change what is trained.
  EXPECT_EQ(vit_session_warm_up(steps.get(), "train_step", 3, &error),
            VIT_UNSUPPORTED);
  EXPECT_EQ(readParameters(parameters), values);
  // The update uses the accumulated gradients.
  for (int update : {0, 0, 1}) {
    float loss = 0;
    trainer.step.update = update;
    trainer.expect(values, momentum, loss, update);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  }
  steps.reset();
  EXPECT_EQ(readParameters(parameters), values);
  EXPECT_EQ(readMomentum(parameters), momentum);
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 8u);
}

void CudaTraining::expectStepsOnTwoDevices() {
  SessionHandle steps = open(), inference = open();
  options.device = "cpu";
  SessionHandle cpu = open();
  std::vector<float> values = initialParameters(), momentum(28);
  Trainer trainer(3);
  for (int i = 0; i < 4; ++i) {
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(i % 2 ? cpu : steps), VIT_OK)
        << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    if (i == 0)
      continue;
    for (const SessionHandle *session : {&inference, &cpu, &steps}) {
      Call call(2);
      ASSERT_EQ(call.run(*session), VIT_OK) << call.error.message;
      call.expectReference({values.begin(), values.begin() + 4},
                           {values.begin() + 4, values.begin() + 12},
                           {values.begin() + 12, values.end()});
    }
    values[0] += 1;
    ASSERT_EQ(vit_parameters_write(parameters.get(), "scale", values.data(), 16,
                                   &error),
              VIT_OK);
  }
  EXPECT_EQ(readParameters(parameters), values);
  EXPECT_EQ(readMomentum(parameters), momentum);
}

TEST_F(CudaTraining, SharedWithOtherSessions) { expectStepsOnTwoDevices(); }

TEST_F(CudaTraining, LossThatIsNotFiniteChangesNothing) {
  SessionHandle steps = open();
  Trainer trainer(2);
  trainer.image[0] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  EXPECT_TRUE(std::isnan(trainer.step.loss));
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 0u);
  EXPECT_EQ(readParameters(parameters), initialParameters());
}

/// The loss is right only if the rounded copy is that of the parameters.
class CudaRounded : public CudaTraining {
protected:
  CudaRounded() : CudaTraining(/*isRounded=*/true) {}
};

TEST_F(CudaRounded, IsThatOfEachValue) { expectStepsOnTwoDevices(); }

TEST_F(CudaRounded, IsUploadedOnce) {
  SessionHandle steps = open();
  std::vector<float> values = initialParameters(), momentum(28);
  Trainer trainer(3);
  for (int i = 0; i < 3; ++i) {
    float loss = 0;
    trainer.step.update = i != 1;
    trainer.expect(values, momentum, loss, trainer.step.update);
    int before = driver->uploads;
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    // Two or four inputs; the first step adds two forms, a constant, three
    // arenas and the copy.
    EXPECT_EQ(driver->uploads - before, i == 0 ? 11 : i == 1 ? 2 : 4);
  }
  trainer.image[0] = std::numeric_limits<float>::quiet_NaN();
  trainer.step.update = 1;
  ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  EXPECT_EQ(readParameters(parameters), values);
}

/// Its memory counts before anything is uploaded.
TEST_F(CudaRounded, TakesMemory) {
  driver->memory = 1023; // three arenas and the copy take 256 bytes each
  vit_session *session = nullptr;
  EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
            VIT_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message, "out of memory: no 1024 bytes for weights on "
                              "'Test GPU', which has 1023 in all");
  EXPECT_EQ(driver->uploads, 0);
}

/// Only when schedules are chosen is it known which ones run together.
TEST_F(CudaRounded, IsChangedByAllUpdates) {
  Builder builder;
  builder.addTraining();
  builder.addGpu(vit::schema::Target::Cuda);
  builder.addRounded();
  auto &schedule = *builder.module.entries[1]->schedules.back();
  for (auto &kernel : schedule.kernels)
    kernel->argument_count -= kernel->name.rfind("rounded_", 0) == 0;
  auto isRounded = [](const vit::schema::Argument &argument) {
    return argument.kind() == vit::schema::ArgumentKind::Rounded;
  };
  for (auto &command : schedule.commands) {
    auto &arguments = command->arguments;
    arguments.erase(
        std::remove_if(arguments.begin(), arguments.end(), isRounded),
        arguments.end());
  }
  Bytes lie = builder.write();
  ModuleHandle other = load(lie);
  options.parameters = nullptr;
  vit_session *session = nullptr;
  EXPECT_EQ(vit_session_create(other.get(), &options, &session, &error),
            VIT_CORRUPT);
  EXPECT_TRUE(std::strstr(error.message,
                          "is damaged: update 'update' changes variables and "
                          "not their rounded copy"))
      << error.message;
}

/// After any failure the values are those before or after the step, or the
/// runtime reports that they are lost.
TEST_F(CudaTraining, FailuresLoseNothingInSilence) {
  struct {
    const char *function;
    int result;
    bool isLost;
  } const cases[] = {{"cuGraphLaunch", 2, true},
                     {"cuGraphLaunch", 700, true},
                     {"cuMemcpyHtoDAsync_v2", 2, false},
                     {"cuMemcpyHtoDAsync_v2", 700, true},
                     {"cuStreamSynchronize", 700, true}};
  for (const auto &c : cases) {
    SCOPED_TRACE(testing::Message() << c.function << " " << c.result);
    parameters = makeParameters(module);
    options.parameters = parameters.get();
    SessionHandle steps = open();
    Trainer trainer(2);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    failAt(c.function, c.result);
    EXPECT_NE(trainer.run(steps), VIT_OK);
    failAt("", 0);
    std::vector<float> values(4);
    vit_status status = vit_parameters_read(parameters.get(), "scale",
                                            values.data(), 16, &error);
    EXPECT_EQ(status, c.isLost ? VIT_DEVICE_LOST : VIT_OK) << error.message;
    steps.reset();
    status = vit_parameters_read(parameters.get(), "scale", values.data(), 16,
                                 &error);
    EXPECT_EQ(status, c.isLost ? VIT_DEVICE_LOST : VIT_OK) << error.message;
    bool saysSo = std::strstr(error.message, "checkpoint");
    EXPECT_TRUE(!c.isLost || saysSo) << error.message;
    EXPECT_EQ(vit_parameters_steps(parameters.get()), 1u);
  }
}

TEST_F(CudaTraining, CancelledBeforeItIsSubmitted) {
  options.is_cancelled = [](void *) { return int32_t(1); };
  SessionHandle steps = open();
  Trainer trainer(2);
  EXPECT_EQ(trainer.run(steps), VIT_CANCELLED);
  EXPECT_EQ(readParameters(parameters), initialParameters());
}

} // namespace
