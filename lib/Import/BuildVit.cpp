//===- BuildVit.cpp - The graph of a Vision Transformer -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parameters, the pieces that all parts of a model use, and the module.
//
//===----------------------------------------------------------------------===//

#include "BuildVit.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

InitAttr VitBuilder::init(ParameterRole role, int64_t fanIn) {
  auto make = [&](Distribution distribution, double value) {
    return InitAttr::get(b.getContext(), distribution, llvm::APFloat(value));
  };
  auto constant = [&](double value) {
    return make(Distribution::constant, value);
  };
  // torch.nn.Linear and Conv2d: kaiming_uniform(a = sqrt 5) is this bound.
  auto torchUniform = [&] {
    return make(Distribution::uniform, 1.0 / std::sqrt(double(fanIn)));
  };
  bool torch = config.initStyle == InitStyle::Torch;
  bool timm = config.initStyle == InitStyle::Timm;
  auto truncated = [&] {
    return make(Distribution::trunc_normal, config.initRange);
  };
  switch (role) {
  case ParameterRole::Weight:
    return torch ? torchUniform() : truncated();
  case ParameterRole::Bias:
    return torch ? torchUniform() : constant(0);
  case ParameterRole::PatchWeight:
    return torch || timm ? torchUniform() : truncated();
  case ParameterRole::PatchBias:
    return torch || timm ? torchUniform() : constant(0);
  case ParameterRole::NormScale:
    return constant(1);
  case ParameterRole::NormBias:
    return constant(0);
  case ParameterRole::Token:
    return torch  ? make(Distribution::normal, 1)
           : timm ? make(Distribution::normal, 1e-6)
                  : truncated();
  case ParameterRole::DistToken:
    return truncated();
  case ParameterRole::Positions:
    return torch ? make(Distribution::normal, 1) : truncated();
  case ParameterRole::LayerScale:
    return constant(config.layerScaleInit);
  }
  llvm_unreachable("no such role");
}

Value VitBuilder::parameter(StringRef symbol, ArrayRef<int64_t> shape,
                            ParameterRole role, int64_t fanIn, Location loc,
                            Stored stored) {
  bool perLayer = StringRef(stored.name).contains("{}");
  RankedTensorType type = tensor(shape);
  OpBuilder before(function);
  ParameterOp::create(before, loc, b.getStringAttr(symbol), TypeAttr::get(type),
                      perLayer ? b.getI64IntegerAttr(config.depth)
                               : IntegerAttr(),
                      init(role, fanIn),
                      StoredAttr::get(b.getContext(), stored.name, stored.shape,
                                      stored.begin, stored.end));
  return ReadOp::create(b, loc, type, symbol, perLayer ? layer : Value(),
                        IntegerAttr());
}

Value VitBuilder::parameter(StringRef symbol, ArrayRef<int64_t> shape,
                            ParameterRole role, int64_t fanIn, Location loc,
                            std::string name) {
  return parameter(
      symbol, shape, role, fanIn, loc,
      Stored{std::move(name), SmallVector<int64_t>(shape), 0, shape.front()});
}

/// A table of `rows` tokens, stored as [1, rows, width] (rank 3), [rows, width]
/// or, of one token, [width]; rank 0: as config.tokenRank says.
Value VitBuilder::tokens(StringRef symbol, int64_t rows, ParameterRole role,
                         StringRef name, int64_t rank) {
  int64_t width = config.width;
  rank = rank ? rank : config.tokenRank;
  Stored stored{name.str(), {rows, width}, 0, rows};
  if (rank == 3)
    stored = {name.str(), {1, rows, width}, 0, 1};
  if (rank == 1)
    stored = {name.str(), {width}, 0, width};
  return parameter(symbol, {rows, width}, role, width, at(name), stored);
}

/// `rows` rows from `begin` on of the position table, which has `storedRows`.
Value VitBuilder::positions(StringRef symbol, int64_t rows, int64_t storedRows,
                            int64_t begin) {
  Stored stored{
      names.positions, {storedRows, config.width}, begin, begin + rows};
  if (config.tokenRank == 3)
    stored.shape.insert(stored.shape.begin(), 1);
  return parameter(symbol, {rows, config.width}, ParameterRole::Positions,
                   config.width, at(names.positions), stored);
}

