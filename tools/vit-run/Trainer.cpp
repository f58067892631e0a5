//===- Trainer.cpp - The training loop ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trainer.h"

#include "Runner.h"
#include "format/ControlGroup.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <limits>
#include <numeric>

namespace vit::tools {

/// A trace of more steps would be too large to view.
static constexpr uint64_t kTracedSteps = 10;

Trainer::Trainer(const TrainOptions &options, Model &model, TrainingData &data,
                 const CarriedTensors &carried, TrainingState state,
                 Ranks &ranks, const TrainerHost *host)
    : options(options), model(model), data(data), carried(carried),
      ranks(ranks), host(host), state(std::move(state)), rounds(data, ranks),
      begin(now()) {}

//===----------------------------------------------------------------------===//
// Before the first step
//===----------------------------------------------------------------------===//

/// Throws if a step with `batch`, whose workspace is `needed(batch)`, exceeds
/// --memory or, together with what is always in memory, `besides`, what the
/// machine or control group allows each of its `processes`.
static void checkMemory(const TrainOptions &options, int processes,
                        int64_t batch, uint64_t besides,
                        const std::function<uint64_t(int64_t)> &needed) {
  uint64_t allowed = options.memory;
  std::string who = "--memory allows " + bytesText(allowed), instead;
  uint64_t usable = options.isGpu() ? 0 : format::usableMemory() / processes;
  if (usable && (!allowed || usable < allowed + besides)) {
    allowed = usable > besides ? usable - besides : 1;
    who = "the machine or its control group has " + bytesText(usable) +
          " of memory" + (processes > 1 ? " for each rank" : "") +
          ", and parameters and optimizer states take " + bytesText(besides);
    if (uint64_t mebibytes = allowed >> 20)
      instead = ", or try --memory " + std::to_string(mebibytes) +
                "M, which computes values again";
  }
  uint64_t bytes = needed(batch);
  if (allowed == 0 || bytes <= allowed)
    return;
  int64_t fits = batch;
  while (fits > 0 && needed(fits) > allowed)
    fits /= 2;
  throw Error("a step with batch " + std::to_string(batch) + " needs " +
              bytesText(bytes) + " of workspace, " + who + "; " +
              (fits > 0 ? "--batch " + std::to_string(fits) + " fits"
                        : "not even one picture fits") +
              instead);
}

/// Reports the memory of a step, and throws if there is not as much.
void Trainer::planMemory() {
  auto needed = [this](int64_t batch) {
    uint64_t most = 0;
    for (const char *entry : {"train_step", "accumulate_step"})
      if (model.hasEntry(entry))
        most = std::max(most, workspaceBytes(session, entry, batch));
    return most;
  };
  int64_t batch = std::min(options.batch, data.images());
  uint64_t trained = 0, parameters = 0, states = 0;
  auto count = [](const vit_binding_info &info) {
    return static_cast<uint64_t>(product(dimsOf(info)));
  };
  vit_error error;
  vit_binding_info info = {};
  for (int32_t i = 0; i < vit_parameters_count(model.parameters()); ++i) {
    check(vit_parameters_info(model.parameters(), i, &info, &error), error);
    parameters += count(info);
    if (vit_parameters_is_trained(model.parameters(), i))
      trained += count(info);
  }
  for (int32_t i = 0; i < vit_parameters_state_count(model.parameters()); ++i) {
    check(vit_parameters_state_info(model.parameters(), i, &info, &error),
          error);
    states += count(info) * vit_dtype_size(info.dtype);
  }
  checkMemory(options, ranks.localCount(), batch,
              parameters * sizeof(float) + states, needed);
  if (!ranks.isFirst())
    return;
  std::fprintf(stderr,
               "%.2f million parameters, %.2f million trained; batch %lld: "
               "%s of workspace, %s of parameters, %s of optimizer states\n",
               parameters * 1e-6, trained * 1e-6, static_cast<long long>(batch),
               bytesText(needed(batch)).c_str(),
               bytesText(parameters * sizeof(float)).c_str(),
               bytesText(states).c_str());
}

nlohmann::ordered_json Trainer::header() {
  nlohmann::ordered_json result = describeOptions(options);
  result["version"] = vit_version();
  result["images"] = data.images();
  result["test_images"] = data.hasTest() ? data.testImages() : 0;
  result["steps_per_epoch"] = perEpoch;
  if (ranks.areSeveral())
    result["ranks"] = ranks.count();
  return result;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// The signal received, or 0.
static volatile std::sig_atomic_t caught = 0;

/// After this call, the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 (with which
/// schedulers announce that a job's time ends) is recorded; a second one of the
/// same kind ends the process as usual.
static void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { caught = signal; };
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    // Keep SIGHUP ignored under nohup.
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN)
      sigaction(signal, &action, nullptr);
  }
}

