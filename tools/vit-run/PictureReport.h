//===- PictureReport.h - Which pictures a model gets wrong ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PICTUREREPORT_H
#define VIT_TOOLS_PICTUREREPORT_H

#include "Options.h"

#include <nlohmann/json.hpp>

namespace vit::tools {

/// Evaluates the model of `options` on the pictures of `data` as eval does, and
/// describes the result:
///   {"model", "data", "images", "unreadable", "top1_correct", "top5_correct",
///    "loss", "classes": [names], "confusion": [[class, predicted, count]],
///    "wrong": [{"name", "class", "predicted", "probability",
///               "predicted_probability", "loss", "width", "height",
///               "png": base64, "attention": {"rows", "columns",
///               "weights": [...]}}],
///    "attention_note"}
/// "wrong" has at most `most` pictures that are classified wrong, those with
/// the largest loss first, each with what the model sees of it and the
/// attention of its last layer to the patches: the mean over the heads, as
/// classify shows.
nlohmann::ordered_json describePictures(const CommonOptions &options,
                                        const DataOptions &data, size_t most);

} // namespace vit::tools

#endif // VIT_TOOLS_PICTUREREPORT_H
