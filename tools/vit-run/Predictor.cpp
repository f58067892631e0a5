//===- Predictor.cpp - A model for threads of a host ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Predictor.h"

#include "format/Threads.h"

#include <algorithm>
#include <new>

namespace vit::tools {

class Predictor::Variant {
public:
  Variant(const CommonOptions &options, std::vector<std::string> names)
      : model(options, std::move(names)), input(model.inputInfo()),
        outputs(model.outputInfos()) {
    // Here, so that no two sessions read the weights at once.
    model.parameters();
    idle.push_back(Runner::create(model));
    code = *idle.back()->code();
  }

  Model model;
  vit_binding_info input;
  std::vector<vit_binding_info> outputs;
  vit_code_info code = {};
  std::vector<std::unique_ptr<Runner>> idle; ///< Guarded by `mutex`.
  std::mutex creating;                       ///< Held while a session is made.
};

/// A session for one call; the right to make one where there is none idle.
class Predictor::Lease {
public:
  Lease(Predictor &predictor, Variant &variant)
      : predictor(predictor), variant(variant) {
    {
      std::unique_lock<std::mutex> lock(predictor.mutex);
      predictor.changed.wait(lock, [&] {
        return !predictor.isForking &&
               predictor.running < predictor.mostSessions;
      });
      ++predictor.running;
      if (!variant.idle.empty()) {
        runner = std::move(variant.idle.back());
        variant.idle.pop_back();
      }
    }
    if (!runner)
      try {
        std::lock_guard<std::mutex> lock(variant.creating);
        runner = Runner::create(variant.model);
      } catch (...) {
        giveBack();
        throw;
      }
  }
  ~Lease() { giveBack(); }
  Lease(const Lease &) = delete;
  Lease &operator=(const Lease &) = delete;

  Runner *operator->() { return runner.get(); }

private:
  void giveBack() {
    {
      std::lock_guard<std::mutex> lock(predictor.mutex);
      --predictor.running;
      if (runner)
        variant.idle.push_back(std::move(runner));
    }
    predictor.changed.notify_all();
  }

  Predictor &predictor;
  Variant &variant;
  std::unique_ptr<Runner> runner;
};

static CommonOptions checked(CommonOptions options) {
  checkCommonOptions(options);
  if (options.isReference())
    throw Error("--device reference is for vit-run infer and compare",
                VIT_UNSUPPORTED);
  return options;
}

Predictor::Predictor(const CommonOptions &given)
    : options(checked(given)),
      mostSessions(static_cast<size_t>(std::max(1, format::availableCores()))) {
  variantFor({});
}

Predictor::~Predictor() = default;

Model &Predictor::model() { return variantFor({}).model; }

vit_code_info Predictor::code() { return variantFor({}).code; }

const vit_preprocessing &Predictor::preprocessing() {
  std::lock_guard<std::mutex> lock(compiling);
  if (!prepared)
    prepared = variants.at("")->model.preprocessing();
  return *prepared;
}

static bool computes(const std::vector<vit_binding_info> &outputs,
                     const std::vector<std::string> &names) {
  return std::all_of(names.begin(), names.end(), [&](const auto &name) {
    return std::any_of(outputs.begin(), outputs.end(), [&](const auto &info) {
      return name == info.name || (info.alias && name == info.alias);
    });
  });
}

Predictor::Variant &
Predictor::variantFor(const std::vector<std::string> &names) {
  std::string key = join(names, ",");
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (auto own = variants.find(""); own != variants.end())
      if (names.empty() || own->second->model.isCompiled() ||
          computes(own->second->outputs, names))
        return *own->second;
    if (auto found = variants.find(key); found != variants.end())
      return *found->second;
  }
  std::lock_guard<std::mutex> makeOne(compiling);
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (auto found = variants.find(key); found != variants.end())
      return *found->second;
  }
  auto made = std::make_unique<Variant>(options, names);
  std::lock_guard<std::mutex> lock(mutex);
  return *(variants[key] = std::move(made));
}

vit_binding_info Predictor::inputOf(const Variant &variant) {
  return variant.input;
}

std::vector<vit_binding_info>
Predictor::outputsOf(const Variant &variant,
                     const std::vector<std::string> &names) {
  if (names.empty())
    return variant.outputs;
  return selectOutputs(variant.outputs, names);
}

void Predictor::run(Variant &variant, const vit_tensor &input,
                    std::vector<vit_tensor> &outputs) {
  Lease(*this, variant)->runInto(input, outputs);
}

std::vector<Tensor> Predictor::runOn(Variant &variant, const Tensor &input,
                                     const std::vector<std::string> &names) {
  return Lease(*this, variant)->run(input, names);
}

