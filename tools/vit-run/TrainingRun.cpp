//===- TrainingRun.cpp - A model that is being trained --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainingRun.h"

#include "Checkpoint.h"
#include "Classes.h"
#include "Data.h"
#include "ImageSize.h"
#include "Init.h"
#include "Runner.h"
#include "format/Hash.h"
#include "vit/Import/ModelFolder.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <unistd.h>

namespace fs = std::filesystem;

namespace vit::tools {

/// Checks that a compiled module was compiled with the given optimizer options.
static void checkModule(Model &model, const TrainOptions &options) {
  if (!options.imageSize.empty())
    throw Error("--image-size requires a text or a folder; " + options.model +
                " was compiled for one size of pictures (vit-compile --train "
                "--image-size)");
  if (!model.hasEntry("train_step"))
    throw Error(options.model + " has no training step; compile it with "
                                "vit-compile --train, or train the text or the "
                                "checkpoint's folder");
  // A checkpoint holds every parameter.
  vit_error problem;
  vit_binding_info parameter = {};
  for (int32_t i = 0; i < vit_parameters_count(model.parameters()); ++i) {
    check(vit_parameters_info(model.parameters(), i, &parameter, &problem),
          problem);
    if (parameter.dtype != VIT_F32)
      throw Error(options.model + " holds " + parameterName(parameter) +
                  " rounded, so no checkpoint can be written; train the text "
                  "or the checkpoint's folder, or a module compiled with "
                  "--precision f32");
  }
  if (!options.fixedInModule.empty())
    throw Error(options.fixedInModule + " requires a text or a folder; " +
                options.model +
                " was compiled with its optimizer (vit-compile --train)");
  vit_binding_info targets = {};
  vit_error error;
  check(vit_module_input(model.module(), "train_step", 1, &targets, &error),
        error);
  if (targets.dtype != VIT_I32)
    throw Error(options.model + " is trained on a number for each class (" +
                targets.name +
                ", f32), not from the classes of pictures; compile it without "
                "soft-targets and loss=mse, or train it with vit_session_step");
  if (model.hasEntry("accumulate_step") != (options.accumulate > 1))
    throw Error(options.model +
                (options.accumulate > 1
                     ? " was compiled without accumulation; leave out "
                       "--accumulate"
                     : " was compiled to accumulate gradients; give the same "
                       "--accumulate"));
}

/// Throws if the model (a text or a module; in a folder it is changed) is not
/// one of a single label per picture.
static void checkProblemType(Model &model, const std::string &name) {
  const char *type = vit_module_problem_type(model.module());
  if (type && std::string(type) != "single_label_classification")
    throw Error(name + ": vit.problem_type is " + type +
                ", and train learns one label per picture (cross entropy of "
                "the softmax); remove the attribute to train it so");
}

/// A new run overwrites only what a run left that was stopped before its first
/// checkpoint.
static void checkOutFolder(const std::string &out) {
  std::error_code ignored;
  auto inTheWay = [](const std::string &path, const char *what) {
    throw Error(path + " is in the way: " + what + "; choose another --out");
  };
  if (fs::exists(out + "/last", ignored))
    inTheWay(out + "/last", "it is not the folder of a checkpoint");
  std::string log = out + "/log.jsonl";
  bool isOurs = fs::exists(log, ignored);
  if (isOurs && !isTrainingLog(log))
    inTheWay(log, "no training run wrote it");
  for (const char *name : {"/best", "/curves.svg"})
    if (!isOurs && fs::exists(out + name, ignored))
      inTheWay(out + name, "no training run is beside it");
  if (mlir::vit::hasWeights(out + "/model"))
    inTheWay(out + "/model", "it holds weights");
}

/// The hash of what defines the model's structure; empty for a module, whose
/// tensors alone are compared.
static std::string modelHash(const std::string &model) {
  std::error_code ignored;
  std::string path = model;
  for (const char *name : {"config.json", "model.mlir"})
    if (path == model && fs::exists(fs::path(model) / name, ignored))
      path = (fs::path(model) / name).string();
  if (path == model && fs::path(model).extension() != ".mlir")
    return "";
  std::string text = readFile(path);
  return hexText(format::hash64(text.data(), text.size()));
}

/// The options of a run, with what data and model are in place of where they
/// are.
static nlohmann::ordered_json describeContent(const TrainOptions &options,
                                              const TrainingData &data) {
  nlohmann::ordered_json result = describeRun(options);
  result["data"] = data.describe();
  result["test"] = data.describeTest();
  result.erase("order"); // It belongs to the data.
  std::string hash = modelHash(options.model);
  if (!hash.empty())
    result["model"] = hash;
  return result;
}

/// Throws if a run cannot be resumed with these options and this data.
static void compareRuns(const nlohmann::ordered_json &was,
                        const nlohmann::ordered_json &is,
                        const std::string &last) {
  std::string difference = describeDifference(was, is);
  if (!difference.empty())
    throw Error(
        "--resume requires the options that the run began with: " + difference +
        "; to change them, start a new run with --init " + last);
  if (was.value("data", nlohmann::ordered_json()).is_string())
    std::fprintf(stderr,
                 "note: %s was written by an older version, so it is not known "
                 "whether the data has changed\n",
                 last.c_str());
  auto test = was.find("test");
  if (test == was.end() || test->is_null() || is["test"].is_null())
    return;
  std::string change = compareData(*test, is["test"]);
  if (!change.empty())
    std::fprintf(stderr,
                 "warning: the accuracies before and after are not of the same "
                 "test data: %s\n",
                 change.c_str());
}

/// Whether the head of the checkpoint `init` is for other classes than `labels`
/// or has them in another order.
static bool needsNewHead(const std::string &init, const Names &labels) {
  std::error_code ignored;
  Names before =
      fs::is_directory(init, ignored) ? labelsOfFolder(init) : Names();
  return areWords(before) && areWords(labels) &&
         before.size() == labels.size() &&
         !matchClasses(before, labels, static_cast<int64_t>(labels.size()))
              .isIdentity();
}

/// A folder of config.json alone may be trained from scratch; one whose weights
/// cannot be read may not: the user wants them.
static void reportNoWeights(const std::string &folder) {
  mlir::vit::FolderProblem problem = mlir::vit::explainMissingWeights(folder);
  if (problem.hasOtherWeights)
    throw Error(problem.text);
  std::fprintf(stderr,
               "note: %s; training starts from initialised parameters\n",
               problem.text.c_str());
}

/// open_clip has no class with a head to export to.
static void refuseOpenClip(const std::string &model) {
  std::error_code ignored;
  if (!fs::exists(fs::path(model) / "config.json", ignored) &&
      fs::exists(fs::path(model) / "open_clip_config.json", ignored))
    throw Error(model + " is a model of open_clip, which has no class with a "
                        "head for classes; train the same tower as a model of "
                        "transformers (CLIPForImageClassification) or timm "
                        "(vit_*_clip_*), or use the vectors of vit-run embed");
}

/// Throws, or makes the folder of the run; `isFound`: it has a checkpoint.
void TrainingRun::openOutFolder(bool isFound) const {
  if (isFound && !options.resume)
    throw Error(options.out + " already holds a training run; continue it with "
                              "--resume, or choose another --out");
  if (!isFound)
    checkOutFolder(options.out);
  if (options.resume && !isFound)
    std::fprintf(stderr,
                 "no checkpoint in %s yet: starting from the beginning\n",
                 options.out.c_str());
}

/// Adapts a checkpoint's folder to the classes, in --out. Returns the weights
/// to start from.
std::string TrainingRun::prepareFolder() {
  std::error_code error;
  std::string init = options.init;
  if (!fs::exists(fs::path(options.model) / "config.json", error))
    return init;
  if (init.empty() && mlir::vit::hasWeights(options.model))
    init = options.model;
  else if (init.empty())
    reportNoWeights(options.model);
  std::string folder = options.out + "/model";
  if (ranks.isFirst()) {
    makeModelFolder(options.model, classes, folder);
    if (!options.imageSize.empty())
      setModelSize(options.model, folder, options.imageSize);
  } else if (!fs::exists(fs::path(folder) / "config.json", error)) {
    throw Error("there is no " + folder +
                "/config.json, which rank 0 has written: --out has to be on a "
                "file system that all ranks share");
  }
  options.imageSize.clear();
  options.model = folder;
  return init;
}

namespace {

/// While it lives, what is printed on standard error is lost: other ranks print
/// it.
class Silence {
public:
  explicit Silence(bool isSilent) {
    int nowhere = isSilent ? ::open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (nowhere < 0)
      return;
    std::fflush(stderr);
    before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  ~Silence() {
    if (before < 0)
      return;
    std::fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
  }
  Silence(const Silence &) = delete;
  Silence &operator=(const Silence &) = delete;

private:
  int before = -1;
};

} // namespace

/// Throws what `work` throws, after the other ranks know it.
template <typename Work> static void guardRanks(Ranks &ranks, Work work) {
  try {
    work();
  } catch (const KnownError &) {
    throw;
  } catch (const Error &error) {
    ranks.fail(error);
  } catch (const std::bad_alloc &) {
    ranks.fail(Error("not enough memory", VIT_OUT_OF_MEMORY));
  }
}

TrainingRun::TrainingRun(TrainOptions given, const Names &names)
    : options(std::move(given)), ranks(Ranks::open(options)) {
  Silence silence(!ranks.isFirst());
  guardRanks(ranks, [&] { open(names); });
}

/// The threads and the device of this rank.
void TrainingRun::shareMachine() {
  if (!ranks.areSeveral())
    return;
  const char *threads = std::getenv("VIT_NUM_THREADS");
  int share = ranks.shareThreads();
  if (options.threads == 0 && !(threads && *threads))
    options.threads = share;
  options.device = ranks.shareDevice(options.device);
  std::fprintf(stderr,
               "%d ranks, %d of them on this machine, %d threads each; "
               "%s\n",
               ranks.count(), ranks.localCount(), options.threads,
               ranks.library());
  if (std::string note = ranks.connectDevices(options.device); !note.empty())
    std::fprintf(stderr, "%s\n", note.c_str());
  if (!ranks.isFirst())
    options.dumpIr.clear();
}

/// Resumes a run with as many batches per update as it began with, if the
/// options do not say how many.
void TrainingRun::keepAccumulation(const nlohmann::ordered_json &before) {
  if (options.hasAccumulate)
    return;
  std::string training = before.value("training", "");
  size_t at = training.find(" accumulate=");
  int64_t batches =
      at == std::string::npos ? 1 : std::atoll(training.c_str() + at + 12);
  if (batches < 1 || batches % ranks.count() != 0)
    throw Error("the run in " + options.out + " has " +
                std::to_string(batches) + " batches per update, which " +
                std::to_string(ranks.count()) +
                " ranks cannot share equally; resume it on fewer");
  options.accumulate = batches;
}

/// Throws on all ranks if they would not train the same; `steps` are those of
/// the checkpoint that this rank has found.
void TrainingRun::requireSameRun(uint64_t steps) {
  nlohmann::ordered_json same = state.options;
  same["version"] = vit_version();
  same["epochs"] = options.epochs;
  same["steps"] = options.steps;
  same["eval-every"] = options.evalEvery;
  same["checkpoint-every"] = options.checkpointEvery;
  same["init"] = options.init;
  same["device"] = options.family();
  same["step of the checkpoint in --out"] = steps;
  ranks.requireSame(same, "all ranks need the same version, options and data, "
                          "and an --out that they share");
}

void TrainingRun::openData(const Names &names, bool isFound) {
  if (!options.data.empty()) {
    data.emplace(options);
    classes = data->getLabels();
  } else {
    std::error_code ignored;
    classes = names;
    if (classes.empty() && fs::is_directory(options.model, ignored))
      classes = labelsOfFolder(options.model);
  }
  std::string last = options.out + "/last";
  nlohmann::ordered_json before;
  if (isFound) {
    before = readTrainingState(last).options;
    keepAccumulation(before);
  }
  state.options = data ? describeContent(options, *data) : describeRun(options);
  if (isFound)
    compareRuns(before, state.options, last);
}

/// The module is compiled once on each machine; its other ranks find it in the
/// cache.
void TrainingRun::makeModel() {
  uint64_t bucketBytes =
      options.family() == "cuda" ? kCudaBucketBytes : kBucketBytes;
  auto make = [&] {
    model.emplace(options, std::vector<std::string>(),
                  TrainingRequest{trainingText(options), options.memory,
                                  options.batch,
                                  ranks.areSeveral() ? bucketBytes : 0});
    // Its errors are clearer than those of loading the module.
    if (model->isCompiled())
      checkModule(*model, options);
    model->module();
  };
  ranks.together([&] {
    if (ranks.localRank() == 0)
      make();
  });
  ranks.together([&] {
    if (!model)
      make();
    checkProblemType(*model, options.model);
  });
}

void TrainingRun::open(const Names &names) {
  // A host may have made a temporary folder on each rank.
  options.out = ranks.gather(options.out).front();
  std::string last = options.out + "/last";
  bool isFound = false;
  ranks.together([&] {
    options.model = mlir::vit::resolveModelFolder(options.model);
    options.init = mlir::vit::resolveModelFolder(options.init);
    options.accumulate *= ranks.count();
    checkCommonOptions(options);
    checkTrainOptions(options);
    refuseOpenClip(options.model);
  });
  shareMachine();
  ranks.firstThenOthers([&] {
    isFound = hasCheckpoint(last);
    if (ranks.isFirst())
      openOutFolder(isFound);
  });
  uint64_t steps = isFound ? readTrainingState(last).steps : 0;
  ranks.setAdvice(describeLast(isFound, last, steps));
  ranks.together([&] { openData(names, isFound); });
  requireSameRun(steps);
  std::string init;
  ranks.firstThenOthers([&] {
    std::error_code error;
    fs::create_directories(options.out, error);
    if (error)
      throw Error("cannot make the folder " + options.out + ": " +
                  error.message());
    init = prepareFolder();
  });
  makeModel();
  ranks.together([&] {
    if (data) {
      data->prepareFor(*model);
      classes = data->getModelLabels();
      preprocessing = data->getPreprocessing();
    } else {
      preprocessing = model->findPreprocessing().value_or(
          defaultPreprocessing(model->inputInfo(), /*isFolder=*/true));
      classes = labelsOf(model->module());
    }
    startParameters(init, isFound ? last : "");
  });
}

/// The parameters of the checkpoint `last`, else those of `init`, else of the
/// model's initialisers.
void TrainingRun::startParameters(const std::string &init,
                                  const std::string &last) {
  if (last.empty()) {
    if (!init.empty())
      carried = initialise(*model, init, needsNewHead(init, classes));
    vit_parameters_seed(model->parameters(), options.seed);
    return;
  }
  nlohmann::ordered_json current = state.options;
  state = loadCheckpoint(last, *model, carried);
  if (current.value("model", "") != state.options.value("model", "") &&
      state.options.value("model", "").rfind('/', 0) != 0)
    std::fprintf(stderr, "warning: the text or config.json of the model has "
                         "changed since the run began\n");
  state.options = current;
}

void TrainingRun::run(const TrainerHost *host) {
  Trainer trainer(options, *model, *data, carried, state, ranks, host);
  guardRanks(ranks, [&] { trainer.run(); });
  state = trainer.getState();
}

vit_step TrainingRun::step(const vit_tensor &images, const vit_tensor &targets,
                           float learningRate) {
  vit_step step = {};
  guardRanks(ranks, [&] { step = runStep(images, targets, learningRate); });
  return step;
}

vit_step TrainingRun::runStep(const vit_tensor &images,
                              const vit_tensor &targets, float learningRate) {
  if (!session)
    session = createSession(*model, nullptr, ranks.collective(),
                            options.reduce == "fast" ? VIT_REDUCE_FAST
                                                     : VIT_REDUCE_ORDERED);
  vit_step step = {};
  step.struct_size = sizeof(step);
  step.images = &images;
  step.targets = &targets;
  step.learning_rate = learningRate;
  uint64_t before = vit_parameters_steps(model->parameters());
  step.update =
      (before + ranks.count()) % static_cast<uint64_t>(options.accumulate) == 0;
  vit_error error;
  check(vit_session_step(session.get(), &step, &error), error);
  step.images = step.targets = nullptr;
  if (!std::isfinite(step.loss))
    throw Error("step " + std::to_string(before + 1) + ": the loss is " +
                (std::isnan(step.loss) ? "not a number" : "infinite") +
                "; nothing was changed (a lower --lr or --clip-norm may help)");
  return step;
}

void TrainingRun::save(const std::string &folder) {
  const char *parameter = vit_parameters_find_not_finite(model->parameters());
  if (parameter)
    throw Error("the parameters are not finite and not saved; the first is " +
                model->parameterName(parameter));
  TrainingState saved = state;
  saved.steps = vit_parameters_steps(model->parameters());
  saved.batches = std::max(saved.batches, static_cast<int64_t>(saved.steps));
  ranks.together([&] {
    if (ranks.isFirst())
      saveCheckpoint(folder, *model, preprocessing, classes, carried, saved);
  });
}

} // namespace vit::tools
