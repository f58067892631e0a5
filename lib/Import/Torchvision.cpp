//===- Torchvision.cpp - config.json for torchvision ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torchvision has no configuration file; ours holds the class and the keyword
// arguments that it was made with, or the name of one of its functions:
//   {"library": "torchvision", "class": "VisionTransformer",
//    "args": {"image_size": 224, ...}}
//   {"library": "torchvision", "class": "vit_b_16"}
//
//===----------------------------------------------------------------------===//

#include "ConfigReader.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

/// The first layer's MLP is also called linear_1 and linear_2 in older files.
static VitNames makeNames(const Weights *weights) {
  VitNames n;
  n.embeddings = "encoder";
  n.patch = "conv_proj";
  n.classToken = "class_token";
  n.positions = "encoder.pos_embedding";
  n.layers = "encoder.layers";
  n.block = "encoder.layers.encoder_layer_{}";
  n.norm1 = n.block + ".ln_1";
  n.attention = n.block + ".self_attention";
  n.qkv = n.attention + ".in_proj";
  n.out = n.attention + ".out_proj";
  n.norm2 = n.block + ".ln_2";
  bool isOld = weights && weights->getShape("encoder.layers.encoder_layer_0."
                                            "mlp.linear_1.weight");
  n.fc1 = n.block + (isOld ? ".mlp.linear_1" : ".mlp.0");
  n.fc2 = n.block + (isOld ? ".mlp.linear_2" : ".mlp.3");
  n.norm = "encoder.ln";
  n.head = "heads.head";
  return n;
}

/// The arguments that a function of torchvision passes to the class.
static std::optional<Object> findArguments(StringRef function) {
  static constexpr struct {
    StringLiteral name;
    int64_t patch, layers, heads, width, mlp;
  } known[] = {{"vit_b_16", 16, 12, 12, 768, 3072},
               {"vit_b_32", 32, 12, 12, 768, 3072},
               {"vit_l_16", 16, 24, 16, 1024, 4096},
               {"vit_l_32", 32, 24, 16, 1024, 4096},
               {"vit_h_14", 14, 32, 16, 1280, 5120}};
  for (const auto &k : known)
    if (k.name == function)
      return Object{{"image_size", 224},      {"patch_size", k.patch},
                    {"num_layers", k.layers}, {"num_heads", k.heads},
                    {"hidden_dim", k.width},  {"mlp_dim", k.mlp}};
  if (function == "VisionTransformer")
    return Object();
  return std::nullopt;
}

VitConfig vit::readTorchvisionConfig(const Object &object, ConfigReader &reader,
                                     const std::string &where,
                                     std::string &error,
                                     const Weights *weights) {
  VitConfig config;
  reader.checkKeys({"library", "class", "args", "labels", "preprocessing"});
  std::string name = reader.getString("class", "");
  std::optional<Object> arguments = findArguments(name);
  if (!arguments) {
    reader.failKey("class", "supported are \"VisionTransformer\" with \"args\","
                            " vit_b_16, vit_b_32, vit_l_16, vit_l_32 and "
                            "vit_h_14");
    return config;
  }
  if (const Object *given = object.getObject("args"))
    for (const auto &entry : *given)
      (*arguments)[entry.first] = entry.second;
  ConfigReader args(*arguments, where + ": args", error);
  args.checkKeys({"image_size", "patch_size", "num_layers", "num_heads",
                  "hidden_dim", "mlp_dim", "num_classes", "dropout",
                  "attention_dropout", "representation_size"});
  config.names = makeNames(weights);
  config.imageHeight = config.imageWidth =
      args.getInteger("image_size", std::nullopt, 1, maxImageSize);
  config.patchHeight = config.patchWidth =
      args.getInteger("patch_size", std::nullopt, 1, maxImageSize);
  config.depth = args.getInteger("num_layers", std::nullopt, 1, maxDepth);
  config.heads = args.getInteger("num_heads", std::nullopt, 1, maxHeads);
  config.width = args.getInteger("hidden_dim", std::nullopt, 1, maxWidth);
  config.mlpWidth = args.getInteger("mlp_dim", std::nullopt, 1, maxWidth);
  config.headWidth = std::max<int64_t>(1, config.width / config.heads);
  config.classes = args.getInteger("num_classes", 1000, 1, maxClasses);
  config.dropout = config.embeddingDropout =
      args.getNumber("dropout", 0, 0, 0.999);
  config.dropoutInMlp = true;
  // Not applied in training, as attention dropout of other libraries.
  args.getNumber("attention_dropout", 0, 0, 0.999);
  if (args.has("representation_size"))
    args.failKey("representation_size", "only null is supported");
  // interpolate_embeddings aligns corners.
  config.resamples = false;
  config.initStyle = InitStyle::Torch;
  checkVitConfig(config,
                 {"image_size", "patch_size", "hidden_dim", "num_heads"}, args);
  if (reader.has("labels"))
    config.labels = readLabels(reader, "labels", config.classes);
  return config;
}
