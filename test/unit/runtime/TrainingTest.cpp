//===- TrainingTest.cpp - Training steps ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "vit/vit.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <functional>
#include <limits>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

/// The module with training, its parameters, and sessions that share them.
class Training : public testing::Test {
protected:
  void SetUp() override {
    Builder builder;
    builder.addTraining();
    make(builder);
  }

  void make(Builder &builder) {
    parameters.reset();
    module.reset();
    bytes = std::make_unique<Bytes>(builder.write());
    module = load(*bytes);
    ASSERT_TRUE(module);
    parameters = makeParameters(module);
    ASSERT_TRUE(parameters);
  }

  vit_session_options options(int threads = 1) const {
    vit_session_options result = {};
    result.struct_size = sizeof result;
    result.parameters = parameters.get();
    result.threads = threads;
    return result;
  }

  SessionHandle session(int threads = 1) const {
    vit_session_options given = options(threads);
    return makeSession(module, &given);
  }

  std::unique_ptr<Bytes> bytes;
  ModuleHandle module;
  ParametersHandle parameters;
};

TEST_F(Training, StepsUpdateParametersAndStates) {
  SessionHandle steps = session();
  std::vector<float> values = initialParameters(), momentum(28);
  vit_parameters_seed(parameters.get(), (uint64_t(7) << 32) + 1000);
  for (int i = 0; i < 5; ++i) {
    Trainer trainer(i == 3 ? 5 : 2);
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    EXPECT_EQ(trainer.step.correct, 1000 + i);
    EXPECT_EQ(vit_parameters_steps(parameters.get()), uint64_t(i + 1));
    EXPECT_EQ(readParameters(parameters), values);
    EXPECT_EQ(readMomentum(parameters), momentum);
  }
}

TEST_F(Training, InferenceSeesUpdates) {
  SessionHandle steps = session(), inference = session();
  std::vector<float> values = initialParameters(), momentum(28);
  Call call(3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(call.run(inference), VIT_OK) << call.error.message;
    call.expectReference({values.begin(), values.begin() + 4},
                         {values.begin() + 4, values.begin() + 12},
                         {values.begin() + 12, values.end()});
    Trainer trainer(2);
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  }
  // A session runs any entry; steps and calls may alternate.
  ASSERT_EQ(call.run(steps), VIT_OK);
  call.expectReference({values.begin(), values.begin() + 4},
                       {values.begin() + 4, values.begin() + 12},
                       {values.begin() + 12, values.end()});
}

TEST_F(Training, WritesAreSeenByStepsAndCalls) {
  SessionHandle steps = session();
  std::vector<float> values = initialParameters(), momentum(28, 0.25f);
  vit_error error = {};
  EXPECT_EQ(vit_parameters_state_write(parameters.get(), "momentum.scale",
                                       momentum.data(), 16, &error),
            VIT_OK);
  EXPECT_EQ(vit_parameters_state_write(parameters.get(), "momentum.q",
                                       momentum.data(), 32, &error),
            VIT_OK);
  EXPECT_EQ(vit_parameters_state_write(parameters.get(), "momentum.kv",
                                       momentum.data(), 64, &error),
            VIT_OK);
  for (int i = 0; i < 2; ++i) {
    for (size_t k = 4; k < 12; ++k)
      values[k] = float(i) - float(k);
    ASSERT_EQ(vit_parameters_write(parameters.get(), "q", values.data() + 4, 32,
                                   &error),
              VIT_OK);
    EXPECT_EQ(readParameters(parameters), values);
    Call call(2);
    ASSERT_EQ(call.run(steps), VIT_OK);
    call.expectReference({values.begin(), values.begin() + 4},
                         {values.begin() + 4, values.begin() + 12},
                         {values.begin() + 12, values.end()});
    Trainer trainer(2);
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(steps), VIT_OK);
    EXPECT_EQ(readParameters(parameters), values);
    EXPECT_EQ(readMomentum(parameters), momentum);
  }
}

