//===- Classify.cpp - vit-run classify ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"
#include "JsonText.h"
#include "Options.h"
#include "Runner.h"
#include "Support.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace vit::tools {

namespace {

struct ClassifyOptions : CommonOptions {
  std::vector<std::string> images;
  int top = 5;
  bool json = false;
  std::string attention;
  int64_t layer = -1; ///< -1: the last
  std::string head = "mean";
  bool rollout = false;
};

struct ImageReleaser {
  vit_image image = {};
  ~ImageReleaser() { vit_image_release(&image); }
};

/// The part of the picture that the model sees, enlarged if it is small.
void loadVisiblePart(const std::string &path,
                     const vit_preprocessing &preprocessing,
                     ImageReleaser &result) {
  vit_error error;
  vit_image_options options = {};
  options.struct_size = sizeof(options);
  options.channels = 3;
  options.apply_exif_orientation = preprocessing.apply_exif_orientation;
  ImageReleaser whole;
  check(vit_image_load(path.c_str(), &options, &whole.image, &error), error);
  const vit_image &image = whole.image;
  double height = image.height, width = image.width;
  int32_t top = 0, left = 0, rows = image.height, columns = image.width;
  if (preprocessing.center_crop) {
    double scaleY = 1, scaleX = 1;
    if (preprocessing.resize_height > 0 && preprocessing.resize_width > 0) {
      scaleY = preprocessing.resize_height / height;
      scaleX = preprocessing.resize_width / width;
    } else if (preprocessing.resize_height > 0) {
      scaleY = preprocessing.resize_height / std::min(height, width);
      if (preprocessing.resize_width < -1)
        scaleY = std::max(preprocessing.resize_height / height,
                          -preprocessing.resize_width / width);
      scaleX = scaleY;
    }
    auto crop = [](double length, double wanted, int32_t &begin,
                   int32_t &count) {
      count = static_cast<int32_t>(
          std::max(1.0, std::round(std::min(length, wanted))));
      begin = static_cast<int32_t>((length - count) / 2);
    };
    crop(height, preprocessing.height / scaleY, top, rows);
    crop(width, preprocessing.width / scaleX, left, columns);
  }
  std::vector<uint8_t> pixels(size_t(rows) * columns * 3);
  for (int32_t row = 0; row < rows; ++row)
    std::copy_n(image.pixels + (size_t(top + row) * image.width + left) * 3,
                size_t(columns) * 3, pixels.data() + size_t(row) * columns * 3);
  constexpr int32_t kLeast = 224;
  int32_t factor = std::max(1, (kLeast + std::min(rows, columns) - 1) /
                                   std::min(rows, columns));
  vit_image part = {columns, rows, 3, pixels.data()};
  check(vit_image_resize(&part, rows * factor, columns * factor,
                         /*interpolation=*/0, &result.image, &error),
        error);
}

int64_t parseHead(const std::string &text) {
  if (text == "mean")
    return -1;
  char *end = nullptr;
  long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < 0)
    throw Error("--head " + text + " is neither a number nor 'mean'");
  return value;
}

void writeAttention(const ClassifyOptions &options, const std::string &path,
                    const vit_preprocessing &preprocessing,
                    const std::vector<Tensor> &layers) {
  std::vector<double> attention =
      options.rollout ? attentionRollout(layers)
                      : headAttention(layers.front(), parseHead(options.head));
  TokenGrid grid = findTokenGrid(layers.front().dims[2], preprocessing.height,
                                 preprocessing.width);
  std::vector<float> map = patchWeights(attention, grid);
  ImageReleaser picture;
  loadVisiblePart(path, preprocessing, picture);
  vit_error error;
  check(vit_image_blend_heatmap(
            &picture.image, map.data(), static_cast<int32_t>(grid.rows),
            static_cast<int32_t>(grid.columns), 0.6f, &error),
        error);
  check(vit_image_save_png(&picture.image, options.attention.c_str(), &error),
        error);
}

/// The attention outputs to request.
std::vector<std::string> attentionNames(const ClassifyOptions &options,
                                        Model &model) {
  if (!model.isCompiled())
    return {options.rollout ? "attention_*"
                            : "attention_" + std::to_string(options.layer)};
  int64_t count = 0;
  std::vector<std::string> names;
  for (; model.hasOutput("attention_" + std::to_string(count)); ++count)
    names.push_back("attention_" + std::to_string(count));
  if (options.rollout && count > 0)
    return names;
  int64_t layer = options.layer;
  if (layer >= 0)
    return {"attention_" + std::to_string(layer)};
  for (const vit_binding_info &info : model.outputInfos())
    if (std::string(info.name).rfind("attention_", 0) == 0)
      names = {info.name};
  if (names.empty())
    throw Error("the module computes no attention probabilities; compile it "
                "with --outputs logits,'attention_*'");
  return {names.back()};
}

