//===- Benchmark.cpp - Measures a model -----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Benchmark.h"

#include "DeviceList.h"
#include "Numbers.h"
#include "Peak.h"
#include "Workload.h"
#include "format/Threads.h"

#include <random>

namespace vit::tools {

Option addMeasurementOptions(Command command, BenchOptions &options) {
  Option batch = command.option("--batch", options.batch, "Images per run")
                     .range(1, 1 << 20)
                     .showDefault()
                     .type("N");
  command
      .option("--min-time", options.minimumSeconds,
              "Seconds to measure at least")
      .check(notNegative)
      .showDefault();
  command.option("--runs", options.runs, "Runs to measure at least")
      .range(1, 1000000)
      .showDefault();
  return batch;
}

Option addTrainingOption(Command command, BenchOptions &options) {
  return command
      .option("--train", options.training,
              "Measure training steps, compiled with these options of "
              "vit-generate-backward")
      .optionalValue()
      .type("OPTIONS");
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle]
                           : (values[middle - 1] + values[middle]) / 2;
}

namespace {

/// Runs with timing enabled, after the plain runs.
std::vector<OpTimes> measureOps(Workload &workload, int64_t runs,
                                EventLog &log) {
  std::vector<OpTimes> ops;
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

/// The names of the module's commands among the ops, in order.
std::vector<std::string> commandNames(const Benchmark &result) {
  std::vector<std::string> names;
  for (const OpTimes &op : result.ops)
    if (!op.isTransfer())
      names.push_back(op.name);
  return names;
}

/// Adds to the ops the bytes of their arguments and, if the figures of the
/// device are known, what these allow.
void addModuleFacts(Model &model, Benchmark &result) {
  auto module = nlohmann::ordered_json::parse(describeModule(model.module()));
  std::vector<std::string> names = commandNames(result);
  const nlohmann::ordered_json *schedule =
      findSchedule(module, result.level, result.precision, names).schedule;
  if (!schedule)
    return;
  std::vector<uint64_t> bytes = commandBytes(*schedule, result.batch);
  result.gpu = findGpuOfDriver(result.device.value("name", ""));
  if (result.gpu)
    result.estimate = findEstimate(module, *result.gpu, result.batch,
                                   result.level, result.precision, names);
  size_t next = 0;
  for (OpTimes &op : result.ops) {
    if (op.isTransfer())
      continue;
    op.bytes = bytes[next];
    if (result.estimate)
      op.estimated = result.estimate->commands[next].seconds();
    ++next;
  }
}

} // namespace

Model openBenchmark(const BenchOptions &options) {
  std::optional<TrainingRequest> training;
  if (options.train)
    training = {options.training, options.memory, options.batch};
  std::vector<std::string> outputs;
  if (!options.output.empty())
    outputs.push_back(options.output);
  return Model(options, outputs, training);
}

/// The plain runs, without a callback for each command.
static void measureRuns(const BenchOptions &options, Workload &workload,
                        Benchmark &result) {
  result.workspace = workload.workspaceBytes();
  std::optional<vit_code_info> code = workload.code();
  result.level = code ? code->level : "reference";
  result.precision = code ? code->precision : "f64";
  warmUp(workload);
  result.times = measureTimes(workload, options);
}

Benchmark measureBenchmark(const BenchOptions &options, Model &model) {
  if (options.train)
    requireTrainable(options);
  if (options.train && options.isReference())
    throw Error(
        "bench --train measures a device; --device reference is not one");
  Benchmark result;
  Stopwatch watch;
  if (!options.isReference()) {
    model.module();
    result.start.module = watch.lap();
    model.parameters();
    result.start.weights = watch.lap();
  }
  Tensor input = createInput(options, model);
  result.batch = input.dims.empty() ? 0 : input.dims[0];
  auto createWorkload = [&](EventLog *log) {
    return options.train
               ? createTraining(model, input, log)
               : createInference(model, input, model.getOutputs(), log);
  };
  {
    watch.lap();
    std::unique_ptr<Workload> workload = createWorkload(nullptr);
    result.start.session = watch.lap();
    workload->run();
    result.start.firstRun = watch.lap();
    measureRuns(options, *workload, result);
  }
  result.threads =
      options.threads > 0 ? options.threads : format::defaultThreads();
  result.device = options.isReference() ? nlohmann::ordered_json::object()
                                        : findDevice(options.device);
  if (!options.isReference()) {
    result.ops = measureOps(*createWorkload(&result.log),
                            std::max<int64_t>(3, options.runs), result.log);
    addModuleFacts(model, result);
  }
  result.peakResident = peakResidentBytes();
  // The figures of a GPU are not measured, but published.
  if (!options.isReference() && !options.isGpu()) {
    result.peak =
        measurePeakFlops(result.level, result.precision, result.threads);
    if (options.ops)
      result.bandwidth = measureBandwidth(result.threads);
  } else if (result.gpu && result.estimate) {
    result.bandwidth = result.gpu->gbPerSecond * 1e9;
  }
  return result;
}

static nlohmann::ordered_json describeOps(const Benchmark &report) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const OpTimes &op : report.ops) {
    double seconds = median(op.seconds);
    list.push_back({{"name", op.name},
                    {"kernel", op.kernel},
                    {"median_ms", seconds * 1e3},
                    {"gflop_per_s", op.flop / seconds * 1e-9},
                    {"gflop", op.flop * 1e-9},
                    {"bytes", op.bytes}});
    if (op.estimated > 0)
      list.back()["estimated_ms"] = op.estimated * 1e3;
  }
  return list;
}

nlohmann::ordered_json describeBenchmark(const BenchOptions &options,
                                         const Benchmark &report) {
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
      {"peak_rss_bytes", report.peakResident},
      {"first_result",
       {{"ms", report.start.total() * 1e3},
        {"module_ms", report.start.module * 1e3},
        {"weights_ms", report.start.weights * 1e3},
        {"session_ms", report.start.session * 1e3},
        {"first_run_ms", report.start.firstRun * 1e3}}}};
  if (report.estimate)
    json["estimate"] = {{"gpu", report.gpu->name},
                        {"ms", report.estimate->seconds() * 1e3}};
  if (options.ops) {
    json["memory_gb_per_s"] = report.bandwidth * 1e-9;
    json["ops"] = describeOps(report);
  }
  return json;
}

} // namespace vit::tools
