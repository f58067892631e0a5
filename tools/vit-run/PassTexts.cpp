//===- PassTexts.cpp - What each pass made of each command ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PassTexts.h"

#include "Estimate.h"
#include "ReportPage.h"
#include "Support.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace vit::tools {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

/// An operation of an entry with all of its lines.
struct Statement {
  std::string text; ///< Without locations.
  std::vector<std::string> names;
};

/// The text after one pass.
struct PassText {
  std::string name; ///< "06-vit-fuse"
  bool hasEntry;    ///< Else the statements are of another function.
  std::vector<Statement> statements;
  std::map<std::string, std::string> kernels; ///< Functions by their name.
};

/// Locations by their number in the text.
class Locations {
public:
  /// A line "#loc12 = loc(...)".
  void add(const std::string &line);
  /// All names in a location, such as `fused[#loc1, "a"]`.
  std::vector<std::string> names(const std::string &location) const;

private:
  void collect(const std::string &location, int depth,
               std::vector<std::string> &names) const;

  std::map<std::string, std::string> table;
};

/// The texts of a page: each is stored once.
class TextTable {
public:
  explicit TextTable(size_t room) : room(room) {}

  /// The number of `text`; -1 if it is empty, -2 if there is no room for it.
  int add(const std::string &text);
  Json take() { return std::move(texts); }
  int omitted = 0;

private:
  size_t room;
  std::map<std::string, int> known;
  Json texts = Json::array();
};

} // namespace

//===----------------------------------------------------------------------===//
// Locations
//===----------------------------------------------------------------------===//

/// The index after the quoted string that begins at `at`.
static size_t endOfString(const std::string &text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\')
      ++at;
  return std::min(at + 1, text.size());
}

/// The index of the parenthesis that closes the one at `open`.
static size_t findClosing(const std::string &text, size_t open) {
  int depth = 0;
  for (size_t at = open; at < text.size();) {
    if (text[at] == '"') {
      at = endOfString(text, at);
      continue;
    }
    depth += text[at] == '(';
    depth -= text[at] == ')';
    if (depth == 0)
      return at;
    ++at;
  }
  return text.size();
}

/// Removes every " loc(...)" from `line`. Returns what the last one contains.
static std::string removeLocations(std::string &line) {
  std::string result, last;
  for (size_t at = 0; at < line.size();) {
    if (line.compare(at, 5, " loc(") == 0) {
      size_t end = findClosing(line, at + 4);
      last = line.substr(at + 5, end - at - 5);
      at = std::min(end + 1, line.size());
      continue;
    }
    size_t next = line[at] == '"' ? endOfString(line, at) : at + 1;
    result.append(line, at, next - at);
    at = next;
  }
  line = result;
  return last;
}

void Locations::add(const std::string &line) {
  size_t equals = line.find(" = loc(");
  if (equals == std::string::npos)
    return;
  size_t open = equals + 6;
  table[line.substr(0, equals)] =
      line.substr(open + 1, findClosing(line, open) - open - 1);
}

void Locations::collect(const std::string &location, int depth,
                        std::vector<std::string> &names) const {
  constexpr int kMostNesting = 32;
  if (depth > kMostNesting)
    return;
  for (size_t at = 0; at < location.size();) {
    if (location[at] == '"') {
      size_t end = endOfString(location, at);
      // A file's position, "file":line:column, is no name.
      if (end >= location.size() || location[end] != ':')
        names.push_back(location.substr(at + 1, end - at - 2));
      at = end;
    } else if (location[at] == '#') {
      size_t end = at + 1;
      while (end < location.size() && std::isalnum(location[end]))
        ++end;
      auto found = table.find(location.substr(at, end - at));
      if (found != table.end())
        collect(found->second, depth + 1, names);
      at = end;
    } else {
      ++at;
    }
  }
}

std::vector<std::string> Locations::names(const std::string &location) const {
  std::vector<std::string> all, result;
  collect(location, 0, all);
  for (const std::string &name : all)
    if (std::find(result.begin(), result.end(), name) == result.end())
      result.push_back(name);
  return result;
}

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

static size_t indentOf(const std::string &line) {
  size_t indent = line.find_first_not_of(' ');
  return indent == std::string::npos ? 0 : indent;
}

