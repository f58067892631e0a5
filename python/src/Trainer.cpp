//===- Trainer.cpp - vitrt._core.Trainer ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "JsonText.h"
#include "TrainingRun.h"

#include <mutex>

namespace vit::python {

using tools::Error;

namespace {

/// Labels or soft targets as a training step takes them.
class Targets {
public:
  explicit Targets(nb::handle object);
  vit_tensor view = {};

private:
  template <typename T> void copyLabels(const void *data);

  Floats floats;
  std::vector<int32_t> labels;
};

template <typename T> void Targets::copyLabels(const void *data) {
  for (size_t i = 0; i < labels.size(); ++i) {
    T value = static_cast<const T *>(data)[i];
    labels[i] = static_cast<int32_t>(value);
    if (static_cast<T>(labels[i]) != value)
      throw Error("label " + std::to_string(i) + " is " +
                  std::to_string(value) + ", which is no class");
  }
}

Targets::Targets(nb::handle object) {
  nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> any;
  if (!nb::try_cast(object, any, /*convert=*/true)) {
    PyErr_Clear();
    throw Error("labels are no array in CPU memory");
  }
  view.rank = static_cast<int32_t>(any.ndim());
  if (any.ndim() < 1 || any.ndim() > 2)
    throw Error("labels have " + std::to_string(any.ndim()) +
                " dimensions; give whole numbers [batch], or float32 [batch, "
                "classes]");
  for (size_t i = 0; i < any.ndim(); ++i)
    view.dims[i] = static_cast<int64_t>(any.shape(i));
  if (any.dtype() == nb::dtype<float>()) {
    floats = readFloats(object, "labels");
    view.data = const_cast<float *>(floats.data());
    view.size = floats.nbytes();
    return;
  }
  labels.resize(any.size());
  if (any.dtype() == nb::dtype<int64_t>())
    copyLabels<int64_t>(any.data());
  else if (any.dtype() == nb::dtype<int32_t>())
    copyLabels<int32_t>(any.data());
  else if (any.dtype() == nb::dtype<uint8_t>())
    copyLabels<uint8_t>(any.data());
  else
    throw Error("labels are int32, int64 or uint8 [batch], or float32 [batch, "
                "classes]");
  view.dtype = VIT_I32;
  view.data = labels.data();
  view.size = labels.size() * sizeof(int32_t);
}

/// A training run that refuses two threads at once.
class Trainer {
public:
  Trainer(const std::vector<std::string> &words,
          const std::vector<std::string> &classes)
      : run(tools::parseTrainOptions(words), classes) {}

  /// Trains on the data. `callback` gets each record of the log as JSON.
  void train(nb::handle callback);
  nb::tuple step(nb::handle images, nb::handle labels, float learningRate);
  void save(nb::bytes path);
  nb::list classes() const {
    nb::list names;
    for (const std::string &name : run.getClasses())
      names.append(nb::str(name.c_str(), name.size()));
    return names;
  }
  uint64_t steps() { return vit_parameters_steps(run.getModel().parameters()); }

private:
  std::unique_lock<std::mutex> lock() {
    std::unique_lock<std::mutex> held(mutex, std::try_to_lock);
    if (!held)
      throw Error("another thread is using this trainer; one at a time");
    return held;
  }

  tools::TrainingRun run;
  std::mutex mutex;
};

void Trainer::train(nb::handle callback) {
  auto held = lock();
  // What Python raised: the run ends as by a signal, with a checkpoint, then
  // it is raised again.
  std::optional<nb::python_error> raised;
  auto guarded = [&](auto call) {
    nb::gil_scoped_acquire acquire;
    try {
      if (PyErr_CheckSignals() != 0)
        throw nb::python_error();
      call();
    } catch (nb::python_error &error) {
      if (!raised)
        raised.emplace(std::move(error));
    }
  };
  tools::TrainerHost host;
  host.onRecord = [&](const nlohmann::ordered_json &record) {
    std::string text = tools::jsonText(record);
    guarded([&] { callback(nb::str(text.c_str(), text.size())); });
  };
  host.isToStop = [&] {
    guarded([] {});
    return raised.has_value();
  };
  try {
    nb::gil_scoped_release release;
    run.run(&host);
  } catch (const Error &) {
    if (!raised)
      throw;
  }
  if (raised)
    throw std::move(*raised);
}

nb::tuple Trainer::step(nb::handle images, nb::handle labels,
                        float learningRate) {
  auto held = lock();
  Floats floats = readFloats(images, "images");
  if (floats.ndim() > VIT_MAX_RANK)
    throw Error("images have " + std::to_string(floats.ndim()) +
                " dimensions; give float32 [batch, channels, height, width]");
  Targets targets(labels);
  vit_tensor input = {};
  input.data = const_cast<float *>(floats.data());
  input.size = floats.nbytes();
  input.rank = static_cast<int32_t>(floats.ndim());
  for (size_t i = 0; i < floats.ndim(); ++i)
    input.dims[i] = static_cast<int64_t>(floats.shape(i));
  vit_step step =
      withoutGil([&] { return run.step(input, targets.view, learningRate); });
  return nb::make_tuple(step.loss, step.correct);
}

void Trainer::save(nb::bytes path) {
  auto held = lock();
  std::string folder(path.c_str(), path.size());
  withoutGil([&] { run.save(folder); });
}

} // namespace

void addTrainer(nb::module_ &module) {
  nb::class_<Trainer>(module, "Trainer")
      .def(nb::new_([](const std::vector<std::string> &words,
                       const std::vector<std::string> &classes) {
             return withoutGil(
                 [&] { return std::make_unique<Trainer>(words, classes); });
           }),
           nb::arg("words"), nb::arg("classes"))
      .def("train", &Trainer::train, nb::arg("callback"))
      .def("step", &Trainer::step, nb::arg("images").none(),
           nb::arg("labels").none(), nb::arg("lr"))
      .def("save", &Trainer::save, nb::arg("folder"))
      .def("classes", &Trainer::classes)
      .def("steps", &Trainer::steps);
}

} // namespace vit::python
