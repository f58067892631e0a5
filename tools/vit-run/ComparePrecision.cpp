//===- ComparePrecision.cpp - A precision beside f32 ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ComparePrecision.h"

#include "Evaluation.h"
#include "Fidelity.h"
#include "JsonText.h"
#include "PrecisionTrials.h"
#include "Runner.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace vit::tools {

namespace {

/// The model in one precision.
struct Side {
  Side(CommonOptions options, const std::string &precision)
      : model(withPrecision(std::move(options), precision),
              {VIT_COMPILER_PRODUCT_PREFIX "*"}) {}

  static CommonOptions withPrecision(CommonOptions options,
                                     const std::string &precision) {
    options.precision = precision;
    if (precision == "f32")
      options.keep.clear();
    return options;
  }

  Model model;
  std::unique_ptr<Runner> runner;
  Score score;
};

struct Report {
  int64_t images = 0, unreadable = 0;
  /// The model's own outputs, the default one first, and its products.
  std::vector<ResultFidelity> outputs, products;
  std::vector<Trial> alone;  ///< Of each product, with --isolated.
  bool isClassifier = false; ///< The default output is logits of classes.
  int64_t agreed = 0;        ///< Pictures with the same most likely class.
  bool hasScore = false;     ///< The data has the classes of the model.
};

class Comparison {
public:
  explicit Comparison(const PrecisionOptions &options)
      : options(options), exact(options, "f32"),
        narrow(options, options.precision) {}

  void run();

private:
  void prepare();
  void add(const Tensor &input, const int32_t *labels);
  void isolate();
  void printTable();
  void printJson();