/// Splits the lines of a function's body into statements. An operation is at
/// `indent`; its regions are deeper and its last line begins with a brace. The
/// layers of a model are taken apart, as if they were written out.
static std::vector<Statement> splitBody(const std::vector<std::string> &lines,
                                        const Locations &locations) {
  std::vector<Statement> result;
  size_t indent = 4;
  for (std::string line : lines) {
    size_t own = indentOf(line);
    std::string location = removeLocations(line);
    bool isEnd = line.compare(own, 1, "}") == 0;
    if (own < indent && indent > 4) { // the end of the layers
      indent = 4;
      continue;
    }
    if (line.find("vit.layers ") != std::string::npos && own == indent) {
      indent += 2;
      continue;
    }
    if (own == indent && !isEnd && line.compare(own, 1, "^") != 0)
      result.emplace_back();
    if (result.empty())
      continue;
    result.back().text += line.substr(std::min(own, indent)) + "\n";
    if (own == indent)
      result.back().names = locations.names(location);
  }
  return result;
}

/// The lines of the first function whose name begins with `name` after its
/// head, to its closing brace; empty if there is none.
static std::vector<std::string>
findFunction(const std::vector<std::string> &lines, const std::string &name) {
  std::vector<std::string> body;
  size_t indent = 0;
  bool isInside = false;
  for (const std::string &line : lines) {
    if (!isInside) {
      size_t at = line.find("func.func @" + name);
      if (at != std::string::npos && indentOf(line) == at) {
        isInside = true;
        indent = at;
      }
    } else if (indentOf(line) == indent && line.compare(indent, 1, "}") == 0) {
      break;
    } else {
      body.push_back(line);
    }
  }
  return body;
}

/// The functions of kernels: those in a module within the module.
static std::map<std::string, std::string>
findKernels(const std::vector<std::string> &lines) {
  const std::string head = "func.func @";
  std::map<std::string, std::string> kernels;
  std::string *current = nullptr;
  size_t indent = 0;
  for (std::string line : lines) {
    size_t own = indentOf(line);
    if (!current && own >= 4 && line.compare(own, head.size(), head) == 0) {
      size_t begin = own + head.size();
      current = &kernels[line.substr(begin, line.find('(', begin) - begin)];
      indent = own;
    }
    if (!current)
      continue;
    removeLocations(line);
    *current += line.substr(std::min(own, indent)) + "\n";
    if (own == indent && line.compare(own, 1, "}") == 0)
      current = nullptr;
  }
  return kernels;
}

static PassText readPass(const fs::path &path, const std::string &entry) {
  std::vector<std::string> lines = split(readFile(path.string()), '\n');
  Locations locations;
  for (const std::string &line : lines)
    if (line.compare(0, 4, "#loc") == 0)
      locations.add(line);
  std::vector<std::string> body = findFunction(lines, entry + "(");
  bool hasEntry = !body.empty();
  if (!hasEntry) // a training step before it is made: the model itself
    body = findFunction(lines, "");
  return {path.stem().string(), hasEntry, splitBody(body, locations),
          findKernels(lines)};
}

static std::vector<PassText> readPasses(const std::string &folder,
                                        const std::string &entry) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const fs::directory_entry &one : fs::directory_iterator(folder, error))
    if (one.path().extension() == ".mlir")
      paths.push_back(one.path());
  if (paths.empty())
    throw Error(folder + " holds no texts of passes; write them with "
                         "vit-compile MODEL --dump-ir DIR for this level and "
                         "precision");
  std::sort(paths.begin(), paths.end());
  std::vector<PassText> passes;
  for (const fs::path &path : paths)
    passes.push_back(readPass(path, entry));
  return passes;
}

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

int TextTable::add(const std::string &text) {
  if (text.empty())
    return -1;
  auto found = known.find(text);
  if (found != known.end())
    return found->second;
  size_t bytes = scriptData(text).size();
  if (bytes > room) {
    ++omitted;
    return -2;
  }
  room -= bytes;
  int number = static_cast<int>(texts.size());
  texts.push_back(text);
  return known[text] = number;
}

/// The name with `{}` for its first number that is a component: the name of the
/// same operation in a text whose layers are not written out.
static std::string withoutLayer(const std::string &name) {
  std::vector<std::string> parts = split(name, '.');
  for (std::string &part : parts)
    if (!part.empty() &&
        part.find_first_not_of("0123456789") == std::string::npos) {
      part = "{}";
      break;
    }
  return join(parts, ".");
}

/// All statements that have one of `names`.
static std::string textsOf(const PassText &pass,
                           const std::set<std::string> &names) {
  std::string result;
  for (const Statement &statement : pass.statements)
    if (std::any_of(
            statement.names.begin(), statement.names.end(),
            [&](const std::string &name) { return names.count(name) > 0; }))
      result += statement.text;
  return result;
}

