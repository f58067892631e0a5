//===- TimmVit.cpp - timm's class VisionTransformer -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// VisionTransformer and VisionTransformerDistilled
// (timm/models/vision_transformer.py, deit.py), and AIMv2.
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// Arguments of VisionTransformer alone.
static void readVisionTransformer(VitConfig &config, ConfigReader &args) {
  config.setAttentionBias(args.getBoolean("qkv_bias", true));
  config.queryKeyNorm = args.getBoolean("qk_norm", false);
  config.outBias = config.mlpBias = args.getBoolean("proj_bias", true);
  config.registers = args.getInteger("reg_tokens", 0, 0, maxRegisters);
  std::string positions = args.getString("pos_embed", "learn");
  if (positions.empty() || positions == "none")
    config.positions = PositionKind::None;
  else if (positions != "learn")
    args.failKey("pos_embed", "supported are \"learn\" and \"none\"");
  config.preNorm = args.getBoolean("pre_norm", false);
  config.patchBias = !config.preNorm;
  config.activation = args.getActivation("act_layer", "gelu");
  config.meanOfPrefix = args.getBoolean("pool_include_prefix", false);
  bool last = args.getBoolean("final_norm", true);
  config.poolNorm =
      last && args.getBoolean("fc_norm", config.pooling == Pooling::Mean);
  config.finalNorm = last && !config.poolNorm;
  config.attentionNorm = args.getBoolean("scale_attn_norm", false);
  config.mlpNorm = args.getBoolean("scale_mlp_norm", false);
}

void vit::setPictureSize(VitConfig &config, int64_t height, int64_t width) {
  int64_t rows = config.gridHeight(), columns = config.gridWidth();
  config.imageHeight = height;
  config.imageWidth = width;
  bool isOther = rows != config.gridHeight() || columns != config.gridWidth();
  if (config.positions == PositionKind::Learned && isOther &&
      !config.storedGridHeight) {
    config.storedGridHeight = rows;
    config.storedGridWidth = columns;
  }
}

static constexpr StringLiteral visionTransformerKeys[] = {
    "qkv_bias",    "qk_norm",   "scale_attn_norm",     "scale_mlp_norm",
    "proj_bias",   "pos_embed", "reg_tokens",          "pre_norm",
    "final_norm",  "fc_norm",   "pool_include_prefix", "act_layer",
    "weight_init", "fix_init",  "norm_layer",          "embed_norm_layer"};

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// timm's own small test models.
static bool parseTestModel(NameParts parts, TimmArchitecture &a) {
  std::string name = llvm::join(parts.parts, "_");
  if (name == "test_vit3" || name == "test_vit4") {
    bool third = name == "test_vit3";
    a.args = Object{{"patch_size", 16},   {"img_size", 160},
                    {"embed_dim", 96},    {"depth", 9},
                    {"num_heads", 3},     {"mlp_ratio", third ? 2 : 3},
                    {"reg_tokens", 1},    {"class_token", false},
                    {"init_values", 1e-5}};
    a.args["global_pool"] = third ? "map" : "avg";
    a.args[third ? "pool_include_prefix" : "dynamic_img_size"] = true;
    if (!third)
      a.norm = Norm::Rms;
    return true;
  }
  if (name != "test_vit" && name != "test_vit2")
    return false;
  bool second = name == "test_vit2";
  a.args =
      Object{{"patch_size", 16},        {"img_size", 160}, {"embed_dim", 64},
             {"depth", second ? 8 : 6}, {"num_heads", 2},  {"mlp_ratio", 3},
             {"dynamic_img_size", true}};
  if (second) {
    a.args["class_token"] = false;
    a.args["reg_tokens"] = 1;
    a.args["global_pool"] = "avg";
    a.args["init_values"] = 1e-5;
  }
  return true;
}

namespace {
/// Reads the parts of a name: family, size, variants, patch, variants,
/// resolution.
struct NameReader {
  TimmArchitecture &a;
  StringRef family, size;
  bool gap = false, map = false, registers = false, patch = false;
  bool resolution = false, siglip = false, dino = false, radio = false;
  int64_t patchSize = 0, imageSize = 0;

  /// False if the family or the size is unknown.
  bool readFamily();
  /// Reads a part after the size. False if it is unknown.
  bool readMark(StringRef part);
  /// Applies the settings that depend on several parts together.
  void combineMarks();
};
} // namespace

bool NameReader::readFamily() {
  Object &args = a.args;
  if (!setTimmSize(args, size) ||
      !llvm::is_contained({"vit", "deit", "deit3", "beit3", "eva", "flexivit"},
                          family))
    return false;
  if (family == "eva" && size != "large") // eva_giant is of the class Eva.
    return false;
  bool flexi = family == "flexivit";
  if (family == "deit3" || flexi)
    args["no_embed_class"] = true;
  if (family == "deit3")
    args["init_values"] = 1e-6;
  if (family == "eva" || family == "beit3")
    args["global_pool"] = "avg";
  if (family == "beit3") {
    a.epsilon = 1e-5;
    args["scale_attn_norm"] = args["scale_mlp_norm"] = true;
  }
  if (flexi) {
    args["patch_size"] = 16;
    args["img_size"] = 240;
    patch = resolution = true;
  }
  return true;
}

