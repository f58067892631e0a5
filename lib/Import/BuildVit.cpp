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
  Value tokens(StringRef symbol, int64_t rows, Role role, StringRef name,
               int64_t rank = 0);
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

/// A table of `rows` tokens, stored as [1, rows, width] (rank 3), [rows, width]
/// or, of one token, [width]; rank 0: as config.tokenRank says.
Value VitBuilder::tokens(StringRef symbol, int64_t rows, Role role,
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
  return parameter(symbol, {rows, config.width}, Role::Positions, config.width,
                   at(names.positions), stored);
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
      (symbol + ".weight").str(), {out, in}, Role::Weight, in, loc,
      Stored{tensorName(place.path, "weight"), {rows, in}, begin, end});
  Value shift;
  Stored stored{tensorName(place.path, "bias"), {rows}, begin, end};
  if (!place.biasName.empty())
    stored = {place.biasName.str(), {out}, 0, out};
  if (bias)
    shift =
        parameter((symbol + ".bias").str(), {out}, Role::Bias, in, loc, stored);
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
  Value scale = parameter((symbol + ".weight").str(), {width}, Role::NormScale,
                          width, loc, (path + ".weight").str());
  if (config.norm == Norm::Rms)
    return RmsNormOp::create(b, loc, x, scale, llvm::APFloat(config.epsilon),
                             groups);
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
                config.width, loc, (path + names.scaleTensor).str());
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
  if (config.patchNorm)
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
  if (config.embeddingNorm)
    x = norm(x, "embedding_norm", names.embeddingNorm);
  return x;
}

