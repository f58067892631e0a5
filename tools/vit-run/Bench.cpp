//===- Bench.cpp - vit-run bench ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceList.h"
#include "Estimate.h"
#include "Numbers.h"
#include "Options.h"
#include "Peak.h"
#include "Support.h"
#include "Workload.h"
#include "format/Threads.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <random>

namespace vit::tools {

namespace {

struct BenchOptions : CommonOptions {
  int64_t batch = 1;
  std::string input;
  std::string output;
  double minimumSeconds = 1.0;
  int64_t runs = 10;
  bool json = false;
  bool ops = false;
  bool train = false;
  std::string training; ///< options of vit-generate-backward
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle]
                           : (values[middle - 1] + values[middle]) / 2;
}

/// The times of one command over several runs.
struct Op {
  std::string name, kernel;
  std::vector<double> seconds;
  double flop = 0;
  double estimated = 0; ///< Seconds at least; 0: not known.

  /// Between the host and a GPU, before and after the commands of a module.
  bool isTransfer() const {
    return kernel == "copy" && (name == "upload" || name == "download");
  }
};

/// Runs with timing enabled, after the plain runs.
std::vector<Op> measureOps(Workload &workload, int64_t runs, EventLog &log) {
  std::vector<Op> ops;
  workload.run();
  EventLog first;
  for (int64_t run = 0; run < runs; ++run) {
    log.commands.clear();
    log.calls.clear();
    workload.run();
    ops.resize(log.commands.size());
    for (size_t i = 0; i < ops.size(); ++i) {
      const Event &event = log.commands[i];
      ops[i].name = event.name;
      ops[i].kernel = event.kernel;
      ops[i].flop = event.flop;
      ops[i].seconds.push_back((event.end - event.begin) * 1e-9);
    }
    if (run == 0)
      first = log;
  }
  log = first;
  return ops;
}

/// The time until the first result, in seconds.
struct Start {
  double module = 0;   ///< Compile, or find and map the module.
  double weights = 0;  ///< Open or draw them.
  double session = 0;  ///< Open the device, build its kernels, upload.
  double firstRun = 0; ///< The first call, in which drivers may compile.

  double total() const { return module + weights + session + firstRun; }
};

/// The results of a benchmark.
struct Report {
  Start start;
  std::vector<double> times; ///< Of each run, in seconds.
  uint64_t workspace = 0;
  std::vector<Op> ops;
  int64_t batch = 0;
  int threads = 0;
  std::string level, precision; ///< Of the reference "reference", "f64".
  nlohmann::ordered_json device;
  const Gpu *gpu = nullptr;         ///< If its figures are known.
  std::optional<Estimate> estimate; ///< Of the ops, for `gpu`.
  double peak = 0; ///< FLOP/s of the processor in it; 0: not measured.

  double least() const { return *std::min_element(times.begin(), times.end()); }
  double flop() const {
    double sum = 0;
    for (const Op &op : ops)
      sum += op.flop;
    return sum;
  }
};

/// Seconds since the last call.
class Stopwatch {
public:
  double lap() {
    double before = last;
    last = now();
    return last - before;
  }

private:
  double last = now();
};

Tensor createInput(const BenchOptions &options, Model &model) {
  if (!options.input.empty())
    return readNpy(options.input);
  vit_binding_info info = model.inputInfo();
  std::vector<int64_t> dims = dimsOf(info);
  dims[0] = options.batch;
  Tensor input;
  input.allocate(VIT_F32, dims);
  std::mt19937 engine(static_cast<uint32_t>(options.seed));
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < input.count(); ++i)
    input.floats()[i] = normal(engine);
  return input;
}

/// Runs a few times to warm up pages, caches and clocks.
void warmUp(Workload &workload) {
  double begin = now();
  for (int i = 0; i < 3 || (i < 50 && now() - begin < 0.2); ++i)
    workload.run();
}

std::vector<double> measureTimes(Workload &workload,
                                 const BenchOptions &options) {
  std::vector<double> times;
  double begin = now();
  while (static_cast<int64_t>(times.size()) < options.runs ||
         now() - begin < options.minimumSeconds) {
    double start = now();
    workload.run();
    times.push_back(now() - start);
  }
  return times;
}

nlohmann::ordered_json describeOps(const Report &report) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Op &op : report.ops) {
    double seconds = median(op.seconds);
    list.push_back({{"name", op.name},
                    {"kernel", op.kernel},
                    {"median_ms", seconds * 1e3},
                    {"gflop_per_s", op.flop / seconds * 1e-9}});
    if (op.estimated > 0)
      list.back()["estimated_ms"] = op.estimated * 1e3;
  }
  return list;
}

void printJson(const BenchOptions &options, const Report &report) {
  double middle = median(report.times), flop = report.flop();
  double achieved = flop / middle;
  nlohmann::ordered_json json = {
      {"file", options.model},
      {"work", options.train ? "train" : "infer"},
      {"batch", report.batch},
      {"device", report.device.value("device", options.device)},
      {"device_name", report.device.value("name", "")},
      {"threads", report.threads},
      {"level", report.level},
      {"precision", report.precision},
      {"runs", report.times.size()},
      {"min_ms", report.least() * 1e3},
      {"median_ms", middle * 1e3},
      {"images_per_s", report.batch / middle},
      {"gflop", flop * 1e-9},
      {"gflop_per_s", achieved * 1e-9},
      {"peak_gflop_per_s", report.peak * 1e-9},
      {"share_of_peak", report.peak > 0 ? achieved / report.peak : 0},
      {"workspace_bytes", report.workspace},
      {"peak_rss_bytes", peakResidentBytes()},
      {"first_result",
       {{"ms", report.start.total() * 1e3},
        {"module_ms", report.start.module * 1e3},
        {"weights_ms", report.start.weights * 1e3},
        {"session_ms", report.start.session * 1e3},
        {"first_run_ms", report.start.firstRun * 1e3}}}};
  if (report.estimate)
    json["estimate"] = {{"gpu", report.gpu->name},
                        {"ms", report.estimate->seconds() * 1e3}};
  if (options.ops)
    json["ops"] = describeOps(report);
  std::printf("%s\n", json.dump().c_str());
}

