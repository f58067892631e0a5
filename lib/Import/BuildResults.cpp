//===- BuildResults.cpp - From tokens to results --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BuildVit.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

/// Attention of a learned query to the tokens `x`, then an MLP: SigLIP's
/// MultiheadAttentionPoolingHead, timm's AttentionPoolLatent, AIMv2's head.
Value VitBuilder::poolByAttention(Value x) {
  const AttentionPoolNames &pool = names.pool;
  int64_t width = config.width;
  int64_t heads = config.poolHeads ? config.poolHeads : config.heads;
  Location loc = at(pool.attention);
  Value token = tokens("pool_token", 1, ParameterRole::Token, pool.token,
                       config.poolTokenRank);
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
  Value weight = parameter("projection.weight", {in, out},
                           ParameterRole::Weight, in, at(name), name.str());
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
