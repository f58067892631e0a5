//===- Eval.cpp - vit-run eval --------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checkpoint.h"
#include "Evaluation.h"
#include "Options.h"
#include "PictureSet.h"
#include "Progress.h"
#include "Runner.h"
#include "Support.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

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

/// A checkpoint of a run in another precision has other numbers here than in
/// the run's log.
void notePrecision(const EvalOptions &options) {
  std::error_code ignored;
  if (!std::filesystem::exists(options.model + "/state.safetensors", ignored))
    return;
  std::string trained = "f32";
  std::string own = options.precision.empty() ? "f32" : options.precision;
  try {
    trained =
        readTrainingState(options.model).options.value("precision", "f32");
  } catch (const std::exception &) {
    return; // The state is not needed.
  }
  if (trained != own)
    std::fprintf(stderr,
                 "note: %s was trained in %s and is evaluated in %s; "
                 "--precision %s gives the numbers of the run's log\n",
                 options.model.c_str(), trained.c_str(), own.c_str(),
                 trained.c_str());
}

void eval(const EvalOptions &options) {
  checkCommonOptions(options);
  notePrecision(options);
  Model model(options, {"logits"});
  checkProblem(model);
  PictureSet pictures(model, options, /*limit=*/0, "evaluating");
  if (options.split.empty() &&
      std::string(vit_dataset_split(pictures.dataset())) == "train")
    std::fprintf(stderr, "warning: there is no validation or test part, so the "
                         "training part is evaluated\n");
  ClassMatch match = pictures.matchClasses(
      model, options.byPosition,
      " (--by-position takes class n of the data for class n of the model, "
      "whatever their names)");

  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  Progress progress(pictures.count());
  Score score;
  int64_t unreadable = pictures.forEach(
      options.batch, progress,
      [&](const Tensor &input, const int32_t *labels) {
        score.add(runner->run(input, {"logits"}).front(), labels);
      },
      /*sample=*/0, options.skipUnreadable ? "warning" : "error");
  printReport(score, match, unreadable, progress.seconds(), options.json);
  writeTrace(options.trace, log);
  if (unreadable > 0)
    std::fprintf(stderr,
                 "%lld of %lld pictures could not be read and are not "
                 "in these numbers\n",
                 static_cast<long long>(unreadable),
                 static_cast<long long>(pictures.count()));
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
