//===- TrainingTest.cpp - Training steps on a Vulkan device ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Faults.h"

#include <cmath>
#include <limits>

using namespace vit::test;

namespace {

/// The module of addVulkanTraining with code for inference.
Bytes makeTrainingModule() {
  Builder builder;
  addVulkanSchedule(builder, "direct");
  addVulkanTraining(builder);
  return builder.write();
}

/// Computes the effect of a step of that module.
void expectStep(const Trainer &trainer, std::vector<float> &parameters,
                std::vector<float> &momentum) {
  std::vector<float> gradient(28);
  for (size_t i = 0; i < 4; ++i)
    gradient[i] = trainer.image[i] * parameters[i];
  for (size_t i = 0; i < 8; ++i)
    gradient[4 + i] = trainer.image[i];
  for (size_t i = 0; i < 28; ++i) {
    momentum[i] += gradient[i];
    parameters[i] -= trainer.step.learning_rate * momentum[i];
  }
}

void expectInference(const SessionHandle &session,
                     const std::vector<float> &values) {
  Call call(3);
  ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference({values.begin(), values.begin() + 4},
                       {values.begin() + 4, values.begin() + 12},
                       {values.begin() + 12, values.end()});
}

using VulkanTraining = VulkanRun;

TEST_P(VulkanTraining, OneAfterTheOther) {
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  SessionHandle steps = makeSession(module, &options);
  ASSERT_TRUE(steps);
  std::vector<float> values = initialParameters(), momentum(28);
  Trainer trainer(2);
  for (int i = 0; i < 6; ++i) {
    expectStep(trainer, values, momentum);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, trainer.image[0]);
    EXPECT_EQ(trainer.step.correct, i);
    // Not after each step, so that some steps follow each other directly.
    if (i % 3 == 1) {
      EXPECT_EQ(readParameters(parameters), values);
      EXPECT_EQ(readMomentum(parameters), momentum);
    }
  }
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 6u);
  steps.reset();
  EXPECT_EQ(readParameters(parameters), values);
  EXPECT_EQ(readMomentum(parameters), momentum);
}

TEST_P(VulkanTraining, SharedWithOtherSessions) {
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  SessionHandle steps = makeSession(module, &options);
  SessionHandle others = makeSession(module, &options);
  SessionHandle inference = makeSession(module, &options);
  options.device = "cpu";
  SessionHandle cpu = makeSession(module, &options);
  ASSERT_TRUE(steps && others && inference && cpu);
  std::vector<float> values = initialParameters(), momentum(28);
  Trainer trainer(2);
  for (int i = 0; i < 3; ++i) {
    expectStep(trainer, values, momentum);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    if (i == 1) {
      expectInference(inference, values);
      expectInference(cpu, values);
      expectInference(steps, values);
    }
    expectStep(trainer, values, momentum);
    ASSERT_EQ(trainer.run(others), VIT_OK) << trainer.error.message;
    // The CPU code computes something else.
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(cpu), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    for (size_t k = 0; k < 4; ++k)
      values[k] = float(i) + float(k);
    vit_error error = {};
    ASSERT_EQ(vit_parameters_write(parameters.get(), "scale", values.data(), 16,
                                   &error),
              VIT_OK);
    momentum[5] = 0.5f;
    ASSERT_EQ(vit_parameters_state_write(parameters.get(), "momentum.q",
                                         momentum.data() + 4, 32, &error),
              VIT_OK);
  }
  expectStep(trainer, values, momentum);
  ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  expectInference(inference, values);
  EXPECT_EQ(readParameters(parameters), values);
  EXPECT_EQ(readMomentum(parameters), momentum);
}

TEST_P(VulkanTraining, LossThatIsNotFiniteChangesNothing) {
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  SessionHandle steps = makeSession(module, &options);
  ASSERT_TRUE(steps);
  Trainer trainer(2);
  trainer.image[0] = std::numeric_limits<float>::infinity();
  ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  EXPECT_TRUE(std::isinf(trainer.step.loss));
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 0u);
  EXPECT_EQ(readParameters(parameters), initialParameters());
  EXPECT_EQ(readMomentum(parameters), std::vector<float>(28));
}

INSTANTIATE_TEST_SUITE_P(Variants, VulkanTraining, kVariants, nameOf);

} // namespace

