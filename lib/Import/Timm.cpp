//===- Timm.cpp - config.json of timm -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all classes of timm share; the classes are in files of their own
// (TimmVit.cpp and others). What a model is made of follows, in this order,
// from `model_args`, from what the architecture's name stands for, and from
// `pretrained_cfg` (size, channels, classes), as in timm's
// build_model_with_cfg.
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

#include "llvm/Support/MathExtras.h"

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

/// Reads names such as deit_tiny_distilled_patch16_224. Returns nullopt for
/// the name of another kind of model.
static std::optional<TimmArchitecture> parseArchitecture(StringRef name) {
  // The tag (".augreg_in21k_ft_in1k") describes the training.
  NameParts parts(name.split('.').first);
  for (const TimmClass *known : {&getTimmVit(), &getTimmEva(), &getTimmBeit()})
    for (TimmNameParser parse : known->names) {
      TimmArchitecture a;
      a.known = known;
      if (parse(parts, a))
        return a;
    }
  return std::nullopt;
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
    args.failKey("global_pool",
                 "supported are \"token\", \"avg\", \"map\" and \"\"" +
                     Twine(StringRef(pool).contains("max")
                               ? "; the nearest is \"avg\""
                               : ""));
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

void vit::readTimmMlp(VitConfig &config, ConfigReader &args, bool mayBePacked) {
  config.mlpNorm = args.getBoolean("scale_mlp", false);
  int64_t align = args.getInteger("swiglu_align_to", 0, 0, 1 << 20);
  if (!args.getBoolean("swiglu_mlp", false))
    return;
  config.activation = Activation::Silu;
  if (align)
    config.mlpWidth = llvm::alignTo(config.mlpWidth, align);
  bool isPacked = mayBePacked && !config.mlpNorm && !align;
  // One tensor has the rows of both.
  config.mlpWidth *= isPacked ? 2 : 1;
  setTimmMlp(config, isPacked ? TimmMlp::Packed : TimmMlp::Apart);
}

void vit::setTimmScale(VitConfig &config) {
  config.names.scale1 = config.names.block + ".gamma_1";
  config.names.scale2 = config.names.block + ".gamma_2";
  config.names.scaleTensor = "";
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
  const TimmClass &known = *architecture->known;
  keys.append(known.keys.begin(), known.keys.end());
  arguments.checkKeys(keys);
  config.antialias = true;
  readNorms(config, arguments, *architecture);
  readCommon(config, arguments, known.pooling);
  known.read(config, arguments);
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
