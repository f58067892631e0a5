//===- StoredNames.h - Other names of a stored tensor -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs the standard library alone, so that tools without LLVM have it too.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_IMPORT_STOREDNAMES_H
#define VIT_IMPORT_STOREDNAMES_H

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mlir::vit {

/// The internal name in transformers 5 of the tensor that it stores as `name`:
/// vit.encoder.layer.0.attention.attention.query.weight becomes
/// vit.layers.0.attention.q_proj.weight. `keepLayers`: the first part stays,
/// as in DINOv2.
inline std::string makeInternalName(std::string name, bool keepLayers = false) {
  static constexpr std::pair<const char *, const char *> renamed[] = {
      {"encoder.layer.", "layers."},
      {"attention.attention.query", "attention.q_proj"},
      {"attention.attention.key", "attention.k_proj"},
      {"attention.attention.value", "attention.v_proj"},
      {"attention.output.dense", "attention.o_proj"},
      {"intermediate.dense", "mlp.fc1"},
      {"output.dense", "mlp.fc2"}};
  for (auto [stored, internal] : renamed) {
    size_t at = name.find(stored);
    if (at != std::string::npos && !(keepLayers && stored == renamed[0].first))
      name.replace(at, std::string(stored).size(), internal);
  }
  return name;
}

/// What all of `names` begin with, up to and with a dot; empty if nothing. A
/// checkpoint of a wrapper (DataParallel, torch.compile, a Lightning module)
/// has "module.", "_orig_mod.", "model." or several of them before every name.
inline std::string findCommonPrefix(const std::vector<std::string> &names) {
  std::string common = names.empty() ? "" : names.front();
  for (const std::string &name : names)
    while (name.compare(0, common.size(), common) != 0)
      common.pop_back();
  size_t dot = common.rfind('.');
  return dot == std::string::npos ? "" : common.substr(0, dot + 1);
}

/// The names under which a checkpoint may hold the tensor `name`, beginning
/// with `name`. A model with a head stores the headless model under a prefix,
/// and each name may be an internal name of transformers 5. `common` is what
/// all names of the checkpoint begin with.
inline std::vector<std::string> listStoredNames(const std::string &name,
                                                std::string common = "") {
  // What a class with a head has before the names of the tower.
  static constexpr const char *towers[] = {
      "vit.",   "deit.", "dinov2.",          "dinov2_with_registers.",
      "ijepa.", "beit.", "data2vec_vision.", "vision_model."};
  static constexpr const char *parts[] = {
      "embeddings.",     "encoder.",        "layernorm.", "pooler.",
      "pre_layrnorm.",   "post_layernorm.", "head.probe", "head.attention.",
      "head.layernorm.", "head.mlp."};
  std::vector<std::string> bases{name};
  auto startsWith = [&](const char *prefix) {
    return name.rfind(prefix, 0) == 0;
  };
  for (const char *tower : towers)
    if (startsWith(tower))
      bases.push_back(name.substr(std::string(tower).size()));
  for (const char *part : parts)
    if (startsWith(part))
      for (const char *tower : towers)
        bases.push_back(tower + name);
  std::vector<std::string> names;
  for (const std::string &base : bases)
    names.insert(names.end(), {base, makeInternalName(base),
                               makeInternalName(base, /*keepLayers=*/true)});
  // A part of `common` may belong to the name: module.vit.embeddings.
  size_t plain = names.size();
  while (!common.empty()) {
    for (size_t i = 0; i < plain; ++i)
      names.push_back(common + names[i]);
    common.pop_back();
    common.resize(
        common.rfind('.') == std::string::npos ? 0 : common.rfind('.') + 1);
  }
  return names;
}

/// What the tensors that a model needs and a checkpoint lacks, `missing`, have
/// in common, and what to do; empty if nothing is found. `unused` are those
/// that the checkpoint has and the model does not use.
inline std::string explainMissing(const std::vector<std::string> &missing,
                                  const std::vector<std::string> &unused) {
  for (const std::string &name : unused)
    if (name.find(".lora_") != std::string::npos)
      return "the file holds weights of a PEFT adapter: call "
             "merge_and_unload() and save the model again";
  if (missing.empty())
    return "";
  std::set<std::string> present(unused.begin(), unused.end());
  const std::string &first = missing.front();
  for (const std::string &name : unused) {
    size_t length = name.size() - std::min(name.size(), first.size());
    if (length == 0 || name[length - 1] != '.' ||
        name.compare(length, std::string::npos, first) != 0)
      continue;
    std::string prefix = name.substr(0, length);
    size_t count = 0;
    for (const std::string &other : missing)
      count += present.count(prefix + other);
    return "the file has " + std::to_string(count) + " of the " +
           std::to_string(missing.size()) + " missing tensors with \"" +
           prefix + "\" before the name: take it off";
  }
  auto libraryOf = [](const std::vector<std::string> &names) {
    static constexpr std::pair<const char *, const char *> marks[] = {
        {"patch_embeddings.projection", "transformers"},
        {"patch_embed.proj", "timm"},
        {"to_patch_embedding", "vit-pytorch"}};
    for (const std::string &name : names)
      for (auto [mark, library] : marks)
        if (name.find(mark) != std::string::npos)
          return std::string(library);
    return std::string();
  };
  std::string here = libraryOf(missing), there = libraryOf(unused);
  if (!here.empty() && !there.empty() && here != there)
    return "the file has the names of " + there + ", config.json is that of " +
           here;
  std::string common = findCommonPrefix(missing);
  if (missing.size() > 1 && !common.empty())
    return "all " + std::to_string(missing.size()) +
           " missing tensors begin with \"" + common + "\"";
  return "";
}

/// Names of a kind that one message lists.
inline constexpr size_t kMostNames = 10;

/// "A, B, C and 7 more"
inline std::string listNames(const std::vector<std::string> &names,
                             size_t most = kMostNames) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < most; ++i)
    text += (i ? ", " : "") + names[i];
  if (names.size() > most)
    text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

} // namespace mlir::vit

#endif // VIT_IMPORT_STOREDNAMES_H
