//===- vit-check-records.cpp - Files of a training run, without a model ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the parts of `vit-run train` that write files, without a model:
//
//   vit-check-records log FOLDER FROM TO
//       logs steps FROM + 1 to TO (ten per epoch), resuming after FROM
//   vit-check-records folder PATH TEXT exchange|rename [moment]
//       replaces the folder PATH by one that contains TEXT; `moment` (filled)
//       ends the process there
//   vit-check-records recover PATH
//       prints what the folder holds, or "none"
//   vit-check-records model CHECKPOINT TARGET LABEL...
//       makes the folder of the model to be trained
//
//===----------------------------------------------------------------------===//

#include "CheckpointFolder.h"
#include "Init.h"
#include "Support.h"
#include "TrainingLog.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace vit::tools;

/// A decreasing loss with noise that is the same in every process.
static double lossOf(uint64_t step) {
  double noise = double(step * 2654435761u % 1000) / 1000 - 0.5;
  return 2.3 * std::exp(-double(step) / 60) + 0.3 + 0.2 * noise;
}

static void writeLog(const std::string &folder, uint64_t from, uint64_t to) {
  TrainingLog log(folder, {{"model", "a <model> & more"}, {"batch", 64}}, from);
  for (uint64_t step = from + 1; step <= to; ++step) {
    int64_t epoch = int64_t((step - 1) / 10 + 1);
    int64_t correct = step == 7 ? -1 : int64_t(64 * (1 - lossOf(step) / 3));
    log.addStep({step, step, epoch, step == 5 ? NAN : lossOf(step), 64, correct,
                 1e-3, 1234.56, 0.05 * double(step)});
    if (step % 10 == 0) {
      log.addEpoch({step, epoch, lossOf(step), NAN, epoch != 1,
                    lossOf(step) + 0.1, 0.7, 0.9, 1000, 1e-3, 1234.56,
                    0.05 * double(step)});
    }
  }
  log.writeCurves();
  log.addNote(to, "interrupted", "bytes that are no text: \xff\xfe");
  log.flush();
}

static void replaceFolder(const std::string &path, const std::string &text,
                          bool exchange, bool stops) {
  FolderReplacement replacement(path);
  writeFile(replacement.folder() + "/text", text);
  if (stops)
    _exit(0);
  replacement.commit(exchange);
}

static void run(int argc, char **argv) {
  std::string command = argc > 2 ? argv[1] : "";
  if (command == "log" && argc == 5)
    writeLog(argv[2], std::strtoull(argv[3], nullptr, 10),
             std::strtoull(argv[4], nullptr, 10));
  else if (command == "folder" && argc >= 5)
    replaceFolder(argv[2], argv[3], std::strcmp(argv[4], "exchange") == 0,
                  argc > 5);
  else if (command == "recover")
    std::printf("%s\n", recoverFolder(argv[2])
                            ? readFile(std::string(argv[2]) + "/text").c_str()
                            : "none");
  else if (command == "model" && argc > 4)
    makeModelFolder(argv[2], {argv + 4, argv + argc}, argv[3]);
  else
    throw Error("see the head of vit-check-records.cpp");
}

int main(int argc, char **argv) {
  try {
    run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