  const PrecisionOptions &options;
  Side exact, narrow;
  std::optional<PictureSet> pictures;
  Report report;
};

bool isProduct(const std::string &name) {
  return name.rfind(VIT_COMPILER_PRODUCT_PREFIX, 0) == 0;
}

/// Opens the data and decides what can be measured with it.
void Comparison::prepare() {
  if (exact.model.isCompiled())
    throw Error("compare --data observes the products of the graph, which " +
                options.model +
                " does not hold, being compiled; give the folder or the text "
                "that it was compiled from");
  pictures.emplace(exact.model, options, options.images, "comparing on");
  vit_binding_info output = exact.model.outputInfos().front();
  report.isClassifier =
      canonicalName(output.name) == "logits" && output.rank == 2;
  if (!report.isClassifier)
    return;
  // Noise can be measured on any pictures, accuracy on labelled ones only.
  try {
    checkProblem(exact.model);
    pictures->matchClasses(exact.model, /*byPosition=*/false, /*remedy=*/"");
    report.hasScore = true;
  } catch (const Error &error) {
    std::fprintf(stderr, "note: accuracy is not measured: %s\n", error.what());
  }
}

void Comparison::add(const Tensor &input, const int32_t *labels) {
  std::vector<Tensor> wide = exact.runner->run(input, {"*"});
  std::vector<Tensor> approximate = narrow.runner->run(input, {"*"});
  size_t output = 0, op = 0;
  for (size_t i = 0; i < wide.size(); ++i) {
    bool observed = isProduct(wide[i].name);
    std::vector<ResultFidelity> &results =
        observed ? report.products : report.outputs;
    size_t &at = observed ? op : output;
    if (at == results.size()) {
      results.emplace_back();
      results.back().name = wide[i].name.substr(
          observed ? sizeof(VIT_COMPILER_PRODUCT_PREFIX) - 1 : 0);
    }
    results[at++].add(wide[i], approximate[i]);
  }
  report.images += input.dims[0];
  if (report.isClassifier)
    report.agreed += countSameTop1(wide.front(), approximate.front());
  if (!report.hasScore)
    return;
  exact.score.add(wide.front(), labels);
  narrow.score.add(approximate.front(), labels);
}

/// Runs the model once for each product that is narrow alone.
void Comparison::isolate() {
  PrecisionTrials trials(options, /*outputs=*/{}, options, options.images,
                         /*verb=*/"");
  for (const ResultFidelity &product : report.products)
    report.alone.push_back(
        trials.runAlone(product.name, options.precision, /*sample=*/0,
                        "alone " + std::to_string(report.alone.size() + 1) +
                            "/" + std::to_string(report.products.size())));
}

void Comparison::run() {
  prepare();
  exact.runner = Runner::create(exact.model);
  EventLog log;
  narrow.runner =
      Runner::create(narrow.model, options.trace.empty() ? nullptr : &log);
  Progress progress(pictures->count());
  // Both precisions have results at a time.
  int64_t batch = std::max<int64_t>(1, pictures->batchFor(exact.model) / 2);
  report.unreadable = pictures->forEach(
      batch, progress,
      [&](const Tensor &input, const int32_t *labels) { add(input, labels); });
  writeTrace(options.trace, log);
  if (options.isolated)
    isolate();
  if (!options.svg.empty())
    writeFile(options.svg,
              drawFidelity(options.model + " in " + options.precision + ", " +
                               std::to_string(report.images) + " pictures",
                           report.products));
  if (options.json)
    printJson();
  else
    printTable();
}

void Comparison::printTable() {
  size_t width = 6;
  for (const auto *results : {&report.products, &report.outputs})
    for (const ResultFidelity &result : *results)
      width = std::max(width, result.name.size());
  int column = static_cast<int>(width);
  const char *precision = options.precision.c_str();
  std::printf("%-*s %8s %11s%s\n", column, "product", "SNR dB", "cosine",
              options.isolated ? "  alone: output SNR dB" : "");
  for (size_t i = 0; i < report.products.size(); ++i) {
    const ResultFidelity &result = report.products[i];
    std::printf("%-*s %8.2f %11.8f", column, result.name.c_str(),
                result.all.decibels(), result.all.cosine());
    if (options.isolated)
      std::printf(" %22.2f", report.alone[i].output.all.decibels());
    std::printf("\n");
  }
  std::printf("\n%-*s %8s %11s %11s %11s %11s\n", column, "output", "SNR dB",
              "cosine", "least", "max abs", "mean abs");
  for (const ResultFidelity &result : report.outputs)
    std::printf("%-*s %8.2f %11.8f %11.8f %11.3g %11.3g\n", column,
                result.name.c_str(), result.all.decibels(), result.meanCosine(),
                result.leastCosine, result.all.maxAbs(), result.all.meanAbs());
  auto shown = [](int64_t value) { return static_cast<long long>(value); };
  std::printf("\n%lld pictures\n", shown(report.images));
  if (report.isClassifier)
    std::printf("top-1 agreement %.2f %%  (%lld of %lld)\n",
                100 * double(report.agreed) / double(report.images),
                shown(report.agreed), shown(report.images));
  if (report.hasScore)
    std::printf("accuracy %.2f %% in f32, %.2f %% in %s\n",
                100 * exact.score.accuracy(), 100 * narrow.score.accuracy(),
                precision);
}

void Comparison::printJson() {
  using Json = nlohmann::ordered_json;
  // JSON has no infinity.
  auto decibels = [](const ResultFidelity &result) {
    double value = result.all.decibels();
    return std::isfinite(value) ? Json(value) : Json();
  };
  Json products = Json::array(), outputs = Json::array();
  for (const ResultFidelity &result : report.products)
    products.push_back({{"name", result.name},
                        {"snr_db", decibels(result)},
                        {"cosine", result.all.cosine()}});
  for (size_t i = 0; i < report.alone.size(); ++i) {
    const Trial &trial = report.alone[i];
    Json &alone = products[i]["alone"];
    alone = {{"snr_db", decibels(trial.output)},
             {"cosine_mean", trial.output.meanCosine()}};
    if (report.isClassifier)
      alone["top1_agreement"] = double(trial.agreed) / double(report.images);
  }
  for (const ResultFidelity &result : report.outputs)
    outputs.push_back({{"name", result.name},
                       {"snr_db", decibels(result)},
                       {"cosine_mean", result.meanCosine()},
                       {"cosine_least", result.leastCosine},
                       {"max_abs", result.all.maxAbs()},
                       {"mean_abs", result.all.meanAbs()}});
  Json json = {{"model", options.model},
               {"precision", options.precision},
               {"images", report.images},
               {"unreadable", report.unreadable}};
  for (Side *side : {&exact, &narrow})
    if (std::optional<vit_code_info> code = side->runner->code())
      json["code"].push_back({{"precision", code->precision},
                              {"level", code->level},
                              {"widened", code->is_widened != 0}});
  json["products"] = products;
  json["outputs"] = outputs;
  if (report.isClassifier)
    json["top1_agreement"] = double(report.agreed) / double(report.images);
  if (report.hasScore)
    json["accuracy"] = {{"f32", exact.score.accuracy()},
                        {options.precision, narrow.score.accuracy()}};
  std::printf("%s\n", jsonText(json).c_str());
}

} // namespace

void comparePrecision(const PrecisionOptions &options) {
  if (options.precision.empty() || options.data.empty())
    throw Error("a comparison with f32 requires --precision TYPE, the "
                "precision, and --data DIR, the pictures; --golden FILE "
                "compares with stored outputs");
  if (!options.svg.empty())
    requireWritable(options.svg);
  Comparison(options).run();
}

} // namespace vit::tools
