//===- Import.h - Checkpoint folders and text to graphs ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_IMPORT_IMPORT_H
#define VIT_IMPORT_IMPORT_H

#include "vit/vit.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace mlir::vit {

/// What import assumed, or read in another way than the files say: lines for a
/// person to read.
struct ImportNotes {
  std::vector<std::string> model; ///< Of labels.
  std::string pictures;           ///< Of how they are prepared; or empty.
};

/// The graph of the model that `folder`/config.json describes: transformers
/// (`model_type`), timm (`architecture`, `model_args`), vit-pytorch or
/// torchvision (`library`, `class`, `args`), or that open_clip_config.json
/// describes; docs/import.md lists the models. The module holds
///   - a `vit.parameter` per tensor, one per kind of tensor in the layers, with
///     the names of the checkpoint and the library's own initialisers,
///   - `func.func @forward`: `%image` [batch, channels, height, width] to its
///     results, named by `vit.name`: `logits`, or `features` where the model
///     has no head, or `last_hidden_state`, `pooler_output` and `image_embeds`
///     of a headless transformers model; further outputs as `vit.output`,
///   - `vit.prefix_tokens` and `vit.patch_grid`,
///   - `vit.labels`, `vit.preprocessing` and `vit.problem_type` if the folder
///     has them.
/// Of the weights only names and shapes are read (a position table of
/// another grid is resampled as the model's own library does); a folder
/// without weights can be imported, too. See Weights.h for the values.
///
/// config.json is not trusted. On failure the result is null and `error` one
/// line that says what is wrong and what would be right; `status`, if there is
/// one, changes only where config.json is no JSON, or to that of the weights.
OwningOpRef<ModuleOp> importModel(StringRef folder, MLIRContext *context,
                                  std::string &error,
                                  ImportNotes *notes = nullptr,
                                  vit_status *status = nullptr);

/// Parses and verifies a model text (.mlir). Errors as above, with line and
/// column.
OwningOpRef<ModuleOp> loadText(StringRef path, MLIRContext *context,
                               std::string &error);

/// Imports a folder or parses a file.
OwningOpRef<ModuleOp> loadModel(StringRef path, MLIRContext *context,
                                std::string &error,
                                ImportNotes *notes = nullptr,
                                vit_status *status = nullptr);

} // namespace mlir::vit

#endif // VIT_IMPORT_IMPORT_H