/// Training starts from values that were written before any session was
/// created, for each way of storing weights.
TEST_F(Training, StartsFromWhatIsThere) {
  for (int form : {0, 1, 2}) {
    Builder builder;
    builder.addTraining();
    if (form == 1)
      builder.storeForms();
    if (form == 2) {
      // No form is derived from q and kv.
      builder.module.derived[1]->sources = {0};
      builder.module.derived[1]->dims = {1, 4};
      builder.module.derived[1]->bytes = 16 * 16 * 4;
    }
    make(builder);
    std::vector<float> values = initialParameters(), momentum(28);
    EXPECT_EQ(readParameters(parameters), values);
    values[13] = 77;
    vit_error error = {};
    ASSERT_EQ(vit_parameters_write(parameters.get(), "kv", values.data() + 12,
                                   64, &error),
              VIT_OK);
    SessionHandle steps = session();
    EXPECT_EQ(readParameters(parameters), values);
    Trainer trainer(2);
    float loss = 0;
    trainer.expect(values, momentum, loss);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    EXPECT_EQ(readParameters(parameters), values);
  }
}

TEST_F(Training, SameBitsForAnyThreads) {
  std::vector<float> expected, states;
  for (int threads : {1, 2, 3, 5}) {
    parameters = makeParameters(module);
    SessionHandle steps = session(threads);
    Trainer trainer(7);
    for (int i = 0; i < 10; ++i)
      ASSERT_EQ(trainer.run(steps), VIT_OK);
    if (expected.empty()) {
      expected = readParameters(parameters);
      states = readMomentum(parameters);
    }
    EXPECT_EQ(readParameters(parameters), expected) << threads;
    EXPECT_EQ(readMomentum(parameters), states) << threads;
  }
}

TEST_F(Training, ResumesWithTheSameBits) {
  vit_parameters_seed(parameters.get(), 5);
  SessionHandle steps = session();
  Trainer trainer(3);
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(trainer.run(steps), VIT_OK);

  // Copy all values to other parameters by name.
  ParametersHandle other = makeParameters(module);
  vit_error error = {};
  for (int32_t i = 0; i < vit_parameters_count(parameters.get()); ++i) {
    vit_binding_info info;
    ASSERT_EQ(vit_parameters_info(parameters.get(), i, &info, &error), VIT_OK);
    EXPECT_EQ(vit_parameters_is_trained(parameters.get(), i), 1);
    size_t count = 1;
    for (int32_t d = 0; d < info.rank; ++d)
      count *= size_t(info.dims[d]);
    std::vector<float> values(count);
    ASSERT_EQ(vit_parameters_read(parameters.get(), info.name, values.data(),
                                  count * 4, &error),
              VIT_OK);
    ASSERT_EQ(vit_parameters_write(other.get(), info.name, values.data(),
                                   count * 4, &error),
              VIT_OK);
  }
  ASSERT_EQ(vit_parameters_state_count(parameters.get()), 4);
  for (int32_t i = 0; i < 4; ++i) {
    vit_binding_info info;
    ASSERT_EQ(vit_parameters_state_info(parameters.get(), i, &info, &error),
              VIT_OK);
    size_t size = vit_dtype_size(info.dtype);
    for (int32_t d = 0; d < info.rank; ++d)
      size *= size_t(info.dims[d]);
    std::vector<char> values(size);
    ASSERT_EQ(vit_parameters_state_read(parameters.get(), info.name,
                                        values.data(), size, &error),
              VIT_OK);
    ASSERT_EQ(vit_parameters_state_write(other.get(), info.name, values.data(),
                                         size, &error),
              VIT_OK);
  }
  vit_parameters_set_steps(other.get(), vit_parameters_steps(parameters.get()));

  vit_session_options given = options();
  given.parameters = other.get();
  SessionHandle resumed = makeSession(module, &given);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(trainer.run(steps), VIT_OK);
    float loss = trainer.step.loss;
    int32_t correct = trainer.step.correct;
    EXPECT_EQ(correct, 5 + 4 + i);
    ASSERT_EQ(trainer.run(resumed), VIT_OK);
    EXPECT_EQ(trainer.step.loss, loss);
    EXPECT_EQ(trainer.step.correct, correct);
  }
  EXPECT_EQ(readParameters(other), readParameters(parameters));
  EXPECT_EQ(readMomentum(other), readMomentum(parameters));
}

