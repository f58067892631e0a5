//===- TestSupport.h - Shared parts of the runtime tests --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_TEST_SUPPORT_H
#define VIT_TEST_TEST_SUPPORT_H

#include "ModuleBuilder.h"

#include "vit/vit.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace vit::test {

struct Release {
  void operator()(vit_module *object) const { vit_module_release(object); }
  void operator()(vit_parameters *object) const {
    vit_parameters_release(object);
  }
  void operator()(vit_session *object) const { vit_session_release(object); }
};
using ModuleHandle = std::unique_ptr<vit_module, Release>;
using ParametersHandle = std::unique_ptr<vit_parameters, Release>;
using SessionHandle = std::unique_ptr<vit_session, Release>;

/// These functions fail the test, with the message, if the call fails.
inline ModuleHandle load(const Bytes &bytes,
                         const vit_module_options *options = nullptr) {
  vit_module *module = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr, options,
                                   &module, &error),
            VIT_OK)
      << error.message;
  return ModuleHandle(module);
}

inline ModuleHandle load(const std::string &path,
                         const vit_module_options *options = nullptr) {
  vit_module *module = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_module_load(path.c_str(), options, &module, &error), VIT_OK)
      << error.message;
  return ModuleHandle(module);
}

inline ParametersHandle makeParameters(const ModuleHandle &module) {
  vit_parameters *parameters = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_parameters_create(module.get(), &parameters, &error), VIT_OK)
      << error.message;
  return ParametersHandle(parameters);
}

inline SessionHandle makeSession(const ModuleHandle &module,
                                 const vit_session_options *options = nullptr) {
  vit_session *session = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_session_create(module.get(), options, &session, &error), VIT_OK)
      << error.message;
  return SessionHandle(session);
}

/// One call of the builder's module. The input of an image does not depend on
/// the batch.
struct Call {
  explicit Call(int64_t batch)
      : batch(batch), image(size_t(batch) * 8), logits(size_t(batch) * 3, -77),
        hidden(size_t(batch) * 8, -77) {
    for (size_t i = 0; i < image.size(); ++i)
      image[i] = float(int(i * 7919 % 1000) - 500) / 128;
    inputs = {tensor("image", image, {batch, 2, 4})};
    outputs = {tensor("logits", logits, {batch, 3}),
               tensor("hidden", hidden, {batch, 2, 4})};
  }
  Call(const Call &) = delete;

  static vit_tensor tensor(const char *name, std::vector<float> &data,
                           std::vector<int64_t> dims) {
    vit_tensor result = {};
    result.name = name;
    result.data = data.data();
    result.size = data.size() * sizeof(float);
    result.rank = int32_t(dims.size());
    std::copy(dims.begin(), dims.end(), result.dims);
    return result;
  }

  vit_status run(const SessionHandle &session) {
    return vit_session_run(session.get(), entry, inputs.data(),
                           int32_t(inputs.size()), outputs.data(),
                           int32_t(outputs.size()), &error);
  }

  void expectReference(const std::vector<float> &scale = Builder::scale,
                       const std::vector<float> &q = Builder::q,
                       const std::vector<float> &kv = Builder::kv) const {
    std::vector<float> expectedHidden, expectedLogits;
    evaluateReference(image, batch, scale, q, kv, expectedHidden,
                      expectedLogits);
    EXPECT_EQ(hidden, expectedHidden);
    EXPECT_EQ(logits, expectedLogits);
  }

  int64_t batch;
  std::vector<float> image, logits, hidden;
  std::vector<vit_tensor> inputs, outputs;
  const char *entry = nullptr;
  vit_error error = {};
};

/// Training of the builder's module, with the same order of sums.
struct Trainer {
  explicit Trainer(int64_t batch)
      : batch(batch), image(size_t(batch) * 8), labels(size_t(batch)) {
    for (size_t i = 0; i < image.size(); ++i)
      image[i] = float(int(i * 7919 % 1000) - 500) / 512;
    for (size_t i = 0; i < labels.size(); ++i)
      labels[i] = int32_t(i % 3);
    images = Call::tensor("any", image, {batch, 2, 4});
    targets.data = labels.data();
    targets.size = labels.size() * sizeof(int32_t);
    targets.dtype = VIT_I32;
    targets.rank = 1;
    targets.dims[0] = batch;
    step.struct_size = sizeof step;
    step.images = &images;
    step.targets = &targets;
    step.learning_rate = 0.125f / float(batch);
    step.update = 1;
  }
  Trainer(const Trainer &) = delete;