int32_t Trainer::caughtSignal() const {
  if (host)
    return host->isToStop && host->isToStop() ? SIGINT : 0;
  return caught;
}

bool Trainer::isToStop() {
  return signal != 0 ||
         (options.steps > 0 && steps() >= static_cast<uint64_t>(options.steps));
}

/// What an error says when another rank is gone.
void Trainer::giveAdvice() {
  std::string last = options.out + "/last";
  ranks.setAdvice(describeLast(state.batches > 0 && hasSaved, last, steps()));
}

void Trainer::run() {
  trace.isOpen = false;
  session = createSession(
      model, options.trace.empty() ? nullptr : &trace, ranks.collective(),
      options.reduce == "fast" ? VIT_REDUCE_FAST : VIT_REDUCE_ORDERED);
  vit_code_info code = codeOf(session, "train_step");
  ranks.requireSame({{"level", code.level}, {"precision", code.precision}},
                    "--level and --precision make ranks on different "
                    "processors compute the same");
  planMemory();
  perEpoch = data.batchesPerEpoch();
  int64_t total = options.epochs * perEpoch;
  if (total < options.accumulate)
    throw Error("--accumulate " +
                std::to_string(options.accumulate / ranks.count()) +
                (ranks.areSeveral()
                     ? " times " + std::to_string(ranks.count()) + " ranks"
                     : "") +
                " batches make one update, but the whole run has only " +
                std::to_string(total));
  double updatesPerEpoch = double(perEpoch) / double(options.accumulate);
  schedule.kind = parseScheduleKind(options.schedule);
  schedule.base = options.learningRate;
  schedule.least = options.minimumRate;
  schedule.warmup = parseWarmup(options.warmup, updatesPerEpoch);
  schedule.updates = total / options.accumulate;
  schedule.stepEpochs = options.stepEpochs;
  schedule.stepFactor = options.stepFactor;
  if (state.batches > 0 && ranks.isFirst())
    std::fprintf(stderr, "resuming after step %llu (epoch %lld)\n",
                 static_cast<unsigned long long>(steps()),
                 static_cast<long long>(epoch() + 1));
  hasSaved = state.batches > 0;
  giveAdvice();
  if (options.reduce == "fast" && !ranks.isFirst())
    clearGradients();
  log.emplace(ranks.isFirst() ? options.out : "", header(), steps());
  if (host)
    log->onRecord = host->onRecord;
  else
    catchInterrupts();

  while (true) {
    // The sums are not reset if a run was stopped during an evaluation.
    bool isPending = state.batches > 0 && state.batches % perEpoch == 0 &&
                     state.epochImages > 0;
    if (isPending ? !finishEpoch() : state.batches >= total || isToStop())
      break;
    if (!isPending && !runEpoch())
      break;
  }
  ranks.setStepping(false);
  log->writeCurves();
  if (!options.trace.empty() && ranks.isFirst())
    writeTrace(options.trace, trace);
  if (state.batches >= total && state.epochImages == 0)
    return;
  // Stopped within an epoch or before the first step.
  if (signal && !host)
    log->addNote(steps(), "interrupted",
                 "stopped by signal " + std::to_string(signal));
  if (state.epochImages > 0 || steps() == 0)
    save("last");
  if (!host && ranks.isFirst())
    std::fprintf(stderr, "stopped after step %llu; --resume continues it\n",
                 static_cast<unsigned long long>(steps()));
  if (signal && !host)
    throw ExitStatus{128 + signal};
  if (signal && caughtSignal() == 0)
    throw PeerError("another rank has stopped the run", VIT_CANCELLED);
}

std::string Trainer::runningText() const {
  if (state.epochImages == 0)
    return "";
  char text[64];
  std::snprintf(text, sizeof(text), "loss %.4f",
                state.epochLoss / double(state.epochImages));
  std::string result = text;
  if (state.epochCorrect >= 0) {
    std::snprintf(text, sizeof(text), "  accuracy %.2f %%",
                  100.0 * double(state.epochCorrect) /
                      double(state.epochImages));
    result += text;
  }
  return result;
}

