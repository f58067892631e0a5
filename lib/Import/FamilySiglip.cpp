//===- FamilySiglip.cpp - The image tower of SigLIP -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_siglip.py: SigLIP, and SigLIP 2 with pictures of one size, whose
// model_type is siglip too. The encoder is named as CLIP's. There is no class
// token: pooler_output is made by attention with a learned query, and the
// classifier reads the mean of all tokens.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

static constexpr NameRow rows[] = {{&VitNames::norm, "post_layernorm"}};

static constexpr PoolNameRow poolRows[] = {
    {&AttentionPoolNames::token, "head.probe"},
    {&AttentionPoolNames::attention, "head.attention"},
    {&AttentionPoolNames::qkv, "head.attention.in_proj"},
    {&AttentionPoolNames::out, "head.attention.out_proj"},
    {&AttentionPoolNames::norm, "head.layernorm"},
    {&AttentionPoolNames::fc1, "head.mlp.fc1"},
    {&AttentionPoolNames::fc2, "head.mlp.fc2"},
};

void vit::readSiglipFamily(FamilyReader &r) {
  VitConfig &config = r.config;
  StringRef prefixes[] = {"vision_model.", "", "siglip.vision_model."};
  r.readSizes({.activation = "gelu_pytorch_tanh", .epsilon = 1e-6});
  r.setNames(listClipTowerNames(), prefixes);
  r.setNames(rows, prefixes);
  r.setPoolNames(poolRows, prefixes);
  config.classToken = false;
  config.tokenRank = 2;
  config.poolTokenRank = 3;
  r.ignore({"*text_model.*", "*logit_scale", "*logit_bias", "*position_ids"});
  if (r.isClassifier()) {
    config.pooling = Pooling::Mean;
    r.ignore({"*head.*"});
    return;
  }
  config.pooler = r.tower.getBoolean("vision_use_head", true);
  config.pooling = config.pooler ? Pooling::Attention : Pooling::Mean;
}
