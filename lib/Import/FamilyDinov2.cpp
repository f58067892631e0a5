//===- FamilyDinov2.cpp - DINOv2, with and without registers --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modeling_dinov2.py and modeling_dinov2_with_registers.py. The position table
// is resampled to the pictures at hand; registers stand after the class token
// and have no positions.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

#define LAYER "encoder.layer.{}."
static constexpr NameRow rows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embeddings.projection"},
    {&VitNames::classToken, "embeddings.cls_token"},
    {&VitNames::registers, "embeddings.register_tokens"},
    {&VitNames::positions, "embeddings.position_embeddings"},
    {&VitNames::layers, "encoder"},
    {&VitNames::block, "encoder.layer.{}"},
    {&VitNames::norm1, LAYER "norm1"},
    {&VitNames::attention, LAYER "attention"},
    {&VitNames::query, LAYER "attention.attention.query",
     LAYER "attention.q_proj"},
    {&VitNames::key, LAYER "attention.attention.key", LAYER "attention.k_proj"},
    {&VitNames::value, LAYER "attention.attention.value",
     LAYER "attention.v_proj"},
    {&VitNames::out, LAYER "attention.output.dense", LAYER "attention.o_proj"},
    {&VitNames::scale1, LAYER "layer_scale1"},
    {&VitNames::norm2, LAYER "norm2"},
    {&VitNames::fc1, LAYER "mlp.fc1", LAYER "mlp.up_proj"},
    {&VitNames::fc2, LAYER "mlp.fc2"},
    {&VitNames::scale2, LAYER "layer_scale2"},
    {&VitNames::norm, "layernorm"},
};

/// In a gated MLP the gate's rows come first where both are one tensor.
static constexpr NameRow gatedRows[] = {
    {&VitNames::gateAndFc1, LAYER "mlp.weights_in"},
    {&VitNames::gate, LAYER "mlp.gate_proj"},
    {&VitNames::fc1, LAYER "mlp.up_proj"},
    {&VitNames::fc2, LAYER "mlp.weights_out", LAYER "mlp.down_proj"},
};
#undef LAYER

void vit::readDinov2Family(FamilyReader &r) {
  VitConfig &config = r.config;
  bool hasRegisters = r.family.modelType == "dinov2_with_registers";
  r.readSizes({.patch = hasRegisters ? 16 : 14, .epsilon = 1e-6});
  r.setNames(rows, r.listPrefixes());
  double ratio = r.tower.getNumber("mlp_ratio", 4, 1e-3, 1024);
  config.mlpWidth = int64_t(double(config.width) * ratio);
  if (r.tower.getBoolean("use_swiglu_ffn", false)) {
    r.setNames(gatedRows, r.listPrefixes());
    config.gated = true;
    config.activation = Activation::Silu;
    config.mlpWidth = (config.mlpWidth * 2 / 3 + 7) / 8 * 8;
    if (r.isStored(config.names.gate + ".weight"))
      config.names.gateAndFc1.clear();
  }
  config.setAttentionBias(r.tower.getBoolean("qkv_bias", true));
  config.layerScale = true;
  config.layerScaleInit = r.tower.getNumber("layerscale_value", 1, 0, 1e6);
  config.names.scaleTensor = ".lambda1";
  config.dropPath = r.tower.getNumber("drop_path_rate", 0, 0, 0.999);
  if (hasRegisters)
    config.registers =
        r.tower.getInteger("num_register_tokens", 4, 0, maxRegisters);
  config.positionsOfRegisters = false;
  r.resampleToPictures(/*antialias=*/hasRegisters);
  config.pooler = true;
  config.pooling = r.isClassifier() ? Pooling::TokenAndMean : Pooling::Token;
  r.ignore({"*embeddings.mask_token"});
}