/// The next round: to the end of the epoch, of the update or of --steps at
/// most.
Round Trainer::nextRound() {
  auto step = static_cast<int64_t>(steps());
  int64_t most = std::min(perEpoch - state.batches % perEpoch,
                          options.accumulate - step % options.accumulate);
  if (options.steps > 0)
    most = std::min(most, options.steps - step);
  Round round = rounds.next(step, state.batches, most, caughtSignal());
  signal = std::max(signal, round.signal);
  return round;
}

bool Trainer::runEpoch() {
  int64_t current = epoch();
  int64_t done = state.batches % perEpoch * options.batch;
  Progress progress(data.images(),
                    "epoch " + std::to_string(current + 1) + "/" +
                        std::to_string(options.epochs),
                    done);
  epochSeconds = 0;
  epochDone = 0;
  ranks.setStepping(true);
  while (epoch() == current) {
    Round round;
    if (!isToStop())
      round = nextRound();
    if (isToStop()) {
      progress.finish();
      return false;
    }
    reportSkipped(round.skipped);
    uint64_t before = steps();
    if (!round.images.empty())
      step(round);
    state.batches += round.batches;
    done += round.pictureCount;
    if (ranks.isFirst())
      progress.update(done, runningText());
    auto every = static_cast<uint64_t>(options.checkpointEvery);
    bool isLast = epoch() != current;
    if (every > 0 && !isLast && steps() / every != before / every)
      save("last");
  }
  progress.finish();
  if (state.epochImages == 0)
    throw Error("none of the pictures to train on can be read");
  return true;
}

void Trainer::step(const Round &round) {
  double start = now();
  uint64_t before = steps();
  auto accumulate = static_cast<uint64_t>(options.accumulate);
  std::vector<float> losses(ranks.count());
  std::vector<int32_t> corrects(ranks.count(), -1);
  vit_step step = {};
  step.struct_size = sizeof(step);
  step.images = &round.pictures;
  step.targets = &round.labels;
  step.batches = static_cast<int32_t>(round.images.size());
  step.losses = losses.data();
  step.corrects = corrects.data();
  step.update = (before + round.images.size()) % accumulate == 0;
  step.learning_rate = static_cast<float>(
      schedule.rate(static_cast<int64_t>(before / accumulate), epoch()));
  trace.isOpen = !options.trace.empty() &&
                 static_cast<uint64_t>(trace.calls.size()) < kTracedSteps;
  uint64_t startTime = nanoseconds();
  vit_error error;
  check(vit_session_step(session.get(), &step, &error), error);
  if (trace.isOpen)
    trace.calls.push_back(
        {"step " + std::to_string(before + 1), "", startTime, nanoseconds()});
  trace.isOpen = false;
  for (size_t i = 0; i < round.images.size(); ++i)
    if (!std::isfinite(losses[i]))
      failNotFinite(before + i + 1,
                    explainNotFinite(round, before + i, losses[i]));
  rate = step.learning_rate;
  double passed = now() - start;
  int64_t images =
      std::accumulate(round.images.begin(), round.images.end(), int64_t(0));
  epochSeconds += passed;
  epochDone += images;
  for (size_t i = 0; i < round.images.size(); ++i) {
    state.epochLoss += double(losses[i]) * double(round.images[i]);
    state.epochImages += round.images[i];
    state.epochCorrect =
        corrects[i] < 0 ? -1 : state.epochCorrect + int64_t(corrects[i]);
    log->addStep({before + i + 1, (before + i + 1) / accumulate, epoch() + 1,
                  losses[i], round.images[i], corrects[i], rate,
                  double(images) / passed, seconds()});
  }
}

/// Calls `change` with the sums of gradients of an update that is not complete.
void Trainer::changeGradients(
    const std::function<void(std::vector<float> &)> &change) {
  vit_error error;
  for (int32_t i = 0; i < vit_parameters_state_count(model.parameters()); ++i) {
    vit_binding_info info = {};
    check(vit_parameters_state_info(model.parameters(), i, &info, &error),
          error);
    if (std::string(info.name).rfind("gradient.", 0) != 0)
      continue;
    std::vector<float> values(product(dimsOf(info)));
    size_t bytes = values.size() * sizeof(float);
    check(vit_parameters_state_read(model.parameters(), info.name,
                                    values.data(), bytes, &error),
          error);
    change(values);
    check(vit_parameters_state_write(model.parameters(), info.name,
                                     values.data(), bytes, &error),
          error);
  }
}

void Trainer::clearGradients() {
  changeGradients([](std::vector<float> &values) {
    std::fill(values.begin(), values.end(), 0.0f);
  });
}

