//===- Classify.cpp - vit-run classify ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"
#include "JsonText.h"
#include "LabelEmbeddings.h"
#include "Options.h"
#include "Pictures.h"
#include "Predictions.h"
#include "Runner.h"
#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>

namespace fs = std::filesystem;

namespace vit::tools {

namespace {

struct ClassifyOptions : CommonOptions {
  std::vector<std::string> images;
  int top = 5;
  double threshold = -1; ///< -1: none
  bool json = false;
  std::string attention, labelEmbeddings;
  int64_t layer = -1; ///< -1: the last
  std::string head = "mean";
  bool rollout = false;
};

int64_t parseHead(const std::string &text) {
  if (text == "mean")
    return -1;
  char *end = nullptr;
  long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < 0)
    throw Error("--head " + text + " is neither a number nor 'mean'");
  return value;
}

/// Where the attention map of each picture is written: --attention itself for
/// one picture unless it is a folder, or a file of the picture's name in that
/// folder, with a number if another picture has the same name. Makes the
/// folder.
std::vector<std::string> prepareAttention(const ClassifyOptions &options) {
  parseHead(options.head);
  fs::path out = options.attention;
  std::error_code error;
  bool isFolder = fs::is_directory(out, error) || !out.has_filename();
  if (options.images.size() == 1 && !isFolder) {
    requireWritable(options.attention);
    requireNotRead(options.attention, options.images);
    return {options.attention};
  }
  if (out.extension() == ".png" && !isFolder)
    throw Error("--attention " + options.attention +
                ": for several pictures it is the folder of their maps");
  fs::create_directories(out, error);
  if (error)
    throw Error("cannot make the folder " + options.attention + ": " +
                error.message());
  std::vector<std::string> paths;
  std::set<std::string> taken;
  for (const std::string &image : options.images) {
    std::string stem = fs::path(image).stem().string(), name = stem;
    for (int number = 2; !taken.insert(name).second; ++number)
      name = stem + "-" + std::to_string(number);
    paths.push_back((out / (name + ".png")).string());
    requireNotRead(paths.back(), options.images);
  }
  return paths;
}

/// The map that the options ask for.
AttentionRequest attentionRequest(const ClassifyOptions &options) {
  return {options.layer, parseHead(options.head), options.rollout};
}

/// Draws the map of the picture `path` to `out` and returns what it shows.
nlohmann::ordered_json
writeAttention(const ClassifyOptions &options, const std::string &path,
               const std::string &out, const vit_preprocessing &preprocessing,
               const std::vector<Tensor> &layers, const TokenGrid &grid) {
  std::vector<float> map =
      attentionMap(attentionRequest(options), layers, grid);
  saveAttention(path, preprocessing, map, grid, out);
  bool hasClass = grid.classToken >= 0;
  if (!options.json)
    std::printf("attention map written to %s: %s\n", out.c_str(),
                hasClass ? "the row of the class token"
                         : "the mean over the rows of the patches (the model "
                           "has no class token)");
  return {{"file", out},
          {"rows_of", hasClass ? "class token" : "patches"},
          {"tokens_before_patches", grid.prefix},
          {"rows", grid.rows},
          {"columns", grid.columns}};
}

/// A function of vit_score_function as JSON names it.
const char *functionName(vit_score_function function) {
  switch (function) {
  case VIT_SOFTMAX:
    return "softmax";
  case VIT_SIGMOID:
    return "sigmoid";
  case VIT_NO_FUNCTION:
    break;
  }
  return "none";
}

nlohmann::ordered_json
describePredictions(const std::vector<Prediction> &predictions,
                    vit_score_function function) {
  const char *key = function == VIT_NO_FUNCTION ? "value" : "probability";
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Prediction &one : predictions)
    list.push_back({{"index", one.index},
                    {"label", one.label},
                    {key, one.score},
                    {"logit", one.logit}});
  return list;
}

void printPredictions(const nlohmann::ordered_json &predictions,
                      double threshold) {
  for (const nlohmann::ordered_json &one : predictions) {
    const char *label = one.at("label").get_ref<const std::string &>().c_str();
    if (auto value = one.find("value"); value != one.end())
      std::printf("%11.4f  %s\n", value->get<float>(), label);
    else
      std::printf("%7.2f %%  %s\n", 100.0 * one.at("probability").get<float>(),
                  label);
  }
  if (predictions.empty())
    std::printf("no class reaches %g %%\n", 100 * threshold);
}

