//===- VerifyFolder.cpp - Compares a model with reference results ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyFolder.h"

#include "vit/Reference/Interpreter.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using reference::Tensor;

namespace {
struct Expected {
  std::string name;
  Tensor value;
  double tolerance;
};
} // namespace

static std::string join(StringRef folder, StringRef name) {
  SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

Tensor vit::makeInput(func::FuncOp entry, int64_t batch) {
  ArrayRef<int64_t> type =
      cast<RankedTensorType>(entry.getArgumentTypes()[0]).getShape();
  std::vector<int64_t> shape(type.begin(), type.end());
  shape[0] = batch;
  Tensor input(shape);
  for (auto [i, x] : llvm::enumerate(input.data))
    x = float(std::sin(0.37 * double(i)));
  return input;
}

static LogicalResult readNpy(const std::string &path, Tensor &out,
                             std::string &error) {
  vit_tensor tensor = {};
  vit_error message = {};
  if (vit_npy_read(path.c_str(), &tensor, &message) != VIT_OK) {
    error = message.message;
    return failure();
  }
  out = Tensor(std::vector<int64_t>(tensor.dims, tensor.dims + tensor.rank));
  vit_status status = vit_data_to_f64(tensor.dtype, tensor.data, out.size(),
                                      out.data.data(), &message);
  vit_tensor_release(&tensor);
  if (status == VIT_OK)
    return success();
  error = message.message;
  return failure();
}

static LogicalResult readAll(const std::string &path, double tolerance,
                             std::vector<Expected> &expected,
                             std::string &error) {
  vit_weights *weights = nullptr;
  vit_error message = {};
  if (vit_weights_open(path.c_str(), &weights, &message) != VIT_OK) {
    error = message.message;
    return failure();
  }
  for (int64_t i = 0; i < vit_weights_count(weights); ++i) {
    vit_weight_info info;
    if (vit_weights_info(weights, i, &info, &message) != VIT_OK)
      break;
    StringRef name = info.name;
    Tensor value(std::vector<int64_t>(info.dims, info.dims + info.rank));
    if (vit_weights_read_f64(weights, i, 0, value.size(), value.data.data(),
                             &message) != VIT_OK)
      break;
    expected.push_back(
        {name.consume_front("attn_") ? "attention_" + name.str() : name.str(),
         std::move(value), tolerance});
  }
  vit_weights_release(weights);
  error = message.message;
  return success(error.empty());
}

static LogicalResult readExpected(StringRef folder,
                                  std::vector<Expected> &expected,
                                  std::string &error) {
  auto exists = [&](StringRef name) {
    return llvm::sys::fs::exists(join(folder, name));
  };
  auto add = [&](StringRef file, StringRef name, double tolerance) {
    if (!exists(file))
      return success();
    Expected e{name.str(), {}, tolerance};
    if (failed(readNpy(join(folder, file), e.value, error)))
      return failure();
    expected.push_back(std::move(e));
    return success();
  };
  bool exact = exists("logits_f64.npy");
  if (failed(add(exact ? "logits_f64.npy" : "logits.npy", "logits",
                 exact ? 1e-9 : 1e-5)))
    return failure();
  for (StringRef name :
       {"features", "last_hidden_state", "pooler_output", "image_embeds"}) {
    std::string f64 = (name + "_f64.npy").str(), f32 = (name + ".npy").str();
    bool exact = exists(f64);
    if (failed(add(exact ? f64 : f32, name, exact ? 1e-9 : 1e-5)))
      return failure();
  }
  for (auto [file, tolerance] :
       {std::pair<StringRef, double>{"hidden.safetensors", 1e-5},
        {"attn.safetensors", 1e-5},
        {"attention.safetensors", 1e-5},
        {"golden.safetensors", 1e-9}})
    if (exists(file) &&
        failed(readAll(join(folder, file), tolerance, expected, error)))
      return failure();
  if (!expected.empty())
    return success();
  error = (folder + ": nothing to compare with").str();
  return failure();
}

LogicalResult vit::verifyFolder(StringRef folder, ModuleOp module,
                                const Weights &weights, std::string &error) {
  Tensor input;
  std::vector<Expected> expected;
  auto entry = module.lookupSymbol<func::FuncOp>("forward");
  if (failed(readExpected(folder, expected, error)))
    return failure();
  std::string inputPath = join(folder, "input.npy");
  if (!llvm::sys::fs::exists(inputPath))
    input = makeInput(entry, expected.front().value.shape.front());
  else if (failed(readNpy(inputPath, input, error)))
    return failure();
  std::vector<std::string> names;
  for (const Expected &e : expected)
    names.push_back(e.name);
  std::vector<reference::NamedTensor> results;
  auto read = [&](ParameterOp parameter, int64_t layer,
                  MutableArrayRef<double> out, std::string &error) {
    return weights.read(parameter, layer, out, error);
  };
  if (failed(reference::evaluate(entry, input, read, names, results, error)))
    return failure();

  // torch computes these tables in float even for a model in double.
  bool madeInFloat = false;
  module.walk([&](Operation *op) {
    madeInFloat |= isa<SincosPositionsOp, ResamplePositionsOp>(op);
  });
  if (madeInFloat)
    for (Expected &e : expected)
      e.tolerance = std::max(e.tolerance, 1e-7);

  double worst = 0;
  std::string worstName;
  for (auto [e, result] : llvm::zip(expected, results)) {
    if (e.value.shape != result.value.shape) {
      error = (folder + ": " + e.name + " has another shape").str();
      return failure();
    }
    double largest = 0, difference = 0;
    for (double x : e.value.data)
      largest = std::max(largest, std::abs(x));
    for (auto [x, y] : llvm::zip(e.value.data, result.value.data))
      // Not std::max, which would drop a NaN.
      difference = std::abs(x - y) <= difference ? difference : std::abs(x - y);
    double share = difference / (e.tolerance * std::max(1.0, largest / 10));
    if (!(share <= worst)) {
      worst = share;
      worstName = llvm::formatv("{0}, by {1:e2}", e.name, difference);
    }
  }
  std::string line = llvm::formatv("{0}: {1} outputs, furthest off {2}",
                                   llvm::sys::path::filename(folder),
                                   expected.size(), worstName);
  if (worst <= 1) {
    llvm::outs() << line << "\n";
    return success();
  }
  error = line;
  return failure();
}
