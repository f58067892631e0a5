//===- Timm.h - What timm's names and arguments stand for -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_IMPORT_TIMM_H
#define VIT_LIB_IMPORT_TIMM_H

#include "ConfigReader.h"

namespace mlir::vit {

/// How a model's MLP is built: timm's Mlp, SwiGLUPacked (GluMlp) or SwiGLU.
enum class TimmMlp { Plain, Packed, Apart };

struct TimmClass;

/// What the name of an architecture implies.
struct TimmArchitecture {
  bool distilled = false;
  double epsilon = 1e-6;
  TimmMlp mlp = TimmMlp::Plain;
  Norm norm = Norm::Layer;
  bool embeddingNorm = false;
  llvm::json::Object args; ///< As arguments of the class.
  const TimmClass *known = nullptr;
};

/// The parts of a name between '_', taken from the front.
struct NameParts {
  SmallVector<StringRef> parts;
  size_t next = 0;

  explicit NameParts(StringRef name) { name.split(parts, '_'); }
  bool take(StringRef part) {
    bool found = next < parts.size() && parts[next] == part;
    next += found;
    return found;
  }
  std::optional<int64_t> takeNumber(StringRef before = "") {
    StringRef part = next < parts.size() ? parts[next] : "";
    int64_t number = 0;
    if (!part.consume_front(before) || part.getAsInteger(10, number))
      return std::nullopt;
    next += 1;
    return number;
  }
  StringRef takeAny() { return next < parts.size() ? parts[next++] : ""; }
  bool atEnd() const { return next == parts.size(); }
};

/// Reads names of one kind: whether `name` is one, and what it stands for.
using TimmNameParser = bool (*)(NameParts name, TimmArchitecture &architecture);

/// One of timm's classes of models.
struct TimmClass {
  StringLiteral pooling; ///< The default of global_pool
  /// Arguments beyond those that all classes share.
  ArrayRef<StringLiteral> keys;
  /// Reads those.
  void (*read)(VitConfig &config, ConfigReader &args);
  ArrayRef<TimmNameParser> names;
};

const TimmClass &getTimmVit();
const TimmClass &getTimmEva();
const TimmClass &getTimmBeit();

/// Sets width, depth, heads and mlp_ratio of a size ("base"). False if it is
/// unknown.
bool setTimmSize(llvm::json::Object &args, StringRef size);

/// Makes the MLP of `config`, whose width is that of a plain one, of `kind`.
void setTimmMlp(VitConfig &config, TimmMlp kind);

/// Makes the model one for pictures of that size, to which it resamples its
/// position table.
void setPictureSize(VitConfig &config, int64_t height, int64_t width);

/// Reads the arguments of the MLP of the classes Eva and Beit: GluMlp with both
/// halves in one tensor (if `mayBePacked`), SwiGLU with two, or Mlp.
void readTimmMlp(VitConfig &config, ConfigReader &args, bool mayBePacked);

/// Names the layer scales of those classes.
void setTimmScale(VitConfig &config);

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_TIMM_H
