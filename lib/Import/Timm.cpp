//===- Timm.cpp - config.json of timm -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// timm's VisionTransformer and VisionTransformerDistilled. What a model is made
// of follows, in this order, from `model_args`, from what the architecture's
// name stands for, and from `pretrained_cfg` (size, channels, classes), as in
// timm's build_model_with_cfg.
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

static VitNames makeNames(const std::string &prefix) {
  VitNames n;
  n.embeddings = prefix + "patch_embed";
  n.patch = n.embeddings + ".proj";
  n.embeddingNorm = n.embeddings + ".norm";
  n.classToken = prefix + "cls_token";
  n.distillationToken = prefix + "dist_token";
  n.registers = prefix + "reg_token";
  n.positions = prefix + "pos_embed";
  n.preNorm = prefix + "norm_pre";
  n.layers = prefix + "blocks";
  n.block = n.layers + ".{}";
  n.norm1 = n.block + ".norm1";
  n.attention = n.block + ".attn";
  n.qkv = n.attention + ".qkv";
  n.queryNorm = n.attention + ".q_norm";
  n.keyNorm = n.attention + ".k_norm";
  n.attentionNorm = n.attention + ".norm";
  n.out = n.attention + ".proj";
  n.scale1 = n.block + ".ls1";
  n.norm2 = n.block + ".norm2";
  n.fc1 = n.block + ".mlp.fc1";
  n.mlpNorm = n.block + ".mlp.norm";
  n.fc2 = n.block + ".mlp.fc2";
  n.scale2 = n.block + ".ls2";
  n.norm = prefix + "norm";
  n.poolNorm = prefix + "fc_norm";
  n.head = prefix + "head";
  n.distillationHead = prefix + "head_dist";
  n.pool.attention = prefix + "attn_pool";
  n.pool.token = n.pool.attention + ".latent";
  n.pool.query = n.pool.attention + ".q";
  n.pool.keyValue = n.pool.attention + ".kv";
  n.pool.out = n.pool.attention + ".proj";
  n.pool.norm = n.pool.attention + ".norm";
  n.pool.fc1 = n.pool.attention + ".mlp.fc1";
  n.pool.fc2 = n.pool.attention + ".mlp.fc2";
  return n;
}

bool vit::setTimmSize(Object &args, StringRef size) {
  static constexpr struct {
    StringLiteral name;
    int64_t width, depth, heads;
    double mlpRatio = 4;
  } sizes[] = {{"tiny", 192, 12, 3},
               {"wee", 256, 14, 4, 5},
               {"xsmall", 256, 10, 4},
               {"little", 320, 14, 5, 5.6},
               {"small", 384, 12, 6},
               {"medium", 512, 12, 8},
               {"mediumd", 512, 20, 8},
               {"betwixt", 640, 12, 10},
               {"base", 768, 12, 12},
               {"large", 1024, 24, 16},
               {"huge", 1280, 32, 16},
               {"giant", 1408, 40, 16, 48.0 / 11},
               {"gigantic", 1664, 48, 16, 64.0 / 13},
               {"giantopt", 1536, 40, 16},
               {"intern300m", 1024, 24, 16},
               {"so150m", 896, 18, 14, 2.572},
               {"so150m2", 832, 21, 13, 34.0 / 13},
               {"so400m", 1152, 27, 16, 3.7362}};
  const auto *found = llvm::find_if(
      sizes, [&](const auto &known) { return known.name == size; });
  if (found == std::end(sizes))
    return false;
  args["embed_dim"] = found->width;
  args["depth"] = found->depth;
  args["num_heads"] = found->heads;
  args["mlp_ratio"] = found->mlpRatio;
  return true;
}

/// timm's own small test models.
static std::optional<TimmArchitecture> getTestModel(StringRef name) {
  TimmArchitecture a;
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
    return a;
  }
  if (name != "test_vit" && name != "test_vit2")
    return std::nullopt;
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
  return a;
}