void printText(const BenchOptions &options, const Report &report) {
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
  const Start &start = report.start;
  std::printf("workspace %s, peak resident memory %s\n",
              bytesText(report.workspace).c_str(),
              bytesText(peakResidentBytes()).c_str());
  std::printf("first result after %.1f ms: module %.1f, weights %.1f, "
              "session %.1f, first run %.1f\n",
              start.total() * 1e3, start.module * 1e3, start.weights * 1e3,
              start.session * 1e3, start.firstRun * 1e3);
}

void printOps(const Report &report) {
  double total = 0;
  for (const Op &op : report.ops)
    total += median(op.seconds);
  // An estimate stands beside the time.
  const char *estimated = report.estimate ? "estimated" : "";
  int width = report.estimate ? 10 : 0;
  std::printf("\n%9s%*s %7s %9s %6s  %-14s %s\n", "ms", width, estimated,
              "share", "GFLOP/s", "peak", "kernel", "what");
  for (const Op &op : report.ops) {
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

/// Adds what the figures of the device allow for the ops, if they are known.
void addEstimate(Model &model, Report &report) {
  report.gpu = findGpuOfDriver(report.device.value("name", ""));
  if (!report.gpu)
    return;
  std::vector<std::string> names;
  for (const Op &op : report.ops)
    if (!op.isTransfer())
      names.push_back(op.name);
  report.estimate = findEstimate(
      nlohmann::ordered_json::parse(describeModule(model.module())),
      *report.gpu, report.batch, report.level, report.precision, names);
  size_t next = 0;
  for (Op &op : report.ops)
    if (report.estimate && !op.isTransfer())
      op.estimated = report.estimate->commands[next++].seconds();
}

void bench(const BenchOptions &options) {
  checkCommonOptions(options);
  if (options.train)
    requireTrainable(options);
  if (options.train && options.isReference())
    throw Error(
        "bench --train measures a device; --device reference is not one");
  Report report;
  Stopwatch watch;
  std::optional<TrainingRequest> training;
  if (options.train)
    training = {options.training, options.memory, options.batch};
  std::vector<std::string> outputs;
  if (!options.output.empty())
    outputs.push_back(options.output);
  Model model(options, outputs, training);
  if (!options.isReference()) {
    model.module();
    report.start.module = watch.lap();
    model.parameters();
    report.start.weights = watch.lap();
  }
  Tensor input = createInput(options, model);
  report.batch = input.dims.empty() ? 0 : input.dims[0];
  auto createWorkload = [&](EventLog *log) {
    return options.train ? createTraining(model, input, log)
                         : createInference(model, input, outputs, log);
  };
  {
    watch.lap();
    std::unique_ptr<Workload> workload = createWorkload(nullptr);
    report.start.session = watch.lap();
    workload->run();
    report.start.firstRun = watch.lap();
    report.workspace = workload->workspaceBytes();
    std::optional<vit_code_info> code = workload->code();
    report.level = code ? code->level : "reference";
    report.precision = code ? code->precision : "f64";
    warmUp(*workload);
    report.times = measureTimes(*workload, options);
  }
  report.threads =
      options.threads > 0 ? options.threads : format::defaultThreads();
  report.device = options.isReference() ? nlohmann::ordered_json::object()
                                        : findDevice(options.device);
  EventLog log;
  if (!options.isReference()) {
    report.ops = measureOps(*createWorkload(&log),
                            std::max<int64_t>(3, options.runs), log);
    // The peak of a GPU is not measured, but published.
    if (!options.isGpu())
      report.peak =
          measurePeakFlops(report.level, report.precision, report.threads);
    else
      addEstimate(model, report);
  }
  writeTrace(options.trace, log);
  if (options.json)
    return printJson(options, report);
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
  Option batch = command.option("--batch", options->batch, "Images per run")
                     .range(1, 1 << 20)
                     .showDefault()
                     .type("N");
  command
      .option("--input", options->input,
              "Array to run on (default: normal random numbers)")
      .excludes(batch)
      .type("X.npy");
  Option output = command
                      .option("--output", options->output,
                              "Output to compute (default: the model's own)")
                      .type("NAME");
  command
      .option("--min-time", options->minimumSeconds,
              "Seconds to measure at least")
      .check(notNegative)
      .showDefault();
  command.option("--runs", options->runs, "Runs to measure at least")
      .range(1, 1000000)
      .showDefault();
  command
      .option("--train", options->training,
              "Measure training steps, compiled with these options of "
              "vit-generate-backward")
      .optionalValue()
      .excludes(output)
      .type("OPTIONS");
  command.flag("--ops", options->ops, "Also print the time of each command");
  command.flag("--json", options->json, "Print one line of JSON");
  command.action([command, options] {
    options->train = command.has("--train");
    bench(*options);
  });
}

} // namespace vit::tools
