//===- TrainFolder.cpp - Compares training steps with references ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainFolder.h"

#include "vit/Passes.h"
#include "vit/Reference/Interpreter.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;
using llvm::formatv;

namespace {
/// The contents of train.json.
struct Recipe {
  double learningRate, weightDecay, beta1, beta2, epsilon, smoothing;
  std::vector<double> losses;
};

using Tensors = std::map<std::string, Tensor>;

/// Statistics of the differences from expected values.
struct Distance {
  double largest = 0.0;
  int64_t elements = 0, beyond = 0; ///< the number of those above 2e-5

  void add(double difference) {
    difference = std::fabs(difference);
    // NaN counts as an infinite difference.
    largest = difference <= largest ? largest : difference;
    beyond += !(difference <= 2e-5);
    ++elements;
  }
};
} // namespace

static LogicalResult readRecipe(const std::string &path, Recipe &recipe,
                                std::string &error) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return error = path + ": " + file.getError().message(), failure();
  llvm::Expected<llvm::json::Value> value =
      llvm::json::parse((*file)->getBuffer());
  if (!value)
    return error = llvm::toString(value.takeError()), failure();
  const llvm::json::Object *object = value->getAsObject();
  const llvm::json::Array *betas = object ? object->getArray("betas") : nullptr;
  const llvm::json::Array *losses =
      object ? object->getArray("losses_f64") : nullptr;
  if (!betas || betas->size() != 2 || !losses)
    return error = path + ": no betas or no losses_f64", failure();
  auto number = [&](StringRef name) {
    return object->getNumber(name).value_or(std::nan(""));
  };
  recipe.learningRate = number("lr");
  recipe.weightDecay = number("weight_decay");
  recipe.beta1 = (*betas)[0].getAsNumber().value_or(std::nan(""));
  recipe.beta2 = (*betas)[1].getAsNumber().value_or(std::nan(""));
  recipe.epsilon = number("eps");
  recipe.smoothing = number("label_smoothing");
  for (const llvm::json::Value &loss : *losses)
    recipe.losses.push_back(loss.getAsNumber().value_or(std::nan("")));
  return success();
}

static LogicalResult readTensors(const std::string &path, Tensors &tensors,
                                 std::string &error) {
  vit_weights *weights = nullptr;
  vit_error message = {};
  if (vit_weights_open(path.c_str(), &weights, &message) != VIT_OK)
    return error = message.message, failure();
  for (int64_t i = 0; i < vit_weights_count(weights); ++i) {
    vit_weight_info info;
    if (vit_weights_info(weights, i, &info, &message) != VIT_OK)
      break;
    Tensor value(std::vector<int64_t>(info.dims, info.dims + info.rank));
    if (vit_weights_read_f64(weights, i, 0, value.size(), value.data.data(),
                             &message) != VIT_OK)
      break;
    tensors[info.name] = std::move(value);
  }
  vit_weights_release(weights);
  error = message.message;
  return success(error.empty());
}

/// Adds @gradients and @train_step to the module.
static LogicalResult generate(ModuleOp module, const Recipe &recipe) {
  PassManager manager(module.getContext());
  manager.nest<func::FuncOp>().addPass(createUnrollLayers());
  GenerateBackwardOptions options;
  options.labelSmoothing = recipe.smoothing;
  options.optimizer = "none";
  options.name = "gradients";
  manager.addPass(createGenerateBackward(options));
  options.optimizer = "adamw";
  options.name = "train_step";
  options.beta1 = recipe.beta1;
  options.beta2 = recipe.beta2;
  options.epsilon = recipe.epsilon;
  options.weightDecay = recipe.weightDecay;
  options.decayAll = true;
  manager.addPass(createGenerateBackward(options));
  return manager.run(module);
}

/// The batch of a step; `data` has one batch per step.
static Tensor takeBatch(const Tensor &data, int64_t step) {
  Tensor batch(std::vector<int64_t>(data.shape.begin() + 1, data.shape.end()));
  std::copy_n(data.data.begin() + step * batch.size(), batch.size(),
              batch.data.begin());
  return batch;
}

static Tensor makeScalar(double value) {
  Tensor scalar(std::vector<int64_t>{});
  scalar.data[0] = value;
  return scalar;
}