/// Loads the pictures `paths` as an input of the model.
Tensor loadInput(const std::vector<const char *> &paths,
                 const vit_preprocessing &preprocessing) {
  vit_error error;
  vit_tensor pictures = {};
  check(vit_data_load_pictures(paths.data(), paths.size(), &preprocessing,
                               &pictures, &error),
        error);
  Tensor input = Tensor::copy(pictures);
  vit_tensor_release(&pictures);
  return input;
}

/// The most likely classes of picture `index` of a batch, in descending order.
nlohmann::ordered_json findPredictions(const Tensor &logits, size_t index,
                                       int top, Model &model) {
  int64_t classes = logits.dims[1];
  auto count = static_cast<int32_t>(std::min<int64_t>(top, classes));
  std::vector<float> row(classes);
  for (int64_t c = 0; c < classes; ++c)
    row[c] = static_cast<float>(logits.at(index * classes + c));
  std::vector<int32_t> indices(count);
  std::vector<float> probabilities(count);
  vit_error error;
  check(vit_data_top_k(row.data(), classes, count, indices.data(),
                       probabilities.data(), &error),
        error);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (int32_t k = 0; k < count; ++k)
    list.push_back({{"index", indices[k]},
                    {"label", model.label(indices[k])},
                    {"probability", probabilities[k]},
                    {"logit", row[indices[k]]}});
  return list;
}

void printPredictions(const nlohmann::ordered_json &predictions) {
  for (const nlohmann::ordered_json &one : predictions)
    std::printf("%7.2f %%  %s\n", 100.0 * one.at("probability").get<float>(),
                one.at("label").get_ref<const std::string &>().c_str());
}

/// The outputs to compile a model with.
std::vector<std::string> wantedOutputs(const ClassifyOptions &options) {
  std::vector<std::string> wanted = {"logits"};
  if (!options.attention.empty())
    wanted.push_back(options.rollout
                         ? "attention_*"
                         : "attention_" + std::to_string(options.layer));
  return wanted;
}

void classify(const ClassifyOptions &options) {
  checkCommonOptions(options);
  bool wantsAttention = !options.attention.empty();
  if (wantsAttention && options.images.size() != 1)
    throw Error("--attention draws one picture; give one IMAGE");
  if (wantsAttention)
    parseHead(options.head);
  Model model(options, wantedOutputs(options));
  vit_preprocessing preprocessing = model.preprocessing();
  std::vector<std::string> names = {"logits"};
  if (wantsAttention) {
    std::vector<std::string> attention = attentionNames(options, model);
    if (!model.isCompiled() && !options.isReference())
      attention = {"*"};
    names.insert(names.end(), attention.begin(), attention.end());
  }
  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);

  nlohmann::ordered_json report = nlohmann::ordered_json::array();
  constexpr size_t kBatch = 16;
  for (size_t first = 0; first < options.images.size(); first += kBatch) {
    std::vector<const char *> paths;
    for (size_t i = first; i < std::min(first + kBatch, options.images.size());
         ++i)
      paths.push_back(options.images[i].c_str());
    std::vector<Tensor> outputs =
        runner->run(loadInput(paths, preprocessing), names);
    const Tensor *logits = nullptr;
    std::vector<Tensor> attention;
    for (Tensor &output : outputs) {
      if (output.name == "logits")
        logits = &output;
      else if (output.name.rfind("attention_", 0) == 0)
        attention.push_back(std::move(output));
    }
    if (!logits || logits->dims.size() != 2)
      throw Error("the model has no logits [batch, classes] to classify with");
    for (size_t i = 0; i < paths.size(); ++i) {
      nlohmann::ordered_json predictions =
          findPredictions(*logits, i, options.top, model);
      if (!options.json && options.images.size() > 1)
        std::printf("%s\n", paths[i]);
      if (!options.json)
        printPredictions(predictions);
      report.push_back({{"image", paths[i]}, {"predictions", predictions}});
    }
    if (wantsAttention)
      writeAttention(options, options.images.front(), preprocessing, attention);
  }
  if (options.json)
    std::printf("%s\n", jsonText(report).c_str());
  else if (wantsAttention)
    std::printf("attention map written to %s\n", options.attention.c_str());
  writeTrace(options.trace, log);
}

} // namespace

void addClassify(CLI::App &app) {
  Command command(app, "classify",
                  "Classify pictures; print the most likely class first");
  auto options = std::make_shared<ClassifyOptions>();
  addCommonOptions(command, *options);
  command.option("image", options->images, "PNG, JPEG, BMP or PPM pictures")
      .required()
      .type("IMAGE...");
  command.option("--top", options->top, "How many classes to print")
      .range(1, 1000000)
      .showDefault();
  command.flag("--json", options->json, "Print JSON");
  command
      .option("--attention", options->attention,
              "Write the picture with the model's attention drawn over it")
      .type("OUT.png");
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
  command.action([options] { classify(*options); });
}

} // namespace vit::tools
