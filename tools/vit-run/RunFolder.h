//===- RunFolder.h - Reads the folder of a training run ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_RUNFOLDER_H
#define VIT_TOOLS_RUNFOLDER_H

#include <nlohmann/json.hpp>

#include <string>

namespace vit::tools {

/// Whether `vit-run train --out path` wrote the folder.
bool isRunFolder(const std::string &path);

/// The folder of a run contains its checkpoints in folders: returns that of the
/// best, or of the latest where no test chose a best one. Returns any other
/// path unchanged.
std::string chooseCheckpoint(const std::string &path);

/// The log of a run (docs/training.md lists its fields):
///   {"folder", "start": {its first line}, "step_count",
///    "steps": {"step": [...], "loss": [...], ...}, "epochs": [{...}],
///    "notes": [{"kind", "step", "text"}]}
/// A field that a step does not have is null. Of more than `most` steps, each
/// group of neighbours is represented by those with the least and the largest
/// loss. Lines that are no JSON are counted in "damaged": the last line of a
/// killed run may be incomplete.
nlohmann::ordered_json readRun(const std::string &folder, size_t most);

} // namespace vit::tools

#endif // VIT_TOOLS_RUNFOLDER_H