TEST_F(Training, AccumulatesBetweenUpdates) {
  SessionHandle steps = session(2);
  std::vector<float> values = initialParameters(), momentum(28);
  for (int i = 0; i < 6; ++i) {
    Trainer trainer(2);
    trainer.step.update = i % 3 == 2;
    float loss = 0;
    trainer.expect(values, momentum, loss, trainer.step.update);
    ASSERT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
    EXPECT_EQ(trainer.step.loss, loss);
    EXPECT_EQ(trainer.step.correct, trainer.step.update ? i : -1);
    EXPECT_EQ(readParameters(parameters), values);
    EXPECT_EQ(readMomentum(parameters), momentum);
  }
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 6u);
}

//===----------------------------------------------------------------------===//
// Steps that must change nothing
//===----------------------------------------------------------------------===//

TEST_F(Training, LossThatIsNotFiniteChangesNothing) {
  SessionHandle steps = session(2);
  Trainer trainer(2);
  ASSERT_EQ(trainer.run(steps), VIT_OK);
  std::vector<float> values = readParameters(parameters);
  std::vector<float> momentum = readMomentum(parameters);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity(), 1e25f})
    for (int update : {0, 1}) {
      Trainer failing(2);
      failing.step.update = update;
      failing.image[9] = bad;
      ASSERT_EQ(failing.run(steps), VIT_OK) << failing.error.message;
      EXPECT_FALSE(std::isfinite(failing.step.loss));
      EXPECT_EQ(vit_parameters_steps(parameters.get()), 1u);
      EXPECT_EQ(readParameters(parameters), values);
      EXPECT_EQ(readMomentum(parameters), momentum);
    }
}

struct Asked {
  int count = 0;
  int stopAt = 0;
};

TEST_F(Training, CancelledBeforeTheUpdateOrNotAtAll) {
  Asked asked;
  vit_session_options given = options();
  given.cancel_context = &asked;
  given.is_cancelled = [](void *context) -> int32_t {
    auto &asked = *static_cast<Asked *>(context);
    return asked.count++ == asked.stopAt;
  };
  SessionHandle steps = makeSession(module, &given);
  std::vector<float> values = initialParameters();
  Trainer trainer(2);
  // Three kernels, a barrier, accuracy, update: six commands.
  for (int stopAt = 0; stopAt < 6; ++stopAt) {
    asked = {0, stopAt};
    EXPECT_EQ(trainer.run(steps), VIT_CANCELLED);
    EXPECT_EQ(readParameters(parameters), values);
    EXPECT_EQ(vit_parameters_steps(parameters.get()), 0u);
  }
  asked = {0, 6};
  EXPECT_EQ(trainer.run(steps), VIT_OK);
  EXPECT_EQ(asked.count, 6);
  EXPECT_NE(readParameters(parameters), values);
}