/// The name of a tensor of the module `path`. torch.nn.MultiheadAttention has
/// no module for the product of q, k and v: in_proj_weight, in_proj_bias.
static std::string tensorName(StringRef path, StringRef tensor) {
  return (path + (path.ends_with("in_proj") ? "_" : ".") + tensor).str();
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Value VitBuilder::linear(Value x, StringRef symbol, Place place, int64_t out,
                         bool bias) {
  Location loc = at(place.path);
  int64_t in = lastDimension(x), rows = place.parts * out;
  int64_t begin = place.part * out, end = begin + out;
  Value weight = parameter(
      (symbol + ".weight").str(), {out, in}, ParameterRole::Weight, in, loc,
      Stored{tensorName(place.path, "weight"), {rows, in}, begin, end});
  Value shift;
  Stored stored{tensorName(place.path, "bias"), {rows}, begin, end};
  if (!place.biasName.empty())
    stored = {place.biasName.str(), {out}, 0, out};
  if (bias)
    shift = parameter((symbol + ".bias").str(), {out}, ParameterRole::Bias, in,
                      loc, stored);
  return LinearOp::create(b, loc, x, weight, shift);
}

/// q, k or v (part 0, 1, 2): a linear layer of its own, or a third of the rows
/// of a fused one.
Value VitBuilder::projection(Value x, StringRef symbol, StringRef path,
                             int part, bool bias, StringRef biasName) {
  Place place{path, 1, 0, biasName};
  if (!names.qkv.empty())
    place = {names.qkv, 3, part, biasName};
  return linear(x, symbol, place, config.attentionWidth(), bias);
}

Value VitBuilder::norm(Value x, StringRef symbol, StringRef path,
                       int64_t groups) {
  Location loc = at(path);
  int64_t width = lastDimension(x) / groups;
  Value scale =
      parameter((symbol + ".weight").str(), {width}, ParameterRole::NormScale,
                width, loc, (path + ".weight").str());
  if (config.norm == Norm::Rms)
    return RmsNormOp::create(b, loc, x, scale, llvm::APFloat(config.epsilon),
                             groups);
  Value shift =
      parameter((symbol + ".bias").str(), {width}, ParameterRole::NormBias,
                width, loc, (path + ".bias").str());
  return LayerNormOp::create(b, loc, x, scale, shift,
                             llvm::APFloat(config.epsilon), groups);
}

Value VitBuilder::activate(Value x, Activation activation, Location loc) {
  switch (activation) {
  case Activation::GeluErf:
    return GeluOp::create(b, loc, x, GeluKind::erf);
  case Activation::GeluTanh:
    return GeluOp::create(b, loc, x, GeluKind::tanh);
  case Activation::GeluQuick:
    return GeluOp::create(b, loc, x, GeluKind::quick);
  case Activation::Relu:
    return ReluOp::create(b, loc, x);
  case Activation::Silu:
    return SiluOp::create(b, loc, x);
  case Activation::Tanh:
    return TanhOp::create(b, loc, x);
  }
  llvm_unreachable("no such activation");
}

Value VitBuilder::drop(Value x, double probability, Location loc) {
  if (probability == 0)
    return x;
  return DropoutOp::create(b, loc, x, llvm::APFloat(probability));
}

Value VitBuilder::dropPath(Value x, StringRef name) {
  if (config.dropPath == 0)
    return x;
  Location loc = at((names.block + "." + name).str());
  return DropPathOp::create(b, loc, x.getType(), x, b.getF64FloatAttr(0),
                            b.getF64FloatAttr(config.dropPath), layer,
                            StringAttr(), Value(), Value());
}

Value VitBuilder::scale(Value x, StringRef symbol, StringRef path) {
  if (!config.layerScale)
    return x;
  Location loc = at(path);
  Value gamma = parameter((symbol + ".gamma").str(), {config.width},
                          ParameterRole::LayerScale, config.width, loc,
                          (path + names.scaleTensor).str());
  return LayerScaleOp::create(b, loc, x, gamma);
}

Value VitBuilder::takeToken(Value x, int64_t index, Location loc) {
  return TakeTokensOp::create(b, loc, x, b.getI64IntegerAttr(index),
                              IntegerAttr());
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

/// Says which tokens stand before the patches, in the order of embed().
void VitBuilder::setTokens() {
  SmallVector<StringRef> tokens;
  tokens.append(config.classToken, "class");
  tokens.append(config.distillationToken, "distillation");
  tokens.append(config.registers, "register");
  module->setAttr("vit.prefix_tokens", b.getStrArrayAttr(tokens));
  module->setAttr(
      "vit.patch_grid",
      b.getDenseI64ArrayAttr({config.gridHeight(), config.gridWidth()}));
}

OwningOpRef<ModuleOp> VitBuilder::build() {
  OwningOpRef<ModuleOp> owner = ModuleOp::create(unknown);
  module = *owner;
  if (!config.labels.empty()) {
    SmallVector<StringRef> labels(config.labels.begin(), config.labels.end());
    module->setAttr("vit.labels", b.getStrArrayAttr(labels));
  }
  if (!config.problemType.empty())
    module->setAttr("vit.problem_type", b.getStringAttr(config.problemType));
  setTokens();
  bool hasTable = config.positions == PositionKind::Learned ||
                  config.relativePositions || config.sharedRelativePositions;
  if (hasTable && (config.antialias || !config.resamples))
    module->setAttr("vit.resampling",
                    b.getStringAttr(config.resamples ? "antialias" : "none"));
  if (!config.unused.empty()) {
    SmallVector<StringRef> unused(config.unused.begin(), config.unused.end());
    module->setAttr("vit.unused", b.getStrArrayAttr(unused));
  }

  RankedTensorType image = tensor({ShapedType::kDynamic, config.channels,
                                   config.imageHeight, config.imageWidth});
  b.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(b, unknown, "forward",
                                  b.getFunctionType({image}, {}));
  Block *entry = b.createBlock(&function.getBody(), {}, {image}, {at("image")});
  results(layers(embed(entry->getArgument(0))));
  func::ReturnOp::create(b, unknown, resultValues);

  function.setFunctionType(
      b.getFunctionType({image}, TypeRange(ValueRange(resultValues))));
  function.setArgAttr(0, "vit.name", b.getStringAttr("image"));
  for (auto [i, name] : llvm::enumerate(resultNames))
    function.setResultAttr(i, "vit.name", b.getStringAttr(name));
  return owner;
}

OwningOpRef<ModuleOp> vit::buildVit(const VitConfig &config,
                                    MLIRContext *context) {
  return VitBuilder(config, context).build();
}