/// The outputs to compile a model with, of which `scores` gives the scores.
std::vector<std::string> wantedOutputs(const ClassifyOptions &options,
                                       const std::string &scores) {
  std::vector<std::string> wanted = {scores};
  if (!options.attention.empty())
    wanted.push_back(attentionToCompile(attentionRequest(options)));
  return wanted;
}

/// The output of the model that is compared with embeddings of labels. What a
/// classifier's head reads is none.
std::string embeddingToCompare(const ClassifyOptions &options) {
  Model model(options, {});
  std::string name = findEmbedding(model);
  if (name.empty())
    throw Error(options.model +
                " has none of the outputs image_embeds, pooler_output and "
                "features to compare with --label-embeddings; that needs a "
                "model such as CLIP's or SigLIP's, not a classifier");
  return name;
}

/// Classifies pictures in batches and reports each.
class Classifier {
public:
  /// `names`: the outputs to compute, the first of which gives the scores: the
  /// logits, or with `labels` the embedding that is compared with them. `maps`:
  /// where the attention map of each picture is written; empty without
  /// --attention.
  Classifier(const ClassifyOptions &options, Model &model, Runner &runner,
             std::vector<std::string> names, const LabelEmbeddings *labels,
             std::vector<std::string> maps)
      : options(options), model(model), runner(runner), names(std::move(names)),
        labels(labels), maps(std::move(maps)),
        preprocessing(model.preprocessing()),
        function(vit_module_score_function(model.module())) {
    if (labels) {
      similarity = findSimilarity(model, *labels);
      function = similarity.function;
    }
    if (options.threshold >= 0 && function == VIT_NO_FUNCTION)
      throw Error("--threshold compares probabilities; the problem_type of " +
                  options.model + " is regression");
  }

  /// Prints the answers, or an error, for each of `paths`.
  void run(const std::vector<const char *> &paths) {
    PictureBatch batch =
        loadPictures({paths.begin(), paths.end()}, preprocessing);
    Tensor logits;
    std::vector<Tensor> outputs, attention;
    if (batch.count > 0)
      outputs = runner.run(batch.input, names);
    for (Tensor &output : outputs) {
      if (output.name == names.front())
        logits = labels ? compareToLabels(output, *labels, similarity)
                        : std::move(output);
      else if (output.name.rfind("attention_", 0) == 0)
        attention.push_back(std::move(output));
    }
    if (batch.count > 0 && logits.dims.size() != 2)
      throw Error("the model has no logits [batch, classes] to classify with");
    PredictionOptions wanted = {
        options.top, options.threshold, function, [this](int32_t index) {
          return labels ? labels->names[index] : model.label(index);
        }};
    for (size_t i = 0, row = 0; i < paths.size(); ++i) {
      if (batch.errors[i].empty())
        report(paths[i],
               describePredictions(findPredictions(logits, row++, wanted),
                                   function),
               attention);
      else
        reportError(paths[i], batch.errors[i]);
    }
  }

  const nlohmann::ordered_json &getReport() const { return list; }
  bool hasFailed() const { return failed; }

private:
  void report(const char *path, nlohmann::ordered_json predictions,
              const std::vector<Tensor> &attention) {
    if (!options.json && options.images.size() > 1)
      std::printf("%s\n", path);
    if (!options.json)
      printPredictions(predictions, options.threshold);
    nlohmann::ordered_json entry = {{"image", path},
                                    {"function", functionName(function)},
                                    {"predictions", std::move(predictions)}};
    if (!options.attention.empty()) {
      if (!grid)
        grid = findTokens(model, attention.front().dims.back());
      entry["attention"] = writeAttention(options, path, maps[list.size()],
                                          preprocessing, attention, *grid);
    }
    list.push_back(std::move(entry));
  }

  void reportError(const char *path, const std::string &message) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", message.c_str());
    list.push_back({{"image", path}, {"error", message}});
    failed = true;
  }

  const ClassifyOptions &options;
  Model &model;
  Runner &runner;
  std::vector<std::string> names; ///< The outputs to compute.
  const LabelEmbeddings *labels;  ///< Of --label-embeddings, or null.
  Similarity similarity;
  std::vector<std::string> maps;
  vit_preprocessing preprocessing;
  vit_score_function function;
  std::optional<TokenGrid> grid; ///< Known from the first attention map on.
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  bool failed = false;
};

