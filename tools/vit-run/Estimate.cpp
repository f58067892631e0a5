//===- Estimate.cpp - What a GPU's figures allow --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Estimate.h"

#include "Support.h"
#include "Traffic.h"
#include "format/Extent.h"
#include "format/Level.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace vit::tools {

using Json = nlohmann::ordered_json;

/// Of all arguments of a schedule together: see countMemoryBytes.
static constexpr uint64_t kMaxBytes = uint64_t(1) << 60;

const char *CommandEstimate::bound() const {
  if (launch > std::max(busiest, memory))
    return "launch";
  if (memory >= busiest)
    return "memory";
  return busiest > 2 * compute ? "waves" : "compute";
}

double Estimate::seconds() const {
  double sum = 0;
  for (const CommandEstimate &command : commands)
    sum += command.seconds();
  return sum;
}

//===----------------------------------------------------------------------===//
// One command
//===----------------------------------------------------------------------===//

uint64_t evaluateExtent(const Json &extent, int64_t batch) {
  schema::Extent value(extent.at("times").get<uint64_t>(),
                       extent.at("of").get<uint32_t>(),
                       extent.at("per").get<uint32_t>());
  uint64_t result = 0;
  if (!format::evaluate(value, batch, result))
    throw Error("batch " + std::to_string(batch) + " is too large to estimate");
  return result;
}

/// The ranges that `command` reads or writes. `family` is that of its kernel.
static std::vector<Access>
accessesOf(const Json &command, const std::string &family, int64_t batch) {
  std::vector<Access> accesses;
  for (const Json &argument : command.at("arguments")) {
    std::string kind = argument.at("kind");
    // As in the schema: the size of these does not depend on the batch.
    bool isFixed = kind == "Derived" || kind == "Constant" || kind == "Arena" ||
                   kind == "Rounded";
    const Json &bytes = argument.at("bytes");
    Access access = {kind + ' ' + argument.at("index").dump(),
                     argument.value("offset", uint64_t(0)),
                     isFixed ? bytes.at("times").get<uint64_t>()
                             : evaluateExtent(bytes, batch)};
    // Query, key and value are channels of one value if one product computes
    // them; an attention reads each of its bytes once.
    if (family.rfind("attention", 0) == 0 &&
        std::find(accesses.begin(), accesses.end(), access) != accesses.end())
      continue;
    accesses.push_back(access);
    // An update reads and writes its variables, and only writes rounded copies.
    if (kind == "Arena" && command.value("is_update", false))
      accesses.push_back(access);
  }
  // It reads some tokens of its operand, as many as it writes.
  if (family == "take")
    for (Access &access : accesses)
      access.bytes = std::min(access.bytes, accesses.back().bytes);
  return accesses;
}

/// The registers of a thread on `gpu`, as the runtime chooses its code: the
/// cubin for exactly its capability. 0 if there is none.
static int registersOf(const Json &kernel, const Gpu &gpu) {
  auto known = kernel.find("registers");
  if (known == kernel.end()) // Vulkan
    return 0;
  for (const auto &[name, registers] : known->items()) {
    int capability;
    bool isExact;
    if (format::parseArchitecture(name.c_str(), capability, isExact) &&
        capability == gpu.capability)
      return registers.get<int>();
  }
  return 0;
}

