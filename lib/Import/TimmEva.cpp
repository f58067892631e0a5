//===- TimmEva.cpp - timm's class Eva -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// EVA, EVA02, DINOv3, Perception Encoder and rope-ViT (timm/models/eva.py).
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static void readPositions(VitConfig &config, ConfigReader &args) {
  if (!args.getBoolean("use_abs_pos_emb", true))
    config.positions = PositionKind::None;
  if (!args.getBoolean("use_rot_pos_emb", false))
    return;
  RotaryPositions rotary;
  rotary.temperature = args.getNumber("rope_temperature", 1e4, 1e-6, 1e12);
  rotary.pairs = args.getBoolean("rope_rotate_half", false)
                     ? PairKind::halves
                     : PairKind::neighbours;
  std::string indexing = args.getString("rope_grid_indexing", "ij");
  rotary.order = indexing == "xy" ? AxisOrder::xy : AxisOrder::yx;
  if (indexing != "xy" && indexing != "ij")
    args.failKey("rope_grid_indexing", "supported are \"ij\" and \"xy\"");
  std::string type = args.getString("rope_type", "cat");
  if (type == "dinov3") {
    rotary.origin = 0.5 + args.getNumber("rope_grid_offset", 0, -1e6, 1e6);
    rotary.extent = 4 * llvm::numbers::pi;
    rotary.centered = true;
  } else if (type == "cat") {
    rotary.origin = args.getNumber("rope_grid_offset", 0, -1e6, 1e6);
    if (args.has("ref_feat_shape")) {
      auto [height, width] = args.getPair("ref_feat_shape", 16, 1, maxTokens);
      rotary.extent = double(height);
      if (height != width)
        args.failKey("ref_feat_shape", "only a square is supported");
    }
  } else {
    // "mixed" learns its frequencies, "mrope" deals them out to three axes.
    args.failKey("rope_type",
                 "supported are \"cat\" and \"dinov3\"; the nearest is \"cat\" "
                 "(vit_*_patch16_rope_*)");
  }
  config.rotary = rotary;
}

/// `num_kv_heads`, for all blocks or one for each: as many as of the queries.
static void readKeyHeads(const VitConfig &config, ConfigReader &args) {
  const llvm::json::Value *value = args.get("num_kv_heads");
  if (!value)
    return;
  auto isEqual = [&](const llvm::json::Value &number) {
    return number.kind() == llvm::json::Value::Null ||
           number.getAsInteger() == config.heads;
  };
  const llvm::json::Array *list = value->getAsArray();
  if (list ? !llvm::all_of(*list, isEqual) ||
                 int64_t(list->size()) != config.depth
           : !isEqual(*value))
    args.failKey("num_kv_heads",
                 "only num_heads (" + Twine(config.heads) +
                     ") in every block is supported, as in "
                     "vit_base_patch16_sapiens2: groups of queries that share "
                     "keys and values are not");
}

/// EvaAttention has no key bias, and biases of their own where q, k and v are
/// one product.
static void readEvaAttention(VitConfig &config, ConfigReader &args) {
  std::string attention = config.names.attention;
  config.setAttentionBias(args.getBoolean("qkv_bias", true));
  bool isFused = args.getBoolean("qkv_fused", true);
  std::string type = args.getString("attn_type", "eva");
  if (type != "eva" && type != "rope")
    args.failKey("attn_type", "supported are \"eva\" and \"rope\"");
  config.keyBias &= type == "rope";
  if (!isFused) {
    config.names.qkv.clear();
    config.names.query = attention + ".q_proj";
    config.names.key = attention + ".k_proj";
    config.names.value = attention + ".v_proj";
  } else if (type == "eva") {
    config.names.queryBias = attention + ".q_bias";
    config.names.valueBias = attention + ".v_bias";
  }
  config.attentionNorm = args.getBoolean("scale_attn_inner", false);
  config.queryKeyNorm = args.getBoolean("qk_norm", false);
  readKeyHeads(config, args);
}

