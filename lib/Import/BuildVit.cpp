//===- BuildVit.cpp - The graph of a Vision Transformer -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VitConfig.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

namespace {

/// The role of a parameter, which decides how it is initialised.
enum class Role {
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
  InitAttr init(Role role, int64_t fanIn);

  // Parameters. A path with `{}` makes one per layer.
  struct Stored {
    std::string name;
    SmallVector<int64_t> shape;
    int64_t begin, end;
  };
  Value parameter(StringRef symbol, ArrayRef<int64_t> shape, Role role,
                  int64_t fanIn, Location loc, Stored stored);
  Value parameter(StringRef symbol, ArrayRef<int64_t> shape, Role role,
                  int64_t fanIn, Location loc, std::string name);
  Value tokens(StringRef symbol, int64_t rows, Role role, StringRef name);

  // Pieces of the model.
  Value linear(Value x, StringRef symbol, StringRef path, int64_t out,
               bool bias);
  Value projection(Value x, StringRef symbol, StringRef path, int part);
  Value norm(Value x, StringRef symbol, StringRef path, int64_t groups = 1);
  Value activate(Value x, Activation activation, Location loc);
  Value drop(Value x, double probability, Location loc);
  Value dropPath(Value x, StringRef name);
  Value scale(Value x, StringRef symbol, StringRef path);
  Value patchEmbedding(Value image);
  Value positionTable();
  Value embed(Value image);
  Value attention(Value x);
  Value block(Value x);
  Value layers(Value x);
  Value takeToken(Value x, int64_t index, Location loc);
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
  Value layer; ///< The layer's number, within vit.layers
  SmallVector<std::string> resultNames;
  SmallVector<Value> resultValues;
};

} // namespace

static int64_t lastDimension(Value x) { return tensorOf(x).getShape().back(); }

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

InitAttr VitBuilder::init(Role role, int64_t fanIn) {
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
  case Role::Weight:
    return torch ? torchUniform() : truncated();
  case Role::Bias:
    return torch ? torchUniform() : constant(0);
  case Role::PatchWeight:
    return torch || timm ? torchUniform() : truncated();
  case Role::PatchBias:
    return torch || timm ? torchUniform() : constant(0);
  case Role::NormScale:
    return constant(1);
  case Role::NormBias:
    return constant(0);
  case Role::Token:
    return torch  ? make(Distribution::normal, 1)
           : timm ? make(Distribution::normal, 1e-6)
                  : truncated();
  case Role::DistToken:
    return truncated();
  case Role::Positions:
    return torch ? make(Distribution::normal, 1) : truncated();
  case Role::LayerScale:
    return constant(config.layerScaleInit);
  }
  llvm_unreachable("no such role");
}

Value VitBuilder::parameter(StringRef symbol, ArrayRef<int64_t> shape,
                            Role role, int64_t fanIn, Location loc,
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
                            Role role, int64_t fanIn, Location loc,
                            std::string name) {
  return parameter(
      symbol, shape, role, fanIn, loc,
      Stored{std::move(name), SmallVector<int64_t>(shape), 0, shape.front()});
}

