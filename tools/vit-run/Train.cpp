//===- Train.cpp - vit-run train ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainingRun.h"

namespace vit::tools {

void addTrain(CLI::App &app) {
  Command command(app, "train", "Train a model on a labelled data set");
  auto options = std::make_shared<TrainOptions>();
  addTrainOptions(command, *options);
  command.action([options, command] {
    finishTrainOptions(command, *options);
    TrainingRun(*options, {}).run();
  });
}

} // namespace vit::tools
