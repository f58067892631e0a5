//===- TrainingLog.cpp - Writes the log of a training run -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainingLog.h"

#include "JsonText.h"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

using Json = nlohmann::ordered_json;

namespace vit::tools {

/// Losses and rates are floats. NaN and infinity, which JSON does not have,
/// become null.
static Json number(double value) {
  if (!std::isfinite(value))
    return nullptr;
  return shortestDecimal(value);
}

/// Results on test data in full precision, so that they equal those of `vit-run
/// eval` of the checkpoint.
static Json exact(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

static Json rounded(double value, int decimals) {
  if (!std::isfinite(value))
    return nullptr;
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return std::strtod(text, nullptr);
}

/// A field of a line as a number; NaN if it is null or missing.
static double field(const Json &line, const char *name) {
  auto found = line.find(name);
  return found != line.end() && found->is_number() ? found->get<double>() : NAN;
}

bool isTrainingLog(const std::string &path) {
  const std::string begin = "{\"kind\":\"start\"";
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return false;
  std::string there(begin.size(), '\0');
  file.read(there.data(), static_cast<std::streamsize>(there.size()));
  // A run that was killed early may have written less.
  there.resize(static_cast<size_t>(file.gcount()));
  return !file.bad() && begin.compare(0, there.size(), there) == 0;
}

TrainingLog::TrainingLog(const std::string &folder, const Json &header,
                         uint64_t resumedStep)
    : folder(folder), path(folder + "/log.jsonl") {
  if (folder.empty())
    return;
  bool continued = resumedStep != 0 && access(path.c_str(), F_OK) == 0;
  if (continued)
    readBack(resumedStep);
  else
    writeFile(path, "");
  file.open(path, 0);
  if (header.contains("model") && header["model"].is_string())
    curves.title = header["model"].get<std::string>();
  events = std::make_unique<EventFile>(folder, resumedStep);
  auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count();
  Json first = {{"kind", continued ? "resume" : "start"}};
  if (continued)
    first["step"] = resumedStep;
  first["time"] = time / 1000.0;
  if (!continued)
    first.update(header);
  write(first);
}

/// Keeps the lines up to `resumedStep`. An incomplete line is the last one of a
/// killed run.
void TrainingLog::readBack(uint64_t resumedStep) {
  std::string text = readFile(path), kept;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object())
      continue;
    auto step = parsed.find("step");
    if (step != parsed.end() && step->is_number_unsigned() &&
        step->get<uint64_t>() > resumedStep)
      continue;
    remember(parsed);
    kept += line + "\n";
  }
  if (kept != text)
    writeFile(path, kept);
}

void TrainingLog::remember(const Json &line) {
  auto kind = line.find("kind");
  double step = field(line, "step");
  if (kind == line.end() || !kind->is_string() || std::isnan(step))
    return;
  if (*kind == "step") {
    curves.trainLoss.add(step, field(line, "loss"));
    curves.trainAccuracy.add(step, field(line, "accuracy"));
  } else if (*kind == "epoch") {
    curves.epochs.push_back(step);
    curves.testLoss.add(step, field(line, "test_loss"));
    curves.testAccuracy.add(step, field(line, "test_accuracy"));
  }
}

void TrainingLog::write(const Json &line) {
  // Messages may quote bytes of files, in any encoding.
  if (!folder.empty()) {
    file.write(jsonText(line) + "\n");
    remember(line);
  }
  if (onRecord)
    onRecord(line);
}

void TrainingLog::addStep(const StepRecord &record) {
  double accuracy = record.correct >= 0 && record.images > 0
                        ? static_cast<double>(record.correct) / record.images
                        : NAN;
  Json line = {{"kind", "step"},
               {"step", record.step},
               {"update", record.update},
               {"epoch", record.epoch},
               {"loss", number(record.loss)}};
  if (!std::isnan(accuracy))
    line["accuracy"] = number(accuracy);
  line["learning_rate"] = number(record.learningRate);
  line["images"] = record.images;
  line["images_per_second"] = rounded(record.imagesPerSecond, 1);
  line["seconds"] = rounded(record.seconds, 3);
  write(line);
  if (!events)
    return;
  events->add(record.step,
              {{"train/loss", record.loss},
               {"train/accuracy", accuracy},
               {"train/learning_rate", record.learningRate},
               {"train/images_per_second", record.imagesPerSecond}});
}

void TrainingLog::addEpoch(const EpochRecord &record) {
  Json line = {{"kind", "epoch"},
               {"step", record.step},
               {"epoch", record.epoch},
               {"train_loss", number(record.trainLoss)}};
  if (!std::isnan(record.trainAccuracy))
    line["train_accuracy"] = number(record.trainAccuracy);
  if (record.evaluated) {
    line["test_loss"] = exact(record.testLoss);
    line["test_accuracy"] = exact(record.testAccuracy);
    if (!std::isnan(record.testTop5))
      line["test_top5"] = exact(record.testTop5);
    line["test_images"] = record.testImages;
  }
  line["learning_rate"] = number(record.learningRate);
  line["images_per_second"] = rounded(record.imagesPerSecond, 1);
  line["seconds"] = rounded(record.seconds, 3);
  write(line);
  if (!events)
    return;
  double test = record.evaluated ? 1 : NAN;
  events->add(record.step, {{"epoch/train_loss", record.trainLoss},
                            {"epoch/train_accuracy", record.trainAccuracy},
                            {"epoch/test_loss", test * record.testLoss},
                            {"epoch/test_accuracy", test * record.testAccuracy},
                            {"epoch/test_top5", test * record.testTop5}});
}

void TrainingLog::addNote(uint64_t step, const std::string &kind,
                          const std::string &text) {
  write({{"kind", kind}, {"step", step}, {"text", text}});
}

void TrainingLog::flush() {
  if (!events)
    return;
  file.flush();
  events->flush();
}

void TrainingLog::writeCurves() {
  if (!folder.empty())
    writeFile(folder + "/curves.svg", drawCurves(curves));
}

} // namespace vit::tools
