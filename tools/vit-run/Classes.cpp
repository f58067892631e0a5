//===- Classes.cpp - Classes of data and of models, by name ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Classes.h"

#include "Init.h"
#include "JsonText.h"
#include "StoredTensors.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace vit::tools {

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static bool isNumber(const std::string &text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

/// "n01440764"
static bool isWordNet(const std::string &text) {
  return text.size() == 9 && text[0] == 'n' && isNumber(text.substr(1));
}

/// transformers' "LABEL_3" and others' "class_3", "class 3", "class3".
static std::optional<std::string> placeholderNumber(const std::string &text) {
  for (const char *start : {"LABEL_", "label_", "class_", "class ", "class"}) {
    std::string prefix = start;
    if (text.compare(0, prefix.size(), prefix) == 0 &&
        isNumber(text.substr(prefix.size())))
      return text.substr(prefix.size());
  }
  return std::nullopt;
}

bool areWords(const Names &names) {
  auto isWord = [](const std::string &name) {
    return !name.empty() && !isNumber(name) && !isWordNet(name) &&
           !placeholderNumber(name);
  };
  return std::any_of(names.begin(), names.end(), isWord);
}

/// Without case, and '_', '-' and ' ' the same.
static std::string simplified(const std::string &name) {
  std::string result;
  for (char c : name)
    result += c == '_' || c == '-'   ? ' '
              : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a')
                                     : c;
  return result;
}

/// "tench, Tinca tinca": both, simplified.
static Names synonyms(const std::string &name) {
  Names result;
  for (std::string &part : split(name, ',')) {
    part.erase(0, part.find_first_not_of(' '));
    result.push_back(simplified(part));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

bool ClassMatch::isIdentity() const {
  for (size_t i = 0; i < indices.size(); ++i)
    if (indices[i] != static_cast<int32_t>(i))
      return false;
  return absent.empty();
}

/// The keys of names, each with the index of the one name that has it, or -1 if
/// there are several.
template <typename KeysOf>
static std::map<std::string, int32_t> indexKeys(const Names &names,
                                                KeysOf keysOf) {
  std::map<std::string, int32_t> result;
  for (size_t i = 0; i < names.size(); ++i)
    for (const std::string &key : keysOf(names[i])) {
      auto index = static_cast<int32_t>(i);
      auto [at, isNew] = result.emplace(key, index);
      if (!isNew && at->second != index)
        at->second = -1;
    }
  return result;
}

/// Finds those of `data` that have no index yet.
template <typename KeysOf>
static void matchBy(const Names &model, const Names &data, KeysOf keysOf,
                    std::vector<int32_t> &indices) {
  std::map<std::string, int32_t> known = indexKeys(model, keysOf),
                                 given = indexKeys(data, keysOf);
  for (size_t i = 0; i < data.size(); ++i)
    for (const std::string &key : keysOf(data[i])) {
      auto found = known.find(key);
      bool isFree = found != known.end() && found->second >= 0 &&
                    given[key] >= 0 && indices[i] < 0 &&
                    std::find(indices.begin(), indices.end(), found->second) ==
                        indices.end();
      if (isFree)
        indices[i] = found->second;
    }
}

/// For a side without names. Numbers as names are the classes' numbers if they
/// can be.
static void matchPositions(const Names &data, int64_t classes,
                           ClassMatch &match) {
  bool areNumbers =
      std::all_of(data.begin(), data.end(), [&](const std::string &name) {
        return isNumber(name) && std::stoll(name) < classes;
      });
  match.kind = ClassMatch::ByPosition;
  for (size_t i = 0; i < data.size(); ++i)
    match.indices[i] = areNumbers ? static_cast<int32_t>(std::stoll(data[i]))
                       : static_cast<int64_t>(i) < classes
                           ? static_cast<int32_t>(i)
                           : -1;
}

ClassMatch matchClasses(const Names &model, const Names &data,
                        int64_t classes) {
  ClassMatch match;
  match.indices.assign(data.size(), -1);
  Names known = model;
  known.resize(classes);
  auto exact = [](const std::string &name) {
    return name.empty() ? Names() : Names{name};
  };
  auto numbered = [](const std::string &name) {
    return Names{placeholderNumber(name).value_or(simplified(name))};
  };
  matchBy(known, data, exact, match.indices);
  matchBy(known, data, numbered, match.indices);
  matchBy(known, data, synonyms, match.indices);
  bool isFound = std::any_of(match.indices.begin(), match.indices.end(),
                             [](int32_t index) { return index >= 0; });
  if (!isFound) {
    match.kind = ClassMatch::None;
    // Of two kinds of identifiers, neither names the classes of the other.
    if (!areWords(model) || !areWords(data))
      matchPositions(data, classes, match);
  }
  std::vector<bool> used(classes, false);
  for (size_t i = 0; i < data.size(); ++i)
    if (match.indices[i] < 0)
      match.unknown.push_back(data[i]);
    else
      used[match.indices[i]] = true;
  for (int64_t i = 0; i < classes; ++i)
    if (!used[i])
      match.absent.push_back(known[i].empty() ? std::to_string(i) : known[i]);
  return match;
}

void reportMatch(const ClassMatch &match, const Names &model, const Names &data,
                 const std::string &what, const std::string &other,
                 const std::string &remedy) {
  constexpr size_t most = 10;
  auto nameOf = [&](int32_t index) {
    return static_cast<size_t>(index) < model.size() ? model[index]
                                                     : std::to_string(index);
  };
  for (const std::string &name : match.unknown)
    if (std::count(model.begin(), model.end(), name) > 1)
      throw Error(other + " has several classes called " + name +
                  ", so that names do not say which is which" + remedy);
  if (!match.isComplete())
    throw Error(what + " has classes that " + other +
                " does not have: " + listText(match.unknown, most) +
                (match.absent.empty()
                     ? ""
                     : "; without pictures are the classes " +
                           listText(match.absent, most) + " of " + other) +
                remedy);
  if (match.kind == ClassMatch::ByPosition)
    std::fprintf(stderr,
                 "note: %s and %s have no names of classes in common, so "
                 "classes are matched by number: \"%s\" is class %d (%s), "
                 "\"%s\" class %d (%s)\n",
                 what.c_str(), other.c_str(), data.front().c_str(),
                 match.indices.front(), nameOf(match.indices.front()).c_str(),
                 data.back().c_str(), match.indices.back(),
                 nameOf(match.indices.back()).c_str());
}

void reportAbsent(const Names &absent, const std::string &what,
                  const std::string &other) {
  constexpr size_t most = 10;
  if (!absent.empty())
    std::fprintf(stderr,
                 "note: %s has no pictures of these classes of %s: %s\n",
                 what.c_str(), other.c_str(), listText(absent, most).c_str());
}

//===----------------------------------------------------------------------===//
// Where names are
//===----------------------------------------------------------------------===//

Names labelsOf(vit_module *module) {
  Names names;
  while (const char *label =
             vit_module_label(module, static_cast<int32_t>(names.size())))
    names.emplace_back(label);
  return names;
}

Names labelsOfFolder(const std::string &folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::string config = folder + "/config.json", text = folder + "/model.mlir";
  if (fs::exists(config, ignored))
    return labelsOfConfig(parseJsonObject(readFile(config), config));
  return fs::exists(text, ignored) ? labelsOfText(readFile(text)) : Names();
}

/// Moves `at` to the first character of the text that is neither white space
/// nor part of a comment.
static void skipSpace(const std::string &text, size_t &at) {
  while (at < text.size()) {
    if (text.compare(at, 2, "//") == 0)
      at = std::min(text.find('\n', at), text.size());
    else if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' ||
             text[at] == '\r')
      ++at;
    else
      return;
  }
}

/// Reads a string of the text, whose escapes are \n, \t, \", \\ and two
/// hexadecimal digits. False if there is none at `at`.
static bool readString(const std::string &text, size_t &at,
                       std::string &result) {
  result.clear();
  if (at >= text.size() || text[at] != '"')
    return false;
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] != '\\') {
      result += text[at];
      continue;
    }
    char next = ++at < text.size() ? text[at] : 0;
    if (next == 'n' || next == 't') {
      result += next == 'n' ? '\n' : '\t';
    } else if (std::isxdigit(static_cast<unsigned char>(next)) &&
               at + 1 < text.size()) {
      result += static_cast<char>(
          std::strtol(text.substr(at, 2).c_str(), nullptr, 16));
      ++at;
    } else {
      result += next;
    }
  }
  return at < text.size() && text[at++] == '"';
}

