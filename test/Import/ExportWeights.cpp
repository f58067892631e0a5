//===- ExportWeights.cpp - Writes a checkpoint for a model ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportWeights.h"

#include <cmath>
#include <map>
#include <numeric>

using namespace mlir;
using namespace mlir::vit;

namespace {
struct Stored {
  SmallVector<int64_t> shape;
  std::vector<float> data;
};
} // namespace

/// Gives `parameter` an initialiser that affects the results; returns the
/// offset to add to each value.
static float redraw(ParameterOp parameter) {
  ArrayRef<int64_t> shape = parameter.getTensorType().getShape();
  StringRef name = parameter.getSymName();
  double deviation = 0.1;
  float mean = 0;
  if (shape.size() == 1 && name.ends_with(".gamma")) {
    deviation = 0.2;
    mean = 0.5;
  } else if (shape.size() == 1 && name.ends_with(".weight")) {
    deviation = 0.2;
    mean = 1;
  } else if (name.ends_with(".weight")) {
    deviation = 1 / std::sqrt(double(shape.back()));
  } else if (shape.size() == 2) {
    deviation = 0.5;
  }
  parameter.setInitAttr(InitAttr::get(
      parameter.getContext(), Distribution::normal, llvm::APFloat(deviation)));
  return mean;
}

LogicalResult vit::exportWeights(ModuleOp module, uint64_t seed, StringRef path,
                                 std::string &error) {
  std::unique_ptr<Weights> weights = Weights::open("", seed, error);
  std::map<std::string, Stored> tensors;
  for (ParameterOp parameter : module.getOps<ParameterOp>()) {
    float mean = redraw(parameter);
    ArrayRef<int64_t> shape = parameter.getStoredShape();
    int64_t row = parameter.getStoredRowSize();
    int64_t all = std::accumulate(shape.begin(), shape.end(), int64_t(1),
                                  std::multiplies<>());
    for (int64_t i = 0; i < parameter.getLayers().value_or(1); ++i) {
      Stored &stored = tensors[parameter.getStoredName(i)];
      stored.shape.assign(shape.begin(), shape.end());
      stored.data.resize(all);
      MutableArrayRef<float> out(stored.data.data() +
                                     parameter.getStoredBegin() * row,
                                 parameter.getTensorType().getNumElements());
      if (failed(weights->read(parameter, i, out, error)))
        return failure();
      for (float &x : out)
        x += mean;
    }
  }
  std::vector<vit_tensor> list;
  for (auto &[name, stored] : tensors) {
    vit_tensor tensor = {};
    tensor.name = name.c_str();
    tensor.data = stored.data.data();
    tensor.size = stored.data.size() * sizeof(float);
    tensor.dtype = VIT_F32;
    tensor.rank = stored.shape.size();
    llvm::copy(stored.shape, tensor.dims);
    list.push_back(tensor);
  }
  vit_error message = {};
  if (vit_weights_write(path.str().c_str(), list.data(), list.size(), nullptr,
                        0, &message) == VIT_OK)
    return success();
  error = message.message;
  return failure();
}