static void readEva(VitConfig &config, ConfigReader &args) {
  readPositions(config, args);
  readEvaAttention(config, args);
  readTimmMlp(config, args, /*mayBePacked=*/true);
  setTimmScale(config);
  config.layerScale = args.has("init_values");
  config.registers = args.getInteger("num_reg_tokens", 0, 0, maxRegisters);
  config.preNorm = args.getBoolean("use_pre_transformer_norm", false);
  config.patchBias = !config.preNorm;
  bool isMean = config.pooling == Pooling::Mean;
  config.poolNorm = args.getBoolean("use_fc_norm", isMean);
  config.finalNorm =
      args.getBoolean("use_post_transformer_norm", !config.poolNorm);
  // attn_pool reads the class token, too. Its MLP is never gated.
  config.poolActivation = Activation::GeluErf;
  config.meanOfPrefix = config.pooling == Pooling::Attention;
  config.poolHeads =
      args.getInteger("attn_pool_num_heads", config.heads, 1, maxHeads);
  config.poolMlpWidth = int64_t(
      double(config.width) *
      args.getNumber("attn_pool_mlp_ratio",
                     args.getNumber("mlp_ratio", 4, 1e-3, 1024), 1e-3, 1024));
  if (config.width % config.poolHeads)
    args.failKey("attn_pool_num_heads", "it should divide \"embed_dim\"");
  config.mlpLayerScale = !args.getBoolean("attn_only_layer_scale", false);
  config.postNorm = args.getBoolean("use_post_norm", false);
  if (config.postNorm) {
    config.layerScale = false;
    args.checkOnly("swiglu_align_to", 0);
    args.checkOnly("qk_norm", false);
    args.checkOnly("attn_only_layer_scale", false);
  }
}

static constexpr StringLiteral evaKeys[] = {
    "qkv_bias", "qkv_fused", "qk_norm", "swiglu_mlp", "swiglu_align_to",
    "scale_mlp", "scale_attn_inner", "attn_type", "attn_only_layer_scale",
    "num_kv_heads", "num_reg_tokens", "use_abs_pos_emb", "use_rot_pos_emb",
    "rope_type", "rope_grid_offset", "rope_grid_indexing", "rope_temperature",
    "rope_rotate_half",
    // For training only.
    "rope_shift_coords", "rope_jitter_coords", "rope_rescale_coords",
    "use_post_norm", "use_pre_transformer_norm", "use_post_transformer_norm",
    "use_fc_norm", "attn_pool_num_heads", "attn_pool_mlp_ratio",
    "ref_feat_shape", "head_init_scale"};

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static void setEva02(Object &args, StringRef size) {
  args["mlp_ratio"] = 4.0 * 2 / 3;
  args["swiglu_mlp"] = args["use_rot_pos_emb"] = true;
  args["ref_feat_shape"] = 16;
  if (size == "base" || size == "large") {
    args["qkv_fused"] = false;
    args["scale_mlp"] = true;
  }
}

static void setEnormous(Object &args) {
  args["embed_dim"] = 1792;
  args["depth"] = 64;
  args["num_heads"] = 16;
  args["mlp_ratio"] = 15360.0 / 1792;
  args["use_post_norm"] = true;
}

/// eva_giant_patch14_224, eva02_base_patch14_448, eva02_large_patch14_clip_336
static bool parseEva(NameParts name, TimmArchitecture &a) {
  bool isEva02 = name.take("eva02");
  if (!isEva02 && !name.take("eva"))
    return false;
  StringRef size = name.takeAny();
  bool isEnormous = isEva02 && size == "enormous";
  if (!isEnormous &&
      (isEva02 ? !llvm::is_contained({"tiny", "small", "base", "large"}, size)
               : size != "giant"))
    return false;
  setTimmSize(a.args, size);
  std::optional<int64_t> patch = name.takeNumber("patch");
  bool isClip = name.take("clip");
  std::optional<int64_t> image = name.takeNumber();
  if (!patch || !image || !name.atEnd())
    return false;
  a.args["patch_size"] = *patch;
  a.args["img_size"] = *image;
  if (isEnormous)
    setEnormous(a.args);
  else if (isEva02)
    setEva02(a.args, size);
  else
    a.args["mlp_ratio"] = 6144.0 / 1408;
  if (isEva02 && isClip && !isEnormous)
    a.args["scale_attn_inner"] = true;
  if (isClip)
    a.args["global_pool"] = "token";
  return true;
}

