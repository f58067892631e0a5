//===- FamilyClip.cpp - The image tower of CLIP ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_clip.py and its copies (MetaCLIP 2, Chinese CLIP). The last layer's
// tokens are not normalised: pooler_output is the normalised class token,
// image_embeds its projection (not of unit length), and the classifier reads
// the mean of the patch tokens.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

/// Of the encoder and what is before it.
static constexpr NameRow towerRows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embedding"},
    {&VitNames::positions, "embeddings.position_embedding.weight"},
    {&VitNames::layers, "encoder"},
    {&VitNames::block, "encoder.layers.{}"},
    {&VitNames::norm1, "encoder.layers.{}.layer_norm1"},
    {&VitNames::attention, "encoder.layers.{}.self_attn"},
    {&VitNames::query, "encoder.layers.{}.self_attn.q_proj"},
    {&VitNames::key, "encoder.layers.{}.self_attn.k_proj"},
    {&VitNames::value, "encoder.layers.{}.self_attn.v_proj"},
    {&VitNames::out, "encoder.layers.{}.self_attn.out_proj"},
    {&VitNames::norm2, "encoder.layers.{}.layer_norm2"},
    {&VitNames::fc1, "encoder.layers.{}.mlp.fc1"},
    {&VitNames::fc2, "encoder.layers.{}.mlp.fc2"},
};

ArrayRef<NameRow> vit::listClipTowerNames() { return towerRows; }

static constexpr NameRow rows[] = {
    {&VitNames::classToken, "embeddings.class_embedding"},
    {&VitNames::preNorm, "pre_layrnorm", "pre_layernorm"},
    {&VitNames::poolNorm, "post_layernorm"},
};

void vit::readClipFamily(FamilyReader &r) {
  VitConfig &config = r.config;
  StringRef prefixes[] = {"vision_model.", "", "clip.vision_model."};
  r.readSizes({.patch = 32, .activation = "quick_gelu", .epsilon = 1e-5});
  r.setNames(towerRows, prefixes);
  r.setNames(rows, prefixes);
  config.patchBias = false;
  config.preNorm = true;
  config.tokenRank = 2;
  config.classTokenRank = 1;
  config.finalNorm = false;
  r.ignore(
      {"*text_model.*", "*text_projection.*", "*logit_scale", "*position_ids"});
  if (r.isClassifier()) {
    config.pooling = Pooling::Mean;
    r.ignore({"*post_layernorm.*", "*visual_projection.*"});
    return;
  }
  config.pooler = true;
  config.poolNorm = true;
  if (r.kind == ModelKind::Projection)
    // The whole model has the width at the top, the tower in its own part.
    r.readProjection("visual_projection",
                     r.top.has("projection_dim") ? r.top : r.tower,
                     "projection_dim", 512);
  else
    r.ignore({"*visual_projection.*"});
}
