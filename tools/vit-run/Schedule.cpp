//===- Schedule.cpp - Learning rate over time -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "Support.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vit::tools {

double Schedule::rate(int64_t update, int64_t epoch) const {
  // torch.optim.lr_scheduler.LinearLR(start_factor = 1 / warmup,
  // total_iters = warmup - 1): base / warmup first, base after `warmup`
  // updates.
  if (update < warmup)
    return base * double(update + 1) / double(warmup);
  switch (kind) {
  case Kind::Constant:
    return base;
  case Kind::Cosine: {
    // CosineAnnealingLR(T_max = updates - warmup, eta_min = least).
    constexpr double pi = 3.14159265358979323846;
    int64_t length = std::max<int64_t>(1, updates - warmup);
    double done = double(std::min(update - warmup, length)) / double(length);
    return least + (base - least) * (1 + std::cos(pi * done)) / 2;
  }
  case Kind::Step:
    // StepLR(step_size = stepEpochs, gamma = stepFactor).
    return std::max(least,
                    base * std::pow(stepFactor, double(epoch / stepEpochs)));
  }
  return base;
}

Schedule::Kind parseScheduleKind(const std::string &text) {
  if (text == "constant")
    return Schedule::Kind::Constant;
  if (text == "cosine")
    return Schedule::Kind::Cosine;
  if (text == "step")
    return Schedule::Kind::Step;
  throw Error("--schedule " + text +
              " is unknown; choose constant, cosine or step");
}

int64_t parseWarmup(const std::string &text, double updatesPerEpoch) {
  if (text.empty())
    return 0;
  char *end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  bool inEpochs = *end == 'e' && end[1] == 0;
  if (end == text.c_str() || (*end && !inEpochs) || !(value >= 0) ||
      value > 1e12 || (!inEpochs && value != std::floor(value)))
    throw Error("--warmup " + text +
                " is not a number of updates (500) or of epochs (2e)");
  return std::llround(inEpochs ? value * updatesPerEpoch : value);
}

} // namespace vit::tools
