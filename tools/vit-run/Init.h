//===- Init.h - Initialises training from a checkpoint ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_INIT_H
#define VIT_TOOLS_INIT_H

#include "CarriedTensors.h"
#include "Model.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// Makes TARGET the folder of a model for `labels`, based on the folder
/// `checkpoint`: config.json with the labels and their number, unless the model
/// has the same labels in any order, or `labels` are mere numbers of as many
/// classes; preprocessor_config.json; no weights, so that it compiles with
/// initialisers. A headless transformers model gets a head. Does not touch
/// existing files that would be the same.
void makeModelFolder(const std::string &checkpoint,
                     const std::vector<std::string> &labels,
                     const std::string &target);

/// Which tensors that a graph does not use belong to a checkpoint of the class
/// that its config.json names.
struct ClassTensors {
  bool all = false;               ///< All of the source
  std::vector<std::string> parts; ///< Those with a part in their name

  bool contain(const std::string &name) const;
};

/// Those of a checkpoint in the folder `target` whose values come from
/// `source`, a folder or a file in one: all where both are of one class;
/// otherwise those that the class of `target` has beyond its graph, such as
/// DINOv2's mask_token. None of a text.
ClassTensors findClassTensors(const std::string &source,
                              const std::string &target);

/// The labels in a config.json of any of the three libraries, in the order of
/// the classes; empty if there are none.
std::vector<std::string> labelsOfConfig(nlohmann::ordered_json config);

/// The shape of the empty `cls_token` that load_state_dict of vit-pytorch's ViT
/// requires if it pools the mean; nullopt for other models.
std::optional<std::vector<int64_t>> emptyClassToken(const std::string &folder);

/// Copies the values of a checkpoint (a folder or a file of weights) to
/// model.parameters(). Tensors are found by their stored names, or by other
/// names that transformers uses for them. Two kinds of tensors may differ:
///
///   - a head (head, classifier, ... .weight and .bias) with another number of
///     classes, or a missing one, keeps its initialiser, and with `newHead`
///     any;
///   - a position table of another square grid is resampled like in the library
///     of the checkpoint: bicubic, with antialias for timm; a table of relative
///     positions linearly, as by transformers or timm.
///
/// Throws an Error that lists other missing or different tensors; then nothing
/// is written. Reports on standard error which tensors were copied, resampled,
/// initialised and not used. Returns those that are not used but belong to the
/// model's class, under the names that its checkpoint has for them.
CarriedTensors initialise(Model &model, const std::string &checkpoint,
                          bool newHead);

} // namespace vit::tools

#endif // VIT_TOOLS_INIT_H
