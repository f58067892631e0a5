//===- FamilyAimv2.cpp - The image tower of AIMv2 -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_aimv2.py: RMS norms, gated MLPs, no class token but attention
// pooling with a learned query that is not projected.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

static constexpr NameRow rows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embed"},
    {&VitNames::embeddingNorm, "embeddings.rms_norm"},
    {&VitNames::positions, "embeddings.position_embedding.weight"},
    {&VitNames::layers, "encoder"},
    {&VitNames::block, "encoder.layers.{}"},
    {&VitNames::norm1, "encoder.layers.{}.rms_norm1"},
    {&VitNames::attention, "encoder.layers.{}.attention"},
    {&VitNames::query, "encoder.layers.{}.attention.q_proj"},
    {&VitNames::key, "encoder.layers.{}.attention.k_proj"},
    {&VitNames::value, "encoder.layers.{}.attention.v_proj"},
    {&VitNames::out, "encoder.layers.{}.attention.out_proj"},
    {&VitNames::norm2, "encoder.layers.{}.rms_norm2"},
    {&VitNames::gate, "encoder.layers.{}.ffn.gate_proj"},
    {&VitNames::fc1, "encoder.layers.{}.ffn.up_proj"},
    {&VitNames::fc2, "encoder.layers.{}.ffn.down_proj"},
    {&VitNames::norm, "rms_norm"},
};

static constexpr PoolNameRow poolRows[] = {
    {&AttentionPoolNames::token, "head.cls_token"},
    {&AttentionPoolNames::attention, "head"},
    {&AttentionPoolNames::key, "head.k_proj"},
    {&AttentionPoolNames::value, "head.v_proj"},
    {&AttentionPoolNames::out, "head.output_proj"},
};

void vit::readAimv2Family(FamilyReader &r) {
  VitConfig &config = r.config;
  StringRef prefixes[] = {r.isTower() ? "" : "vision_model.",
                          r.isTower() ? "vision_model." : ""};
  r.readSizes({.width = 1024,
               .mlpWidth = 2816,
               .depth = 24,
               .heads = 8,
               .patch = 14,
               .activation = "silu",
               .epsilon = 1e-5,
               .epsilonKey = "rms_norm_eps"});
  r.setNames(rows, prefixes);
  r.setPoolNames(poolRows, prefixes);
  if (r.tower.getBoolean("is_native", false)) {
    config.positions = PositionKind::Sincos;
    config.exclusiveSincos = true;
  }
  config.classToken = false;
  config.tokenRank = 2;
  config.resamples = false;
  config.poolTokenRank = 3;
  config.norm = Norm::Rms;
  config.embeddingNorm = true;
  config.gated = true;
  config.mlpBias = r.tower.getBoolean("mlp_bias", false);
  bool bias = r.tower.getBoolean("qkv_bias", false);
  config.setAttentionBias(bias);
  config.outBias = config.poolBias = bias;
  config.pooler = true;
  config.poolMlp = false;
  config.pooling = r.tower.getBoolean("use_head", true) ? Pooling::Attention
                                                        : Pooling::Token;
  r.ignore(
      {"*text_model.*", "*text_projection.*", "*logit_scale", "*position_ids"});
  if (r.kind == ModelKind::Projection)
    r.readProjection("visual_projection", r.top, "projection_dim", 512);
}
