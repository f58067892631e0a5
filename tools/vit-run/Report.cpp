//===- Report.cpp - vit-run report ----------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Benchmark.h"
#include "JsonText.h"
#include "MemoryPlan.h"
#include "Numbers.h"
#include "PassTexts.h"
#include "PictureReport.h"
#include "ReportPage.h"
#include "RunFolder.h"
#include "TemporaryFolder.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace vit::tools {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct ReportOptions : BenchOptions, DataOptions {
  std::vector<std::string> inputs;
  std::string page;
  std::string passes;    ///< Texts of passes; empty: those of a compilation.
  std::string benchFile; ///< Output of bench --ops --json; empty: measure.
  int64_t wrong = 12;
};

/// As --batch.
constexpr double kMostBatch = 1 << 20;
/// Points of a curve on the page.
constexpr size_t kMostSteps = 4000;
/// Bytes of the page; the texts of passes fill what the rest leaves.
constexpr size_t kMostPageBytes = 2800 << 10;

/// Divides the arguments into the model, at most one, and folders of runs.
std::vector<std::string> takeRuns(ReportOptions &options) {
  std::vector<std::string> runs;
  for (const std::string &input : options.inputs) {
    if (isRunFolder(input)) {
      runs.push_back(input);
      continue;
    }
    if (!options.model.empty())
      throw Error(options.model + " and " + input +
                  " are two models (neither is the folder of a run, which has "
                  "log.jsonl); a page shows one");
    options.model = input;
  }
  if (runs.size() > 2)
    throw Error("a page shows two runs beside each other, not " +
                std::to_string(runs.size()));
  return runs;
}

/// A required number of untrusted JSON.
double numberOf(const Json &object, const char *key, const std::string &where) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number())
    throw Error(where + ": '" + key + "' is no number");
  return found->get<double>();
}

std::string stringOf(const Json &object, const char *key,
                     const std::string &where) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string())
    throw Error(where + ": '" + key + "' is no string");
  return found->get<std::string>();
}

/// Reads what bench --ops --json has printed, and checks what the page needs.
Json readBenchFile(const std::string &path) {
  Json bench = parseJsonObject(readFile(path), path);
  auto ops = bench.find("ops");
  if (ops == bench.end() || !ops->is_array())
    throw Error(path + " has no times of commands; write it with vit-run bench "
                       "MODEL --ops --json");
  for (const char *key :
       {"batch", "median_ms", "images_per_s", "gflop", "gflop_per_s",
        "peak_gflop_per_s", "memory_gb_per_s", "workspace_bytes", "threads"})
    numberOf(bench, key, path);
  if (double batch = bench["batch"]; !(batch >= 1 && batch <= kMostBatch))
    throw Error(path + ": 'batch' is no number of images");
  for (const char *key : {"level", "precision", "device", "device_name"})
    stringOf(bench, key, path);
  for (const Json &op : *ops) {
    if (!op.is_object())
      throw Error(path + ": an op is no object");
    for (const char *key : {"median_ms", "gflop_per_s", "gflop", "bytes"})
      numberOf(op, key, path);
    for (const char *key : {"name", "kernel"})
      stringOf(op, key, path);
  }
  return bench;
}

/// The names of the module's commands among the ops of `bench`.
std::vector<std::string> commandNames(const Json &bench) {
  std::vector<std::string> names;
  for (const Json &op : bench.at("ops")) {
    OpTimes times;
    times.name = op.at("name");
    times.kernel = op.at("kernel");
    if (!times.isTransfer())
      names.push_back(times.name);
  }
  return names;
}

