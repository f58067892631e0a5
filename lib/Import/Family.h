//===- Family.h - Reading one family of transformers' models ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A family is one `model_type` of Hugging Face transformers, or several that
// share their code. Its file holds a table of tensor names, the defaults of the
// class's configuration and a function that sets what differs from ViT; its row
// in `listFamilies` makes it known. See docs/import.md.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_IMPORT_FAMILY_H
#define VIT_LIB_IMPORT_FAMILY_H

#include "ConfigReader.h"

struct vit_preprocessing;

namespace mlir::vit {

/// What a class of the library computes beyond the tower.
enum class ModelKind {
  Tower,      ///< last_hidden_state and pooler_output
  Projection, ///< and image_embeds
  Classifier, ///< logits
  Teacher     ///< logits of two heads (DeiT)
};

/// A class of the library: the family's prefix and one of these endings.
struct ModelClass {
  StringLiteral ending;
  ModelKind kind;
};

/// The name of a tensor or module, without the prefix of the tower, and another
/// spelling of it: what the library uses in memory where it stores the first.
struct NameRow {
  std::string VitNames::*member;
  StringLiteral name;
  StringLiteral other = "";
};

/// The same for pooling by attention.
struct PoolNameRow {
  std::string AttentionPoolNames::*member;
  StringLiteral name;
};

/// Defaults of a configuration class: configurations leave out what equals
/// them.
struct SizeDefaults {
  int64_t width = 768, mlpWidth = 3072, depth = 12, heads = 12;
  int64_t image = 224, patch = 16;
  StringLiteral activation = "gelu";
  double epsilon = 1e-12;
  StringLiteral epsilonKey = "layer_norm_eps";
};

class FamilyReader;

struct Family {
  StringLiteral modelType;
  StringLiteral classPrefix; ///< "CLIP" of CLIPVisionModel
  ArrayRef<ModelClass> classes;
  /// What a class with a head has before the names of the tower's tensors.
  StringLiteral base;
  void (*read)(FamilyReader &);
};

/// All families, in the order in which messages list them.
ArrayRef<Family> listFamilies();

/// What a family's function reads from and fills in.
class FamilyReader {
public:
  FamilyReader(const Family &family, ConfigReader &top, ConfigReader &tower,
               const Weights *weights, const vit_preprocessing *preprocessing,
               VitConfig &config)
      : family(family), top(top), tower(tower), weights(weights),
        preprocessing(preprocessing), config(config) {}

  const Family &family;
  ConfigReader &top;                      ///< config.json
  ConfigReader &tower;                    ///< Its part about the image tower
  const Weights *weights;                 ///< Null if there are none
  const vit_preprocessing *preprocessing; ///< Null if the folder has none
  VitConfig &config;
  ModelKind kind = ModelKind::Tower;

  bool isTower() const { return kind == ModelKind::Tower; }
  bool isClassifier() const { return kind == ModelKind::Classifier; }
  /// Whether the checkpoint has a tensor of that name (`{}`: of layer 0).
  bool isStored(StringRef name) const;

  /// Sizes, activation, epsilon and initialisation by the keys that all
  /// families share.
  void readSizes(const SizeDefaults &defaults);
  /// Sets the names as the checkpoint spells them: each of `rows` behind one of
  /// `prefixes`, in either spelling; the first of both if there is none.
  void setNames(ArrayRef<NameRow> rows, ArrayRef<StringRef> prefixes);
  void setPoolNames(ArrayRef<PoolNameRow> rows, ArrayRef<StringRef> prefixes);
  /// The prefixes of a tower that stands alone, or behind `base` in a class
  /// with a head. Checkpoints of one load as the other.
  SmallVector<StringRef, 2> listPrefixes() const;
  /// Makes image_embeds from the pooled features. `key` has the width, unless
  /// the checkpoint tells.
  void readProjection(StringRef name, ConfigReader &reader, StringRef key,
                      int64_t fallback);
  /// Takes the picture's size from how pictures are prepared.
  void takeSizeOfPictures();
  /// The same, and resamples the position table, always that of a square.
  void resampleToPictures(bool antialias);
  /// Adds patterns of tensors that the library ignores, too.
  void ignore(std::initializer_list<StringRef> patterns);

private:
  std::string spell(StringRef name, StringRef other,
                    ArrayRef<StringRef> prefixes) const;
};

/// The functions of the families, one file each.
void readVitFamily(FamilyReader &reader);
void readClipFamily(FamilyReader &reader);
void readSiglipFamily(FamilyReader &reader);
void readDinov2Family(FamilyReader &reader);
void readAimv2Family(FamilyReader &reader);
void readBeitFamily(FamilyReader &reader);
void readDinov3Family(FamilyReader &reader);

/// Names of CLIP's encoder and embeddings, which SigLIP has, too.
ArrayRef<NameRow> listClipTowerNames();

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_FAMILY_H