namespace {
/// Reads the parts of a name: family, size, variants, patch, variants,
/// resolution.
struct NameReader {
  TimmArchitecture a;
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
static std::optional<TimmArchitecture> parseAimv2(StringRef name) {
  static constexpr struct {
    StringLiteral size;
    int64_t width, heads;
    double ratio;
  } sizes[] = {{"large", 1024, 8, 2.75},
               {"huge", 1536, 12, 2.6667},
               {"1b", 2048, 16, 2.75},
               {"3b", 3072, 24, 2.6667}};
  SmallVector<StringRef> parts;
  name.split(parts, '_');
  int64_t image = 0;
  if (parts.size() != 4 || parts[0] != "aimv2" || parts[2] != "patch14" ||
      parts[3].getAsInteger(10, image))
    return std::nullopt;
  for (const auto &known : sizes)
    if (known.size == parts[1]) {
      TimmArchitecture a;
      a.epsilon = 1e-5;
      a.mlp = TimmMlp::Apart;
      a.norm = Norm::Rms;
      a.embeddingNorm = true;
      a.args = Object{{"patch_size", 14},
                      {"img_size", image},
                      {"depth", 24},
                      {"class_token", false},
                      {"fc_norm", false},
                      {"global_pool", "avg"},
                      {"qkv_bias", false},
                      {"proj_bias", false},
                      {"act_layer", "silu"},
                      {"embed_dim", known.width},
                      {"num_heads", known.heads}};
      a.args["mlp_ratio"] = known.ratio;
      return a;
    }
  return std::nullopt;
}

/// Reads names such as deit_tiny_distilled_patch16_224 or
/// vit_medium_patch16_reg4_gap_256. Returns nullopt if a part is unknown: the
/// name of another kind of model.
static std::optional<TimmArchitecture> parseArchitecture(StringRef name) {
  // The tag (".augreg_in21k_ft_in1k") describes the training.
  name = name.split('.').first;
  if (std::optional<TimmArchitecture> other = findEvaOrBeit(name))
    return other;
  if (std::optional<TimmArchitecture> test = getTestModel(name))
    return test;
  if (std::optional<TimmArchitecture> aimv2 = parseAimv2(name))
    return aimv2;
  SmallVector<StringRef> parts;
  name.split(parts, '_');
  if (parts.size() < 2)
    return std::nullopt;
  NameReader reader;
  reader.family = parts[0];
  reader.size = parts[1];
  if (!reader.readFamily())
    return std::nullopt;
  for (StringRef part : ArrayRef(parts).drop_front(2))
    if (!reader.readMark(part))
      return std::nullopt;
  reader.combineMarks();
  if (!reader.patch || !reader.resolution)
    return std::nullopt;
  return std::move(reader.a);
}

/// Adds what `pretrained_cfg` says to `args`, which takes precedence.
static void addPretrained(Object &args, ConfigReader &pretrained,
                          bool sizeFromName) {
  if (const llvm::json::Value *value = pretrained.get("input_size")) {
    const llvm::json::Array *size = value->getAsArray();
    if (!size || size->size() != 3) {
      pretrained.failKey("input_size",
                         "it should be [channels, height, width]");
      return;
    }
    args.insert({"in_chans", (*size)[0]});
    // Without `fixed_input_size` timm keeps the class's default of 224.
    if (pretrained.getBoolean("fixed_input_size", false))
      args["img_size"] = llvm::json::Array{(*size)[1], (*size)[2]};
    else if (sizeFromName)
      args.erase("img_size");
  }
  for (StringRef key : {"num_classes", "global_pool"})
    if (const llvm::json::Value *value = pretrained.get(key))
      args.insert({key, *value});
}

/// Arguments that all classes have.
static void readCommon(VitConfig &config, ConfigReader &args,
                       StringRef defaultPooling) {
  std::tie(config.imageHeight, config.imageWidth) =
      args.getPair("img_size", 224, 1, maxImageSize);
  std::tie(config.patchHeight, config.patchWidth) =
      args.getPair("patch_size", 16, 1, maxImageSize);
  config.channels = args.getInteger("in_chans", 3, 1, maxChannels);
  config.classes = args.getInteger("num_classes", 1000, 0, maxClasses);
  config.width = args.getInteger("embed_dim", 768, 1, maxWidth);
  config.depth = args.getInteger("depth", 12, 1, maxDepth);
  config.heads = args.getInteger("num_heads", 12, 1, maxHeads);
  config.headWidth = std::max<int64_t>(1, config.width / config.heads);
  double ratio = args.getNumber("mlp_ratio", 4, 1e-3, 1024);
  config.mlpWidth = int64_t(double(config.width) * ratio);
  if (config.mlpWidth < 1 || config.mlpWidth > maxWidth)
    args.failKey("mlp_ratio", "that makes an MLP of width " +
                                  Twine(config.mlpWidth) + ", not 1 to " +
                                  Twine(maxWidth));
  config.layerScaleInit = args.getNumber("init_values", 0, 0, 1e6);
  config.layerScale = config.layerScaleInit != 0;
  config.classToken = args.getBoolean("class_token", true);
  config.positionsOfPrefix = !args.getBoolean("no_embed_class", false);
  config.embeddingDropout = args.getNumber("pos_drop_rate", 0, 0, 0.999);
  config.dropout = args.getNumber("proj_drop_rate", 0, 0, 0.999);
  config.dropoutInMlp = true;
  config.headDropout = args.getNumber("drop_rate", 0, 0, 0.999);
  config.dropPath = args.getNumber("drop_path_rate", 0, 0, 0.999);

  std::string pool = args.getString("global_pool", defaultPooling.str());
  if (pool == "token")
    config.pooling = Pooling::Token;
  else if (pool == "avg")
    config.pooling = Pooling::Mean;
  else if (pool == "map")
    config.pooling = Pooling::Attention;
  else if (pool.empty())
    config.pooling = Pooling::All;
  else
    args.failKey("global_pool", "supported are \"token\", \"avg\", \"map\" and "
                                "\"\"");
  if (pool == "token" && !config.classToken)
    args.fail(
        "\"class_token\" is false, so \"global_pool\" cannot be \"token\" "
        "(the default); set it to \"avg\"");

  // Without a remainder nothing is padded.
  if (config.imageHeight % config.patchHeight ||
      config.imageWidth % config.patchWidth)
    args.checkOnly("dynamic_img_pad", false);
}

/// The kind of norm that a name of timm's create_norm stands for. All of them
/// have an epsilon of 1e-6.
static Norm readNorm(ConfigReader &args, StringRef key) {
  std::string name = args.getString(key, "layernorm");
  if (name == "rmsnorm" || name == "rmsnormfp32")
    return Norm::Rms;
  if (name != "layernorm" && name != "layernormfp32")
    args.failKey(key, "supported are \"layernorm\", \"rmsnorm\" and both with "
                      "\"fp32\" at the end");
  return Norm::Layer;
}

static void readNorms(VitConfig &config, ConfigReader &args,
                      const TimmArchitecture &architecture) {
  config.epsilon = architecture.epsilon;
  config.norm = architecture.norm;
  config.embeddingNorm = architecture.embeddingNorm;
  if (args.has("norm_layer")) {
    config.epsilon = 1e-6;
    config.norm = readNorm(args, "norm_layer");
  }
  if (!args.has("embed_norm_layer"))
    return;
  config.embeddingNorm = true;
  if (readNorm(args, "embed_norm_layer") != config.norm ||
      config.epsilon != 1e-6)
    args.failKey("embed_norm_layer", "only the norm of the layers is "
                                     "supported, with an epsilon of 1e-6");
}

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

/// With dynamic_img_size a model takes pictures as they are prepared, and
/// resamples the position table, which is that of img_size.
static void readPictureSize(VitConfig &config, ConfigReader &args,
                            ConfigReader &pretrained) {
  const llvm::json::Value *value = pretrained.get("input_size");
  const llvm::json::Array *size = value ? value->getAsArray() : nullptr;
  config.takesAnySize = args.getBoolean("dynamic_img_size", false);
  if (!config.takesAnySize || !size || size->size() != 3)
    return;
  int64_t sides[2];
  for (int i : {0, 1}) {
    std::optional<int64_t> side = (*size)[i + 1].getAsInteger();
    if (!side || *side < 1 || *side > maxImageSize)
      return pretrained.failKey("input_size",
                                "it should be [channels, height, width]");
    sides[i] = *side;
  }
  setPictureSize(config, sides[0], sides[1]);
}

/// The gated MLPs of timm.
void vit::setTimmMlp(VitConfig &config, TimmMlp kind) {
  if (kind == TimmMlp::Plain)
    return;
  config.gated = true;
  std::string mlp = config.names.block + ".mlp.";
  if (kind == TimmMlp::Packed) {
    config.mlpWidth /= 2;
    config.names.gateAndFc1 = mlp + "fc1";
  } else {
    config.names.gate = mlp + "fc1_g";
    config.names.fc1 = mlp + "fc1_x";
  }
}

/// Whether transformers' TimmWrapperModel is meant, which has no head.
static bool isWrapperWithoutHead(ConfigReader &reader) {
  const llvm::json::Value *value = reader.get("architectures");
  const llvm::json::Array *names = value ? value->getAsArray() : nullptr;
  return names && llvm::is_contained(*names, "TimmWrapperModel");
}

static constexpr StringLiteral commonKeys[] = {
    "img_size", "patch_size", "in_chans", "num_classes", "global_pool",
    "embed_dim", "depth", "num_heads", "mlp_ratio", "init_values",
    "class_token", "no_embed_class", "dynamic_img_size", "dynamic_img_pad",
    // For training only.
    "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate",
    "attn_drop_rate", "drop_path_rate"};
static constexpr StringLiteral visionTransformerKeys[] = {
    "qkv_bias",    "qk_norm",   "scale_attn_norm",     "scale_mlp_norm",
    "proj_bias",   "pos_embed", "reg_tokens",          "pre_norm",
    "final_norm",  "fc_norm",   "pool_include_prefix", "act_layer",
    "weight_init", "fix_init",  "norm_layer",          "embed_norm_layer"};

VitConfig vit::readTimmConfig(const Object &object, ConfigReader &reader,
                              const std::string &where, std::string &error,
                              const Weights *weights,
                              const std::string &prefix) {
  VitConfig config;
  config.names = makeNames(prefix);
  std::string name = reader.getString("architecture", "");
  std::optional<TimmArchitecture> architecture = parseArchitecture(name);
  if (!architecture) {
    reader.failKey(
        "architecture",
        "supported are timm's plain vision transformers, such as "
        "vit_tiny_patch16_224, vit_base_patch32_384, "
        "vit_medium_patch16_reg4_gap_256, vit_base_patch16_clip_224, "
        "vit_small_patch14_dinov2, deit_tiny_distilled_patch16_224, "
        "deit3_base_patch16_224, and of its classes Eva and Beit, such as "
        "eva02_base_patch14_224, vit_small_patch16_dinov3, "
        "vit_pe_core_base_patch16_224, beit_base_patch16_224");
    return config;
  }

  // In the old format the file itself is a pretrained_cfg.
  for (StringRef key : {"pretrained_cfg", "model_args"})
    if (reader.has(key) && !object.getObject(key))
      reader.failKey(key, "it should be an object");
  const Object *inner = object.getObject("pretrained_cfg");
  ConfigReader pretrained(inner ? *inner : object,
                          inner ? where + ": pretrained_cfg" : where, error);
  Object args = std::move(architecture->args);
  bool sizeGiven = false;
  if (const Object *given = object.getObject("model_args"))
    for (const auto &entry : *given) {
      if (entry.second.kind() == llvm::json::Value::Null) {
        args.erase(entry.first); // The class's default, not the name's.
        continue;
      }
      args[entry.first] = entry.second;
      sizeGiven |= entry.first == "img_size";
    }
  // The class count at the top level takes precedence over pretrained_cfg.
  if (const llvm::json::Value *classes = reader.get("num_classes"))
    args.insert({"num_classes", *classes});
  // transformers' wrapper keeps the pretrained_cfg of the original model; the
  // head may be a new one.
  bool isWrapped = reader.has("model_type");
  const Object *labelMap = object.getObject("id2label");
  if (isWrapped && !weights && labelMap)
    args.insert({"num_classes", int64_t(labelMap->size())});
  // If the file has none, it follows from the checkpoint.
  if (std::optional<SmallVector<int64_t>> shape =
          weights ? weights->getShape(config.names.head + ".weight")
                  : std::nullopt;
      weights && (isWrapped || !pretrained.has("num_classes")))
    args.insert({"num_classes", shape && shape->size() == 2 ? (*shape)[0] : 0});
  llvm::json::Value size = sizeGiven ? *args.get("img_size") : nullptr;
  addPretrained(args, pretrained, !sizeGiven);
  if (sizeGiven)
    args["img_size"] = std::move(size);

  if (isWrapperWithoutHead(reader)) {
    args["num_classes"] = 0;
    config.headless = true;
    config.pooler = reader.getBoolean("do_pooling", true);
    config.unused = {prefix + "head.*", prefix + "head_dist.*"};
  }

  ConfigReader arguments(args, where + ": model_args", error);
  SmallVector<StringRef> keys(std::begin(commonKeys), std::end(commonKeys));
  ArrayRef<StringLiteral> more = architecture->keys;
  if (!architecture->read)
    more = visionTransformerKeys;
  keys.append(more.begin(), more.end());
  arguments.checkKeys(keys);
  config.antialias = true;
  readNorms(config, arguments, *architecture);
  readCommon(config, arguments, architecture->pooling);
  if (architecture->read)
    architecture->read(config, arguments);
  else
    readVisionTransformer(config, arguments);
  setTimmMlp(config, architecture->mlp);
  if (architecture->distilled) {
    config.distillationToken = true;
    config.pooling = Pooling::Distilled;
    arguments.checkOnly("global_pool", "token");
    arguments.checkOnly("class_token", true);
    arguments.checkOnly("fc_norm", false);
    arguments.checkOnly("no_embed_class", false);
    arguments.checkOnly("reg_tokens", 0);
  }
  readPictureSize(config, arguments, pretrained);
  checkVitConfig(config, {"img_size", "patch_size", "embed_dim", "num_heads"},
                 arguments);
  if (!config.storedGridHeight)
    findStoredGrid(config, weights, arguments);
  findStoredDistances(config, weights);

  StringRef labels = "label_names";
  ConfigReader &holder = reader.has(labels) ? reader : pretrained;
  if (config.classes && holder.has(labels))
    config.labels = readLabels(holder, labels, config.classes);
  else if (config.classes && reader.has("id2label"))
    config.labels = readLabels(reader, "id2label", config.classes);
  if (const Object *texts = object.getObject("label_descriptions"))
    for (std::string &label : config.labels)
      if (std::optional<StringRef> text = texts->getString(label))
        label = text->str();
  return config;
}
