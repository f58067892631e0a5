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
#include "TrainingData.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <set>

namespace vit::tools {

namespace {

struct EvalOptions : CommonOptions, DataOptions {
  int64_t batch = 32;
  bool json = false, byPosition = false, skipUnreadable = false;
};

void printReport(const Score &score, const ClassMatch &match,
                 int64_t unreadable, double seconds, bool json) {
  double rate = static_cast<double>(score.images) / seconds;
  if (json) {
    nlohmann::ordered_json report = {
        {"images", score.images},
        {"unreadable", unreadable},
        {"classes_by", match.kind == ClassMatch::ByName ? "name" : "position"},
        {"top1", score.accuracy()},
        {"top1_correct", score.top1},
        {"top5", score.accuracyTop5()},
        {"top5_correct", score.top5},
        {"loss", score.loss()},
        {"seconds", seconds},
        {"images_per_s", rate}};
    std::printf("%s\n", report.dump().c_str());
    return;
  }
  auto shown = [](int64_t value) { return static_cast<long long>(value); };
  std::printf("top-1  %.2f %%  (%lld of %lld)\n", 100 * score.accuracy(),
              shown(score.top1), shown(score.images));
  if (score.classes > 5)
    std::printf("top-5  %.2f %%  (%lld of %lld)\n", 100 * score.accuracyTop5(),
                shown(score.top5), shown(score.images));
  std::printf("loss   %.4f\n%.1f images/s\n", score.loss(), rate);
}

void eval(const EvalOptions &options) {
  checkCommonOptions(options);
  Model model(options, {"logits"});
  checkProblem(model);
  vit_preprocessing preprocessing = model.preprocessing(/*always=*/true);
  DatasetHandle dataset =
      openData({options.data, options.split, options.range, "--range",
                preprocessing.apply_exif_orientation != 0});
  int64_t total = vit_dataset_count(dataset.get());
  std::set<std::string> printed;
  printData("evaluating", dataset.get(), printed);
  if (options.split.empty() &&
      std::string(vit_dataset_split(dataset.get())) == "train")
    std::fprintf(stderr, "warning: there is no validation or test part, so the "
                         "training part is evaluated\n");
  warnOfResizing(dataset.get(), preprocessing);
  ClassMatch match = matchData(
      model, dataset.get(), options.byPosition,
      " (--by-position takes class n of the data for class n of the model, "
      "whatever their names)");

  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  Batches batches = batchesInOrder(dataset.get(), preprocessing, options.batch,
                                   /*skipUnreadable=*/true, match.indices);
  Progress progress(total);
  Score score;
  int64_t unreadable = 0;
  for (int64_t done = 0; done < total;) {
    const vit_batch &batch = batches.next();
    for (const std::string &message : batches.skipped())
      std::fprintf(stderr, "%s: %s\n",
                   options.skipUnreadable ? "warning" : "error",
                   message.c_str());
    unreadable += batch.skipped;
    done += batch.images.dims[0] + batch.skipped;
    if (batch.images.dims[0] > 0)
      score.add(runner->run(Tensor::copy(batch.images), {"logits"}).front(),
                static_cast<const int32_t *>(batch.labels.data));
    progress.update(done);
  }
  progress.finish();
  if (score.images == 0)
    throw Error("none of the pictures can be read");
  printReport(score, match, unreadable, progress.seconds(), options.json);
  writeTrace(options.trace, log);
  if (unreadable > 0)
    std::fprintf(stderr,
                 "%lld of %lld pictures could not be read and are not "
                 "in these numbers\n",
                 static_cast<long long>(unreadable),
                 static_cast<long long>(total));
  if (unreadable > 0 && !options.skipUnreadable)
    throw ExitStatus{1};
}

} // namespace

void addEval(CLI::App &app) {
  Command command(app, "eval", "Measure accuracy on a labelled data set");
  auto options = std::make_shared<EvalOptions>();
  addCommonOptions(command, *options);
  addDataOptions(command, *options,
                 "train, val or test (default: val, else test, else all)")
      .required();
  command.option("--batch", options->batch, "Pictures per run")
      .range(1, 65536)
      .showDefault()
      .type("N");
  command.flag("--by-position", options->byPosition,
               "Take class n of the data for class n of the model, whatever "
               "their names");
  command.flag("--skip-unreadable", options->skipUnreadable,
               "Pictures that cannot be read do not make the exit status 1");
  command.flag("--json", options->json, "Print JSON");
  command.action([options] { eval(*options); });
}

} // namespace vit::tools