TEST_F(Training, KeepsToTheBudget) {
  vit_session_options given = options();
  SessionHandle free = makeSession(module, &given);
  uint64_t bytes = 0;
  vit_error error = {};
  ASSERT_EQ(
      vit_session_workspace_size(free.get(), "train_step", 2, &bytes, &error),
      VIT_OK);
  // Only the gradient; the caller provides the outputs.
  EXPECT_EQ(bytes, 192u);
  given.memory_budget = 191;
  SessionHandle steps = makeSession(module, &given);
  Trainer trainer(2);
  EXPECT_EQ(trainer.run(steps), VIT_OVER_BUDGET);
  EXPECT_EQ(readParameters(parameters), initialParameters());
  EXPECT_EQ(vit_parameters_steps(parameters.get()), 0u);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

TEST_F(Training, RefusesWhatCannotBe) {
  SessionHandle steps = session();
  Trainer trainer(2);
  auto refuses = [&](vit_status status, const char *message) {
    EXPECT_EQ(trainer.run(steps), status);
    EXPECT_NE(std::string(trainer.error.message).find(message),
              std::string::npos)
        << trainer.error.message;
  };
  trainer.step.struct_size = 8;
  refuses(VIT_INVALID_ARGUMENT, "sizeof(vit_step)");
  trainer.step.struct_size = sizeof(vit_step);
  trainer.step.targets = nullptr;
  refuses(VIT_INVALID_ARGUMENT, "no images or no targets");
  trainer.step.targets = &trainer.targets;
  trainer.targets.dtype = VIT_F32;
  refuses(VIT_INVALID_ARGUMENT, "input 'labels' is f32, expected i32");
  trainer.targets.dtype = VIT_I32;
  trainer.targets.dims[0] = 3;
  refuses(VIT_INVALID_ARGUMENT, "input 'labels' has shape [3], expected [2]");
  trainer.targets.dims[0] = 2;
  for (int32_t label : {-1, 3, INT32_MAX}) {
    trainer.labels[1] = label;
    refuses(VIT_INVALID_ARGUMENT,
            ("label " + std::to_string(label) +
             " of picture 1 is out of range: the model has the classes 0 to 2")
                .c_str());
  }
  trainer.labels[1] = 1;
  float rate = trainer.step.learning_rate;
  trainer.step.learning_rate = std::numeric_limits<float>::infinity();
  refuses(VIT_INVALID_ARGUMENT, "the learning rate of the step is inf");
  trainer.step.learning_rate = rate;
  vit_parameters_set_steps(parameters.get(), INT32_MAX);
  refuses(VIT_INVALID_ARGUMENT, "as many as can be counted");
  EXPECT_EQ(readParameters(parameters), initialParameters());

  vit_error error = {};
  EXPECT_EQ(vit_session_step(nullptr, &trainer.step, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_session_step(steps.get(), nullptr, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_parameters_state_count(nullptr), 0);
  EXPECT_EQ(vit_parameters_steps(nullptr), 0u);
  EXPECT_EQ(vit_parameters_is_trained(parameters.get(), -1), 0);
  EXPECT_EQ(vit_parameters_is_trained(parameters.get(), 3), 0);
  vit_binding_info info;
  for (int32_t index : {-1, 4})
    EXPECT_EQ(vit_parameters_state_info(parameters.get(), index, &info, &error),
              VIT_NOT_FOUND);
  int32_t words[3] = {};
  EXPECT_EQ(
      vit_parameters_state_read(parameters.get(), "scale", words, 16, &error),
      VIT_NOT_FOUND);
  EXPECT_EQ(vit_parameters_state_read(parameters.get(), "random_seed", words,
                                      12, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "state 'random_seed' has 8 bytes, given are 12");
}

TEST_F(Training, ModulesWithoutTraining) {
  Builder builder;
  make(builder);
  SessionHandle steps = session();
  Trainer trainer(2);
  EXPECT_EQ(trainer.run(steps), VIT_UNSUPPORTED);
  EXPECT_NE(std::string(trainer.error.message).find("vit-compile --train"),
            std::string::npos)
      << trainer.error.message;
  EXPECT_EQ(vit_parameters_state_count(parameters.get()), 0);
  EXPECT_EQ(vit_parameters_is_trained(parameters.get(), 0), 0);
  vit_parameters_seed(parameters.get(), 3);
  // Without an entry for accumulation.
  Builder plain;
  plain.addTraining();
  plain.module.entries.pop_back();
  make(plain);
  steps = session();
  trainer.step.update = 0;
  EXPECT_EQ(trainer.run(steps), VIT_UNSUPPORTED);
  EXPECT_NE(std::string(trainer.error.message).find("accumulate=K"),
            std::string::npos)
      << trainer.error.message;
}

/// Entries with the names of training steps but other signatures.
TEST_F(Training, EntriesOfOtherForms) {
  const std::pair<const char *, std::function<void(schema::EntryT &)>> cases[] =
      {{"its first output is no loss",
        [](schema::EntryT &entry) { entry.outputs[0]->dims = {1}; }},
       {"it takes no targets",
        [](schema::EntryT &entry) {
          entry.inputs[1]->role = schema::Role::Step;
          entry.inputs[1]->dims = {};
          entry.inputs[3]->role = schema::Role::LearningRate;
          entry.inputs[3]->dtype = schema::DType::F32;
          entry.inputs[2]->name = "image2";
          entry.inputs.erase(entry.inputs.begin() + 2);
          auto &commands = entry.schedules[0]->commands;
          commands.erase(commands.begin(), commands.end());
        }},
       {"it has other inputs", [](schema::EntryT &entry) {
          entry.inputs[3]->role = schema::Role::None;
        }}};
  for (const auto &[message, change] : cases) {
    Builder builder;
    builder.addTraining();
    change(*builder.module.entries[1]);
    make(builder);
    SessionHandle steps = session();
    Trainer trainer(2);
    EXPECT_EQ(trainer.run(steps), VIT_UNSUPPORTED);
    EXPECT_NE(std::string(trainer.error.message).find(message),
              std::string::npos)
        << trainer.error.message;
  }
}

/// Modules of format 2 have no roles: names and positions define them.
TEST_F(Training, ModulesOfFormat2) {
  Builder builder;
  builder.addTraining();
  builder.formatVersion = 2;
  for (auto &entry : builder.module.entries) {
    for (auto *list : {&entry->inputs, &entry->outputs})
      for (auto &binding : *list) {
        binding->role = schema::Role::None;
        binding->classes = 0;
      }
    for (auto &command : entry->schedules[0]->commands)
      command->is_update = false;
  }
  for (auto &variable : builder.module.variables)
    variable->role.clear();
  make(builder);
  vit_parameters_seed(parameters.get(), 7);
  SessionHandle steps = session();
  Trainer trainer(2);
  std::vector<float> values = initialParameters(), momentum(28);
  float loss = 0;
  trainer.expect(values, momentum, loss);
  EXPECT_EQ(trainer.run(steps), VIT_OK) << trainer.error.message;
  EXPECT_EQ(trainer.step.loss, loss);
  EXPECT_EQ(readParameters(parameters), values);
  uint64_t seed = 0;
  EXPECT_EQ(vit_parameters_state_read(parameters.get(), "random_seed", &seed,
                                      sizeof seed, &trainer.error),
            VIT_OK);
  EXPECT_EQ(seed, 7u);
  trainer.labels[1] = 3;
  EXPECT_EQ(trainer.run(steps), VIT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(trainer.error.message).find("out of range"),
            std::string::npos)
      << trainer.error.message;
}

TEST_F(Training, StatesAreZeroAndTheSeedIsKept) {
  // Before any session is created.
  EXPECT_EQ(readMomentum(parameters), std::vector<float>(28));
  uint64_t seed = 1;
  vit_error error = {};
  auto read = [&] {
    EXPECT_EQ(vit_parameters_state_read(parameters.get(), "random_seed", &seed,
                                        8, &error),
              VIT_OK);
    return seed;
  };
  EXPECT_EQ(read(), 0u);
  vit_parameters_seed(parameters.get(), 0x123456789abcdef0);
  EXPECT_EQ(read(), 0x123456789abcdef0u);
  SessionHandle steps = session();
  EXPECT_EQ(read(), 0x123456789abcdef0u);
  vit_parameters_seed(parameters.get(), 9);
  EXPECT_EQ(read(), 9u);
  vit_binding_info info;
  ASSERT_EQ(vit_parameters_state_info(parameters.get(), 3, &info, &error),
            VIT_OK);
  EXPECT_STREQ(info.name, "random_seed");
  EXPECT_EQ(info.dtype, VIT_I32);
  EXPECT_EQ(info.rank, 1);
  EXPECT_EQ(info.dims[0], 2);
}

//===----------------------------------------------------------------------===//
// NaN and infinity
//===----------------------------------------------------------------------===//

TEST_F(Training, FindsWhereNumbersFail) {
  SessionHandle steps = session(2);
  Trainer trainer(2);
  ASSERT_EQ(trainer.run(steps), VIT_OK);
  std::vector<float> values = readParameters(parameters);
  float rate = 0.5f;
  int32_t number = 1;
  auto find = [&](const char *entry) {
    std::vector<vit_tensor> inputs = {trainer.images, trainer.targets};
    inputs[0].name = "image";
    inputs[1].name = "labels";
    if (std::strcmp(entry, "train_step") == 0) {
      inputs.push_back(vit::tensor("learning_rate", &rate, 4));
      inputs.push_back(vit::tensor("step", &number, 4, {}, VIT_I32));
    }
    char name[64] = "?";
    vit_error error = {};
    EXPECT_EQ(vit_session_find_not_finite(steps.get(), entry, inputs.data(),
                                          int32_t(inputs.size()), name,
                                          sizeof name, &error),
              VIT_OK)
        << error.message;
    return std::string(name);
  };
  EXPECT_EQ(find("train_step"), "");
  EXPECT_EQ(find("accumulate_step"), "");
  // A square overflows; the gradient has one factor less.
  trainer.image[0] = 1e19f;
  trainer.image[5] = trainer.image[6] = trainer.image[7] = 0;
  trainer.labels[0] = 0;
  values[0] = 1e5f;
  vit_error error = {};
  ASSERT_EQ(vit_parameters_write(parameters.get(), "scale", values.data(), 16,
                                 &error),
            VIT_OK);
  trainer.image[0] = 1e16f;
  EXPECT_EQ(find("train_step"), "loss");
  trainer.image[0] = 1e30f;
  EXPECT_EQ(find("train_step"), "scale.backward");
  EXPECT_EQ(readParameters(parameters), values);
  // For a parameter, the first command that reads it is reported.
  trainer.image[0] = 1;
  values[1] = NAN;
  ASSERT_EQ(vit_parameters_write(parameters.get(), "scale", values.data(), 16,
                                 &error),
            VIT_OK);
  EXPECT_EQ(find("accumulate_step"), "scale.backward");
  EXPECT_STREQ(vit_parameters_find_not_finite(parameters.get()), "scale");
  vit_tensor image = trainer.images;
  image.name = "image";
  char name[64];
  ASSERT_EQ(vit_session_find_not_finite(steps.get(), "forward", &image, 1, name,
                                        sizeof name, &error),
            VIT_OK)
      << error.message;
  EXPECT_STREQ(name, "encoder.scale");
  EXPECT_EQ(vit_session_find_not_finite(steps.get(), "forward", &image, 1, name,
                                        0, &error),
            VIT_INVALID_ARGUMENT);
}

//===----------------------------------------------------------------------===//
// Other functions
//===----------------------------------------------------------------------===//

TEST_F(Training, IsDescribed) {
  char *text = nullptr;
  vit_error error = {};
  ASSERT_EQ(vit_module_describe(module.get(), &text, &error), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  EXPECT_FALSE(json["entries"][0]["training"]);
  EXPECT_TRUE(json["entries"][1]["training"]);
  EXPECT_TRUE(json["entries"][2]["training"]);
  EXPECT_TRUE(json["entries"][1]["inputs"][2]["dims"].empty());
  EXPECT_EQ(json["arenas"][1]["name"], "momentum");
  EXPECT_EQ(json["arenas"][1]["bytes"], 192);
  ASSERT_EQ(json["variables"].size(), 7u);
  EXPECT_EQ(json["variables"][3]["name"], "momentum.q");
  EXPECT_EQ(json["variables"][3]["arena"], "momentum");
  EXPECT_EQ(json["variables"][3]["offset"], 64);
  EXPECT_EQ(json["variables"][3]["state"], true);
  const auto &update = json["entries"][1]["schedules"][0]["commands"][1];
  EXPECT_EQ(update["arguments"][0]["offset"], 64);
}

TEST_F(Training, CxxWrapper) {
  TemporaryFile file(*bytes);
  vit::Module own(file.path());
  vit::Parameters weights(own);
  vit_session_options given = {};
  given.struct_size = sizeof given;
  given.parameters = weights.get();
  vit::Session steps(own, &given);
  weights.seed(40);
  weights.setSteps(2);
  Trainer trainer(2);
  vit_step done =
      steps.step(trainer.images, trainer.targets, trainer.step.learning_rate);
  EXPECT_EQ(done.correct, 42);
  EXPECT_EQ(weights.steps(), 3u);
  EXPECT_TRUE(weights.isTrained(0));
  ASSERT_EQ(weights.stateCount(), 4);
  EXPECT_STREQ(weights.stateInfo(1).name, "momentum.q");
  std::vector<float> momentum(8);
  weights.readState("momentum.q", momentum.data(), 32);
  EXPECT_EQ(momentum, std::vector<float>(8, 2));
  momentum[3] = 5;
  weights.writeState("momentum.q", momentum.data(), 32);
  trainer.images.name = nullptr;
  EXPECT_EQ(steps.findNotFinite("forward", {trainer.images}), "");
}

} // namespace
