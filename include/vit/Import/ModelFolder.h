//===- ModelFolder.h - Where a model's files are ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs the standard library alone, so that tools without LLVM have it too.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_IMPORT_MODELFOLDER_H
#define VIT_IMPORT_MODELFOLDER_H

#include "format/WeightNames.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace mlir::vit {

/// The names in `folder`, sorted; empty if it cannot be listed.
inline std::vector<std::string>
listFolder(const std::filesystem::path &folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error), end;
  while (!error && at != end) {
    names.push_back(at->path().filename().string());
    at.increment(error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The cache of the Hugging Face hub's client, which HF_HUB_CACHE, HF_HOME or
/// XDG_CACHE_HOME may place elsewhere than in the home folder.
inline std::filesystem::path hubCache() {
  static constexpr struct {
    const char *variable, *below;
  } places[] = {{"HF_HUB_CACHE", ""},
                {"HUGGINGFACE_HUB_CACHE", ""},
                {"HF_HOME", "hub"},
                {"XDG_CACHE_HOME", "huggingface/hub"},
                {"HOME", ".cache/huggingface/hub"}};
  for (auto [variable, below] : places)
    if (const char *value = std::getenv(variable); value && *value)
      return std::filesystem::path(value) / below;
  return {};
}

/// The folder of the model `name` ("facebook/dinov2-base") in the hub's cache,
/// whether it exists or not; empty if `name` is no name of a model.
inline std::filesystem::path findInHubCache(const std::string &name) {
  size_t slash = name.find('/');
  bool isName = !name.empty() && name.front() != '.' && name.front() != '-' &&
                slash != 0 && slash != name.size() - 1 &&
                (slash == std::string::npos ||
                 name.find('/', slash + 1) == std::string::npos);
  for (char c : name)
    isName &= std::isalnum(static_cast<unsigned char>(c)) || c == '/' ||
              c == '.' || c == '_' || c == '-';
  std::filesystem::path cache = hubCache();
  if (!isName || cache.empty())
    return {};
  std::string folder = "models--" + name;
  if (slash != std::string::npos)
    folder.replace(folder.find('/'), 1, "--");
  return cache / folder;
}

/// The folder that holds config.json: `path`, or, where `path` is a model in
/// the cache of the hub's client (refs/main, snapshots/HASH), the snapshot that
/// refs/main names, or the only one. A `path` that does not exist may be the
/// name of a model in that cache. Never asks the network.
inline std::string resolveModelFolder(const std::string &given) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::string path = given;
  if (!fs::exists(fs::symlink_status(given, ignored)))
    if (fs::path cached = findInHubCache(given);
        !cached.empty() && fs::is_directory(cached, ignored))
      path = cached.string();
  std::error_code error;
  fs::path folder = path, snapshots = folder / "snapshots";
  if (fs::exists(folder / "config.json", error) ||
      fs::exists(folder / "open_clip_config.json", error) ||
      !fs::is_directory(snapshots, error))
    return path;
  std::string hash;
  std::ifstream(folder / "refs" / "main") >> hash;
  std::vector<std::string> names = listFolder(snapshots);
  if (hash.empty() && names.size() == 1)
    hash = names.front();
  bool isPlain = !hash.empty() && hash.find('/') == std::string::npos &&
                 hash != "." && hash != "..";
  return isPlain && fs::is_directory(snapshots / hash, error)
             ? (snapshots / hash).string()
             : path;
}

/// Why a model's folder cannot be read, and what to do.
struct FolderProblem {
  std::string text;
  /// It holds weights, or a link to them, that are not read.
  bool hasOtherWeights = false;
};

namespace detail {

inline bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// The index that belongs to "model-00001-of-00003.safetensors", or empty.
inline std::string indexOfShard(const std::string &name) {
  size_t of = name.rfind("-of-"), dot = name.rfind('.');
  if (of == std::string::npos || dot == std::string::npos || of > dot)
    return "";
  size_t begin = name.rfind('-', of - 1);
  auto isNumber = [&](size_t first, size_t last) {
    return first < last && std::all_of(
                               name.begin() + first, name.begin() + last,
                               [](unsigned char c) { return std::isdigit(c); });
  };
  if (of == 0 || begin == std::string::npos || !isNumber(begin + 1, of) ||
      !isNumber(of + 4, dot))
    return "";
  return name.substr(0, begin) + name.substr(dot) + ".index.json";
}

/// "NAME is a link to TARGET, which does not exist", or empty.
inline std::string explainLink(const std::filesystem::path &path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error)) ||
      fs::exists(path, error))
    return "";
  return path.filename().string() + " is a link to " +
         fs::read_symlink(path, error).string() + ", which does not exist";
}