Value VitBuilder::positionTable() {
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  if (config.positions == PositionKind::Sincos)
    return SincosPositionsOp::create(
        b, at(names.positions), tensor({config.patches(), config.width}), grid,
        config.width, llvm::APFloat(1e4), config.exclusiveSincos);
  int64_t prefix = config.positionPrefix();
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

/// Class token, registers and patches, where the table has rows for the first
/// and the last, but not for what is between them: two parameters.
Value VitBuilder::embedApart(Value x) {
  Location loc = at(names.embeddings), where = at(names.positions);
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  SmallVector<int64_t, 2> stored{config.storedGridHeight,
                                 config.storedGridWidth};
  if (!config.storedGridHeight)
    stored = grid;
  int64_t rows = stored[0] * stored[1], prefix = config.positionPrefix();
  Value first = positions("prefix_positions", prefix, prefix + rows, 0);
  Value table = positions("positions", rows, prefix + rows, prefix);
  if (stored != grid)
    table = ResamplePositionsOp::create(b, where, table, stored, grid, 0,
                                        config.antialias);
  x = AddOp::create(b, loc, x, table);
  Value registers =
      tokens("registers", config.registers, Role::Token, names.registers);
  x = PrependTokensOp::create(b, at(names.registers), x, registers);
  // Only parameters can be prepended: the class token's position is added as a
  // table of its own, whose other rows are zero.
  Value zeros = ScaleOp::create(b, loc, x, llvm::APFloat(0.0));
  Value only = PrependTokensOp::create(b, where, zeros, first);
  Value token = tokens("class_token", 1, Role::Token, names.classToken);
  x = PrependTokensOp::create(b, at(names.classToken), x, token);
  return AddOp::create(b, loc, x, only);
}

Value VitBuilder::embed(Value image) {
  Value x = patchEmbedding(image);
  if (config.registers && !config.positionsOfRegisters) {
    x = embedApart(x);
    return drop(x, config.embeddingDropout, at(names.embeddings));
  }
  Location loc = at(names.embeddings);
  Value table;
  if (config.positions != PositionKind::None)
    table = positionTable();
  if (table && !config.positionsOfPrefix)
    x = AddOp::create(b, loc, x, table);
  auto prepend = [&](StringRef symbol, int64_t rows, Role role, StringRef name,
                     int64_t rank = 0) {
    Value values = tokens(symbol, rows, role, name, rank);
    x = PrependTokensOp::create(b, at(name), x, values);
  };
  if (config.registers)
    prepend("registers", config.registers, Role::Token, names.registers);
  if (config.distillationToken)
    prepend("distillation_token", 1, Role::DistToken, names.distillationToken);
  if (config.classToken)
    prepend("class_token", 1, Role::Token, names.classToken,
            config.classTokenRank);
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

/// A table of the scores' bias by relative positions, for the picture's grid.
Value VitBuilder::relativeTable(StringRef symbol, StringRef name) {
  SmallVector<int64_t, 2> distances{2 * config.gridHeight() - 1,
                                    2 * config.gridWidth() - 1};
  SmallVector<int64_t, 2> stored{config.storedDistanceRows,
                                 config.storedDistanceColumns};
  if (!config.storedDistanceRows)
    stored = distances;
  int64_t suffix = 3 * config.prefix();
  // Both libraries begin with zeros.
  Value table =
      parameter(symbol, {stored[0] * stored[1] + suffix, config.heads},
                Role::Bias, config.heads, at(name), name.str());
  if (stored == distances)
    return table;
  return ResamplePositionsOp::create(b, at(name), table, stored, distances,
                                     /*prefix=*/0, /*antialias=*/false, suffix,
                                     config.antialias
                                         ? ResamplingFilter::geometric
                                         : ResamplingFilter::linear);
}

Value VitBuilder::relativeBias(ValueRange tables) {
  StringRef name = config.relativePositions ? names.relativePositions
                                            : names.sharedRelativePositions;
  return RelativePositionsOp::create(
      b, at(name), tables,
      SmallVector<int64_t, 2>{config.gridHeight(), config.gridWidth()},
      config.prefix());
}

/// What is the same in all layers.
void VitBuilder::positionsOfLayers() {
  if (config.sharedRelativePositions) {
    sharedBias =
        relativeTable("shared_positions", names.sharedRelativePositions);
    if (!config.relativePositions)
      sharedBias = relativeBias(sharedBias);
  }
  if (!config.rotary)
    return;
  const RotaryPositions &rotary = *config.rotary;
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  int64_t width = config.headWidth / 2;
  angles = RotaryPositionsOp::create(
      b, at(names.embeddings), tensor({config.patches(), width}), grid, width,
      llvm::APFloat(rotary.temperature), rotary.order,
      b.getF64FloatAttr(rotary.origin),
      rotary.extent ? b.getF64FloatAttr(*rotary.extent) : FloatAttr(),
      rotary.centered);
}

Value VitBuilder::rotate(Value x) {
  if (!angles)
    return x;
  return RotateOp::create(b, at(names.attention), x, angles, config.heads,
                          config.prefix(), config.rotary->pairs,
                          /*inverse=*/false);
}

Value VitBuilder::attention(Value x) {
  Value query =
      projection(x, "query", names.query, 0, config.queryBias, names.queryBias);
  Value key = projection(x, "key", names.key, 1, config.keyBias, "");
  Value value =
      projection(x, "value", names.value, 2, config.valueBias, names.valueBias);
  if (config.queryKeyNorm) {
    query = norm(query, "query_norm", names.queryNorm, config.heads);
    key = norm(key, "key_norm", names.keyNorm, config.heads);
  }
  query = rotate(query);
  key = rotate(key);
  Value bias = sharedBias;
  if (config.relativePositions) {
    SmallVector<Value> tables{
        relativeTable("relative_positions", names.relativePositions)};
    if (sharedBias)
      tables.push_back(sharedBias);
    bias = relativeBias(tables);
  }
  int64_t tokens = config.tokens();
  auto probabilities =
      tensor({ShapedType::kDynamic, config.heads, tokens, tokens});
  double scale = 1.0 / std::sqrt(double(config.headWidth));
  auto op = AttentionOp::create(b, at(names.attention), query.getType(),
                                probabilities, query, key, value, bias,
                                config.heads, llvm::APFloat(scale));
  output("attention_{}", op.getProbabilities(), layer);
  x = op.getResult();
  if (config.attentionNorm)
    x = norm(x, "attention_norm", names.attentionNorm);
  if (!config.outProjection)
    return x;
  x = linear(x, "out", names.out, config.width, config.outBias);
  return drop(x, config.dropout, at(names.out));
}

Value VitBuilder::mlp(Value x) {
  int64_t width = config.mlpWidth;
  Location loc = at(names.fc1);
  Value y;
  if (config.gated) {
    bool packed = !names.gateAndFc1.empty();
    loc = at(packed ? names.gateAndFc1 : names.gate);
    Place gate{packed ? names.gateAndFc1 : names.gate, packed ? 2 : 1, 0};
    Place other{packed ? names.gateAndFc1 : names.fc1, packed ? 2 : 1,
                packed ? 1 : 0};
    Value open = activate(linear(x, "gate", gate, width, config.mlpBias),
                          config.activation, loc);
    y = linear(x, "fc1", other, width, config.mlpBias);
    y = MulOp::create(b, loc, open, y);
  } else {
    y = linear(x, "fc1", names.fc1, width, config.mlpBias);
    y = activate(y, config.activation, loc);
  }
  if (config.dropoutInMlp)
    y = drop(y, config.dropout, loc);
  if (config.mlpNorm)
    y = norm(y, "mlp_norm", names.mlpNorm);
  y = linear(y, "fc2", names.fc2, config.width, config.mlpBias);
  return drop(y, config.dropout, at(names.fc2));
}

// An op without a module of its own (activation, residual sum) is named after
// the module that it follows, so that both keep one name when they are fused.
Value VitBuilder::block(Value x) {
  Value y = normIf(!config.postNorm, x, "norm1", names.norm1);
  y = attention(y);
  y = normIf(config.postNorm, y, "norm1", names.norm1);
  y = scale(y, "scale1", names.scale1);
  y = dropPath(y, "drop_path1");
  x = AddOp::create(b, at(config.outProjection ? names.out : names.attention),
                    y, x);
  y = normIf(!config.postNorm, x, "norm2", names.norm2);
  y = mlp(y);
  y = normIf(config.postNorm, y, "norm2", names.norm2);
  y = scale(y, "scale2", names.scale2);
  y = dropPath(y, "drop_path2");
  return AddOp::create(b, at(names.fc2), y, x);
}

Value VitBuilder::layers(Value x) {
  positionsOfLayers();
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

/// Attention of a learned query to the tokens `x`, then an MLP: SigLIP's
/// MultiheadAttentionPoolingHead, timm's AttentionPoolLatent, AIMv2's head.
Value VitBuilder::poolByAttention(Value x) {
  const AttentionPoolNames &pool = names.pool;
  int64_t width = config.width;
  int64_t heads = config.poolHeads ? config.poolHeads : config.heads;
  Location loc = at(pool.attention);
  Value token =
      tokens("pool_token", 1, Role::Token, pool.token, config.poolTokenRank);
  Value query = RepeatTokensOp::create(b, at(pool.token), token, x);
  auto project = [&](Value from, StringRef symbol, StringRef path, int part) {
    Place place{path};
    if (!pool.qkv.empty())
      place = {pool.qkv, 3, part};
    else if (!pool.keyValue.empty() && part > 0)
      place = {pool.keyValue, 2, part - 1};
    return linear(from, symbol, place, width, config.poolBias);
  };
  if (!pool.query.empty() || !pool.qkv.empty())
    query = project(query, "pool_query", pool.query, 0);
  Value key = project(x, "pool_key", pool.key, 1);
  Value value = project(x, "pool_value", pool.value, 2);
  double scale = 1.0 / std::sqrt(double(width / heads));
  Value y = AttentionOp::create(b, loc, query, key, value, heads, scale,
                                /*withProbabilities=*/false)
                .getResult();
  y = linear(takeToken(y, 0, loc), "pool_out", pool.out, width, true);
  if (!config.poolMlp)
    return y;
  Value z = norm(y, "pool_mlp_norm", pool.norm);
  int64_t hidden = config.poolMlpWidth ? config.poolMlpWidth : config.mlpWidth;
  z = linear(z, "pool_fc1", pool.fc1, hidden, true);
  z = activate(z, config.poolActivation.value_or(config.activation),
               at(pool.fc1));
  z = linear(z, "pool_fc2", pool.fc2, width, true);
  return AddOp::create(b, at(pool.fc2), z, y);
}

/// The tokens `x` as `pooling` says, normalised if `poolNorm`.
Value VitBuilder::pool(Value x) {
  Location loc = at(names.norm);
  int64_t from = config.meanOfPrefix ? 0 : config.prefix();
  auto mean = [&] { return MeanTokensOp::create(b, loc, x, from).getResult(); };
  Value pooled = x;
  switch (config.pooling) {
  case Pooling::Token:
    pooled = classToken;
    break;
  case Pooling::Mean:
    pooled = mean();
    break;
  case Pooling::TokenAndMean: {
    SmallVector<Value> both{classToken, mean()};
    pooled = ConcatChannelsOp::create(b, loc, both);
    break;
  }
  case Pooling::Attention:
    if (from)
      x = TakeTokensOp::create(b, loc, x, b.getI64IntegerAttr(from),
                               b.getI64IntegerAttr(config.patches()));
    pooled = poolByAttention(x);
    break;
  case Pooling::Distilled: {
    Value sum = AddOp::create(b, loc, classToken, distilled);
    pooled = ScaleOp::create(b, loc, sum, llvm::APFloat(0.5));
    break;
  }
  case Pooling::All:
    break;
  }
  return config.poolNorm ? norm(pooled, "pool_norm", names.poolNorm) : pooled;
}

void VitBuilder::projectionResult(Value pooled) {
  int64_t in = lastDimension(pooled), out = config.projectionWidth;
  StringRef name = names.projection;
  if (!config.projectionTransposed)
    return result("image_embeds", linear(pooled, "projection", name, out,
                                         config.projectionBias));
  // x W, where torch.nn.Linear would store the transpose of W.
  Value weight = parameter("projection.weight", {in, out}, Role::Weight, in,
                           at(name), name.str());
  result("image_embeds",
         LinearInputGradientOp::create(b, at(name), pooled, weight));
}

void VitBuilder::headlessResults(Value x) {
  result("last_hidden_state", x);
  Value pooled = pool(x);
  // A class without a pooled result: what the family's classifiers read.
  if (!config.pooler && !config.projectionWidth)
    return output("features", pooled);
  if (config.pooler && config.poolerWidth) {
    pooled = linear(pooled, "pooler", names.pooler, config.poolerWidth,
                    /*bias=*/true);
    pooled = activate(pooled, config.poolerActivation, at(names.pooler));
  }
  if (config.pooler)
    result("pooler_output", pooled);
  if (config.projectionWidth)
    projectionResult(pooled);
}

void VitBuilder::distilledResults() {
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

void VitBuilder::results(Value x) {
  output("hidden_" + std::to_string(config.depth), x);
  if (config.finalNorm) {
    x = norm(x, "norm", names.norm);
    output("final", x);
  }
  Location loc = at(names.norm);
  int64_t prefix = config.prefix();
  if (config.classToken || config.pooling == Pooling::Token) {
    classToken = takeToken(x, 0, loc);
    output("cls_token", classToken);
  }
  Value patches = x;
  if (prefix)
    patches = TakeTokensOp::create(b, loc, x, b.getI64IntegerAttr(prefix),
                                   b.getI64IntegerAttr(config.patches()));
  output("feature_map", patches);

  if (config.pooling == Pooling::Distilled)
    distilled = takeToken(x, 1, loc);
  if (config.headless)
    return headlessResults(x);
  Value features = pool(x);
  if (!config.classes && !config.projectionWidth)
    return result(config.featuresName, features);
  output("features", features);
  if (config.projectionWidth)
    return projectionResult(features);
  if (config.pooling == Pooling::Distilled)
    return distilledResults();
  features = drop(features, config.headDropout, at("head_drop"));
  result("logits", linear(features, "head", names.head, config.classes, true));
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
