//===- Init.h - Training that starts from a checkpoint ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_INIT_H
#define VIT_TOOLS_INIT_H

#include "Model.h"

#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// Whether `folder` holds weights (model.safetensors or its sharded index).
bool hasWeights(const std::string &folder);

/// Makes TARGET the folder of the model that `checkpoint`, a folder, is to
/// become: its config.json, with as many classes as there are `labels` and,
/// where that is another number than before, with these labels; its
/// preprocessor_config.json; no weights, so that it compiles with initialisers.
/// A headless transformers model gets a head. Labels that differ where the
/// number does not are reported on standard error. Files that are there already
/// and would be the same are left alone.
void makeModelFolder(const std::string &checkpoint,
                     const std::vector<std::string> &labels,
                     const std::string &target);

/// The shape of the empty `cls_token` that vit-pytorch's ViT has where it pools
/// the mean, and that its load_state_dict asks for; nothing for other models.
std::optional<std::vector<int64_t>> emptyClassToken(const std::string &folder);

/// Writes the values of a checkpoint (a folder or a .safetensors) into
/// model.parameters(). Tensors are found under their stored names, or under the
/// other names that transformers has for them. Two things need not fit:
///
///   - a head (head, classifier, ... .weight and .bias) of another number of
///     classes, or one that is missing, keeps what it has: its initialiser;
///   - a table of positions of another square grid is resampled, as the
///     library that the name belongs to does: bicubic, with antialias for timm.
///
/// Anything else that is missing or has another shape is an Error that names
/// it, and nothing is written. Standard error tells what was taken, resampled,
/// left at its initialiser and not used.
void initialise(Model &model, const std::string &checkpoint);

} // namespace vit::tools

#endif // VIT_TOOLS_INIT_H
