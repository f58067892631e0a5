//===- Compare.cpp - vit-run compare --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ComparePrecision.h"
#include "Options.h"
#include "Runner.h"
#include "Support.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace vit::tools {

namespace {

struct CompareOptions : PrecisionOptions {
  std::string golden;
  std::string input;
  std::optional<double> tolerance;
};

struct Difference {
  std::string name;
  double absolute = 0; ///< largest |ours - golden|
  double relative = 0; ///< the same over the largest |golden|
  double cosine = 1;
  double allowed = 0;
  std::string problem; ///< such as another shape; empty: none

  bool isGood() const { return problem.empty() && absolute <= allowed; }
};

/// The difference that is allowed where no tolerance is given, on the CPU and
/// on GPUs.
struct Allowed {
  const char *precision;
  double onCpu, onGpu;
};

/// GPUs add in another order, and their drivers may round differently. Operands
/// of tf32 and f16 have 11 bits, those of bf16 have 8.
constexpr Allowed kAllowed[] = {{"f32", 1e-5, 1e-4},
                                {"tf32", 1e-2, 1e-2},
                                {"f16", 1e-2, 1e-2},
                                {"bf16", 1e-1, 1e-1},
                                {"int8", 1e-1, 1e-1}};

double allowedIn(const std::string &precision, bool isGpu) {
  for (const Allowed &one : kAllowed)
    if (precision == one.precision)
      return isGpu ? one.onGpu : one.onCpu;
  throw Error("code in precision " + precision +
              " has no usual difference; give one with --tolerance");
}

/// Sorts outputs in the order in which the model computes them.
double orderOf(const std::string &name) {
  auto number = [&](size_t prefix) {
    return std::strtod(name.c_str() + prefix, nullptr);
  };
  if (name.rfind("hidden_", 0) == 0)
    return 2 * number(7);
  if (name.rfind("attention_", 0) == 0)
    return 2 * number(10) + 1;
  return name == "logits" || name == "pooler_output" ? 1e9 : 1e8;
}

/// The name in the model of a tensor of the file: transformers' "attn_3" is
/// "attention_3".
std::string outputName(const std::string &stored) {
  if (stored.rfind("attn_", 0) == 0)
    return "attention_" + stored.substr(5);
  return canonicalName(stored);
}

Difference difference(const Tensor &ours, const vit_weights *weights,
                      int64_t index, double tolerance) {
  vit_error error;
  vit_weight_info info = {};
  check(vit_weights_info(weights, index, &info, &error), error);
  Difference result;
  result.name = ours.name;
  std::vector<int64_t> dims = dimsOf(info);
  if (dims != ours.dims) {
    result.problem = "shape " + shapeText(ours.dims) + ", but the file has " +
                     shapeText(dims);
    return result;
  }
  int64_t count = ours.count();
  std::vector<double> golden(count);
  check(vit_weights_read_f64(weights, index, 0, count, golden.data(), &error),
        error);
  double largest = 0, dot = 0, ourNorm = 0, goldenNorm = 0;
  for (int64_t i = 0; i < count; ++i) {
    double value = ours.at(i), expected = golden[i];
    if (!std::isfinite(expected)) {
      result.problem = "the file holds a NaN or an infinity";
      return result;
    }
    result.absolute = std::max(result.absolute, std::fabs(value - expected));
    largest = std::max(largest, std::fabs(expected));
    dot += value * expected;
    ourNorm += value * value;
    goldenNorm += expected * expected;
  }
  result.relative = largest > 0 ? result.absolute / largest : result.absolute;
  if (ourNorm > 0 && goldenNorm > 0)
    result.cosine = dot / std::sqrt(ourNorm * goldenNorm);
  result.allowed = tolerance * std::max(1.0, largest / 10);
  return result;
}

/// The contents of the golden file.
struct Golden {
  WeightsHandle file;
  Tensor input; ///< No dimensions if the file has none.
  /// Outputs by their names in the model, with their numbers in the file, in
  /// the order in which the model computes them.
  std::vector<std::pair<std::string, int64_t>> outputs;
};

Golden openGolden(const std::string &path) {
  Golden golden;
  golden.file = openWeights(path);
  const vit_weights *file = golden.file.get();
  vit_error error;
  for (int64_t i = 0; i < vit_weights_count(file); ++i) {
    vit_weight_info info = {};
    check(vit_weights_info(file, i, &info, &error), error);
    std::string name = info.name;
    if (name == "input" || name == "image" || name == "pixel_values") {
      Tensor &input = golden.input;
      input.allocate(VIT_F32, dimsOf(info));
      check(vit_weights_read_f32(file, i, 0, input.count(), input.floats(),
                                 &error),
            error);
    } else {
      golden.outputs.push_back({outputName(name), i});
    }
  }
  if (golden.outputs.empty())
    throw Error(path + " holds no output to compare with");
  std::sort(golden.outputs.begin(), golden.outputs.end(),
            [](const auto &a, const auto &b) {
              double first = orderOf(a.first), second = orderOf(b.first);
              return first != second ? first < second : a.second < b.second;
            });
  return golden;
}

/// `first`: the first difference that is too large, or null.
void printJson(const std::vector<Difference> &differences,
               const Difference *first) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Difference &one : differences) {
    nlohmann::ordered_json entry = {
        {"name", one.name},        {"max_abs", one.absolute},
        {"max_rel", one.relative}, {"cosine", one.cosine},
        {"allowed", one.allowed},  {"ok", one.isGood()}};
    if (!one.problem.empty())
      entry["problem"] = one.problem;
    list.push_back(entry);
  }
  nlohmann::ordered_json report = {{"ok", first == nullptr}, {"outputs", list}};
  report["first_divergence"] =
      first ? nlohmann::ordered_json(first->name) : nlohmann::ordered_json();
  std::printf("%s\n", report.dump().c_str());
}

