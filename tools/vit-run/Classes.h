//===- Classes.h - Classes of data and of models, by name -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CLASSES_H
#define VIT_TOOLS_CLASSES_H

#include "Support.h"

#include <optional>

namespace vit::tools {

using Names = std::vector<std::string>;

/// How the classes of a data set correspond to those of a model.
struct ClassMatch {
  enum Kind {
    ByName,     ///< At least one class has the same name on both sides.
    ByPosition, ///< One side has no names; class n is class n of the model.
    None        ///< Both have names, and no two are the same.
  };
  Kind kind = ByName;
  /// For each class of the data that of the model; -1: the model has none.
  std::vector<int32_t> indices;
  Names unknown; ///< Classes of the data that the model does not have.
  Names absent;  ///< Classes of the model that the data does not have.

  bool isComplete() const { return unknown.empty(); }
  /// Whether class n is class n of the model, for all of both.
  bool isIdentity() const;
};

/// Compares names exactly, then without regard to case and to '_', '-' and ' ',
/// then with the synonyms of names such as "tench, Tinca tinca", as long as no
/// two names of a side become equal. Placeholders (LABEL_3), numbers and
/// WordNet identifiers (n01440764) are no names beside names in words.
/// `classes`: of the model; its names may be fewer or none.
ClassMatch matchClasses(const Names &model, const Names &data, int64_t classes);

/// Whether the names say what the classes are, and not only their numbers.
bool areWords(const Names &names);

/// Throws if a class of `data` is unknown to `model`, and prints a note if
/// positions are used. `what` and `other` are the two sides in messages;
/// `remedy` ends the error.
void reportMatch(const ClassMatch &match, const Names &model, const Names &data,
                 const std::string &what, const std::string &other,
                 const std::string &remedy);

/// Prints a note about classes of `other` of which `what` has no pictures.
void reportAbsent(const Names &absent, const std::string &what,
                  const std::string &other);

/// The names of a model's classes; fewer than its classes if it has none.
Names labelsOf(vit_module *module);
/// Of a checkpoint's folder: those of its config.json or its text.
Names labelsOfFolder(const std::string &folder);

/// The strings of the attribute vit.labels in a text of the dialect; empty if
/// there is none.
Names labelsOfText(const std::string &text);
/// The text with other labels; nullopt if it has no module to put them on.
std::optional<std::string> replaceLabels(const std::string &text,
                                         const Names &labels);

} // namespace vit::tools

#endif // VIT_TOOLS_CLASSES_H
