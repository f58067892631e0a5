//===- Benchmark.h - Measures a model ---------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What bench and report share: the measurement and its description as JSON.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_BENCHMARK_H
#define VIT_TOOLS_BENCHMARK_H

#include "Estimate.h"
#include "Model.h"
#include "Options.h"
#include "Support.h"
#include "Trace.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

struct BenchOptions : CommonOptions {
  int64_t batch = 1;
  std::string input;  ///< An array to run on; empty: normal random numbers.
  std::string output; ///< The output to compute; empty: the model's own.
  double minimumSeconds = 1.0;
  int64_t runs = 10;
  bool json = false;
  bool ops = false; ///< Also describe the commands.
  bool train = false;
  std::string training; ///< Options of vit-generate-backward.
};

/// The times of one command over several runs.
struct OpTimes {
  std::string name, kernel;
  std::vector<double> seconds;
  double flop = 0;
  uint64_t bytes = 0;   ///< Of its arguments; 0: not known.
  double estimated = 0; ///< Seconds at least; 0: not known.

  /// Between the host and a GPU, before and after the commands of a module.
  bool isTransfer() const {
    return kernel == "copy" && (name == "upload" || name == "download");
  }
};

/// The time until the first result, in seconds.
struct StartTimes {
  double module = 0;   ///< Compile, or find and map the module.
  double weights = 0;  ///< Open or draw them.
  double session = 0;  ///< Open the device, build its kernels, upload.
  double firstRun = 0; ///< The first call, in which drivers may compile.

  double total() const { return module + weights + session + firstRun; }
};

/// The results of a benchmark.
struct Benchmark {
  StartTimes start;
  std::vector<double> times; ///< Of each run, in seconds.
  uint64_t workspace = 0;
  uint64_t peakResident = 0;
  std::vector<OpTimes> ops;
  int64_t batch = 0;
  int threads = 0;
  std::string level, precision; ///< Of the reference "reference", "f64".
  nlohmann::ordered_json device;
  const Gpu *gpu = nullptr;         ///< If its figures are known.
  std::optional<Estimate> estimate; ///< Of the ops, for `gpu`.
  double peak = 0;      ///< FLOP/s of the processor in it; 0: not measured.
  double bandwidth = 0; ///< Bytes/s of its memory; 0: not measured.
  EventLog log;         ///< One run with its commands.

  double least() const { return *std::min_element(times.begin(), times.end()); }
  double flop() const {
    double sum = 0;
    for (const OpTimes &op : ops)
      sum += op.flop;
    return sum;
  }
};

/// How often to run, on how many images. Returns --batch.
Option addMeasurementOptions(Command command, BenchOptions &options);
/// --train. `options.train` is to be set to whether it is given.
Option addTrainingOption(Command command, BenchOptions &options);

double median(std::vector<double> values);

/// What `options` compiles and runs.
Model openBenchmark(const BenchOptions &options);

/// Runs the model as `options` say. Throws if they ask for what cannot be
/// measured.
Benchmark measureBenchmark(const BenchOptions &options, Model &model);

/// The object that `bench --json` prints: times in milliseconds, rates in
/// 10^9 per second, with "ops" if `options.ops`.
nlohmann::ordered_json describeBenchmark(const BenchOptions &options,
                                         const Benchmark &result);

} // namespace vit::tools

#endif // VIT_TOOLS_BENCHMARK_H