/// A table of `rows` tokens, stored as [1, rows, width] or [rows, width].
Value VitBuilder::tokens(StringRef symbol, int64_t rows, Role role,
                         StringRef name) {
  Stored stored{name.str(), {rows, config.width}, 0, rows};
  if (config.tokenRank == 3)
    stored = {name.str(), {1, rows, config.width}, 0, 1};
  return parameter(symbol, {rows, config.width}, role, config.width, at(name),
                   stored);
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Value VitBuilder::linear(Value x, StringRef symbol, StringRef path, int64_t out,
                         bool bias) {
  Location loc = at(path);
  int64_t in = lastDimension(x);
  Value weight = parameter((symbol + ".weight").str(), {out, in}, Role::Weight,
                           in, loc, (path + ".weight").str());
  Value shift;
  if (bias)
    shift = parameter((symbol + ".bias").str(), {out}, Role::Bias, in, loc,
                      (path + ".bias").str());
  return LinearOp::create(b, loc, x, weight, shift);
}

/// q, k or v (part 0, 1, 2): a linear layer of its own, or a third of the rows
/// of a fused one.
Value VitBuilder::projection(Value x, StringRef symbol, StringRef path,
                             int part) {
  int64_t out = config.attentionWidth(), in = config.width;
  if (names.qkv.empty())
    return linear(x, symbol, path, out, config.qkvBias);
  Location loc = at(names.qkv);
  int64_t begin = part * out, end = begin + out;
  Value weight =
      parameter((symbol + ".weight").str(), {out, in}, Role::Weight, in, loc,
                Stored{names.qkv + ".weight", {3 * out, in}, begin, end});
  Value shift;
  if (config.qkvBias)
    shift = parameter((symbol + ".bias").str(), {out}, Role::Bias, in, loc,
                      Stored{names.qkv + ".bias", {3 * out}, begin, end});
  return LinearOp::create(b, loc, x, weight, shift);
}

Value VitBuilder::norm(Value x, StringRef symbol, StringRef path,
                       int64_t groups) {
  Location loc = at(path);
  int64_t width = lastDimension(x) / groups;
  Value scale = parameter((symbol + ".weight").str(), {width}, Role::NormScale,
                          width, loc, (path + ".weight").str());
  Value shift = parameter((symbol + ".bias").str(), {width}, Role::NormBias,
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
  Value gamma =
      parameter((symbol + ".gamma").str(), {config.width}, Role::LayerScale,
                config.width, loc, (path + ".gamma").str());
  return LayerScaleOp::create(b, loc, x, gamma);
}

Value VitBuilder::takeToken(Value x, int64_t index, Location loc) {
  return TakeTokensOp::create(b, loc, x, b.getI64IntegerAttr(index),
                              IntegerAttr());
}

//===----------------------------------------------------------------------===//
// From the picture to tokens
//===----------------------------------------------------------------------===//

Value VitBuilder::patchEmbedding(Value image) {
  Location loc = at(names.patch);
  int64_t height = config.patchHeight, width = config.patchWidth;
  Value x =
      PatchifyOp::create(b, loc, image, {height, width}, config.pixelOrder);
  if (config.patchNorms)
    x = norm(x, "patch_norm", names.patchNorm);
  int64_t in = lastDimension(x), out = config.width;
  Stored stored{names.patch + ".weight", {out, in}, 0, out};
  if (config.patchConvolution)
    stored.shape = {out, config.channels, height, width};
  Value weight =
      parameter("patch.weight", {out, in}, Role::PatchWeight, in, loc, stored);
  Value bias;
  if (config.patchBias)
    bias = parameter("patch.bias", {out}, Role::PatchBias, in, loc,
                     names.patch + ".bias");
  x = LinearOp::create(b, loc, x, weight, bias);
  if (config.patchNorms)
    x = norm(x, "embedding_norm", names.embeddingNorm);
  return x;
}

Value VitBuilder::positionTable() {
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  if (config.positions == PositionKind::Sincos)
    return SincosPositionsOp::create(b, at(names.positions),
                                     tensor({config.patches(), config.width}),
                                     grid, config.width, llvm::APFloat(1e4));
  int64_t prefix = config.positionsOfPrefix ? config.prefix() : 0;
  SmallVector<int64_t, 2> stored{config.storedGridHeight,
                                 config.storedGridWidth};
  if (!config.storedGridHeight)
    stored = grid;
  Value table = tokens("positions", prefix + stored[0] * stored[1],
                       Role::Positions, names.positions);
  if (stored == grid)
    return table;
  return ResamplePositionsOp::create(b, at(names.positions), table, stored,
                                     grid, prefix, config.antialias);
}

Value VitBuilder::embed(Value image) {
  Value x = patchEmbedding(image);
  Location loc = at(names.embeddings);
  Value table;
  if (config.positions != PositionKind::None)
    table = positionTable();
  if (table && !config.positionsOfPrefix)
    x = AddOp::create(b, loc, x, table);
  auto prepend = [&](StringRef symbol, int64_t rows, Role role,
                     StringRef name) {
    Value values = tokens(symbol, rows, role, name);
    x = PrependTokensOp::create(b, at(name), x, values);
  };
  if (config.registers)
    prepend("registers", config.registers, Role::Token, names.registers);
  if (config.distillationToken)
    prepend("distillation_token", 1, Role::DistToken, names.distillationToken);
  if (config.classToken)
    prepend("class_token", 1, Role::Token, names.classToken);
  if (table && config.positionsOfPrefix)
    x = AddOp::create(b, loc, x, table);
  x = drop(x, config.embeddingDropout, loc);
  if (config.preNorm)
    x = norm(x, "pre_norm", names.preNorm);
  return x;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value VitBuilder::attention(Value x) {
  Value query = projection(x, "query", names.query, 0);
  Value key = projection(x, "key", names.key, 1);
  Value value = projection(x, "value", names.value, 2);
  if (config.queryKeyNorm) {
    query = norm(query, "query_norm", names.queryNorm, config.heads);
    key = norm(key, "key_norm", names.keyNorm, config.heads);
  }
  int64_t tokens = config.tokens();
  auto probabilities =
      tensor({ShapedType::kDynamic, config.heads, tokens, tokens});
  double scale = 1.0 / std::sqrt(double(config.headWidth));
  auto op = AttentionOp::create(b, at(names.attention), query.getType(),
                                probabilities, query, key, value, config.heads,
                                llvm::APFloat(scale));
  output("attention_{}", op.getProbabilities(), layer);
  x = op.getResult();
  if (!config.outProjection)
    return x;
  x = linear(x, "out", names.out, config.width, config.outBias);
  return drop(x, config.dropout, at(names.out));
}

// An op without a module of its own (activation, residual sum) is named after
// the module that it follows, so that both keep one name when they are fused.
Value VitBuilder::block(Value x) {
  Value y = norm(x, "norm1", names.norm1);
  y = attention(y);
  y = scale(y, "scale1", names.scale1);
  y = dropPath(y, "drop_path1");
  x = AddOp::create(b, at(config.outProjection ? names.out : names.attention),
                    y, x);
  y = norm(x, "norm2", names.norm2);
  y = linear(y, "fc1", names.fc1, config.mlpWidth, config.mlpBias);
  y = activate(y, config.activation, at(names.fc1));
  if (config.dropoutInMlp)
    y = drop(y, config.dropout, at(names.fc1));
  y = linear(y, "fc2", names.fc2, config.width, config.mlpBias);
  y = drop(y, config.dropout, at(names.fc2));
  y = scale(y, "scale2", names.scale2);
  y = dropPath(y, "drop_path2");
  return AddOp::create(b, at(names.fc2), y, x);
}

Value VitBuilder::layers(Value x) {
  Location loc = at(names.layers);
  auto op = LayersOp::create(b, loc, x.getType(), config.depth, x);
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&op.getBody(), {},
                              {b.getIndexType(), x.getType()}, {loc, loc});
  layer = body->getArgument(0);
  Value input = body->getArgument(1);
  OutputOp::create(b, at(names.block), b.getStringAttr("hidden_{}"), layer,
                   input);
  Value next = block(input);
  YieldOp::create(b, loc, next);
  layer = {};
  return op.getResult(0);
}

//===----------------------------------------------------------------------===//
// From tokens to results
//===----------------------------------------------------------------------===//

void VitBuilder::results(Value x) {
  output("hidden_" + std::to_string(config.depth), x);
  if (config.finalNorm) {
    x = norm(x, "norm", names.norm);
    output("final", x);
  }
  Location pool = at(names.norm);
  int64_t prefix = config.prefix();
  Value classToken;
  if (config.classToken || config.pooling == Pooling::Token) {
    classToken = takeToken(x, 0, pool);
    output("cls_token", classToken);
  }
  Value patches = x;
  if (prefix)
    patches = TakeTokensOp::create(b, pool, x, b.getI64IntegerAttr(prefix),
                                   b.getI64IntegerAttr(config.patches()));
  output("feature_map", patches);

  if (config.headless) {
    result("last_hidden_state", x);
    if (config.pooler) {
      Value y = linear(classToken, "pooler", names.pooler, config.poolerWidth,
                       /*bias=*/true);
      result("pooler_output",
             activate(y, config.poolerActivation, at(names.pooler)));
    }
    return;
  }

  Value features, distilled;
  switch (config.pooling) {
  case Pooling::Token:
    features = classToken;
    break;
  case Pooling::Mean:
    features =
        MeanTokensOp::create(b, pool, x, config.meanOfPrefix ? 0 : prefix);
    break;
  case Pooling::All:
    features = x;
    break;
  case Pooling::Distilled:
    distilled = takeToken(x, 1, pool);
    features = ScaleOp::create(
        b, pool, Value(AddOp::create(b, pool, classToken, distilled)),
        llvm::APFloat(0.5));
    break;
  }
  if (config.poolNorm)
    features = norm(features, "pool_norm", names.poolNorm);
  if (!config.classes)
    return result("features", features);
  output("features", features);
  if (!distilled) {
    features = drop(features, config.headDropout, at("head_drop"));
    return result("logits",
                  linear(features, "head", names.head, config.classes, true));
  }

  Value first = linear(classToken, "head", names.head, config.classes, true);
  Value second = linear(distilled, "distillation_head", names.distillationHead,
                        config.classes, true);
  output("cls_logits", first);
  output("distillation_logits", second);
  Location loc = at(names.head);
  Value sum = AddOp::create(b, loc, first, second);
  result("logits", ScaleOp::create(b, loc, sum, llvm::APFloat(0.5)));
}

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
