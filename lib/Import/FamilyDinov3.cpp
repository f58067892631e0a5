//===- FamilyDinov3.cpp - DINOv3 ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_dinov3_vit.py: rotary positions on the grid of the pictures at hand,
// registers, no position table.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

#define LAYER "layer.{}."
static constexpr NameRow rows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embeddings"},
    {&VitNames::classToken, "embeddings.cls_token"},
    {&VitNames::registers, "embeddings.register_tokens"},
    {&VitNames::layers, "layer"},
    {&VitNames::block, "layer.{}"},
    {&VitNames::norm1, LAYER "norm1"},
    {&VitNames::attention, LAYER "attention"},
    {&VitNames::query, LAYER "attention.q_proj"},
    {&VitNames::key, LAYER "attention.k_proj"},
    {&VitNames::value, LAYER "attention.v_proj"},
    {&VitNames::out, LAYER "attention.o_proj"},
    {&VitNames::scale1, LAYER "layer_scale1"},
    {&VitNames::norm2, LAYER "norm2"},
    {&VitNames::gate, LAYER "mlp.gate_proj"},
    {&VitNames::fc1, LAYER "mlp.up_proj"},
    {&VitNames::fc2, LAYER "mlp.down_proj"},
    {&VitNames::scale2, LAYER "layer_scale2"},
    {&VitNames::norm, "norm"},
};
#undef LAYER

void vit::readDinov3Family(FamilyReader &r) {
  VitConfig &config = r.config;
  r.readSizes({.width = 384, .mlpWidth = 1536, .heads = 6, .epsilon = 1e-5});
  r.setNames(rows, {"", "model."});
  config.positions = PositionKind::None;
  config.rotary = RotaryPositions{
      .temperature = r.tower.getNumber("rope_theta", 100, 1e-6, 1e12),
      .origin = 0.5,
      .extent = 4 * llvm::numbers::pi,
      .centered = true,
      .pairs = PairKind::halves};
  config.registers =
      r.tower.getInteger("num_register_tokens", 0, 0, maxRegisters);
  config.queryBias = r.tower.getBoolean("query_bias", true);
  config.keyBias = r.tower.getBoolean("key_bias", false);
  config.valueBias = r.tower.getBoolean("value_bias", true);
  config.outBias = r.tower.getBoolean("proj_bias", true);
  config.mlpBias = r.tower.getBoolean("mlp_bias", true);
  config.gated = r.tower.getBoolean("use_gated_mlp", false);
  config.layerScale = true;
  config.layerScaleInit = r.tower.getNumber("layerscale_value", 1, 0, 1e6);
  config.names.scaleTensor = ".lambda1";
  config.dropPath = r.tower.getNumber("drop_path_rate", 0, 0, 0.999);
  config.pooler = true;
  r.takeSizeOfPictures();
  r.ignore({"*embeddings.mask_token"});
  if (!config.registers)
    r.ignore({"*embeddings.register_tokens"});
}