/// What trainers keep beside the weights.
inline bool isOfTraining(const std::string &name) {
  for (const char *other : {"training_args.bin", "optimizer.bin",
                            "optimizer.pt", "scheduler.bin", "scheduler.pt"})
    if (name == other)
      return true;
  return name.compare(0, 9, "rng_state") == 0;
}

inline constexpr const char *kAdapter =
    "a PEFT adapter (adapter_config.json), which changes another model: load "
    "that model with it, call merge_and_unload() and save the result with "
    "save_pretrained";

} // namespace detail

/// Whether `folder` holds weights under one of the usual names.
inline bool hasWeights(const std::string &folder) {
  std::error_code error;
  return std::any_of(std::begin(::vit::format::kWeightFiles),
                     std::end(::vit::format::kWeightFiles),
                     [&](const char *name) {
                       return std::filesystem::exists(
                           std::filesystem::path(folder) / name, error);
                     });
}

/// For a folder without weights under one of the usual names.
inline FolderProblem explainMissingWeights(const std::string &folder) {
  for (const char *name : ::vit::format::kWeightFiles)
    if (std::string link =
            detail::explainLink(std::filesystem::path(folder) / name);
        !link.empty())
      return {folder + ": " + link, true};
  constexpr const char *torch = "rename it to pytorch_model.bin";
  constexpr const char *other =
      "save the model as safetensors with its own library "
      "(save_pretrained(..., safe_serialization=True))";
  static constexpr struct {
    const char *ending, *remedy;
  } formats[] = {
      {"adapter_model.safetensors", nullptr},
      {"adapter_model.bin", nullptr},
      {".bin", torch},
      {".bin.index.json", "rename it to pytorch_model.bin.index.json"},
      {".pth", torch},
      {".pt", torch},
      {".ckpt", torch},
      {".safetensors", "rename it to model.safetensors"},
      {".h5", other},
      {".keras", other},
      {".msgpack", other},
      {".onnx", other},
      {".gguf", other},
      {".tflite", other},
      {".npz", other}};
  std::vector<std::string> present = listFolder(folder);
  for (auto [ending, remedy] : formats)
    for (const std::string &name : present)
      if (detail::endsWith(name, ending) && !detail::isOfTraining(name)) {
        if (!remedy)
          return {folder + ": holds " + detail::kAdapter, true};
        if (std::string index = detail::indexOfShard(name); !index.empty())
          return {folder + ": holds " + name +
                      ", which is one part of several," + " but not " + index +
                      ", which lists them: download it",
                  true};
        return {folder + ": holds " + name +
                    " but neither model.safetensors nor pytorch_model.bin; " +
                    remedy,
                true};
      }
  return {folder + ": neither model.safetensors nor pytorch_model.bin, nor an "
                   "index of either",
          false};
}

/// For a `path` at which there is nothing.
inline std::string explainMissingModel(const std::string &path) {
  std::filesystem::path cached = findInHubCache(path);
  return "there is no " + path +
         (cached.empty() || path.find('/') == std::string::npos
              ? ""
              : ", and no " + cached.string() + " in the hub's cache");
}

/// For a folder whose config.json cannot be opened.
inline std::string explainMissingConfig(const std::string &folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (std::string link = detail::explainLink(fs::path(folder) / "config.json");
      !link.empty())
    return folder + ": " + link;
  if (fs::exists(fs::path(folder) / "adapter_config.json", error))
    return folder + ": holds " + detail::kAdapter;
  std::vector<std::string> inside;
  for (fs::path base : {fs::path(), fs::path("snapshots")})
    for (const std::string &name : listFolder(fs::path(folder) / base))
      if (fs::exists(fs::path(folder) / base / name / "config.json", error))
        inside.push_back((base / name).string());
  std::string text = folder + "/config.json: No such file or directory; a "
                              "model folder needs the config.json of "
                              "transformers, timm or vit-pytorch, or the "
                              "open_clip_config.json of open_clip";
  for (size_t i = 0; i < inside.size() && i < 10; ++i)
    text += (i ? ", " : " (there is one in ") + inside[i];
  return inside.empty() ? text : text + ")";
}

} // namespace mlir::vit

#endif // VIT_IMPORT_MODELFOLDER_H