/// Compares the value that `get` returns for each parameter of each layer with
/// its stored tensor; key biases are separate.
static LogicalResult
compare(ModuleOp module, const Tensors &expected, Distance &distance,
        Distance &keyBiases,
        llvm::function_ref<const Tensor *(const std::string &)> get,
        std::string &error) {
  for (ParameterOp parameter : module.getOps<ParameterOp>())
    for (uint64_t i = 0; i < parameter.getLayers().value_or(1); ++i) {
      std::string name = parameter.getSymName().str();
      if (parameter.getLayers())
        name += "." + std::to_string(i);
      std::string stored = parameter.getStoredName(i);
      auto found = expected.find(stored);
      const Tensor *value = get(name);
      if (found == expected.end() || !value)
        return error = "nothing to compare " + name + " with", failure();
      // Names follow the library. Key biases are tensors of their own or the
      // middle third of a fused tensor.
      bool keyBias = value->rank() == 1 && StringRef(name).contains("key");
      int64_t begin = parameter.getStoredBegin() * parameter.getStoredRowSize();
      for (int64_t j = 0; j < value->size(); ++j)
        (keyBias ? keyBiases : distance)
            .add(value->data[j] - found->second.data[begin + j]);
    }
  return success();
}

LogicalResult vit::trainFolder(StringRef folder, ModuleOp module,
                               const Weights &weights, std::string &error) {
  std::string path = (folder + "/train/").str();
  Recipe recipe;
  Tensors data, gradients, first, last;
  if (failed(readRecipe(path + "train.json", recipe, error)))
    return failure();
  int64_t steps = recipe.losses.size();
  std::string weightsOfLast =
      path + "weights_" + std::to_string(steps) + "_f64.safetensors";
  if (failed(readTensors(path + "data.safetensors", data, error)) ||
      failed(readTensors(path + "grads_f64.safetensors", gradients, error)) ||
      failed(readTensors(path + "weights_1_f64.safetensors", first, error)) ||
      failed(readTensors(weightsOfLast, last, error)))
    return failure();
  if (failed(generate(module, recipe)))
    return error = "no training step", failure();

  ParameterReader read = [&](ParameterOp parameter, int64_t layer,
                             MutableArrayRef<double> out, std::string &error) {
    return weights.read(parameter, layer, out, error);
  };
  std::vector<NamedTensor> results;
  if (failed(evaluate(
          module.lookupSymbol<func::FuncOp>("gradients"),
          {takeBatch(data["x"], 0), takeBatch(data["y"], 0), makeScalar(0)},
          read, {}, results, error)))
    return failure();
  auto findGradient = [&](const std::string &name) -> const Tensor * {
    for (const NamedTensor &result : results)
      if (result.name == "gradient." + name)
        return &result.value;
    return nullptr;
  };
  Distance ofGradients;
  if (failed(compare(module, gradients, ofGradients, ofGradients, findGradient,
                     error)))
    return failure();

  auto entry = module.lookupSymbol<func::FuncOp>("train_step");
  Store store;
  auto findWeight = [&](const std::string &name) -> const Tensor * {
    auto found = store.find(name);
    return found == store.end() ? nullptr : &found->second;
  };
  double ofLosses = 0.0;
  Distance ofFirst, ofLast, keys[2];
  for (int64_t step = 0; step < steps; ++step) {
    if (failed(evaluate(entry,
                        {takeBatch(data["x"], step), takeBatch(data["y"], step),
                         makeScalar(recipe.learningRate), makeScalar(step)},
                        read, {}, results, error, &store)))
      return failure();
    double difference =
        std::fabs(results.front().value.data[0] - recipe.losses[step]);
    ofLosses = difference <= ofLosses ? ofLosses : difference;
    if ((step == 0 &&
         failed(compare(module, first, ofFirst, keys[0], findWeight, error))) ||
        (step == steps - 1 &&
         failed(compare(module, last, ofLast, keys[1], findWeight, error))))
      return failure();
  }

  double rate = recipe.learningRate;
  auto isClose = [&](const Distance &distance) {
    return static_cast<double>(distance.beyond) <=
               1e-4 * static_cast<double>(distance.elements) &&
           distance.largest <= 2.0 * rate;
  };
  llvm::outs() << formatv(
      "{0}: {1} gradients within {2:e1}, {3} losses within {4:e1}, weights "
      "within {5:e1} and {6:e1}, key biases {7:e1} and {8:e1}\n",
      folder.rsplit('/').second, ofGradients.elements, ofGradients.largest,
      steps, ofLosses, ofFirst.largest, ofLast.largest, keys[0].largest,
      keys[1].largest);
  if (ofGradients.largest <= 1e-6 && ofLosses <= 1e-9 && isClose(ofFirst) &&
      isClose(ofLast) && keys[0].largest <= rate &&
      keys[1].largest <= rate * static_cast<double>(steps))
    return success();
  return error = folder.str() + ": trained weights are not the expected ones",
         failure();
}
