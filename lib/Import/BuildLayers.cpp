//===- BuildLayers.cpp - The layers of a Vision Transformer ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BuildVit.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

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
                ParameterRole::Bias, config.heads, at(name), name.str());
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
                                config.heads, llvm::APFloat(scale),
                                /*precision=*/PrecisionAttr());
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
  if (config.mlpLayerScale)
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
