//===- Eval.cpp - vit-run eval --------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Data.h"
#include "Evaluation.h"
#include "Options.h"
#include "Progress.h"
#include "Runner.h"
#include "Support.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace vit::tools {

namespace {

struct EvalOptions : CommonOptions, DataOptions {
  int64_t batch = 32;
  bool json = false;
};

void eval(const EvalOptions &options) {
  checkCommonOptions(options);
  Model model(options, {"logits"});
  vit_preprocessing preprocessing = model.preprocessing();
  DatasetHandle dataset =
      openData({options.data, options.split, options.range, "--range",
                preprocessing.apply_exif_orientation != 0});
  int64_t total = vit_dataset_count(dataset.get());

  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  Progress progress(total);
  Score score;
  std::vector<int32_t> labels(options.batch);
  Tensor input;
  vit_error error;
  for (int64_t first = 0; first < total; first += options.batch) {
    int64_t count = std::min(options.batch, total - first);
    input.allocate(VIT_F32, {count, preprocessing.channels,
                             preprocessing.height, preprocessing.width});
    check(vit_dataset_read_batch(dataset.get(), first, count, &preprocessing,
                                 input.floats(), labels.data(), &error),
          error);
    score.add(runner->run(input, {"logits"}).front(), labels.data());
    progress.update(first + count);
  }
  progress.finish();
  double seconds = progress.seconds();
  if (options.json) {
    nlohmann::ordered_json report = {{"images", total},
                                     {"top1", score.accuracy()},
                                     {"top1_correct", score.top1},
                                     {"top5", score.accuracyTop5()},
                                     {"top5_correct", score.top5},
                                     {"loss", score.loss()},
                                     {"seconds", seconds},
                                     {"images_per_s", total / seconds}};
    std::printf("%s\n", report.dump().c_str());
  } else {
    auto shown = [](int64_t value) { return static_cast<long long>(value); };
    std::printf("top-1  %.2f %%  (%lld of %lld)\n", 100 * score.accuracy(),
                shown(score.top1), shown(total));
    if (score.classes > 5)
      std::printf("top-5  %.2f %%  (%lld of %lld)\n",
                  100 * score.accuracyTop5(), shown(score.top5), shown(total));
    std::printf("loss   %.4f\n%.1f images/s\n", score.loss(), total / seconds);
  }
  writeTrace(options.trace, log);
}

} // namespace

void addEval(CLI::App &app) {
  Command command(app, "eval", "Measure accuracy on a labelled data set");
  auto options = std::make_shared<EvalOptions>();
  addCommonOptions(command, *options);
  addDataOptions(command, *options,
                 "train or test (default: test where there is one)");
  command.option("--batch", options->batch, "Pictures per run")
      .range(1, 65536)
      .showDefault()
      .type("N");
  command.flag("--json", options->json, "Print JSON");
  command.action([options] { eval(*options); });
}

} // namespace vit::tools
