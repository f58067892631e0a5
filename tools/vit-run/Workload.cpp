//===- Workload.cpp - The repeated work of a benchmark --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Workload.h"

#include "Runner.h"

#include <cmath>
#include <random>

namespace vit::tools {

namespace {

class Inference : public Workload {
public:
  Inference(Model &model, const Tensor &input,
            const std::vector<std::string> &outputs, EventLog *log)
      : runner(Runner::create(model, log)), input(input), outputs(outputs) {}

  void run() override { runner->run(input, outputs); }
  uint64_t workspaceBytes() override {
    return runner->workspaceBytes(input.dims[0]);
  }
  std::optional<vit_code_info> code() override { return runner->code(); }

private:
  std::unique_ptr<Runner> runner;
  const Tensor &input;
  const std::vector<std::string> &outputs;
};

class Training : public Workload {
public:
  Training(Model &model, const Tensor &images, EventLog *log)
      : images(images), imagesView(images.view()), log(log),
        session(createSession(model, log)) {
    makeLabels(model);
    step.struct_size = sizeof(step);
    step.images = &imagesView;
    step.targets = &labelsView;
    step.learning_rate = 1e-3F;
    step.update = 1;
  }

  void run() override {
    vit_error error;
    uint64_t begin = nanoseconds();
    check(vit_session_step(session.get(), &step, &error), error);
    if (!std::isfinite(step.loss))
      throw Error("the loss is not finite after " + std::to_string(steps) +
                  " steps on the same data");
    ++steps;
    if (log)
      log->calls.push_back({"step, batch " + std::to_string(images.dims[0]), "",
                            begin, nanoseconds()});
  }

  uint64_t workspaceBytes() override {
    return tools::workspaceBytes(session, "train_step", images.dims[0]);
  }
  std::optional<vit_code_info> code() override {
    return codeOf(session, "train_step");
  }

private:
  void makeLabels(Model &model) {
    vit_binding_info logits = model.outputInfos().front();
    auto classes = static_cast<int32_t>(logits.dims[logits.rank - 1]);
    std::mt19937 engine(static_cast<uint32_t>(model.getOptions().seed));
    std::uniform_int_distribution<int32_t> draw(0, classes - 1);
    for (int64_t i = 0; i < images.dims[0]; ++i)
      labels.push_back(draw(engine));
    labelsView.data = labels.data();
    labelsView.size = labels.size() * sizeof(int32_t);
    labelsView.dtype = VIT_I32;
    labelsView.rank = 1;
    labelsView.dims[0] = images.dims[0];
  }

  const Tensor &images;
  vit_tensor imagesView;
  std::vector<int32_t> labels;
  vit_tensor labelsView = {};
  vit_step step = {};
  EventLog *log;
  SessionHandle session;
  int64_t steps = 0;
};

} // namespace

std::unique_ptr<Workload>
createInference(Model &model, const Tensor &input,
                const std::vector<std::string> &outputs, EventLog *log) {
  return std::make_unique<Inference>(model, input, outputs, log);
}

std::unique_ptr<Workload> createTraining(Model &model, const Tensor &images,
                                         EventLog *log) {
  checkInput(images, model.inputInfo());
  return std::make_unique<Training>(model, images, log);
}

} // namespace vit::tools