/// The kernel that a statement launches; empty if it is no dispatch.
static std::string kernelOf(const Statement &statement) {
  const std::string mark = "kernel.dispatch @kernels::@";
  size_t at = statement.text.find(mark);
  if (at == std::string::npos)
    return "";
  at += mark.size();
  return statement.text.substr(at, statement.text.find('(', at) - at);
}

/// Whether a command with this name can be of an operation with `names`: it is
/// what they begin with, or all of them. Operations without names have one made
/// of their place in a file.
static bool isNamed(const std::string &name,
                    const std::vector<std::string> &names) {
  return name == join(names, "+") ||
         std::all_of(names.begin(), names.end(), [&](const std::string &one) {
           return one.rfind(name, 0) == 0;
         });
}

/// The dispatches of the last text, in order, which are those of the module;
/// null for its other commands.
static std::vector<const Statement *>
findDispatches(const PassText &pass, const Json &schedule,
               const std::string &folder) {
  std::vector<const Statement *> all, result;
  for (const Statement &statement : pass.statements)
    if (pass.hasEntry && !kernelOf(statement).empty())
      all.push_back(&statement);
  size_t next = 0;
  bool isSame = true;
  for (const Json &command : schedule.at("commands")) {
    if (command.at("kind") == "Barrier")
      continue;
    result.push_back(nullptr);
    if (command.at("kind") != "Dispatch")
      continue;
    isSame = isSame && next < all.size() &&
             kernelOf(*all[next]) == command.at("kernel").get<std::string>() &&
             isNamed(command.value("name", ""), all[next]->names);
    if (isSame)
      result.back() = all[next++];
  }
  if (!isSame || next != all.size())
    throw Error("the texts in " + folder +
                " are of another module, or of other options; write them again "
                "with vit-compile --dump-ir and the options of the module");
  return result;
}

/// The type after the last arrow.
static std::string resultType(const std::string &statement) {
  size_t arrow = statement.rfind(" -> ");
  if (arrow == std::string::npos)
    return "";
  std::string type = statement.substr(arrow + 4);
  return type.substr(0, type.find('\n'));
}

/// The folder of the texts for the level and precision of `schedule`.
static std::string folderOf(const std::string &folder, const Json &schedule) {
  std::string name = schedule.at("level");
  std::string precision = precisionOfSchedule(schedule);
  return folder + "/" + name + (precision == "f32" ? "" : "-" + precision);
}

Json readPassTexts(const std::string &folder, const std::string &entry,
                   const Json &schedule, size_t mostBytes) {
  std::string own = folderOf(folder, schedule);
  std::vector<PassText> passes = readPasses(own, entry);
  std::vector<const Statement *> dispatches =
      findDispatches(passes.back(), schedule, own);
  TextTable table(mostBytes);
  std::vector<Json> commands(dispatches.size());
  auto addTexts = [&](size_t index) {
    std::set<std::string> names;
    for (const std::string &name : dispatches[index]->names) {
      names.insert(name);
      names.insert(withoutLayer(name));
    }
    Json texts = Json::array();
    for (const PassText &pass : passes)
      texts.push_back(table.add(textsOf(pass, names)));
    commands[index] = {{"names", dispatches[index]->names},
                       {"result", resultType(dispatches[index]->text)},
                       {"texts", std::move(texts)}};
  };
  // The first of several layers, then the code, then the other layers.
  std::set<std::vector<std::string>> seen;
  std::vector<size_t> later;
  for (size_t i = 0; i < dispatches.size(); ++i) {
    if (!dispatches[i])
      continue;
    // The last layer may have other kernels than the others.
    std::vector<std::string> names = {kernelOf(*dispatches[i])};
    for (const std::string &name : dispatches[i]->names)
      names.push_back(withoutLayer(name));
    if (seen.insert(names).second)
      addTexts(i);
    else
      later.push_back(i);
  }
  Json kernels = Json::object();
  for (const auto &[name, text] : passes.back().kernels)
    kernels[name] = table.add(text);
  for (size_t index : later)
    addTexts(index);
  Json names = Json::array();
  for (const PassText &pass : passes)
    names.push_back(pass.name);
  return {{"passes", names},
          {"texts", table.take()},
          {"omitted", table.omitted},
          {"commands", commands},
          {"kernels", kernels}};
}

} // namespace vit::tools