/// `room`: bytes of the page that are left for it.
Json describeModel(ReportOptions &options, size_t room) {
  options.ops = true;
  // A text is compiled anew, for the texts of the passes.
  std::optional<TemporaryFolder> dump;
  std::string passes = options.passes;
  if (passes.empty() && !openBenchmark(options).isCompiled()) {
    if (options.dumpIr.empty())
      options.dumpIr = dump.emplace().path;
    passes = options.dumpIr;
  }
  Json bench;
  if (!options.benchFile.empty())
    bench = readBenchFile(options.benchFile);
  Model model = openBenchmark(options);
  if (options.benchFile.empty()) {
    Benchmark measured = measureBenchmark(options, model);
    writeTrace(options.trace, measured.log);
    bench = describeBenchmark(options, measured);
  }
  auto module = Json::parse(describeModule(model.module()));
  int64_t batch = bench.at("batch");
  FoundSchedule found = findSchedule(
      module, bench.at("level"), bench.at("precision"), commandNames(bench));
  if (!found.schedule)
    throw Error(options.benchFile + " is of another model than " +
                options.model + ", or of other options: no code for " +
                bench.at("level").get<std::string>() + " in " +
                bench.at("precision").get<std::string>() + " has its commands");
  const Json &entry = *found.entry;
  std::optional<MemoryPlan> plan = planMemory(*found.schedule, batch);
  Json result = {{"file", options.model},
                 {"producer", module.at("producer")},
                 {"entry", entry.at("name")},
                 {"inputs", entry.at("inputs")},
                 {"outputs", entry.at("outputs")},
                 {"bench", bench},
                 {"schedule", *found.schedule},
                 {"plan", plan ? describePlan(*plan) : Json()},
                 {"parameters", module.at("parameters")},
                 {"derived", module.at("derived")}};
  if (!passes.empty())
    result["passes"] =
        readPassTexts(passes, entry.at("name"), *found.schedule,
                      room - std::min(room, scriptData(result).size()));
  return result;
}

/// Describes the models of the page on --data.
Json describeAllPictures(const ReportOptions &options,
                         const std::vector<std::string> &runs) {
  Json list = Json::array();
  CommonOptions common = options;
  common.dumpIr.clear();
  auto add = [&](const std::string &model) {
    common.model = model;
    list.push_back(describePictures(common, options, options.wrong));
  };
  if (!options.model.empty())
    add(options.model);
  for (const std::string &run : runs)
    add(chooseCheckpoint(run));
  return list;
}

void report(ReportOptions options) {
  std::vector<std::string> runs = takeRuns(options);
  checkCommonOptions(options);
  if (options.isReference())
    throw Error("report measures a device; --device reference is not one");
  if (options.model.empty() && !options.benchFile.empty())
    throw Error("--bench is for a model, and the arguments are runs");
  if (!options.trace.empty() &&
      (options.model.empty() || !options.benchFile.empty()))
    throw Error("--trace is of a measurement, and nothing is measured");
  std::vector<std::string> read = options.inputs;
  read.push_back(options.benchFile);
  requireNotRead(options.page, read);
  requireWritable(options.page);
  Json data = {{"version", vit_version()},
               {"model", nullptr},
               {"runs", Json::array()},
               {"pictures", Json::array()}};
  for (const std::string &run : runs)
    data["runs"].push_back(readRun(run, kMostSteps));
  if (!options.data.empty())
    data["pictures"] = describeAllPictures(options, runs);
  if (!options.model.empty()) {
    size_t used = makeReportPage(data).size();
    data["model"] =
        describeModel(options, kMostPageBytes - std::min(kMostPageBytes, used));
  }
  std::string page = makeReportPage(data);
  writeFile(options.page, page);
  std::printf("%s: %s\n", options.page.c_str(), bytesText(page.size()).c_str());
}

} // namespace

void addReport(CLI::App &app) {
  Command command(app, "report",
                  "Write a page that shows a model, training runs, or both");
  auto options = std::make_shared<ReportOptions>();
  addModelDetails(command, *options);
  addExecutionOptions(command, *options);
  command.group("Options");
  command
      .option("input", options->inputs,
              "A model (a .vitm module, a .mlir text or a checkpoint's "
              "folder), the folders of one or two runs, or both")
      .required()
      .type("MODEL|RUN...");
  command
      .option("--output", options->page,
              "The page: one HTML file that needs no network")
      .required()
      .type("PAGE.html");
  addDataOptions(command, *options,
                 "train, val or test (default: val, else test, else all)");
  command
      .option("--wrong", options->wrong,
              "Show so many of the pictures of --data that are classified most "
              "wrong")
      .range(0, 100)
      .showDefault()
      .type("N");
  addMeasurementOptions(command, *options);
  addTrainingOption(command, *options);
  command
      .option("--bench", options->benchFile,
              "Show the times in FILE, which bench --ops --json printed, "
              "instead of measuring")
      .type("FILE.json");
  command
      .option("--passes", options->passes,
              "The texts that vit-compile --dump-ir DIR wrote for the module, "
              "to show what each pass did; a text or a folder is compiled for "
              "them")
      .type("DIR");
  command.action([command, options] {
    options->train = command.has("--train");
    report(*options);
  });
}

} // namespace vit::tools
