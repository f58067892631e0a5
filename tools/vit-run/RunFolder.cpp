//===- RunFolder.cpp - Reads the folder of a training run -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunFolder.h"

#include "JsonText.h"
#include "Support.h"
#include "TrainingLog.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>

namespace vit::tools {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The numbers of a step that are kept, in the order of the log.
static constexpr std::array<const char *, 6> kColumns = {
    "step",   "loss", "accuracy", "learning_rate", "images_per_second",
    "seconds"};
static constexpr size_t kLoss = 1;
/// Notes of a run that skips pictures may be many.
static constexpr size_t kMostNotes = 50;

using Row = std::array<double, kColumns.size()>;

static std::string logOf(const std::string &folder) {
  return folder + "/log.jsonl";
}

bool isRunFolder(const std::string &path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) && isTrainingLog(logOf(path));
}

std::string chooseCheckpoint(const std::string &path) {
  std::error_code ignored;
  for (const char *name : {"/best", "/last"})
    if (std::string folder = path + name;
        fs::is_directory(folder, ignored) && fs::exists(logOf(path), ignored)) {
      std::fprintf(stderr, "note: %s is the folder of a run: this is %s\n",
                   path.c_str(), folder.c_str());
      return folder;
    }
  return path;
}

static Row readStep(const Json &line) {
  Row row;
  for (size_t c = 0; c < row.size(); ++c) {
    auto field = line.find(kColumns[c]);
    row[c] = field != line.end() && field->is_number()
                 ? field->get<double>()
                 : std::numeric_limits<double>::quiet_NaN();
  }
  return row;
}

/// At most `most` rows: of each group of neighbours those with the least and
/// the largest loss, in order.
static std::vector<Row> reduce(const std::vector<Row> &rows, size_t most) {
  if (rows.size() <= most)
    return rows;
  std::vector<Row> result;
  size_t groups = most / 2;
  auto less = [](const Row &a, const Row &b) { return a[kLoss] < b[kLoss]; };
  for (size_t g = 0; g < groups; ++g) {
    auto begin = rows.begin() + static_cast<long>(g * rows.size() / groups),
         end = rows.begin() + static_cast<long>((g + 1) * rows.size() / groups);
    // A loss that is not a number is neither.
    std::vector<Row> group;
    std::copy_if(begin, end, std::back_inserter(group),
                 [](const Row &row) { return std::isfinite(row[kLoss]); });
    if (group.empty())
      group.assign(begin, begin + 1);
    auto [low, high] = std::minmax_element(group.begin(), group.end(), less);
    result.push_back(low <= high ? *low : *high);
    if (low != high)
      result.push_back(low < high ? *high : *low);
  }
  return result;
}

static Json describeSteps(const std::vector<Row> &rows) {
  Json steps = Json::object();
  for (size_t c = 0; c < kColumns.size(); ++c) {
    Json column = Json::array();
    for (const Row &row : rows)
      column.push_back(std::isfinite(row[c]) ? Json(row[c]) : Json());
    steps[kColumns[c]] = std::move(column);
  }
  return steps;
}

Json readRun(const std::string &folder, size_t most) {
  std::istringstream log(readFile(logOf(folder)));
  Json start = Json::object(), epochs = Json::array(), notes = Json::array();
  std::vector<Row> rows;
  size_t damaged = 0;
  for (std::string text; std::getline(log, text);) {
    Json line;
    try {
      line = parseJsonObject(text, logOf(folder));
    } catch (const Error &) {
      ++damaged;
      continue;
    }
    auto found = line.find("kind");
    std::string kind = found != line.end() && found->is_string()
                           ? found->get<std::string>()
                           : "";
    if (kind == "step")
      rows.push_back(readStep(line));
    else if (kind == "epoch")
      epochs.push_back(std::move(line));
    else if (kind == "start" && start.empty())
      start = std::move(line);
    else if (notes.size() < kMostNotes)
      notes.push_back(std::move(line));
  }
  return {{"folder", folder},
          {"start", std::move(start)},
          {"step_count", rows.size()},
          {"steps", describeSteps(reduce(rows, most))},
          {"epochs", std::move(epochs)},
          {"notes", std::move(notes)},
          {"damaged", damaged}};
}

} // namespace vit::tools