/// vit_pe_core_base_patch16_224, vit_pe_spatial_..., vit_pe_lang_...
static bool parsePerception(NameParts name, TimmArchitecture &a) {
  if (!name.take("vit") || !name.take("pe"))
    return false;
  StringRef kind = name.takeAny(), size = name.takeAny();
  std::optional<int64_t> patch = name.takeNumber("patch"),
                         image = name.takeNumber();
  if (!llvm::is_contained({"core", "spatial", "lang"}, kind) || !patch ||
      !image || !name.atEnd() || !setTimmSize(a.args, size))
    return false;
  a.epsilon = 1e-5;
  Object &args = a.args;
  args["patch_size"] = *patch;
  args["img_size"] = *image;
  args["attn_type"] = "rope";
  args["dynamic_img_size"] = true;
  args["use_pre_transformer_norm"] = args["use_rot_pos_emb"] = true;
  args["rope_grid_indexing"] = "xy";
  args["ref_feat_shape"] = kind != "core"       ? 32
                           : size == "gigantic" ? 32
                           : size == "base"     ? 14
                                                : 24;
  args["rope_grid_offset"] = size == "gigantic" ? 0 : 1;
  args["class_token"] = size != "gigantic";
  if (size == "gigantic") {
    args["embed_dim"] = 1536;
    args["depth"] = kind == "lang" ? 47 : 50;
    args["mlp_ratio"] = 8960.0 / 1536;
  } else if (kind == "lang") {
    args["depth"] = 23;
  }
  if (kind == "core") {
    args["global_pool"] = "map";
    args["attn_pool_num_heads"] = 8;
    args["attn_pool_mlp_ratio"] = 4;
    return true;
  }
  args["use_post_transformer_norm"] = args["use_fc_norm"] = false;
  if (kind == "lang" || size == "gigantic")
    args["init_values"] = 0.1;
  return true;
}

/// vit_small_patch16_dinov3, vit_huge_plus_patch16_dinov3_qkvb,
/// vit_giant_patch16_lingbot
static bool parseDinov3(NameParts name, TimmArchitecture &a) {
  if (!name.take("vit"))
    return false;
  StringRef size = name.takeAny();
  bool isPlus = name.take("plus"), isLargest = size == "7b";
  std::optional<int64_t> patch = name.takeNumber("patch");
  bool isLingbot = patch && name.take("lingbot");
  if (!isLingbot && (!patch || !name.take("dinov3")))
    return false;
  bool isGiant = isLingbot && size == "giant";
  bool hasBias = isLingbot ? !isGiant : name.take("qkvb");
  Object &args = a.args;
  if (!name.atEnd() || (!isLargest && !setTimmSize(args, size)))
    return false;
  if (isLargest)
    args = Object{{"embed_dim", 4096},
                  {"depth", 40},
                  {"num_heads", 32},
                  {"mlp_ratio", 2}};
  if (size == "huge")
    args["num_heads"] = 20;
  if (isGiant) {
    args["embed_dim"] = 1536;
    args["num_heads"] = 24;
    args["mlp_ratio"] = 4.0 * 2 / 3;
  }
  a.epsilon = 1e-5;
  args["patch_size"] = *patch;
  args["dynamic_img_size"] = true;
  args["qkv_bias"] = hasBias;
  args["init_values"] = 1e-5;
  args["rope_type"] = "dinov3";
  args["rope_temperature"] = 100;
  args["rope_rotate_half"] = args["use_rot_pos_emb"] = true;
  args["use_abs_pos_emb"] = args["use_fc_norm"] = false;
  args["num_reg_tokens"] = 4;
  if (isLingbot)
    args["global_pool"] = "token";
  if (isPlus || isLargest || isGiant) {
    args["swiglu_mlp"] = true;
    args["swiglu_align_to"] = isLargest ? 64 : 8;
  }
  return true;
}