TEST_F(Vulkan, StepsAreCancelledBeforeTheUpdateOrNotAtAll) {
  Environment split("VIT_VULKAN_SUBMIT_GFLOP", "0.0000002");
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  struct Stop {
    int asked, at;
  } stop = {0, 0};
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  options.cancel_context = &stop;
  options.is_cancelled = [](void *context) {
    auto &stop = *static_cast<Stop *>(context);
    return int(stop.asked++ == stop.at);
  };
  SessionHandle session = makeSession(module, &options);
  ASSERT_TRUE(session);
  Trainer trainer(2);
  stop.at = -1;
  ASSERT_EQ(trainer.run(session), VIT_OK) << trainer.error.message;
  int most = stop.asked;
  EXPECT_GT(most, 1);
  std::vector<float> values = readParameters(parameters);
  for (stop.at = 0; stop.at < most; ++stop.at) {
    stop.asked = 0;
    EXPECT_EQ(trainer.run(session), VIT_CANCELLED);
    EXPECT_EQ(readParameters(parameters), values);
  }
  stop.asked = 0;
  ASSERT_EQ(trainer.run(session), VIT_OK);
  EXPECT_NE(readParameters(parameters), values);
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 2u);
}

TEST_F(Vulkan, NothingIsLookedForOnDevices) {
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeVulkanSession(module);
  Call call(2);
  char name[8];
  vit_error error = {};
  EXPECT_EQ(vit_session_find_not_finite(session.get(), "forward",
                                        call.inputs.data(), 1, name,
                                        sizeof name, &error),
            VIT_UNSUPPORTED);
  EXPECT_NE(std::string(error.message).find("on the CPU"), std::string::npos);
}

TEST_F(Vulkan, VariablesBeyondABinding) {
  Builder builder;
  addVulkanTraining(builder);
  builder.module.arenas[2]->bytes = 4096;
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  Environment small("VIT_VULKAN_MAX_BINDING", "4096");
  std::string message;
  EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_UNSUPPORTED);
  EXPECT_EQ(message.rfind("the variables of training have 4480 bytes", 0), 0u)
      << message;
}

//===----------------------------------------------------------------------===//
// Failing driver calls
//===----------------------------------------------------------------------===//

/// After any failure the parameters are those before or after the step, or the
/// runtime reports that they are lost.
TEST_F(VulkanFaults, EachCallOfAStepInTurn) {
  Bytes bytes = makeTrainingModule();
  ModuleHandle module = load(bytes);
  for (const char *disable : {"", "host-visible"})
    for (VkResult result :
         {VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_DEVICE_LOST}) {
      Environment environment("VIT_VULKAN_DISABLE", disable);
      int failed = 0;
      for (int number = 0;; ++number) {
        ASSERT_LT(number, 500);
        SCOPED_TRACE(testing::Message()
                     << "call " << number << " returns " << result
                     << ", without '" << disable << "'");
        ParametersHandle parameters = makeParameters(module);
        vit_session_options options = vulkanOptions();
        options.parameters = parameters.get();
        SessionHandle session = makeSession(module, &options);
        std::vector<float> values = initialParameters(), momentum(28);
        Trainer trainer(2);
        expectStep(trainer, values, momentum);
        ASSERT_EQ(trainer.run(session), VIT_OK);
        std::vector<float> after = values;
        expectStep(trainer, after, momentum);
        fault(number, result);
        bool stepped = trainer.run(session) == VIT_OK;
        std::vector<float> read(4);
        vit_error error = {};
        vit_status status = vit_parameters_read(parameters.get(), "scale",
                                                read.data(), 16, &error);
        bool done = *calls <= number;
        fault(-1);
        EXPECT_TRUE(status == VIT_OK || status == VIT_DEVICE_LOST ||
                    (status == VIT_OUT_OF_MEMORY &&
                     result == VK_ERROR_OUT_OF_DEVICE_MEMORY))
            << error.message;
        session.reset();
        // Without the session: the values are back or lost.
        status = vit_parameters_read(parameters.get(), "scale", read.data(), 16,
                                     &error);
        if (status == VIT_OK) {
          const std::vector<float> &expected = stepped ? after : values;
          EXPECT_EQ(read,
                    std::vector<float>(expected.begin(), expected.begin() + 4));
        } else {
          EXPECT_EQ(status, VIT_DEVICE_LOST) << error.message;
          EXPECT_NE(std::string(error.message).find("checkpoint"),
                    std::string::npos)
              << error.message;
        }
        EXPECT_EQ(vit_parameters_steps(parameters.get()), 1u + stepped);
        failed += !stepped || status != VIT_OK;
        if (done)
          break;
      }
      EXPECT_GE(failed, 2);
    }
}
