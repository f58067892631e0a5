//===- ConfigReader.h - Checked reading of config.json ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_IMPORT_CONFIGREADER_H
#define VIT_LIB_IMPORT_CONFIGREADER_H

#include "VitConfig.h"
#include "vit/Import/Weights.h"

#include "llvm/Support/JSON.h"

#include <optional>
#include <string>
#include <utility>

struct vit_preprocessing;

namespace mlir::vit {

/// Reads the keys of one JSON object. A missing or null key gives the default.
/// The first problem is kept as the error; it names the key, its value and what
/// is accepted. Values read after an error are meaningless.
class ConfigReader {
public:
  /// `where` begins each message: the file, and the object in it.
  ConfigReader(const llvm::json::Object &object, std::string where,
               std::string &error)
      : object(object), where(std::move(where)), error(error) {}

  bool failed() const { return !error.empty(); }
  /// Sets the error unless there is one.
  void fail(const Twine &message);
  /// The same for one key and its value.
  void failKey(StringRef key, const Twine &expected);

  bool has(StringRef key) const { return get(key) != nullptr; }
  const llvm::json::Value *get(StringRef key) const;

  int64_t getInteger(StringRef key, std::optional<int64_t> fallback,
                     int64_t min, int64_t max);
  double getNumber(StringRef key, std::optional<double> fallback, double min,
                   double max);
  bool getBoolean(StringRef key, bool fallback);
  std::string getString(StringRef key, StringRef fallback);
  /// A single number (used for both), or [height, width].
  std::pair<int64_t, int64_t> getPair(StringRef key,
                                      std::optional<int64_t> fallback,
                                      int64_t min, int64_t max);
  /// An activation, by the name that both transformers and timm use.
  Activation getActivation(StringRef key, StringRef fallback);

  /// Fails at a key that is not in `known`.
  void checkKeys(ArrayRef<StringRef> known);
  /// Fails where `key` has another value than `only` (true, a number, a text).
  void checkOnly(StringRef key, const llvm::json::Value &only);

private:
  const llvm::json::Object &object;
  std::string where;
  std::string &error;
};

/// Limits far above those of any real model, so that products of sizes do not
/// overflow.
constexpr int64_t maxImageSize = 1 << 15, maxChannels = 1024,
                  maxWidth = 1 << 17, maxDepth = 4096, maxHeads = 4096,
                  maxTokens = 1 << 20, maxClasses = 1 << 24,
                  maxRegisters = 4096;

/// Checks that the values of `config` are consistent: heads divide the width,
/// the picture has patches, and so on. Messages use the library's own key
/// names.
struct KeyNames {
  StringRef image, patch, width, heads;
};
void checkVitConfig(const VitConfig &config, const KeyNames &keys,
                    ConfigReader &reader);

/// Reads the shape of the stored position table (`weights` may be null) and, if
/// its grid is not that of the picture, sets the grid to resample from.
void findStoredGrid(VitConfig &config, const Weights *weights,
                    ConfigReader &reader);

/// The same for stored tables of relative positions: as timm's loader, takes
/// them for those of a square, unless their number of rows rules that out.
void findStoredDistances(VitConfig &config, const Weights *weights);

/// How many entries the list or map of labels has.
std::optional<int64_t> countLabels(ConfigReader &reader, StringRef key);

/// Labels in the order of classes: {"0": "cat", ...} or ["cat", ...]. Numbers
/// are names too. No error: what does not name classes gives no labels, and a
/// list that is shorter or longer than the head stays so, for the commands that
/// print names to report. `classes` only allows a map with gaps.
std::vector<std::string>
readLabels(ConfigReader &reader, StringRef key,
           std::optional<int64_t> classes = std::nullopt);

/// One reader per library. `weights` is null if the folder has none, and
/// `preprocessing` if nothing says how pictures are prepared.
VitConfig readTransformersConfig(const llvm::json::Object &object,
                                 ConfigReader &reader, const std::string &where,
                                 std::string &error, const Weights *weights,
                                 const vit_preprocessing *preprocessing);
VitConfig readTorchvisionConfig(const llvm::json::Object &object,
                                ConfigReader &reader, const std::string &where,
                                std::string &error, const Weights *weights);
/// `object` is open_clip_config.json.
VitConfig readOpenClipConfig(const llvm::json::Object &object,
                             ConfigReader &reader, const std::string &where,
                             std::string &error, const Weights *weights);
/// `prefix` stands before the names of all tensors.
VitConfig readTimmConfig(const llvm::json::Object &object, ConfigReader &reader,
                         const std::string &where, std::string &error,
                         const Weights *weights,
                         const std::string &prefix = "");
VitConfig readVitPytorchConfig(const llvm::json::Object &object,
                               ConfigReader &reader, const std::string &where,
                               std::string &error, const Weights *weights);

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_CONFIGREADER_H