  vit_status run(const SessionHandle &session) {
    return vit_session_step(session.get(), &step, &error);
  }

  /// Computes how a step changes scale [4], q and kv [24], and their momentum.
  void expect(std::vector<float> &parameters, std::vector<float> &momentum,
              float &loss, bool update = true) const {
    std::vector<float> gradient(28, float(batch));
    for (size_t c = 0; c < 4; ++c) {
      gradient[c] = 0;
      for (size_t r = 0; r < size_t(batch) * 2; ++r) {
        float x = image[r * 4 + c];
        gradient[c] += (x * parameters[c] - float(labels[r / 2])) * x;
      }
    }
    float sum = 0;
    for (size_t i = 0; i < image.size(); ++i) {
      float difference = image[i] * parameters[i % 4] - float(labels[i / 8]);
      sum += difference * difference;
    }
    loss = sum / float(batch);
    for (size_t i = 0; i < 28; ++i) {
      momentum[i] += gradient[i];
      if (update)
        parameters[i] -= step.learning_rate * momentum[i];
    }
  }

  int64_t batch;
  std::vector<float> image;
  std::vector<int32_t> labels;
  vit_tensor images = {}, targets = {};
  vit_step step = {};
  vit_error error = {};
};

/// The values of scale, q and kv, concatenated.
inline std::vector<float> readParameters(const ParametersHandle &parameters) {
  std::vector<float> values(28);
  vit_error error = {};
  EXPECT_EQ(
      vit_parameters_read(parameters.get(), "scale", values.data(), 16, &error),
      VIT_OK)
      << error.message;
  EXPECT_EQ(
      vit_parameters_read(parameters.get(), "q", values.data() + 4, 32, &error),
      VIT_OK);
  EXPECT_EQ(vit_parameters_read(parameters.get(), "kv", values.data() + 12, 64,
                                &error),
            VIT_OK);
  return values;
}

/// The values of their momentum, concatenated.
inline std::vector<float> readMomentum(const ParametersHandle &parameters) {
  std::vector<float> values(28);
  vit_error error = {};
  EXPECT_EQ(vit_parameters_state_read(parameters.get(), "momentum.scale",
                                      values.data(), 16, &error),
            VIT_OK)
      << error.message;
  EXPECT_EQ(vit_parameters_state_read(parameters.get(), "momentum.q",
                                      values.data() + 4, 32, &error),
            VIT_OK);
  EXPECT_EQ(vit_parameters_state_read(parameters.get(), "momentum.kv",
                                      values.data() + 12, 64, &error),
            VIT_OK);
  return values;
}

/// The initial values of Builder, concatenated.
inline std::vector<float> initialParameters() {
  std::vector<float> values = Builder::scale;
  values.insert(values.end(), Builder::q.begin(), Builder::q.end());
  values.insert(values.end(), Builder::kv.begin(), Builder::kv.end());
  return values;
}

/// Sets an environment variable (NULL: unsets it) until the end of its scope.
class Environment {
public:
  Environment(const char *name, const char *value) : name(name) {
    const char *old = std::getenv(name);
    had = old;
    before = old ? old : "";
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  Environment(const Environment &) = delete;
  ~Environment() { had ? setenv(name, before.c_str(), 1) : unsetenv(name); }

private:
  const char *name;
  bool had;
  std::string before;
};

/// A file that is removed with the object.
class TemporaryFile {
public:
  TemporaryFile(const void *data, size_t size) {
    const char *folder = std::getenv("TMPDIR");
    name = std::string(folder ? folder : "/tmp") + "/vit-test-XXXXXX";
    int descriptor = mkstemp(name.data());
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(::write(descriptor, data, size), ssize_t(size));
    close(descriptor);
  }
  explicit TemporaryFile(const Bytes &bytes)
      : TemporaryFile(bytes.data(), bytes.size()) {}
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile() { std::remove(name.c_str()); }

  const std::string &path() const { return name; }

private:
  std::string name;
};

} // namespace vit::test

#endif // VIT_TEST_TEST_SUPPORT_H