void printTable(const std::vector<Difference> &differences) {
  std::printf("%-18s %11s %11s %13s %11s\n", "output", "max abs", "max rel",
              "1 - cosine", "allowed");
  for (const Difference &one : differences) {
    if (!one.problem.empty()) {
      std::printf("%-18s %s\n", one.name.c_str(), one.problem.c_str());
      continue;
    }
    std::printf("%-18s %11.3g %11.3g %13.3g %11.3g%s\n", one.name.c_str(),
                one.absolute, one.relative, 1 - one.cosine, one.allowed,
                one.isGood() ? "" : "  differs");
  }
}

/// Throws if an output differs, after printing the table.
void compareGolden(const CompareOptions &options) {
  Golden golden = openGolden(options.golden);
  Tensor input =
      options.input.empty() ? std::move(golden.input) : readNpy(options.input);
  if (input.dims.empty())
    throw Error(options.golden + " holds no tensor 'input'; give the input "
                                 "that its outputs belong to with --input");
  std::vector<std::string> names;
  for (const auto &[name, index] : golden.outputs)
    names.push_back(name);
  Model model(options, names);
  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  std::vector<Tensor> outputs = runner->run(input, names);
  writeTrace(options.trace, log);

  // The reference has no code and computes in f32.
  std::optional<vit_code_info> code = runner->code();
  double tolerance =
      options.tolerance
          ? *options.tolerance
          : allowedIn(code ? code->precision : "f32", options.isGpu());
  std::vector<Difference> differences;
  for (const auto &[name, index] : golden.outputs)
    for (const Tensor &output : outputs)
      if (output.name == name)
        differences.push_back(
            difference(output, golden.file.get(), index, tolerance));
  auto found =
      std::find_if(differences.begin(), differences.end(),
                   [](const Difference &one) { return !one.isGood(); });
  const Difference *first = found == differences.end() ? nullptr : &*found;
  if (options.json)
    printJson(differences, first);
  else
    printTable(differences);
  if (first)
    throw Error("'" + first->name + "' is the first output that differs" +
                (first->problem.empty() ? "" : ": " + first->problem));
}

} // namespace

void addCompare(CLI::App &app) {
  Command command(
      app, "compare",
      "Compare outputs with those in a file and report the first that differs, "
      "or a precision with f32 on pictures");
  auto options = std::make_shared<CompareOptions>();
  addCommonOptions(command, *options);
  command.group("Outputs in a file");
  Option golden =
      command
          .option("--golden", options->golden,
                  "Expected outputs by name, and the input as 'input'")
          .type("FILE.safetensors");
  command
      .option("--input", options->input,
              "The input, if the file does not hold it")
      .type("X.npy");
  command.option("--tolerance", options->tolerance,
                 "Allowed difference, times max(1, largest value / 10) "
                 "(default: 1e-5, on GPUs 1e-4, in tf32 and f16 0.01, in bf16 "
                 "and int8 0.1)");
  command.group("A precision (--precision) on pictures");
  addDataOptions(command, *options,
                 "train, val or test (default: val, else test, else all)")
      .excludes(golden);
  command
      .option("--images", options->images,
              "Only so many pictures, evenly spread (default: all)")
      .range(1, 1 << 30)
      .type("N");
  command.flag("--isolated", options->isolated,
               "Also the default output where one product alone is in the "
               "precision and all others in f32: compiles the model once for "
               "each product");
  command
      .option("--svg", options->svg,
              "Write a picture of the signal-to-noise ratio of each product")
      .type("FILE");
  command.group("Options");
  command.flag("--json", options->json, "Print JSON");
  command.action([options] {
    checkCommonOptions(*options);
    if (options->isolated && !options->golden.empty())
      throw Error("--golden excludes --isolated");
    if (options->golden.empty())
      comparePrecision(*options);
    else
      compareGolden(*options);
  });
}

} // namespace vit::tools
