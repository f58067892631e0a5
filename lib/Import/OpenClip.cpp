//===- OpenClip.cpp - open_clip_config.json of open_clip ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The image tower of open_clip's models: its own VisionTransformer or a model
// of timm. The result is encode_image(x, normalize=False).
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

static VitNames makeNames() {
  VitNames n;
  n.embeddings = "visual";
  n.patch = "visual.conv1";
  n.classToken = "visual.class_embedding";
  n.positions = "visual.positional_embedding";
  n.preNorm = "visual.ln_pre";
  n.layers = "visual.transformer";
  n.block = "visual.transformer.resblocks.{}";
  n.norm1 = n.block + ".ln_1";
  n.attention = n.block + ".attn";
  n.qkv = n.attention + ".in_proj";
  n.out = n.attention + ".out_proj";
  n.scale1 = n.block + ".ls_1";
  n.norm2 = n.block + ".ln_2";
  n.fc1 = n.block + ".mlp.c_fc";
  n.fc2 = n.block + ".mlp.c_proj";
  n.scale2 = n.block + ".ls_2";
  n.norm = n.poolNorm = "visual.ln_post";
  n.projection = "visual.proj";
  return n;
}

/// What every folder of open_clip holds beside the image tower.
static void ignoreText(VitConfig &config) {
  config.unused = {"transformer.*", "token_embedding.*", "positional_embedding",
                   "ln_final.*",    "text_projection*",  "text.*",
                   "logit_scale",   "logit_bias",        "attn_mask",
                   "cls_emb"};
}

/// open_clip prepares pictures of image_size, but makes timm's model without
/// saying it: the model takes another size than its own with dynamic_img_size
/// alone. After force_image_size the stored table is of image_size.
static void setTrunkSize(VitConfig &config, ConfigReader &tower) {
  auto [height, width] = tower.getPair("image_size", 224, 1, maxImageSize);
  if (tower.failed() ||
      (height == config.imageHeight && width == config.imageWidth))
    return;
  bool isStored = config.storedGridHeight == height / config.patchHeight &&
                  config.storedGridWidth == width / config.patchWidth;
  if (!config.takesAnySize && !isStored)
    return tower.failKey("image_size",
                         "the model of \"timm_model_name\" takes pictures of " +
                             Twine(config.imageHeight) + " x " +
                             Twine(config.imageWidth) +
                             " (height x width) alone, as in open_clip");
  setPictureSize(config, height, width);
  checkVitConfig(config, {"image_size", "patch_size", "embed_dim", "num_heads"},
                 tower);
}

/// A timm model as the tower (`visual.trunk.*`). `hasNoProjection`: timm_proj
/// is null.
static VitConfig readTrunk(ConfigReader &tower, const std::string &where,
                           std::string &error, const Weights *weights,
                           int64_t width, bool hasNoProjection) {
  std::string proj =
      tower.getString("timm_proj", hasNoProjection ? "" : "linear");
  std::string pool = tower.getString("timm_pool", "avg");
  // With a projection of its own open_clip takes timm's default model and
  // changes the pooling afterwards: the norms stay where they are.
  bool isMadeSo = proj.empty() || proj == "none";
  Object args{{"num_classes", proj.empty() ? width : 0}};
  if (isMadeSo)
    args["global_pool"] = pool;
  Object model{{"architecture", tower.getString("timm_model_name", "")},
               {"model_args", std::move(args)}};
  ConfigReader reader(model, where + ": timm_model_name", error);
  VitConfig config =
      readTimmConfig(model, reader, where, error, weights, "visual.trunk.");
  config.featuresName = "image_embeds";
  setTrunkSize(config, tower);
  if (!isMadeSo && pool == "avg")
    config.pooling = Pooling::Mean;
  else if (!isMadeSo && pool == "token" && config.classToken)
    config.pooling = Pooling::Token;
  else if (!isMadeSo && !pool.empty() &&
           (pool != "map" || config.pooling != Pooling::Attention))
    tower.failKey("timm_pool", "supported with this model and \"timm_proj\" "
                               "are \"\", \"avg\", \"token\" if there is a "
                               "class token, and \"map\" if it is the "
                               "model's own");
  if (proj.empty()) { // The head of timm's model is the projection.
    config.classes = 0;
    config.projectionWidth = width;
    config.projectionBias = true;
    config.names.projection = config.names.head;
  } else if (proj == "linear") {
    config.projectionWidth = width;
    config.projectionBias = tower.getBoolean("timm_proj_bias", false);
    config.names.projection = "visual.head.proj";
  } else if (proj != "none") {
    tower.failKey("timm_proj", "supported are \"\", \"none\" and \"linear\"");
  }
  return config;
}

