//===- FamilyVit.cpp - ViT, DeiT, MAE, MSN, I-JEPA of transformers --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plain ViT and models that share its tensor names. Names are those that
// save_pretrained writes; Weights also finds those that transformers 5 uses
// inside. Of ViTMAE only the encoder is read: the whole picture, in its order.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::vit;

static constexpr NameRow rows[] = {
    {&VitNames::embeddings, "embeddings"},
    {&VitNames::patch, "embeddings.patch_embeddings.projection"},
    {&VitNames::classToken, "embeddings.cls_token"},
    {&VitNames::distillationToken, "embeddings.distillation_token"},
    {&VitNames::positions, "embeddings.position_embeddings"},
    {&VitNames::layers, "encoder"},
    {&VitNames::block, "encoder.layer.{}"},
    {&VitNames::norm1, "encoder.layer.{}.layernorm_before"},
    {&VitNames::attention, "encoder.layer.{}.attention.attention"},
    {&VitNames::query, "encoder.layer.{}.attention.attention.query"},
    {&VitNames::key, "encoder.layer.{}.attention.attention.key"},
    {&VitNames::value, "encoder.layer.{}.attention.attention.value"},
    {&VitNames::out, "encoder.layer.{}.attention.output.dense"},
    {&VitNames::norm2, "encoder.layer.{}.layernorm_after"},
    {&VitNames::fc1, "encoder.layer.{}.intermediate.dense"},
    {&VitNames::fc2, "encoder.layer.{}.output.dense"},
    {&VitNames::norm, "layernorm"},
    {&VitNames::pooler, "pooler.dense"},
};

void vit::readVitFamily(FamilyReader &r) {
  VitConfig &config = r.config;
  StringRef type = r.family.modelType;
  bool isPlain = type == "vit" || type == "deit";
  SizeDefaults defaults;
  if (type == "vit_msn")
    defaults.epsilon = 1e-6;
  r.readSizes(defaults);
  r.setNames(rows, r.listPrefixes());
  config.setAttentionBias(r.tower.getBoolean("qkv_bias", true));
  config.distillationToken = type == "deit";
  config.classToken = type != "ijepa";
  config.pooling = type == "ijepa"                ? Pooling::Mean
                   : r.kind == ModelKind::Teacher ? Pooling::Distilled
                                                  : Pooling::Token;
  if (r.kind == ModelKind::Teacher)
    config.names.head = "cls_classifier";
  config.names.distillationHead = "distillation_classifier";
  // Tensors that checkpoints of a related class hold.
  r.ignore({"*embeddings.position_ids", "*embeddings.mask_token"});
  if (type == "vit_mae")
    r.ignore({"*decoder.*"});
  if (!r.isTower()) {
    r.ignore({"*pooler.dense.*"});
    return;
  }
  config.pooler =
      isPlain && (!r.weights || r.isStored(config.names.pooler + ".weight"));
  config.poolerWidth =
      r.tower.getInteger("pooler_output_size", config.width, 1, maxWidth);
  config.poolerActivation = r.tower.getActivation("pooler_act", "tanh");
}
