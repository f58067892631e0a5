//===- Eval.cpp - vit-run eval --------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Progress.h"
#include "Runner.h"
#include "Support.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace vit::tools {

namespace {

struct EvalOptions : CommonOptions {
  std::string data;
  std::string split;
  std::string range;
  int64_t batch = 32;
  bool json = false;
};

/// "FIRST..LAST", both counted from 0 and included.
void parseRange(const std::string &text, vit_dataset_options &options) {
  char *end = nullptr;
  long long first = std::strtoll(text.c_str(), &end, 10);
  bool good = end != text.c_str() && std::string(end).rfind("..", 0) == 0;
  const char *second = good ? end + 2 : end;
  long long last = good ? std::strtoll(second, &end, 10) : 0;
  if (!good || end == second || *end || first < 0 || last < first)
    throw Error("--range " + text +
                " is not of the form FIRST..LAST, such as 0..999");
  options.first = first;
  options.count = last - first + 1;
}

void eval(const EvalOptions &options) {
  checkCommonOptions(options);
  Model model(options, {"logits"});
  vit_preprocessing preprocessing = model.preprocessing();
  vit_dataset_options dataOptions = {};
  dataOptions.struct_size = sizeof(dataOptions);
  dataOptions.split = options.split.empty() ? nullptr : options.split.c_str();
  dataOptions.apply_exif_orientation = preprocessing.apply_exif_orientation;
  if (!options.range.empty())
    parseRange(options.range, dataOptions);
  vit_error error;
  vit_dataset *opened = nullptr;
  check(vit_dataset_open(options.data.c_str(), &dataOptions, &opened, &error),
        error);
  DatasetHandle dataset(opened);
  int64_t total = vit_dataset_count(opened);
  if (total == 0)
    throw Error(options.data + " holds no pictures");

  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  Progress progress(total);
  int64_t top1 = 0, top5 = 0, classes = 0;
  double loss = 0;
  std::vector<int32_t> labels(options.batch);
  Tensor input;
  for (int64_t first = 0; first < total; first += options.batch) {
    int64_t count = std::min(options.batch, total - first);
    input.allocate(VIT_F32, {count, preprocessing.channels,
                             preprocessing.height, preprocessing.width});
    check(vit_dataset_read_batch(opened, first, count, &preprocessing,
                                 input.floats(), labels.data(), &error),
          error);
    std::vector<Tensor> outputs = runner->run(input, {"logits"});
    const Tensor &logits = outputs.front();
    if (logits.dims.size() != 2)
      throw Error("the model has no logits [batch, classes] to evaluate");
    classes = logits.dims[1];
    for (int64_t i = 0; i < count; ++i) {
      if (labels[i] >= classes)
        throw Error("the data has class " + std::to_string(labels[i]) +
                    ", but the model knows only 0.." +
                    std::to_string(classes - 1));
      double own = logits.at(i * classes + labels[i]);
      // Ties count against the model, except for the lower class number.
      int64_t better = 0;
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c) {
        double other = logits.at(i * classes + c);
        better += other > own || (other == own && c < labels[i]);
        sum += std::exp(other - own);
      }
      top1 += better == 0;
      top5 += better < 5;
      loss += std::log(sum);
    }
    progress.update(first + count);
  }
  progress.finish();
  double seconds = progress.seconds();
  if (options.json) {
    nlohmann::ordered_json report = {
        {"images", total},      {"top1", static_cast<double>(top1) / total},
        {"top1_correct", top1}, {"top5", static_cast<double>(top5) / total},
        {"top5_correct", top5}, {"loss", loss / total},
        {"seconds", seconds},   {"images_per_s", total / seconds}};
    std::printf("%s\n", report.dump().c_str());
  } else {
    auto shown = [](int64_t value) { return static_cast<long long>(value); };
    std::printf("top-1  %.2f %%  (%lld of %lld)\n", 100.0 * top1 / total,
                shown(top1), shown(total));
    if (classes > 5)
      std::printf("top-5  %.2f %%  (%lld of %lld)\n", 100.0 * top5 / total,
                  shown(top5), shown(total));
    std::printf("loss   %.4f\n%.1f images/s\n", loss / total, total / seconds);
  }
  if (!options.trace.empty())
    writeTrace(options.trace, log);
}

} // namespace

void addEval(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("eval", "Measure accuracy on a labelled data set");
  auto options = std::make_shared<EvalOptions>();
  addCommonOptions(*command, *options);
  command
      ->add_option("--data", options->data,
                   "Folder of CIFAR-10, MNIST, or CLASS/PICTURE files")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--split", options->split,
                   "train or test (default: test where there is one)")
      ->type_name("SPLIT");
  command
      ->add_option("--range", options->range,
                   "Only these pictures, counted from 0, both included")
      ->type_name("FIRST..LAST");
  command->add_option("--batch", options->batch, "Pictures per run")
      ->check(CLI::Range(int64_t(1), int64_t(65536)))
      ->capture_default_str()
      ->type_name("N");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { eval(*options); });
}

} // namespace vit::tools