void Trainer::save(const std::string &name) {
  ranks.setStepping(false);
  checkFinite();
  // With the fast reduction each rank has a part of an update's gradients: from
  // now on rank 0 has their sum.
  if (options.reduce == "fast" && ranks.areSeveral() &&
      steps() % static_cast<uint64_t>(options.accumulate) != 0) {
    changeGradients([this](std::vector<float> &values) { ranks.sum(values); });
    if (!ranks.isFirst())
      clearGradients();
  }
  ranks.together([&] {
    if (!ranks.isFirst())
      return;
    log->flush();
    TrainingState saved = state;
    saved.steps = steps();
    saved.seconds = seconds();
    saveCheckpoint(options.out + "/" + name, model, data.getPreprocessing(),
                   data.getModelLabels(), carried, saved);
  });
  hasSaved = true;
  giveAdvice();
  ranks.setStepping(true);
}

//===----------------------------------------------------------------------===//
// The end of an epoch
//===----------------------------------------------------------------------===//

/// The scores of the pictures of the test data that are this rank's. After each
/// batch the ranks tell each other whether to stop.
Trainer::Share Trainer::evaluateShare() {
  int64_t total = data.testImages(), count = ranks.count();
  int64_t first = total * ranks.rank() / count,
          end = total * (ranks.rank() + 1) / count;
  int64_t size = options.evalBatch > 0 ? options.evalBatch : options.batch;
  std::optional<Batches> batches;
  if (end > first)
    batches = data.testBatches(size, first, end);
  vit_binding_info output = model.outputInfos().front();
  Progress progress(total, "evaluation");
  Share share;
  Tensor logits;
  struct State {
    int32_t signal, hasFault;
  };
  int64_t most = (total + count - 1) / count;
  for (int64_t done = 0; done < most; done += size) {
    if (batches && done < end - first) {
      const vit_batch &batch = batches->next();
      int64_t images = batch.images.dims[0];
      for (const std::string &text : batches->skipped())
        share.skipped += text + "\n";
      logits.allocate(VIT_F32, {images, output.dims[1]});
      vit_tensor out = logits.view();
      vit_error error;
      if (images > 0)
        check(vit_session_run(session.get(), nullptr, &batch.images, 1, &out, 1,
                              &error),
              error);
      const auto *labels = static_cast<const int32_t *>(batch.labels.data);
      try {
        for (int64_t i = 0; i < images; ++i)
          share.scores.push_back(
              scorePicture(logits, i, labels[i], first + done + i));
      } catch (const Error &failure) {
        share.fault = failure.what();
      }
    }
    bool isOver = false;
    for (State state :
         ranks.gather(State{caughtSignal(), !share.fault.empty()})) {
      signal = std::max(signal, state.signal);
      isOver |= state.signal || state.hasFault;
    }
    if (isOver)
      break;
    if (ranks.isFirst())
      progress.update(std::min(total, (done + size) * count));
  }
  progress.finish();
  return share;
}

std::optional<Score> Trainer::evaluate() {
  Share share = evaluateShare();
  if (signal)
    return std::nullopt;
  for (const std::string &fault : ranks.gather(share.fault))
    if (!fault.empty())
      failNotFinite(steps(),
                    "after step " + std::to_string(steps()) + " " + fault);
  for (const std::string &texts : ranks.gather(share.skipped))
    reportSkipped(split(texts, '\n'));
  Score score;
  score.classes = model.outputInfos().front().dims[1];
  for (const PictureScore &picture : ranks.gatherLists(share.scores))
    score.add(picture);
  if (score.images == 0)
    throw Error("none of the pictures to test on can be read");
  return score;
}