bool NameReader::readMark(StringRef part) {
  Object &args = a.args;
  int64_t number = 0;
  StringRef rest = part;
  if (rest.consume_front("patch") && !rest.getAsInteger(10, number)) {
    args["patch_size"] = patchSize = number;
    patch = true;
  } else if (rest = part;
             rest.consume_front("reg") && !rest.getAsInteger(10, number)) {
    args["reg_tokens"] = number;
    args["no_embed_class"] = true;
    registers = true;
  } else if (!part.getAsInteger(10, number) && patch) {
    args["img_size"] = imageSize = number;
    resolution = true;
  } else if (part == "siglip") {
    siglip = true;
    args["class_token"] = false;
    args["global_pool"] = "map";
  } else if (part == "map") {
    map = true;
    args["class_token"] = false;
    args["global_pool"] = "map";
  } else if (part == "distilled" && family == "deit") {
    a.distilled = true;
  } else if (part == "gap") {
    gap = true;
    args["class_token"] = false;
    args["global_pool"] = "avg";
  } else if (part == "clip") {
    args["pre_norm"] = true;
    a.epsilon = 1e-5;
  } else if (part == "quickgelu") {
    args["act_layer"] = "quick_gelu";
  } else if (part == "dinov2" || part == "tipsv2") {
    dino = resolution = true;
    args["init_values"] = part == "dinov2" ? 1e-5 : 1.0;
    args["img_size"] = part == "dinov2" ? 518 : 448;
  } else if (part == "radio") {
    radio = resolution = true;
    args["img_size"] = 512;
    args["no_embed_class"] = true;
    args["final_norm"] = false;
  } else if (radio && (part == "v3" || part == "v4")) {
    args["reg_tokens"] = part == "v3" ? 7 : 9;
  } else if (part == "miil") {
    args["qkv_bias"] = false;
  } else if (part == "plus" && size == "base") {
    args["embed_dim"] = 896;
    args["num_heads"] = 14;
    args["init_values"] = 1e-5;
  } else if (part == "36x1" && size == "small") {
    args["depth"] = 36;
    args["init_values"] = 1e-5;
  } else {
    return false;
  }
  return true;
}

void NameReader::combineMarks() {
  Object &args = a.args;
  // The CLIP variant of "plus" has no layer scale.
  if (a.epsilon == 1e-5)
    args.erase("init_values");
  if (dino && size == "giant") {
    a.mlp = TimmMlp::Packed;
    args["embed_dim"] = 1536;
    args["num_heads"] = 24;
    args["mlp_ratio"] = 2.66667 * 2;
    args["act_layer"] = "silu";
  }
  if (radio && (size == "base" || size == "large"))
    args["init_values"] = 1e-5;
  if (radio && size == "giant") {
    args["embed_dim"] = 1536;
    args["num_heads"] = 24;
    args["mlp_ratio"] = 4;
  }
  if ((dino || radio) && size == "so400m")
    args["mlp_ratio"] = 4304.0 / 1152;
  if (size == "intern300m") {
    args["init_values"] = 0.1;
    args["final_norm"] = false;
    args["dynamic_img_size"] = true;
  }
  if (siglip && ((size == "base" && patchSize == 32) || size == "giantopt" ||
                 (size == "large" && imageSize == 512) ||
                 (size == "so400m" && patchSize == 16)))
    args["act_layer"] = "gelu_tanh";
  if (size.starts_with("so150m")) {
    args.erase("no_embed_class");
    if (size == "so150m2") {
      args["qkv_bias"] = false;
      args["init_values"] = 1e-5;
    } else if (gap) {
      args["fc_norm"] = false;
    }
    return;
  }
  if (siglip) {
    if (gap)
      args["fc_norm"] = false;
    return;
  }
  if (gap && registers && size != "base")
    args["init_values"] = 1e-5;
  if (gap && !registers) {
    args["fc_norm"] = false;
    if (size == "base")
      args["num_heads"] = 16;
    if (size == "medium" || size == "betwixt") {
      args["qkv_bias"] = false;
      args["init_values"] = 1e-6;
    }
  }
}

/// aimv2_large_patch14_224 and its like.
static bool parseAimv2(NameParts name, TimmArchitecture &a) {
  static constexpr struct {
    StringLiteral size;
    int64_t width, heads;
    double ratio;
  } sizes[] = {{"large", 1024, 8, 2.75},
               {"huge", 1536, 12, 2.6667},
               {"1b", 2048, 16, 2.75},
               {"3b", 3072, 24, 2.6667}};
  if (!name.take("aimv2"))
    return false;
  StringRef size = name.takeAny();
  std::optional<int64_t> patch = name.takeNumber("patch"),
                         image = name.takeNumber();
  const auto *known =
      llvm::find_if(sizes, [&](const auto &s) { return s.size == size; });
  if (patch != 14 || !image || !name.atEnd() || known == std::end(sizes))
    return false;
  a.epsilon = 1e-5;
  a.mlp = TimmMlp::Apart;
  a.norm = Norm::Rms;
  a.embeddingNorm = true;
  a.args = Object{{"patch_size", 14},
                  {"img_size", *image},
                  {"depth", 24},
                  {"class_token", false},
                  {"fc_norm", false},
                  {"global_pool", "avg"},
                  {"qkv_bias", false},
                  {"proj_bias", false},
                  {"act_layer", "silu"},
                  {"embed_dim", known->width},
                  {"num_heads", known->heads}};
  a.args["mlp_ratio"] = known->ratio;
  return true;
}

/// deit_tiny_distilled_patch16_224, vit_medium_patch16_reg4_gap_256
static bool parseVit(NameParts name, TimmArchitecture &a) {
  NameReader reader{a, name.takeAny(), name.takeAny()};
  if (!reader.readFamily())
    return false;
  while (!name.atEnd())
    if (!reader.readMark(name.takeAny()))
      return false;
  reader.combineMarks();
  return reader.patch && reader.resolution;
}

const TimmClass &vit::getTimmVit() {
  static constexpr TimmNameParser names[] = {parseTestModel, parseAimv2,
                                             parseVit};
  static constexpr TimmClass known{"token", visionTransformerKeys,
                                   readVisionTransformer, names};
  return known;
}
