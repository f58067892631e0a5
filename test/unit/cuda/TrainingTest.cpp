//===- TrainingTest.cpp - Training steps on a CUDA device -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaSupport.h"

#include <cmath>
#include <limits>

using namespace vit::test;

namespace {

class CudaTraining : public CudaTest {
protected:
  CudaTraining() { options.parameters = parameters.get(); }

  static Bytes makeModule() {
    Builder builder;
    builder.addTraining();
    builder.addGpu(vit::schema::Target::Cuda);
    return builder.write();
  }
  SessionHandle open() { return makeSession(module, &options); }

  Bytes bytes = makeModule();
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

TEST_F(CudaTraining, SharedWithOtherSessions) {
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

TEST_F(CudaTraining, LossThatIsNotFiniteChangesNothing) {
  SessionHandle steps = open();
  Trainer trainer(2);
  trainer.image[0] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  EXPECT_TRUE(std::isnan(trainer.step.loss));
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 0u);
  EXPECT_EQ(readParameters(parameters), initialParameters());
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