/// vit_base_patch16_sapiens2. All but the first and last 8 blocks share keys
/// and values between heads.
static bool parseSapiens(NameParts name, TimmArchitecture &a) {
  static constexpr struct {
    StringLiteral name;
    int64_t width, depth, heads, keyHeads;
  } sizes[] = {{"base", 768, 12, 12, 6},
               {"large", 1024, 24, 16, 8},
               {"huge", 1280, 32, 16, 8},
               {"giant", 1536, 40, 24, 12},
               {"5b", 2432, 56, 32, 16}};
  if (!name.take("vit"))
    return false;
  StringRef size = name.takeAny();
  std::optional<int64_t> patch = name.takeNumber("patch");
  const auto *found = llvm::find_if(
      sizes, [&](const auto &known) { return known.name == size; });
  if (!patch || !name.take("sapiens2") || !name.atEnd() ||
      found == std::end(sizes))
    return false;
  llvm::json::Array keyHeads;
  constexpr int64_t whole = 8;
  for (int64_t i = 0; i < found->depth; ++i)
    keyHeads.push_back(i < whole || i >= found->depth - whole
                           ? found->heads
                           : found->keyHeads);
  a.norm = Norm::Rms;
  a.args = Object{
      {"embed_dim", found->width}, {"depth", found->depth},
      {"num_heads", found->heads}, {"num_kv_heads", std::move(keyHeads)},
      {"patch_size", *patch},      {"img_size", llvm::json::Array{1024, 768}},
      {"dynamic_img_size", true},  {"attn_type", "rope"},
      {"qkv_fused", false},        {"qk_norm", true},
      {"global_pool", "token"},    {"swiglu_mlp", true},
      {"init_values", 1.0},        {"attn_only_layer_scale", true},
      {"rope_type", "dinov3"},     {"rope_temperature", 100},
      {"rope_rotate_half", true},  {"use_rot_pos_emb", true},
      {"use_abs_pos_emb", false},  {"num_reg_tokens", 8},
      {"use_fc_norm", false}};
  return true;
}

/// vit_base_patch16_rope_reg1_gap_256, vit_small_patch16_rope_ape_224
static bool parseRope(NameParts name, TimmArchitecture &a) {
  if (!name.take("vit"))
    return false;
  StringRef size = name.takeAny();
  std::optional<int64_t> patch = name.takeNumber("patch");
  Object &args = a.args;
  if (!patch || !name.take("rope") || !setTimmSize(args, size))
    return false;
  std::optional<int64_t> registers = name.takeNumber("reg");
  bool isMean = name.take("gap"), isMixed = name.take("mixed"),
       hasTable = name.take("ape");
  std::optional<int64_t> image = name.takeNumber();
  if (!image || !name.atEnd() || isMean != registers.has_value())
    return false;
  args["patch_size"] = *patch;
  args["img_size"] = *image;
  args["init_values"] = 1e-5;
  args["use_rot_pos_emb"] = true;
  args["use_abs_pos_emb"] = hasTable;
  if (isMean) {
    args["qkv_bias"] = size != "mediumd";
    args["class_token"] = false;
    args["num_reg_tokens"] = *registers;
    args["ref_feat_shape"] = 16;
    return true;
  }
  args["attn_type"] = "rope";
  args["global_pool"] = "token";
  args["rope_grid_indexing"] = "xy";
  args["rope_temperature"] = isMixed ? 10 : 100;
  if (isMixed)
    args["rope_type"] = "mixed";
  args["no_embed_class"] = hasTable;
  return true;
}

const TimmClass &vit::getTimmEva() {
  static constexpr TimmNameParser names[] = {
      parseEva, parsePerception, parseDinov3, parseSapiens, parseRope};
  static constexpr TimmClass known{"avg", evaKeys, readEva, names};
  return known;
}