bool Trainer::finishEpoch() {
  checkFinite();
  int64_t number = state.batches / perEpoch; // the first is 1
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  EpochRecord record = {};
  record.step = steps();
  record.epoch = number;
  record.trainLoss = state.epochLoss / double(state.epochImages);
  record.trainAccuracy = state.epochCorrect < 0 ? unknown
                                                : double(state.epochCorrect) /
                                                      double(state.epochImages);
  record.learningRate = rate;
  record.imagesPerSecond = epochSeconds > 0 ? epochDone / epochSeconds : 0;
  std::string text = "epoch " + std::to_string(number) + "/" +
                     std::to_string(options.epochs) + "  " + runningText();
  bool isBest = false;
  if (data.hasTest() &&
      (number % options.evalEvery == 0 || number == options.epochs)) {
    std::optional<Score> score = evaluate();
    if (!score)
      return false;
    record.evaluated = true;
    record.testLoss = score->loss();
    record.testAccuracy = score->accuracy();
    record.testTop5 = score->accuracyTop5();
    record.testImages = score->images;
    isBest = record.testAccuracy > state.bestAccuracy;
    char shown[96];
    std::snprintf(shown, sizeof(shown), "  test loss %.4f  accuracy %.2f %%",
                  record.testLoss, 100 * record.testAccuracy);
    text += shown;
  }
  record.seconds = seconds();
  log->addEpoch(record);
  log->writeCurves();
  char shown[64];
  std::snprintf(shown, sizeof(shown), "  %.1f images/s",
                record.imagesPerSecond);
  if (!host && ranks.isFirst()) {
    std::printf("%s%s%s\n", text.c_str(), shown, isBest ? "  (best)" : "");
    std::fflush(stdout);
  }
  if (isBest) {
    state.bestAccuracy = record.testAccuracy;
    state.bestEpoch = number;
  }
  state.epochLoss = 0;
  state.epochImages = state.epochCorrect = 0;
  if (isBest)
    save("best");
  save("last");
  return true;
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void Trainer::reportSkipped(const std::vector<std::string> &messages) {
  for (const std::string &message : messages) {
    if (!skipped.insert(message).second)
      continue;
    log->addNote(steps(), "unreadable", message);
    if (ranks.isFirst())
      std::fprintf(stderr, "left out (%zu so far): %s\n", skipped.size(),
                   message.c_str());
  }
}

/// The last update can make parameters infinite without any later loss to show
/// it. Do not save such a checkpoint.
void Trainer::checkFinite() {
  const char *parameter = vit_parameters_find_not_finite(model.parameters());
  if (parameter)
    failNotFinite(steps(), "step " + std::to_string(steps()) +
                               " has made parameters infinite or NaN; the "
                               "first is " +
                               model.parameterName(parameter));
}

void Trainer::failNotFinite(uint64_t step, std::string message) {
  std::string last = options.out + "/last";
  message += hasCheckpoint(last)
                 ? "; the checkpoint " + last + " is from before"
                 : std::string("; no checkpoint was written before");
  message += " (a lower --lr, --warmup or --clip-norm may help)";
  log->addNote(step, "not_finite", message);
  log->flush();
  log->writeCurves();
  throw Error(message);
}

/// Where the loss of micro-batch `step`, counted from 0, has come from. It is
/// known to the rank whose batch it was, and told to all.
std::string Trainer::explainNotFinite(const Round &round, uint64_t step,
                                      float loss) {
  // The step changed nothing: parameters and checkpoints are as before.
  std::string message = "step " + std::to_string(step + 1) + ": the loss is " +
                        (std::isnan(loss) ? "not a number" : "infinite");
  auto owner = static_cast<int32_t>(step % ranks.count());
  if (ranks.rank() == owner)
    message += findNotFinite(round, static_cast<int32_t>(step));
  return ranks.gather(message)[owner];
}

/// The first value that is not finite in this rank's part of a round.
std::string Trainer::findNotFinite(const Round &round, int32_t index) {
  std::string text;
  float learningRate = 0;
  std::vector<vit_tensor> inputs = {round.pictures, round.labels};
  inputs.push_back(
      {nullptr, &learningRate, sizeof(learningRate), VIT_F32, 0, {}, VIT_HOST});
  inputs.push_back({nullptr, &index, sizeof(index), VIT_I32, 0, {}, VIT_HOST});
  vit_error error;
  for (size_t i = 0; i < inputs.size(); ++i) {
    vit_binding_info info = {};
    check(vit_module_input(model.module(), "train_step",
                           static_cast<int32_t>(i), &info, &error),
          error);
    inputs[i].name = info.name;
  }
  char name[512] = "";
  const char *parameter = vit_parameters_find_not_finite(model.parameters());
  vit_status status = vit_session_find_not_finite(
      session.get(), "train_step", inputs.data(),
      static_cast<int32_t>(inputs.size()), name, sizeof(name), &error);
  if (status == VIT_OK && *name)
    text += std::string("; the first NaN or infinity is in ") + name;
  else if (status != VIT_OK && status != VIT_UNSUPPORTED)
    text += std::string("; its origin is unknown: ") + error.message;
  if (parameter)
    text += "; the first parameter that is not finite is " +
            model.parameterName(parameter);
  return text;
}

} // namespace vit::tools
