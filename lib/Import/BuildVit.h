//===- BuildVit.h - The graph of a Vision Transformer -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the graph that a VitConfig describes. The parts of the model are in
// files of their own: BuildEmbeddings.cpp, BuildLayers.cpp, BuildResults.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_IMPORT_BUILDVIT_H
#define VIT_LIB_IMPORT_BUILDVIT_H

#include "VitConfig.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace mlir::vit {

/// The role of a parameter, which decides how it is initialised.
enum class ParameterRole {
  Weight,
  Bias,
  PatchWeight,
  PatchBias,
  NormScale,
  NormBias,
  Token,     ///< Class token and registers
  DistToken, ///< Distillation token
  Positions,
  LayerScale
};

/// Builds one model: the parts in the order of their use, each by a method.
class VitBuilder {
public:
  VitBuilder(const VitConfig &config, MLIRContext *context)
      : config(config), names(config.names), b(context),
        unknown(UnknownLoc::get(context)) {}

  OwningOpRef<ModuleOp> build();

private:
  // Names and types.
  Location at(StringRef path) {
    return path.empty() ? Location(unknown)
                        : NameLoc::get(b.getStringAttr(path));
  }
  RankedTensorType tensor(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, b.getF32Type());
  }
  InitAttr init(ParameterRole role, int64_t fanIn);

  // Parameters. A path with `{}` makes one per layer.
  struct Stored {
    std::string name;
    SmallVector<int64_t> shape;
    int64_t begin, end;
  };
  Value parameter(StringRef symbol, ArrayRef<int64_t> shape, ParameterRole role,
                  int64_t fanIn, Location loc, Stored stored);
  Value parameter(StringRef symbol, ArrayRef<int64_t> shape, ParameterRole role,
                  int64_t fanIn, Location loc, std::string name);
  Value tokens(StringRef symbol, int64_t rows, ParameterRole role,
               StringRef name, int64_t rank = 0);
  Value positions(StringRef symbol, int64_t rows, int64_t storedRows,
                  int64_t begin);

  // Pieces of the model.
  /// Where a linear layer is stored.
  struct Place {
    StringRef path;          ///< path.weight and path.bias
    int64_t parts = 1;       ///< They hold so many layers, one above the other,
    int64_t part = 0;        ///< of which this is one.
    StringRef biasName = ""; ///< The bias has a tensor of its own.
  };
  Value linear(Value x, StringRef symbol, Place place, int64_t out, bool bias);
  Value linear(Value x, StringRef symbol, StringRef path, int64_t out,
               bool bias) {
    return linear(x, symbol, Place{path}, out, bias);
  }
  Value projection(Value x, StringRef symbol, StringRef path, int part,
                   bool bias, StringRef biasName);
  Value norm(Value x, StringRef symbol, StringRef path, int64_t groups = 1);
  Value normIf(bool condition, Value x, StringRef symbol, StringRef path) {
    return condition ? norm(x, symbol, path) : x;
  }
  Value activate(Value x, Activation activation, Location loc);
  Value drop(Value x, double probability, Location loc);
  Value dropPath(Value x, StringRef name);
  Value scale(Value x, StringRef symbol, StringRef path);
  Value patchEmbedding(Value image);
  Value positionTable();
  Value embedApart(Value x);
  Value embed(Value image);
  Value relativeTable(StringRef symbol, StringRef name);
  Value relativeBias(ValueRange tables);
  void positionsOfLayers();
  Value rotate(Value x);
  Value attention(Value x);
  Value mlp(Value x);
  Value block(Value x);
  Value layers(Value x);
  Value takeToken(Value x, int64_t index, Location loc);
  Value poolByAttention(Value x);
  Value pool(Value x);
  void projectionResult(Value pooled);
  void headlessResults(Value x);
  void distilledResults();
  void results(Value x);
  void setTokens();

  // Outputs.
  void output(StringRef name, Value value, Value index = {}) {
    OutputOp::create(b, value.getLoc(), b.getStringAttr(name), index, value);
  }
  void result(StringRef name, Value value) {
    resultNames.push_back(name.str());
    resultValues.push_back(value);
  }

  const VitConfig &config;
  const VitNames &names;
  OpBuilder b;
  Location unknown;
  ModuleOp module;
  func::FuncOp function;
  Value layer;                 ///< The layer's number, within vit.layers
  Value angles;                ///< Of rotary positions
  Value sharedBias;            ///< Of attention's scores in all layers
  Value classToken, distilled; ///< After the last layer, where there are any
  SmallVector<std::string> resultNames;
  SmallVector<Value> resultValues;
};

inline int64_t lastDimension(Value x) { return tensorOf(x).getShape().back(); }

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_BUILDVIT_H