namespace {
/// The places in a text that matter for its labels; npos: not found.
struct LabelPlaces {
  size_t begin = std::string::npos, end = std::string::npos; ///< [ to behind ]
  size_t module = std::string::npos;     ///< Behind the word "module".
  size_t attributes = std::string::npos; ///< Behind the { of its attributes.
  Names labels;
};
} // namespace

static bool readWord(const std::string &text, size_t at, const char *word) {
  std::string wanted = word;
  auto isPart = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '.' || c == '%' || c == '@' || c == '$';
  };
  return text.compare(at, wanted.size(), wanted) == 0 &&
         (at == 0 || !isPart(text[at - 1])) &&
         (at + wanted.size() >= text.size() ||
          !isPart(text[at + wanted.size()]));
}

static void readLabels(const std::string &text, size_t at,
                       LabelPlaces &places) {
  skipSpace(text, at);
  if (at >= text.size() || text[at] != '=')
    return;
  skipSpace(text, ++at);
  if (at >= text.size() || text[at] != '[')
    return;
  size_t begin = at++;
  Names labels;
  std::string label;
  for (skipSpace(text, at); readString(text, at, label); skipSpace(text, at)) {
    labels.push_back(label);
    skipSpace(text, at);
    if (at < text.size() && text[at] == ',')
      ++at;
  }
  if (at >= text.size() || text[at] != ']')
    return;
  places.begin = begin;
  places.end = at + 1;
  places.labels = labels;
}

