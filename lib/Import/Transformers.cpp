//===- Transformers.cpp - config.json of Hugging Face transformers --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ViTModel and ViTForImageClassification (model_type vit), and the same of DeiT
// with its distillation token and its two heads (model_type deit). Names are
// those that save_pretrained writes; Weights also finds those that transformers
// 5 uses inside.
//
//===----------------------------------------------------------------------===//

#include "ConfigReader.h"

using namespace mlir;
using namespace mlir::vit;

static VitNames makeNames(const std::string &base, bool distilled) {
  VitNames n;
  n.embeddings = base + "embeddings";
  n.patch = n.embeddings + ".patch_embeddings.projection";
  n.classToken = n.embeddings + ".cls_token";
  n.distillationToken = n.embeddings + ".distillation_token";
  n.positions = n.embeddings + ".position_embeddings";
  n.layers = base + "encoder";
  n.block = base + "encoder.layer.{}";
  n.norm1 = n.block + ".layernorm_before";
  n.attention = n.block + ".attention.attention";
  n.query = n.attention + ".query";
  n.key = n.attention + ".key";
  n.value = n.attention + ".value";
  n.out = n.block + ".attention.output.dense";
  n.norm2 = n.block + ".layernorm_after";
  n.fc1 = n.block + ".intermediate.dense";
  n.fc2 = n.block + ".output.dense";
  n.norm = base + "layernorm";
  n.pooler = base + "pooler.dense";
  n.head = distilled ? "cls_classifier" : "classifier";
  n.distillationHead = "distillation_classifier";
  return n;
}

/// Which class of modeling_vit.py or modeling_deit.py the model is.
static StringRef findClass(ConfigReader &reader, StringRef modelType,
                           const Weights *weights) {
  const llvm::json::Value *value = reader.get("architectures");
  if (const llvm::json::Array *array = value ? value->getAsArray() : nullptr)
    if (array->size() == 1)
      if (std::optional<StringRef> name = (*array)[0].getAsString())
        return *name;
  if (value) {
    reader.failKey("architectures", "it should be a list of one name");
    return "";
  }
  // Not stated: a checkpoint without a head is the headless model.
  bool headless = weights && !weights->getShape("classifier.weight");
  if (modelType == "vit")
    return headless ? "ViTModel" : "ViTForImageClassification";
  return headless ? "DeiTModel" : "DeiTForImageClassification";
}

VitConfig vit::readTransformersConfig(ConfigReader &reader,
                                      const Weights *weights) {
  VitConfig config;
  std::string type = reader.getString("model_type", "");
  if (type != "vit" && type != "deit")
    reader.failKey("model_type", "supported are \"vit\" and \"deit\"");
  StringRef name = findClass(reader, type, weights);
  StringRef kind = name;
  bool known = kind.consume_front(type == "vit" ? "ViT" : "DeiT");
  bool distilled =
      kind == "ForImageClassificationWithTeacher" && type == "deit";
  config.headless = kind == "Model";
  if (!known ||
      (!config.headless && kind != "ForImageClassification" && !distilled))
    reader.failKey("architectures",
                   "supported are ViTModel, ViTForImageClassification, "
                   "DeiTModel, DeiTForImageClassification and "
                   "DeiTForImageClassificationWithTeacher");
  config.names = makeNames(config.headless ? "" : type + ".", distilled);

  std::tie(config.imageHeight, config.imageWidth) =
      reader.getPair("image_size", 224, 1, maxImageSize);
  std::tie(config.patchHeight, config.patchWidth) =
      reader.getPair("patch_size", 16, 1, maxImageSize);
  config.channels = reader.getInteger("num_channels", 3, 1, maxChannels);
  config.width = reader.getInteger("hidden_size", 768, 1, maxWidth);
  config.depth = reader.getInteger("num_hidden_layers", 12, 1, maxDepth);
  config.heads = reader.getInteger("num_attention_heads", 12, 1, maxHeads);
  config.mlpWidth = reader.getInteger("intermediate_size", 3072, 1, maxWidth);
  config.headWidth = std::max<int64_t>(1, config.width / config.heads);
  config.epsilon = reader.getNumber("layer_norm_eps", 1e-12, 1e-30, 1);
  config.activation = reader.getActivation("hidden_act", "gelu");
  config.qkvBias = reader.getBoolean("qkv_bias", true);
  config.distillationToken = type == "deit";
  config.pooling = distilled ? Pooling::Distilled : Pooling::Token;
  checkVitConfig(
      config,
      {"image_size", "patch_size", "hidden_size", "num_attention_heads"},
      reader);

  config.initStyle = InitStyle::Transformers;
  config.initRange = reader.getNumber("initializer_range", 0.02, 0, 1e3);
  config.dropout = config.embeddingDropout =
      reader.getNumber("hidden_dropout_prob", 0, 0, 0.999);

  // Tensors that checkpoints of a related class hold and from_pretrained
  // ignores.
  config.unused = {"*embeddings.position_ids", "*embeddings.mask_token"};
  if (config.headless) {
    config.pooler =
        !weights || weights->getShape(config.names.pooler + ".weight");
    config.poolerWidth =
        reader.getInteger("pooler_output_size", config.width, 1, maxWidth);
    config.poolerActivation = reader.getActivation("pooler_act", "tanh");
    config.unused.insert(
        config.unused.end(),
        {"classifier.*", "cls_classifier.*", "distillation_classifier.*"});
  } else {
    config.labels = readLabels(reader, "id2label");
    config.classes = reader.getInteger(
        "num_labels", countLabels(reader, "id2label").value_or(2), 0,
        maxClasses);
    // The head decides: labels never keep a model from running.
    auto shape = weights ? weights->getShape(config.names.head + ".weight")
                         : std::nullopt;
    if (shape && shape->size() == 2 && shape->back() == config.width &&
        shape->front() <= maxClasses)
      config.classes = shape->front();
    config.unused.push_back("*pooler.dense.*");
  }
  findStoredGrid(config, weights, reader);
  return config;
}
