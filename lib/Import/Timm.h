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

/// What the name of an architecture implies.
struct TimmArchitecture {
  bool distilled = false;
  double epsilon = 1e-6;
  TimmMlp mlp = TimmMlp::Plain;
  Norm norm = Norm::Layer;
  bool embeddingNorm = false;
  StringLiteral pooling = "token"; ///< The class's default of global_pool
  llvm::json::Object args;         ///< As arguments of the class.
  /// Arguments of the class beyond those that all classes share.
  ArrayRef<StringLiteral> keys;
  /// Reads those.
  void (*read)(VitConfig &config, ConfigReader &args) = nullptr;
};

/// Sets width, depth, heads and mlp_ratio of a size ("base"). False if it is
/// unknown.
bool setTimmSize(llvm::json::Object &args, StringRef size);

/// Makes the MLP of `config`, whose width is that of a plain one, of `kind`.
void setTimmMlp(VitConfig &config, TimmMlp kind);

/// Makes the model one for pictures of that size, to which it resamples its
/// position table.
void setPictureSize(VitConfig &config, int64_t height, int64_t width);

/// For names of the classes Eva and Beit.
std::optional<TimmArchitecture> findEvaOrBeit(StringRef name);

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_TIMM_H