//===----------------------------------------------------------------------===//
// Pictures
//===----------------------------------------------------------------------===//

void Predictor::forEachBatch(const std::vector<Picture> &pictures,
                             int64_t batch, const Report &report,
                             const std::function<void(const Tensor &)> &visit) {
  if (pictures.empty())
    throw Error("there are no pictures");
  if (batch < 1)
    throw Error("a batch of " + std::to_string(batch) + " pictures");
  PictureReader reader(pictures, preprocessing(), batch, options.threads);
  for (size_t done = 0; done < pictures.size();) {
    PictureBatch next = reader.next();
    for (size_t i = 0; i < next.errors.size(); ++i)
      if (!next.errors[i].empty())
        throw Error(next.errors[i], next.statuses[i]);
    visit(next.input);
    done += next.errors.size();
    if (report)
      report(static_cast<int64_t>(done));
  }
}

std::vector<std::vector<Prediction>>
Predictor::classify(const std::vector<Picture> &pictures,
                    PredictionOptions wanted, int64_t batch,
                    const Report &report) {
  const std::string name = "logits";
  Variant &variant = variantFor({name});
  std::vector<vit_binding_info> logits = outputsOf(variant, {name});
  if (logits.front().rank != 2)
    throw Error("the model has no logits [batch, classes] to classify with");
  if (wanted.top < 1)
    throw Error("the best " + std::to_string(wanted.top) +
                " classes are asked for; give 1 or more");
  wanted.function = vit_module_score_function(variant.model.module());
  wanted.nameOf = [&](int32_t index) { return variant.model.label(index); };
  std::vector<std::vector<Prediction>> result;
  forEachBatch(pictures, batch, report, [&](const Tensor &input) {
    Tensor rows = std::move(runOn(variant, input, {name}).front());
    for (int64_t row = 0; row < rows.dims[0]; ++row)
      result.push_back(findPredictions(rows, row, wanted));
  });
  return result;
}

Tensor Predictor::embed(const std::vector<Picture> &pictures,
                        const EmbedOptions &wanted, const Report &report) {
  std::string name = wanted.name;
  if (name.empty()) {
    Variant &own = variantFor({});
    name = chooseEmbedding(own.model);
  }
  Variant &variant = variantFor({name});
  vit_binding_info info = outputsOf(variant, {name}).front();
  if (info.rank != 2)
    throw Error("the output '" + name + "' is " + shapeText(dimsOf(info)) +
                "; an embedding is [batch, width]");
  Tensor result;
  result.name = name;
  result.allocate(VIT_F32,
                  {static_cast<int64_t>(pictures.size()), info.dims[1]});
  float *next = result.floats();
  forEachBatch(pictures, wanted.batch, report, [&](const Tensor &input) {
    Tensor rows = std::move(runOn(variant, input, {name}).front());
    for (int64_t i = 0; i < rows.count(); ++i)
      next[i] = static_cast<float>(rows.at(i));
    for (int64_t row = 0; wanted.normalize && row < rows.dims[0]; ++row)
      normalizeRow(next + row * info.dims[1], info.dims[1]);
    next += rows.count();
  });
  return result;
}

Predictor::Map Predictor::mapAttention(const Picture &picture,
                                       const AttentionRequest &request) {
  Variant &own = variantFor({});
  bool isCompiled = own.model.isCompiled();
  Variant &variant =
      isCompiled ? own : variantFor({attentionToCompile(request)});
  std::vector<std::string> names = {"*"};
  if (isCompiled)
    names = attentionOutputs(request, variant.model);
  std::vector<Tensor> layers;
  forEachBatch({picture}, 1, {}, [&](const Tensor &input) {
    layers = runOn(variant, input, names);
  });
  Map map;
  map.grid = findTokens(variant.model, layers.front().dims.back());
  map.weights = attentionMap(request, layers, map.grid);
  return map;
}

//===----------------------------------------------------------------------===//
// Fork
//===----------------------------------------------------------------------===//

void Predictor::beforeFork() {
  // Unlocked in afterFork. Until then no variant is made and no call begins.
  compiling.lock();
  std::unique_lock<std::mutex> lock(mutex);
  isForking = true;
  changed.wait(lock, [&] { return running == 0; });
}

void Predictor::afterFork(bool isChild) {
  if (isChild) {
    // Threads of the parent may have been waiting for them.
    new (&mutex) std::mutex;
    new (&changed) std::condition_variable;
    // The sessions' workers are not in the child: there, new sessions are made.
    for (auto &[key, variant] : variants)
      variant->idle.clear();
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    isForking = false;
  }
  compiling.unlock();
  changed.notify_all();
}

} // namespace vit::tools
