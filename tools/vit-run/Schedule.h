//===- Schedule.h - Learning rate over time ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_SCHEDULE_H
#define VIT_TOOLS_SCHEDULE_H

#include <cstdint>
#include <string>

namespace vit::tools {

/// The learning rate of each update.
struct Schedule {
  enum class Kind {
    Constant,
    Cosine, ///< torch.optim.lr_scheduler.CosineAnnealingLR, per update.
    Step    ///< torch.optim.lr_scheduler.StepLR, per epoch.
  };

  Kind kind = Kind::Constant;
  double base = 1e-3;      ///< --lr
  double least = 0;        ///< eta_min of Cosine; lower bound of Step.
  int64_t warmup = 0;      ///< Updates of linear warm-up, for any kind.
  int64_t updates = 1;     ///< In the whole run; Cosine ends there.
  int64_t stepEpochs = 30; ///< StepLR's step_size
  double stepFactor = 0.1; ///< StepLR's gamma

  /// The rate of update `update` of the run (from 0), in epoch `epoch` (from
  /// 0).
  double rate(int64_t update, int64_t epoch) const;
};

/// "constant", "cosine" or "step".
Schedule::Kind parseScheduleKind(const std::string &text);

/// The number of updates of a warm-up: "500", or "2e" for two epochs.
int64_t parseWarmup(const std::string &text, double updatesPerEpoch);

} // namespace vit::tools

#endif // VIT_TOOLS_SCHEDULE_H