static LabelPlaces findLabels(const std::string &text) {
  LabelPlaces places;
  std::string ignored;
  for (size_t at = 0; at < text.size();) {
    skipSpace(text, at);
    if (at >= text.size())
      break;
    if (text[at] == '"') {
      if (!readString(text, at, ignored))
        break;
    } else if (readWord(text, at, "vit.labels") &&
               places.begin == std::string::npos) {
      at += std::string("vit.labels").size();
      readLabels(text, at, places);
    } else if (readWord(text, at, "module") &&
               places.module == std::string::npos) {
      at += std::string("module").size();
      skipSpace(text, at);
      if (at < text.size() && text[at] == '@') // its name
        at = std::min(text.find_first_of(" \n{", at), text.size());
      places.module = at;
    } else if (readWord(text, at, "attributes") &&
               places.module != std::string::npos &&
               places.attributes == std::string::npos) {
      at += std::string("attributes").size();
      skipSpace(text, at);
      if (at < text.size() && text[at] == '{')
        places.attributes = at + 1;
    } else if (readWord(text, at, "func.func")) {
      break; // The attributes of the module are before its functions.
    } else {
      ++at;
    }
  }
  return places;
}

Names labelsOfText(const std::string &text) { return findLabels(text).labels; }

/// Whether the attributes that begin at `at` are none.
static bool isEmptyList(const std::string &text, size_t at) {
  skipSpace(text, at);
  return at < text.size() && text[at] == '}';
}

std::optional<std::string> replaceLabels(const std::string &text,
                                         const Names &labels) {
  std::string list = "[";
  for (size_t i = 0; i < labels.size(); ++i) {
    list += i ? ", \"" : "\"";
    for (char c : labels[i]) {
      char escaped[4] = {c, 0};
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32)
        std::snprintf(escaped, sizeof(escaped), "\\%02X",
                      static_cast<unsigned>(static_cast<unsigned char>(c)));
      list += escaped;
    }
    list += "\"";
  }
  list += "]";
  LabelPlaces places = findLabels(text);
  std::string result = text;
  if (places.begin != std::string::npos)
    result.replace(places.begin, places.end - places.begin, list);
  else if (places.attributes != std::string::npos)
    result.insert(places.attributes,
                  "vit.labels = " + list +
                      (isEmptyList(text, places.attributes) ? "" : ", "));
  else if (places.module != std::string::npos)
    result.insert(places.module, " attributes {vit.labels = " + list + "}");
  else
    return std::nullopt;
  return result;
}

} // namespace vit::tools
