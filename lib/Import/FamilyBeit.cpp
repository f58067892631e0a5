//===- FamilyBeit.cpp - BEiT and data2vec-vision --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_beit.py and modeling_data2vec_vision.py: a bias of attention's
// scores from tables of relative positions. With use_mean_pooling nothing is
// normalised after the last layer but the mean of the patch tokens.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

#define LAYER "encoder.layer.{}."
#define INSIDE "layers.{}."
static constexpr NameRow rows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embeddings.projection"},
    {&VitNames::classToken, "embeddings.cls_token"},
    {&VitNames::positions, "embeddings.position_embeddings"},
    {&VitNames::layers, "encoder"},
    {&VitNames::block, "encoder.layer.{}"},
    {&VitNames::norm1, LAYER "layernorm_before", INSIDE "layernorm_before"},
    {&VitNames::attention, LAYER "attention.attention"},
    {&VitNames::query, LAYER "attention.attention.query",
     INSIDE "attention.q_proj"},
    {&VitNames::key, LAYER "attention.attention.key",
     INSIDE "attention.k_proj"},
    {&VitNames::value, LAYER "attention.attention.value",
     INSIDE "attention.v_proj"},
    {&VitNames::relativePositions,
     LAYER "attention.attention.relative_position_bias."
           "relative_position_bias_table",
     INSIDE "relative_position_bias.relative_position_bias_table"},
    {&VitNames::sharedRelativePositions,
     "encoder.relative_position_bias.relative_position_bias_table",
     "shared_position_bias.relative_position_bias_table"},
    {&VitNames::out, LAYER "attention.output.dense", INSIDE "attention.o_proj"},
    {&VitNames::scale1, LAYER "lambda_1", INSIDE "lambda_1"},
    {&VitNames::norm2, LAYER "layernorm_after", INSIDE "layernorm_after"},
    {&VitNames::fc1, LAYER "intermediate.dense", INSIDE "mlp.fc1"},
    {&VitNames::fc2, LAYER "output.dense", INSIDE "mlp.fc2"},
    {&VitNames::scale2, LAYER "lambda_2", INSIDE "lambda_2"},
    {&VitNames::norm, "layernorm"},
    {&VitNames::poolNorm, "pooler.layernorm"},
};
#undef LAYER
#undef INSIDE

void vit::readBeitFamily(FamilyReader &r) {
  VitConfig &config = r.config;
  r.readSizes({});
  // The head for masked image modelling has a layernorm of its own.
  bool isMasked = r.isStored("lm_head.weight");
  r.setNames(rows, isMasked ? SmallVector<StringRef, 2>{r.family.base}
                            : r.listPrefixes());
  if (isMasked)
    r.ignore({"layernorm.*", "lm_head.*"});
  config.positions =
      r.tower.getBoolean("use_absolute_position_embeddings", false)
          ? PositionKind::Learned
          : PositionKind::None;
  config.relativePositions =
      r.tower.getBoolean("use_relative_position_bias", false);
  config.sharedRelativePositions =
      r.tower.getBoolean("use_shared_relative_position_bias", false);
  config.keyBias = false;
  config.layerScaleInit =
      r.tower.getNumber("layer_scale_init_value", 0.1, 0, 1e6);
  config.layerScale = config.layerScaleInit > 0;
  config.names.scaleTensor = "";
  config.dropPath = r.tower.getNumber("drop_path_rate", 0.1, 0, 0.999);
  bool isMean = r.tower.getBoolean("use_mean_pooling", true);
  config.finalNorm = !isMean;
  config.poolNorm = isMean;
  config.pooling = isMean ? Pooling::Mean : Pooling::Token;
  // The classes for masked image modelling and dense outputs have none.
  config.pooler =
      !isMean || !r.weights || r.isStored(config.names.poolNorm + ".weight");
  if (r.isTower() && !config.pooler)
    config.poolNorm = false;
  r.ignore({"*embeddings.mask_token", "*relative_position_index", "fpn.*",
            "fpn1.*", "fpn2.*"});
  // Tables of relative positions are for image_size. transformers resamples
  // them to the picture, also those of another shape than a square, which it
  // reads with height and width exchanged.
  config.storedDistanceRows = std::max<int64_t>(2 * config.gridWidth() - 1, 1);
  config.storedDistanceColumns =
      std::max<int64_t>(2 * config.gridHeight() - 1, 1);
  if (config.positions == PositionKind::Learned)
    r.resampleToPictures(/*antialias=*/false);
  else
    r.takeSizeOfPictures();
}
