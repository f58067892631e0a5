//===- VitPytorch.cpp - config.json for vit-pytorch -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vit-pytorch (lucidrains) has no configuration file of its own; ours holds the
// class and the keyword arguments that it was made with:
//   {"library": "vit-pytorch", "class": "ViT", "args": {"image_size": 32, ...}}
//
//===----------------------------------------------------------------------===//

#include "ConfigReader.h"

using namespace mlir;
using namespace mlir::vit;

static VitNames makeNames(bool simple) {
  VitNames n;
  n.embeddings = "to_patch_embedding";
  n.patchNorm = n.embeddings + ".1";
  n.patch = n.embeddings + ".2";
  n.embeddingNorm = n.embeddings + ".3";
  n.classToken = "cls_token";
  n.positions = "pos_embedding";
  n.layers = "transformer";
  n.block = "transformer.layers.{}";
  n.attention = n.block + ".0";
  n.norm1 = n.attention + ".norm";
  n.qkv = n.attention + ".to_qkv";
  n.out = n.attention + (simple ? ".to_out" : ".to_out.0");
  n.norm2 = n.block + ".1.net.0";
  n.fc1 = n.block + ".1.net.1";
  n.fc2 = n.block + (simple ? ".1.net.3" : ".1.net.4");
  n.norm = "transformer.norm";
  n.head = simple ? "linear_head" : "mlp_head";
  return n;
}

VitConfig vit::readVitPytorchConfig(const llvm::json::Object &object,
                                    ConfigReader &reader,
                                    const std::string &where,
                                    std::string &error,
                                    const Weights *weights) {
  VitConfig config;
  reader.checkKeys({"library", "class", "args", "labels", "preprocessing"});
  if (reader.getString("library", "") != "vit-pytorch")
    reader.failKey("library", "supported is \"vit-pytorch\"");
  std::string kind = reader.getString("class", "");
  bool simple = kind == "SimpleViT";
  if (!simple && kind != "ViT")
    reader.failKey("class", "supported are \"ViT\" and \"SimpleViT\"");
  const llvm::json::Object *arguments = object.getObject("args");
  if (!arguments) {
    reader.failKey("args", "it should hold the keyword arguments of the class");
    return config;
  }

  ConfigReader args(*arguments, where + ": args", error);
  if (simple)
    args.checkKeys({"image_size", "patch_size", "num_classes", "dim", "depth",
                    "heads", "mlp_dim", "channels", "dim_head"});
  else
    args.checkKeys({"image_size", "patch_size", "num_classes", "dim", "depth",
                    "heads", "mlp_dim", "pool", "channels", "dim_head",
                    "dropout", "emb_dropout"});
  config.names = makeNames(simple);
  std::tie(config.imageHeight, config.imageWidth) =
      args.getPair("image_size", std::nullopt, 1, maxImageSize);
  std::tie(config.patchHeight, config.patchWidth) =
      args.getPair("patch_size", std::nullopt, 1, maxImageSize);
  config.channels = args.getInteger("channels", 3, 1, maxChannels);
  config.width = args.getInteger("dim", std::nullopt, 1, maxWidth);
  config.depth = args.getInteger("depth", std::nullopt, 1, maxDepth);
  config.heads = args.getInteger("heads", std::nullopt, 1, maxHeads);
  config.headWidth = args.getInteger("dim_head", 64, 1, maxWidth);
  config.mlpWidth = args.getInteger("mlp_dim", std::nullopt, 1, maxWidth);
  config.classes =
      args.getInteger("num_classes", std::nullopt, simple ? 1 : 0, maxClasses);
  if (config.attentionWidth() > maxWidth)
    args.failKey("heads",
                 "heads x dim_head should be at most " + Twine(maxWidth));
  config.epsilon = 1e-5;
  config.pixelOrder = PixelOrder::hwc;
  config.patchConvolution = false;
  config.patchNorm = config.embeddingNorm = true;
  config.tokenRank = 2;
  config.setAttentionBias(false);
  config.resamples = false;
  config.initStyle = InitStyle::Torch;
  config.pooling = Pooling::Mean;
  config.classToken = false;
  if (simple) {
    config.positions = PositionKind::Sincos;
    config.outBias = false;
  } else {
    // If there is one head that is as wide as the model, no projection follows
    // it.
    config.outProjection =
        config.heads != 1 || config.headWidth != config.width;
    std::string pool = args.getString("pool", "cls");
    if (pool == "cls")
      config.pooling = Pooling::Token;
    else if (pool != "mean")
      args.failKey("pool", "supported are \"cls\" and \"mean\"");
    config.classToken = pool == "cls";
    // Before version 1.12 models with pool = "mean" also had the class token,
    // which was part of the mean.
    if (weights && pool == "mean")
      if (auto shape = weights->getShape(config.names.classToken))
        config.classToken = config.meanOfPrefix =
            shape->size() >= 2 && (*shape)[shape->size() - 2] == 1;
    if (config.classes == 0)
      config.pooling = Pooling::All;
    config.dropout = args.getNumber("dropout", 0, 0, 0.999);
    config.embeddingDropout = args.getNumber("emb_dropout", 0, 0, 0.999);
    config.dropoutInMlp = true;
  }
  checkVitConfig(config, {"image_size", "patch_size", "dim", ""}, args);
  if (reader.has("labels"))
    config.labels = readLabels(reader, "labels", config.classes);
  return config;
}
