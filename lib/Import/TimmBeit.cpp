//===- TimmBeit.cpp - timm's class Beit -----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BEiT and BEiT v2 (timm/models/beit.py).
//
//===----------------------------------------------------------------------===//

#include "Timm.h"

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

static void readBeit(VitConfig &config, ConfigReader &args) {
  if (!args.getBoolean("use_abs_pos_emb", true))
    config.positions = PositionKind::None;
  std::string prefix = StringRef(config.names.layers)
                           .drop_back(StringRef("blocks").size())
                           .str();
  config.relativePositions = args.getBoolean("use_rel_pos_bias", false);
  config.sharedRelativePositions =
      args.getBoolean("use_shared_rel_pos_bias", false);
  config.names.relativePositions =
      config.names.attention + ".relative_position_bias_table";
  config.names.sharedRelativePositions =
      prefix + "rel_pos_bias.relative_position_bias_table";
  config.setAttentionBias(args.getBoolean("qkv_bias", true));
  config.keyBias = false;
  config.names.queryBias = config.names.attention + ".q_bias";
  config.names.valueBias = config.names.attention + ".v_bias";
  setTimmScale(config);
  readTimmMlp(config, args, /*mayBePacked=*/false);
  config.poolNorm =
      args.getBoolean("use_fc_norm", config.pooling == Pooling::Mean);
  config.finalNorm = !config.poolNorm;
  args.checkOnly("class_token", true);
  args.checkOnly("no_embed_class", false);
  config.unused.push_back("*relative_position_index");
}

static constexpr StringLiteral beitKeys[] = {
    "qkv_bias",         "use_abs_pos_emb",
    "use_rel_pos_bias", "use_shared_rel_pos_bias",
    "use_fc_norm",      "swiglu_mlp",
    "scale_mlp",        "head_init_scale"};

/// beit_base_patch16_224, beitv2_large_patch16_224
static bool parseBeit(NameParts name, TimmArchitecture &a) {
  bool isFirst = name.take("beit");
  if (!isFirst && !name.take("beitv2"))
    return false;
  StringRef size = name.takeAny();
  std::optional<int64_t> patch = name.takeNumber("patch"),
                         image = name.takeNumber();
  if (!patch || !image || !name.atEnd() || !setTimmSize(a.args, size))
    return false;
  a.args["patch_size"] = *patch;
  a.args["img_size"] = *image;
  a.args["use_abs_pos_emb"] = false;
  a.args["use_rel_pos_bias"] = true;
  a.args["init_values"] = isFirst && size == "base" ? 0.1 : 1e-5;
  return true;
}

const TimmClass &vit::getTimmBeit() {
  static constexpr TimmNameParser names[] = {parseBeit};
  static constexpr TimmClass known{"avg", beitKeys, readBeit, names};
  return known;
}
