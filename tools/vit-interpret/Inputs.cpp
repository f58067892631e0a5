//===- Inputs.cpp - Pseudo-random inputs and parameters -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Inputs.h"

#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

/// A number in [-1, 1) from SplitMix64 (Steele, Lea, Flood 2014).
static double draw(uint64_t state) {
  state += 0x9e3779b97f4a7c15;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  state ^= state >> 31;
  return std::ldexp(static_cast<double>(state >> 11), -52) - 1.0;
}

void vit::fill(MutableArrayRef<double> values, const std::string &name,
               double scale, uint64_t seed) {
  uint64_t state = llvm::xxh3_64bits(name) + seed * 0x9e3779b97f4a7c15;
  for (double &value : values)
    value = scale * draw(state++);
}

LogicalResult vit::makeInputs(func::FuncOp entry, const InputOptions &options,
                              std::vector<Tensor> &inputs, std::string &error) {
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor) {
      error = "argument " + std::to_string(index) + " is not a tensor";
      return failure();
    }
    std::vector<int64_t> shape = tensor.getShape().vec();
    for (int64_t &size : shape)
      if (ShapedType::isDynamic(size))
        size = options.batch;
    Tensor &input = inputs.emplace_back(shape);
    bool integers = tensor.getElementType().isInteger();
    if (integers && tensor.getRank() == 0)
      continue;
    fill(input.data, "input " + std::to_string(index), 1.0, options.seed);
    if (integers)
      for (double &value : input.data)
        value = std::floor((value + 1.0) / 2.0 *
                           static_cast<double>(options.classes));
  }
  return success();
}

ParameterReader vit::makeParameterReader(uint64_t seed) {
  return [seed](ParameterOp parameter, int64_t layer,
                MutableArrayRef<double> out, std::string &) -> LogicalResult {
    RankedTensorType type = parameter.getTensorType();
    double scale =
        type.getRank() < 2
            ? 1.0
            : std::sqrt(3.0 / static_cast<double>(type.getShape().back()));
    std::string name = parameter.getSymName().str();
    if (parameter.getLayers())
      name += "." + std::to_string(layer);
    fill(out, name, scale, seed);
    return success();
  };
}
