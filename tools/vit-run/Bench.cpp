//===- Bench.cpp - vit-run bench ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Benchmark.h"
#include "JsonText.h"
#include "Numbers.h"

#include <cstdio>

namespace vit::tools {

namespace {

void printText(const BenchOptions &options, const Benchmark &report) {
  int threads = report.threads;
  std::string where =
      options.isGpu()
          ? report.device.value("device", options.device) + " " +
                report.device.value("name", "")
          : std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  double middle = median(report.times), flop = report.flop();
  double achieved = flop / middle;
  std::printf("batch %lld, %s, %s %s: median %.3f ms, least %.3f ms "
              "(%zu runs), %.1f images/s\n",
              static_cast<long long>(report.batch), where.c_str(),
              report.level.c_str(), report.precision.c_str(), middle * 1e3,
              report.least() * 1e3, report.times.size(), report.batch / middle);
  if (report.peak > 0)
    std::printf("%.2f GFLOP, %.1f GFLOP/s, %.0f %% of %.1f GFLOP/s (measured "
                "peak)\n",
                flop * 1e-9, achieved * 1e-9, 100 * achieved / report.peak,
                report.peak * 1e-9);
  else if (flop > 0)
    std::printf("%.2f GFLOP, %.1f GFLOP/s\n", flop * 1e-9, achieved * 1e-9);
  if (report.estimate)
    std::printf("estimate for %s: %.3f ms at least; measured %.2f times that\n",
                report.gpu->title, report.estimate->seconds() * 1e3,
                middle / report.estimate->seconds());
  if (options.isReference())
    return;
  const StartTimes &start = report.start;
  std::printf("workspace %s, peak resident memory %s\n",
              bytesText(report.workspace).c_str(),
              bytesText(report.peakResident).c_str());
  std::printf("first result after %.1f ms: module %.1f, weights %.1f, "
              "session %.1f, first run %.1f\n",
              start.total() * 1e3, start.module * 1e3, start.weights * 1e3,
              start.session * 1e3, start.firstRun * 1e3);
}

void printOps(const Benchmark &report) {
  double total = 0;
  for (const OpTimes &op : report.ops)
    total += median(op.seconds);
  // An estimate stands beside the time.
  const char *estimated = report.estimate ? "estimated" : "";
  int width = report.estimate ? 10 : 0;
  std::printf("\n%9s%*s %7s %9s %6s  %-14s %s\n", "ms", width, estimated,
              "share", "GFLOP/s", "peak", "kernel", "what");
  for (const OpTimes &op : report.ops) {
    double seconds = median(op.seconds);
    std::printf("%9.3f", seconds * 1e3);
    if (op.estimated > 0)
      std::printf("%10.3f", op.estimated * 1e3);
    else
      std::printf("%*s", width, "");
    std::printf(" %6.1f%% ", 100 * seconds / total);
    if (op.flop > 0 && report.peak > 0)
      std::printf("%9.1f %5.0f%%", op.flop / seconds * 1e-9,
                  100 * op.flop / seconds / report.peak);
    else
      std::printf("%9s %6s", "", "");
    std::printf("  %-14s %s\n", op.kernel.c_str(), op.name.c_str());
  }
}

void bench(const BenchOptions &options) {
  checkCommonOptions(options);
  Model model = openBenchmark(options);
  Benchmark report = measureBenchmark(options, model);
  writeTrace(options.trace, report.log);
  if (options.json) {
    std::printf("%s\n", describeBenchmark(options, report).dump().c_str());
    return;
  }
  printText(options, report);
  if (options.ops)
    printOps(report);
}

} // namespace

void addBench(CLI::App &app) {
  Command command(app, "bench",
                  "Measure time, throughput and share of the processor's peak");
  auto options = std::make_shared<BenchOptions>();
  addCommonOptions(command, *options);
  Option batch = addMeasurementOptions(command, *options);
  command
      .option("--input", options->input,
              "Array to run on (default: normal random numbers)")
      .excludes(batch)
      .type("X.npy");
  Option output = command
                      .option("--output", options->output,
                              "Output to compute (default: the model's own)")
                      .type("NAME");
  addTrainingOption(command, *options).excludes(output);
  command.flag("--ops", options->ops, "Also print the time of each command");
  command.flag("--json", options->json, "Print one line of JSON");
  command.action([command, options] {
    options->train = command.has("--train");
    bench(*options);
  });
}

} // namespace vit::tools