static void readTower(VitConfig &config, ConfigReader &tower,
                      ConfigReader &model) {
  config.names = makeNames();
  std::tie(config.imageHeight, config.imageWidth) =
      tower.getPair("image_size", 224, 1, maxImageSize);
  std::tie(config.patchHeight, config.patchWidth) =
      tower.getPair("patch_size", 16, 1, maxImageSize);
  if (const llvm::json::Value *layers = tower.get("layers");
      layers && layers->getAsArray())
    tower.failKey("layers", "that is a ResNet; supported are vision "
                            "transformers, whose \"layers\" is a number");
  config.width = tower.getInteger("width", 768, 1, maxWidth);
  config.depth = tower.getInteger("layers", 12, 1, maxDepth);
  config.headWidth = tower.getInteger("head_width", 64, 1, maxWidth);
  config.heads = std::max<int64_t>(1, config.width / config.headWidth);
  config.headWidth = std::max<int64_t>(1, config.width / config.heads);
  config.mlpWidth =
      int64_t(double(config.width) * tower.getNumber("mlp_ratio", 4, 1e-3, 64));
  config.mlpWidth = std::max<int64_t>(1, config.mlpWidth);
  config.activation = model.getBoolean("quick_gelu", false)
                          ? Activation::GeluQuick
                          : Activation::GeluErf;
  config.layerScale = tower.has("ls_init_value");
  config.layerScaleInit = tower.getNumber("ls_init_value", 0, 0, 1e6);
  config.preNorm = !tower.getBoolean("no_ln_pre", false);
  config.poolNorm = tower.getBoolean("final_ln_after_pool", false);
  config.finalNorm = !config.poolNorm;
  std::string pool = tower.getString("pool_type", "tok");
  config.pooling = pool == "avg"   ? Pooling::Mean
                   : pool == "tok" ? Pooling::Token
                                   : Pooling::All;
  if (pool != "avg" && pool != "tok" && pool != "none")
    tower.failKey("pool_type", "supported are \"tok\", \"avg\" and \"none\"");
  for (StringRef key :
       {"attentional_pool", "qk_norm", "scaled_cosine_attn", "scale_heads",
        "scale_attn_inner", "scale_attn", "scale_fc"})
    tower.checkOnly(key, false);
  config.patchBias = false;
  config.tokenRank = 2;
  config.classTokenRank = 1;
  config.initStyle = InitStyle::Torch;
}

/// Arguments of the norms and the activation, which are objects of their own.
static void readKeywords(VitConfig &config, const Object &tower,
                         const std::string &where, std::string &error) {
  config.epsilon = 1e-5;
  if (const Object *keywords = tower.getObject("norm_kwargs")) {
    ConfigReader reader(*keywords, where + ": norm_kwargs", error);
    reader.checkKeys({"eps"});
    config.epsilon = reader.getNumber("eps", 1e-5, 1e-30, 1);
  }
  if (const Object *keywords = tower.getObject("act_kwargs")) {
    ConfigReader reader(*keywords, where + ": act_kwargs", error);
    reader.checkKeys({"approximate"});
    std::string formula = reader.getString("approximate", "none");
    if (formula == "tanh")
      config.activation = Activation::GeluTanh;
    else if (formula != "none")
      reader.failKey("approximate", "supported are \"none\" and \"tanh\"");
  }
}

VitConfig vit::readOpenClipConfig(const Object &object, ConfigReader &reader,
                                  const std::string &where, std::string &error,
                                  const Weights *weights) {
  VitConfig config;
  const Object *model = object.getObject("model_cfg");
  const Object *part = model ? model->getObject("vision_cfg") : nullptr;
  if (!part) {
    reader.failKey("model_cfg", "it should be an object with \"vision_cfg\", "
                                "the image tower's configuration");
    return config;
  }
  ConfigReader whole(*model, where + ": model_cfg", error);
  ConfigReader tower(*part, where + ": vision_cfg", error);
  int64_t width = whole.getInteger("embed_dim", std::nullopt, 1, maxWidth);
  if (tower.has("timm_model_name")) {
    const llvm::json::Value *proj = part->get("timm_proj");
    config = readTrunk(tower, where, error, weights, width,
                       proj && proj->kind() == llvm::json::Value::Null);
  } else {
    readTower(config, tower, whole);
    readKeywords(config, *part, where + ": vision_cfg", error);
    config.projectionWidth = width;
    config.projectionTransposed = true;
    config.classes = 0;
    checkVitConfig(config, {"image_size", "patch_size", "width", "head_width"},
                   tower);
    findStoredGrid(config, weights, tower);
    config.antialias = true;
  }
  ignoreText(config);
  return config;
}