void classify(ClassifyOptions options) {
  checkCommonOptions(options);
  options.images = listPictures(options.images);
  bool wantsAttention = !options.attention.empty();
  std::vector<std::string> maps;
  if (wantsAttention)
    maps = prepareAttention(options);
  std::optional<LabelEmbeddings> labels;
  std::string scores = "logits";
  if (!options.labelEmbeddings.empty()) {
    labels = readLabelEmbeddings(options.labelEmbeddings);
    scores = embeddingToCompare(options);
  }
  Model model(options, wantedOutputs(options, scores));
  std::vector<std::string> names = {scores};
  if (wantsAttention) {
    std::vector<std::string> attention = {"*"};
    if (options.isReference())
      attention = {attentionToCompile(attentionRequest(options))};
    else if (model.isCompiled())
      attention = attentionOutputs(attentionRequest(options), model);
    names.insert(names.end(), attention.begin(), attention.end());
  }
  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  Classifier classifier(options, model, *runner, names,
                        labels ? &*labels : nullptr, maps);
  // Attention probabilities of a batch may be large.
  const size_t size = wantsAttention ? 1 : 16;
  for (size_t first = 0; first < options.images.size(); first += size) {
    std::vector<const char *> paths;
    for (size_t i = first; i < std::min(first + size, options.images.size());
         ++i)
      paths.push_back(options.images[i].c_str());
    classifier.run(paths);
  }
  if (options.json)
    std::printf("%s\n", jsonText(classifier.getReport()).c_str());
  writeTrace(options.trace, log);
  if (classifier.hasFailed())
    throw ExitStatus{1};
}

} // namespace

void addClassify(CLI::App &app) {
  Command command(app, "classify",
                  "Classify pictures; print the most likely class first");
  auto options = std::make_shared<ClassifyOptions>();
  addCommonOptions(command, *options);
  command
      .option("image", options->images,
              "PNG, JPEG, BMP, PGM or PPM pictures, or folders of them")
      .required()
      .type("IMAGE|FOLDER...");
  command
      .option("--top", options->top,
              "How many classes to print (default: 5, or all that reach "
              "--threshold)")
      .range(1, 1000000)
      .type("N");
  command
      .option("--threshold", options->threshold,
              "Print only classes of at least this probability, 0 to 1")
      .type("P")
      .check([](const std::string &text) {
        char *end = nullptr;
        double value = std::strtod(text.c_str(), &end);
        return text.empty() || *end || !(value >= 0 && value <= 1)
                   ? text + " is no probability from 0 to 1"
                   : std::string();
      });
  command.flag("--json", options->json, "Print JSON");
  command
      .option("--label-embeddings", options->labelEmbeddings,
              "Zero-shot: score the labels whose embeddings FILE holds by "
              "their cosine with the picture's, with the logit_scale of the "
              "checkpoint (CLIP: softmax; SigLIP: sigmoid). An array [labels, "
              "width] with the names in FILE.txt or its metadata 'labels', or "
              "one named tensor per label")
      .type("FILE.npy|FILE.safetensors");
  command
      .option("--attention", options->attention,
              "Write the picture with the model's attention to its patches "
              "drawn over it: of the class token, or the mean over the patches "
              "where there is none. For several pictures OUT is a folder")
      .type("OUT");
  Option layer = command
                     .option("--layer", options->layer,
                             "Layer of --attention, counted from 0 "
                             "(default: the last)")
                     .range(0, 100000)
                     .type("N");
  Option head = command
                    .option("--head", options->head,
                            "Head of --attention, counted from 0, or mean")
                    .showDefault();
  command
      .flag("--rollout", options->rollout,
            "Combine the attention of all layers (Abnar and "
            "Zuidema 2020)")
      .excludes(layer)
      .excludes(head);
  command.action([options, command] {
    if (command.has("--threshold") && !command.has("--top"))
      options->top = std::numeric_limits<int>::max();
    classify(*options);
  });
}

} // namespace vit::tools