static void addKernel(const Json &kernel, const Gpu &gpu, double peak,
                      CommandEstimate &command) {
  command.kernel = kernel.at("name");
  command.registers = registersOf(kernel, gpu);
  int threads = kernel.at("threads");
  command.resident = int(residentWorkgroups(
      gpu, threads, kernel.at("shared").get<int64_t>(), command.registers));
  if (command.resident == 0)
    throw Error("kernel '" + command.kernel + "' cannot run on " + gpu.title +
                ": a multiprocessor has too few threads, registers or too "
                "little shared memory for one workgroup");
  command.occupancy = double(command.resident) * threads / gpu.threads;
  double processors = gpu.multiprocessors;
  command.waves = double(command.units) / (processors * command.resident);
  command.compute = command.flop / peak;
  if (command.units == 0)
    return;
  // Units are of equal size, and one unit is on one multiprocessor.
  uint64_t most = (command.units - 1) / gpu.multiprocessors + 1;
  command.busiest =
      command.compute * (double(most) * processors / double(command.units));
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

/// `name` as in the JSON of a module: "F32", "I8".
static format::ElementType precisionOf(const std::string &name) {
  for (format::ElementType type : format::allPrecisions())
    if (schema::EnumNameDType(schema::DType(type)) == name)
      return type;
  throw Error("this version of vit-run does not know the precision " + name);
}

Estimate estimateSchedule(const Json &entry, const Json &schedule,
                          const Gpu &gpu, int64_t batch) {
  Estimate result;
  result.entry = entry.at("name");
  result.target = schedule.at("target");
  result.level = schedule.at("level");
  format::ElementType precision =
      precisionOf(schedule.at("precision").get<std::string>());
  result.precision = format::precisionName(precision);
  const format::Level *level = format::findLevel(result.level);
  const format::Product *product =
      level ? format::findProduct(*level, precision) : nullptr;
  format::ElementType arithmetic = product && format::isWidened(*product)
                                       ? format::ElementType::F32
                                       : precision;
  result.arithmetic = format::precisionName(arithmetic);
  double peak = peakFlops(gpu, arithmetic);
  if (peak == 0)
    throw Error("the figures of " + std::string(gpu.name) +
                " have no peak in " + result.arithmetic);
  std::map<std::string, const Json *> kernels;
  for (const Json &kernel : schedule.at("kernels"))
    kernels[kernel.at("name")] = &kernel;
  std::vector<std::vector<Access>> accesses;
  uint64_t sum = 0;
  for (const Json &one : schedule.at("commands")) {
    std::string kind = one.at("kind");
    if (kind == "Barrier")
      continue;
    CommandEstimate command;
    command.name = one.value("name", "");
    command.kernel = kind;
    const Json *kernel =
        kind == "Dispatch" ? kernels.at(one.at("kernel")) : nullptr;
    accesses.push_back(accessesOf(
        one, kernel ? kernel->at("family").get<std::string>() : "", batch));
    for (const Access &access : accesses.back())
      command.bytes += access.bytes;
    if ((sum += command.bytes) > kMaxBytes)
      throw Error("batch " + std::to_string(batch) +
                  " is too large to estimate");
    if (kernel) {
      command.units = evaluateExtent(one.at("units"), batch);
      command.flop = double(evaluateExtent(one.at("flop"), batch));
      addKernel(*kernel, gpu, peak, command);
    }
    command.launch = launchGap();
    result.commands.push_back(std::move(command));
  }
  std::vector<uint64_t> memory = countMemoryBytes(accesses, gpu.l2Bytes);
  for (size_t i = 0; i < memory.size(); ++i) {
    result.commands[i].memoryBytes = memory[i];
    result.commands[i].memory = double(memory[i]) / (gpu.gbPerSecond * 1e9);
  }
  return result;
}

/// How much `gpu` prefers the schedule; 0 if it does not run it.
static int rankOf(const Json &schedule, const Gpu &gpu) {
  std::string target = schedule.at("target"), name = schedule.at("level");
  if (target == "Cuda") {
    const format::Level *level = format::findLevel(format::Target::Cuda, name);
    bool runs = level && format::runsOnCapability(*level, gpu.capability);
    return runs ? 1000 + level->rank : 0;
  }
  const format::Level *level =
      target == "Vulkan" ? format::findLevel(format::Target::Vulkan, name)
                         : nullptr;
  return level && !level->isDirect ? level->rank : 0;
}

std::vector<Estimate> estimateModule(const Json &module, const Gpu &gpu,
                                     int64_t batch) {
  std::vector<Estimate> estimates;
  for (const Json &entry : module.at("entries")) {
    // By precision, in the order of the module.
    std::vector<std::pair<std::string, const Json *>> best;
    for (const Json &schedule : entry.at("schedules")) {
      if (rankOf(schedule, gpu) == 0)
        continue;
      std::string precision = schedule.at("precision");
      auto known = std::find_if(best.begin(), best.end(), [&](const auto &one) {
        return one.first == precision;
      });
      if (known == best.end())
        best.emplace_back(precision, &schedule);
      else if (rankOf(schedule, gpu) > rankOf(*known->second, gpu))
        known->second = &schedule;
    }
    for (const auto &[precision, schedule] : best)
      estimates.push_back(estimateSchedule(entry, *schedule, gpu, batch));
  }
  if (estimates.empty())
    throw Error("the module has no code that " + std::string(gpu.title) +
                " runs; compile it with vit-compile MODEL --target cuda -o "
                "FILE.vitm");
  return estimates;
}

std::string precisionOfSchedule(const Json &schedule) {
  return format::precisionName(
      precisionOf(schedule.at("precision").get<std::string>()));
}

/// Whether the commands of `schedule` but for barriers have these names.
static bool hasCommands(const Json &schedule,
                        const std::vector<std::string> &names) {
  size_t next = 0;
  for (const Json &command : schedule.at("commands"))
    if (command.at("kind") != "Barrier" &&
        (next == names.size() || command.value("name", "") != names[next++]))
      return false;
  return next == names.size();
}

FoundSchedule findSchedule(const Json &module, const std::string &level,
                           const std::string &precision,
                           const std::vector<std::string> &commands) {
  for (const Json &entry : module.at("entries"))
    for (const Json &schedule : entry.at("schedules"))
      if (schedule.at("level") == level &&
          precisionOfSchedule(schedule) == precision &&
          hasCommands(schedule, commands))
        return {&entry, &schedule};
  return {};
}

std::optional<Estimate> findEstimate(const Json &module, const Gpu &gpu,
                                     int64_t batch, const std::string &level,
                                     const std::string &precision,
                                     const std::vector<std::string> &commands) {
  FoundSchedule found = findSchedule(module, level, precision, commands);
  if (!found.schedule)
    return std::nullopt;
  return estimateSchedule(*found.entry, *found.schedule, gpu, batch);
}

std::vector<uint64_t> commandBytes(const Json &schedule, int64_t batch) {
  std::map<std::string, std::string> families;
  for (const Json &kernel : schedule.at("kernels"))
    families[kernel.at("name")] = kernel.at("family");
  std::vector<uint64_t> result;
  for (const Json &command : schedule.at("commands")) {
    if (command.at("kind") == "Barrier")
      continue;
    uint64_t bytes = 0;
    for (const Access &access :
         accessesOf(command, families[command.value("kernel", "")], batch))
      bytes += access.bytes;
    result.push_back(bytes);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

static std::string assumptionsFor(const Gpu &gpu) {
  char text[512];
  std::snprintf(
      text, sizeof text,
      "a lower bound: products at the published peak of the precision (of f32 "
      "where a level widens operands to it), nothing "
      "else computes; units evenly on the multiprocessors; arguments move once "
      "at the published bandwidth unless the last %s used hold them; %.1f us "
      "between commands, which do not overlap; no transfers to the host",
      bytesText(gpu.l2Bytes).c_str(), launchGap() * 1e6);
  return text;
}

static void printCommand(const CommandEstimate &command) {
  std::printf("%9.2f %-7s %8.3f %9.3f %9.3f ", command.seconds() * 1e6,
              command.bound(), command.flop * 1e-9,
              double(command.bytes) * 1e-6, double(command.memoryBytes) * 1e-6);
  if (command.units > 0)
    std::printf("%8llu %7.2f %s%3.0f%% ",
                static_cast<unsigned long long>(command.units), command.waves,
                command.registers > 0 ? "  " : "<=", 100 * command.occupancy);
  else
    std::printf("%8s %7s %6s ", "", "", "");
  std::printf("%9.2f %9.2f %9.2f %7.2f  %-14s %s\n", command.compute * 1e6,
              command.busiest * 1e6, command.memory * 1e6, command.launch * 1e6,
              command.kernel.c_str(), command.name.c_str());
}

static void printEstimate(const Estimate &estimate, int64_t batch) {
  bool isWidened = estimate.arithmetic != estimate.precision;
  std::printf("\nentry %s, %s %s %s%s%s; times in us, sizes in MB\n",
              estimate.entry.c_str(), estimate.target.c_str(),
              estimate.level.c_str(), estimate.precision.c_str(),
              isWidened ? ", operands widened to " : "",
              isWidened ? estimate.arithmetic.c_str() : "");
  std::printf("%9s %-7s %8s %9s %9s %8s %7s %6s %9s %9s %9s %7s  %-14s %s\n",
              "time", "bound", "GFLOP", "moved", "traffic", "units", "waves",
              "occup.", "compute", "busiest", "memory", "launch", "kernel",
              "what");
  CommandEstimate sum;
  double busiest = 0, launch = 0;
  bool allKnown = true;
  for (const CommandEstimate &command : estimate.commands) {
    printCommand(command);
    sum.flop += command.flop;
    sum.memoryBytes += command.memoryBytes;
    sum.compute += command.compute;
    sum.memory += command.memory;
    busiest += command.busiest;
    launch += command.launch;
    allKnown &= command.units == 0 || command.registers > 0;
  }
  double seconds = estimate.seconds();
  std::printf("sum %.4f ms, %.1f images/s: %.2f GFLOP, %.1f MB of memory "
              "traffic; alone: compute %.4f ms, busiest %.4f, memory %.4f, "
              "launch %.4f\n",
              seconds * 1e3, double(batch) / seconds, sum.flop * 1e-9,
              double(sum.memoryBytes) * 1e-6, sum.compute * 1e3, busiest * 1e3,
              sum.memory * 1e3, launch * 1e3);
  if (!allKnown)
    std::printf("occupancy <=: the module does not say how many registers a "
                "thread has there; from threads and shared memory\n");
}

void printEstimates(const std::vector<Estimate> &estimates, const Gpu &gpu,
                    int64_t batch) {
  std::printf("%s, batch %lld: %d multiprocessors, TFLOP/s %.1f f32, %.1f "
              "tf32, %.1f f16 and bf16, %.1f int8, %.0f GB/s, L2 %s\n%s\n",
              gpu.title, static_cast<long long>(batch), gpu.multiprocessors,
              gpu.f32Tflops, gpu.tf32Tflops, gpu.bf16Tflops, gpu.int8Tflops,
              gpu.gbPerSecond, bytesText(gpu.l2Bytes).c_str(),
              assumptionsFor(gpu).c_str());
  for (const Estimate &estimate : estimates)
    printEstimate(estimate, batch);
}

static Json describeGpu(const Gpu &gpu) {
  return {{"name", gpu.name},
          {"title", gpu.title},
          {"compute_capability", gpu.capability / 10.0},
          {"multiprocessors", gpu.multiprocessors},
          {"boost_mhz", gpu.boostMhz},
          {"f32_tflop_per_s", gpu.f32Tflops},
          {"tf32_tflop_per_s", gpu.tf32Tflops},
          {"bf16_tflop_per_s", gpu.bf16Tflops},
          {"int8_tflop_per_s", gpu.int8Tflops},
          {"gb_per_s", gpu.gbPerSecond},
          {"l2_bytes", gpu.l2Bytes},
          {"threads", gpu.threads},
          {"workgroups", gpu.workgroups},
          {"registers", gpu.registers},
          {"shared_bytes", gpu.sharedBytes}};
}

static Json describeCommand(const CommandEstimate &command) {
  Json json = {{"name", command.name},
               {"kernel", command.kernel},
               {"us", command.seconds() * 1e6},
               {"bound", command.bound()},
               {"flop", command.flop},
               {"bytes", command.bytes},
               {"memory_bytes", command.memoryBytes}};
  if (command.units > 0) {
    json["units"] = command.units;
    json["registers"] =
        command.registers > 0 ? Json(command.registers) : Json();
    json["resident"] = command.resident;
    json["occupancy"] = command.occupancy;
    json["waves"] = command.waves;
  }
  json["compute_us"] = command.compute * 1e6;
  json["busiest_us"] = command.busiest * 1e6;
  json["memory_us"] = command.memory * 1e6;
  json["launch_us"] = command.launch * 1e6;
  return json;
}

Json describeEstimates(const std::vector<Estimate> &estimates, const Gpu &gpu,
                       int64_t batch) {
  Json list = Json::array();
  for (const Estimate &estimate : estimates) {
    Json commands = Json::array();
    for (const CommandEstimate &command : estimate.commands)
      commands.push_back(describeCommand(command));
    list.push_back({{"entry", estimate.entry},
                    {"target", estimate.target},
                    {"level", estimate.level},
                    {"precision", estimate.precision},
                    {"arithmetic", estimate.arithmetic},
                    {"ms", estimate.seconds() * 1e3},
                    {"images_per_s", double(batch) / estimate.seconds()},
                    {"commands", commands}});
  }
  return {{"gpu", describeGpu(gpu)},
          {"batch", batch},
          {"assumptions", assumptionsFor(gpu)},
          {"estimates", list}};
}

} // namespace vit::tools
