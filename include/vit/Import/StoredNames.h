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

#include <string>
#include <utility>
#include <vector>

namespace mlir::vit {

/// The internal name in transformers 5 of the tensor that it stores as `name`:
/// vit.encoder.layer.0.attention.attention.query.weight becomes
/// vit.layers.0.attention.q_proj.weight.
inline std::string makeInternalName(std::string name) {
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
    if (at != std::string::npos)
      name.replace(at, std::string(stored).size(), internal);
  }
  return name;
}

/// The names under which a checkpoint may hold the tensor `name`, beginning
/// with `name`. A model with a head stores the headless model under a prefix,
/// and each name may be an internal name of transformers 5.
inline std::vector<std::string> listStoredNames(const std::string &name) {
  std::vector<std::string> bases{name};
  auto startsWith = [&](const char *prefix) {
    return name.rfind(prefix, 0) == 0;
  };
  if (startsWith("vit."))
    bases.push_back(name.substr(4));
  else if (startsWith("deit."))
    bases.push_back(name.substr(5));
  else if (startsWith("embeddings.") || startsWith("encoder.") ||
           startsWith("layernorm.") || startsWith("pooler."))
    bases.insert(bases.end(), {"vit." + name, "deit." + name});
  std::vector<std::string> names;
  for (const std::string &base : bases) {
    names.push_back(base);
    names.push_back(makeInternalName(base));
  }
  return names;
}

} // namespace mlir::vit

#endif // VIT_IMPORT_STOREDNAMES_H
