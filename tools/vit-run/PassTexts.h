//===- PassTexts.h - What each pass made of each command --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the texts that `vit-compile --dump-ir` writes after each pass and finds
// in each of them the operations that a command of the module comes from: those
// that have one of its names, which the compiler keeps as locations.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PASSTEXTS_H
#define VIT_TOOLS_PASSTEXTS_H

#include <nlohmann/json.hpp>

#include <string>

namespace vit::tools {

/// `folder`: of --dump-ir, with a folder for the level and precision of
/// `schedule`, which is of `entry`, both of the JSON of a module. Returns
///   {"passes": ["00-input", ...], "texts": [...], "omitted": N,
///    "commands": [{"names": [...], "result": "tensor<...>",
///                  "texts": [per pass an index of "texts", -1: it does
///                  not occur, -2: it is left out]}],
///    "kernels": {NAME: index of "texts"}}
/// for its commands but barriers. The texts have at most `mostBytes` on the
/// page; those beyond are left out, of layers that look like others first, and
/// counted. Throws if the folder does not hold the texts of this module.
nlohmann::ordered_json readPassTexts(const std::string &folder,
                                     const std::string &entry,
                                     const nlohmann::ordered_json &schedule,
                                     size_t mostBytes);

} // namespace vit::tools

#endif // VIT_TOOLS_PASSTEXTS_H
