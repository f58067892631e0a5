//===- Inspect.cpp - vit-run inspect --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Estimate.h"
#include "JsonText.h"
#include "Model.h"
#include "Options.h"
#include "RunFolder.h"
#include "Support.h"
#include "format/Level.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace vit::tools {

namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions : CommonOptions {
  bool json = false;
  bool verify = false;
  std::string estimate; ///< A name of GpuTable.h; empty: none.
  int64_t batch = 1;    ///< Of the estimate.
};

std::string text(const Json &object, const char *key) {
  auto value = object.find(key);
  if (value == object.end() || value->is_null())
    return "";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string shapeOf(const Json &object) {
  std::vector<int64_t> dims = object.at("dims");
  return shapeText(dims);
}

/// "3 * ceil(B * 2 / 7)", simplified.
std::string extentText(const Json &extent) {
  int64_t times = extent.at("times"), of = extent.at("of"),
          per = extent.at("per");
  if (of == 0)
    return std::to_string(times);
  std::string batch = of == 1 ? "B" : std::to_string(of) + " B";
  if (per != 1)
    batch = "ceil(" + batch + " / " + std::to_string(per) + ")";
  return times == 1 ? batch : std::to_string(times) + " " + batch;
}

void printBindings(const char *what, const Json &list) {
  for (const Json &binding : list) {
    std::printf("  %-7s %-22s %s %s", what, text(binding, "name").c_str(),
                shapeOf(binding).c_str(), text(binding, "dtype").c_str());
    if (std::string alias = text(binding, "alias"); !alias.empty())
      std::printf("  (also %s)", alias.c_str());
    std::printf("\n");
  }
}

void printSchedule(const Json &schedule) {
  std::printf("\n  schedule %s %s %s%s\n", text(schedule, "target").c_str(),
              text(schedule, "level").c_str(),
              text(schedule, "precision").c_str(),
              schedule.value("chosen", false) ? "  (runs here)" : "");
  std::map<std::string, std::vector<std::string>> kept;
  for (const Json &product : schedule.at("kept"))
    kept[text(product, "precision")].push_back(text(product, "name"));
  for (const auto &[precision, products] : kept)
    std::printf("    kept in %s: %s\n", precision.c_str(),
                join(products, ", ").c_str());
  std::map<std::string, const Json *> kernels;
  std::map<std::string, int> uses;
  for (const Json &kernel : schedule.at("kernels"))
    kernels[text(kernel, "name")] = &kernel;
  std::printf("    %-5s %-18s %-14s %-10s %s\n", "step", "kernel", "units",
              "result", "what");
  int step = 0;
  for (const Json &command : schedule.at("commands")) {
    std::string kind = text(command, "kind");
    if (kind == "Barrier")
      continue;
    std::string kernel = text(command, "kernel");
    ++uses[kernel];
    std::string result;
    if (const Json &arguments = command.at("arguments"); !arguments.empty())
      result = text(arguments.back(), "kind") + " " +
               text(arguments.back(), "index");
    std::printf("    %-5d %-18s %-14s %-10s %s\n", step++,
                kernel.empty() ? kind.c_str() : kernel.c_str(),
                command.contains("units")
                    ? extentText(command.at("units")).c_str()
                    : "",
                result.c_str(), text(command, "name").c_str());
  }
  bool isGpu = text(schedule, "target") != "Cpu";
  std::printf("    %-18s %-11s %5s  %s%s\n", "kernel", "family", "uses",
              isGpu ? "threads     shared  " : "", "tile");
  for (const Json &kernel : schedule.at("kernels")) {
    std::printf("    %-18s %-11s %5d  ", text(kernel, "name").c_str(),
                text(kernel, "family").c_str(), uses[text(kernel, "name")]);
    if (isGpu)
      std::printf("%7d %10s  ", kernel.value("threads", 0),
                  bytesText(kernel.value("shared", uint64_t(0))).c_str());
    std::printf("%s\n", text(kernel, "tile").c_str());
  }
  if (auto features = schedule.find("features");
      features != schedule.end() && !features->empty())
    std::printf("    needs %s\n", features->dump().c_str());
  uint64_t bytes = 0;
  int index = 0;
  for (const Json &slot : schedule.at("slots")) {
    uint64_t one = slot.at("bytes_at_batch_1");
    bytes += one;
    std::vector<std::string> values;
    for (const Json &value : slot.at("values"))
      values.push_back(extentText(value));
    std::printf("    slot %-2d %12s at batch 1: the largest of %s\n", index++,
                bytesText(one).c_str(), join(values, ", ").c_str());
  }
  std::printf("    workspace %s at batch 1\n", bytesText(bytes).c_str());
}

/// At which level, for each precision, this processor runs the module, or what
/// else does.
std::string whatRuns(const Json &module) {
  std::vector<std::string> levels, chosen;
  auto add = [](std::vector<std::string> &list, const std::string &item) {
    if (std::find(list.begin(), list.end(), item) == list.end())
      list.push_back(item);
  };
  for (const Json &entry : module.at("entries"))
    for (const Json &schedule : entry.at("schedules")) {
      std::string level = text(schedule, "level");
      if (schedule.value("chosen", false))
        add(chosen, level + " in " + text(schedule, "precision"));
      add(levels, text(schedule, "target") + " " + level);
    }
  for (const Json &entry : module.at("entries"))
    for (const std::string name : entry.at("ignored"))
      add(levels, name + " (of a newer vit)");
  if (!chosen.empty())
    return "runs here at level " + join(chosen, ", ");
  return "does not run on this processor (level " + text(module, "level") +
         "): it has code for " + join(levels, ", ");
}

/// Prints the forms, and their bytes by element type.
void printForms(const Json &forms) {
  std::printf("\nwhat kernels read of them\n");
  std::map<std::string, uint64_t> bytesOfType;
  for (const Json &form : forms) {
    std::vector<std::string> sources;
    for (const Json &source : form.at("sources"))
      sources.push_back(source.is_string() ? source.get<std::string>()
                                           : "form " + source.dump());
    uint64_t bytes = form.at("bytes");
    std::string type = text(form, "element_type");
    bytesOfType[type] += bytes;
    std::printf("  %-9s %-12s %-4s %10s  %-9s %s%s\n",
                text(form, "kind").c_str(), shapeOf(form).c_str(), type.c_str(),
                bytesText(bytes).c_str(),
                form.value("stored", false) ? "stored" : "at load",
                join(sources, " + ").c_str(),
                form.value("migrated", false) ? ", migrated" : "");
  }
  for (const auto &[type, bytes] : bytesOfType)
    std::printf("  %s in %s\n", bytesText(bytes).c_str(), type.c_str());
}

void printModule(const Json &module) {
  std::printf("%s  made by %s, %s\n", text(module, "name").c_str(),
              text(module, "producer").c_str(), whatRuns(module).c_str());
  for (const Json &entry : module.at("entries")) {
    std::printf("\nentry %s\n", text(entry, "name").c_str());
    printBindings("input", entry.at("inputs"));
    printBindings("output", entry.at("outputs"));
    for (const Json &schedule : entry.at("schedules"))
      printSchedule(schedule);
    for (const std::string name : entry.at("ignored"))
      std::printf("\n  ignored, of a newer vit: %s\n", name.c_str());
  }
  uint64_t elements = 0;
  std::printf("\nparameters\n");
  for (const Json &parameter : module.at("parameters")) {
    elements += product(parameter.at("dims"));
    std::printf("  %-32s %-14s %-8s %s\n", text(parameter, "name").c_str(),
                shapeOf(parameter).c_str(), text(parameter, "source").c_str(),
                text(parameter, "stored_name").c_str());
  }
  std::printf("  %zu parameters, %llu elements\n",
              module.at("parameters").size(),
              static_cast<unsigned long long>(elements));
  printForms(module.at("derived"));
  for (const Json &file : module.at("files"))
    std::printf("\nweights in %s (%s)\n", text(file, "path").c_str(),
                bytesText(file.at("size").get<uint64_t>()).c_str());
  if (auto preprocessing = module.find("preprocessing");
      preprocessing != module.end())
    std::printf("\npreprocessing %s\n", preprocessing->dump().c_str());
  std::printf("%zu labels\n", module.at("labels").size());
}

/// Throws an error that lists all weights that are damaged or not finite.
void verifyParameters(vit_module *module) {
  vit_error error;
  vit_parameters *created = nullptr;
  check(vit_parameters_create(module, &created, &error), error);
  ParametersHandle parameters(created);
  std::vector<std::string> bad;
  int32_t count = vit_parameters_count(created);
  std::vector<float> values;
  for (int32_t i = 0; i < count; ++i) {
    vit_binding_info info = {};
    check(vit_parameters_info(created, i, &info, &error), error);
    if (info.dtype != VIT_F32)
      continue; // It is rounded, and cannot be read: see below.
    values.resize(product(dimsOf(info)));
    check(vit_parameters_read(created, info.name, values.data(),
                              values.size() * sizeof(float), &error),
          error);
    if (!std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); }))
      bad.push_back(parameterName(info));
  }
  const char *any = vit_parameters_find_not_finite(created);
  if (bad.empty() && any)
    bad.push_back(any);
  if (!bad.empty())
    throw Error("not finite: " + join(bad, ", "));
  std::printf(
      "verified: every hash is right and all %d parameters are finite\n",
      count);
}

ModuleHandle loadModule(const InspectOptions &options) {
  vit_module_options moduleOptions = {};
  moduleOptions.struct_size = sizeof(moduleOptions);
  moduleOptions.verify_weights = options.verify;
  vit_module *loaded = nullptr;
  vit_error error;
  check(vit_module_load(options.model.c_str(), &moduleOptions, &loaded, &error),
        error);
  return ModuleHandle(loaded);
}

void printEstimate(const InspectOptions &options, const Gpu &gpu,
                   const Json &module) {
  std::vector<Estimate> estimates = estimateModule(module, gpu, options.batch);
  if (options.json)
    std::printf(
        "%s\n",
        jsonText(describeEstimates(estimates, gpu, options.batch)).c_str());
  else
    printEstimates(estimates, gpu, options.batch);
}

void inspect(InspectOptions &options) {
  const Gpu *gpu =
      options.estimate.empty() ? nullptr : &findGpu(options.estimate);
  options.model = chooseCheckpoint(options.model);
  // A text or a folder is compiled for what the estimate is about.
  if (gpu)
    options.device = "cuda";
  checkCommonOptions(options);
  Model model(options, {});
  if (model.isCompiled() && !options.precision.empty())
    throw Error("--precision is for a text or a folder; " + options.model +
                " is compiled, in the precisions that are shown without it");
  ModuleHandle module;
  if (model.isCompiled())
    module = loadModule(options);
  vit_module *loaded = module ? module.get() : model.module();
  std::string json = describeModule(loaded);
  if (gpu)
    printEstimate(options, *gpu, Json::parse(json));
  else if (options.json)
    std::printf("%s\n", json.c_str());
  else if (!options.verify)
    printModule(Json::parse(json));
  if (options.verify)
    verifyParameters(loaded);
}

} // namespace

void addInspect(CLI::App &app) {
  Command command(
      app, "inspect",
      "Show the contents of a model: entries, kernels, tiles, plan, "
      "parameters");
  auto options = std::make_shared<InspectOptions>();
  command
      .option("model", options->model,
              "A .vitm module; or a .mlir text, a checkpoint's folder or the "
              "folder of a run, compiled for this processor")
      .required()
      .type("MODEL");
  command.flag("--json", options->json, "Print JSON");
  command
      .option("--precision", options->precision,
              std::string("That a text or a folder is compiled in: ") +
                  format::precisionNames().text + " (default: f32)")
      .type("TYPE");
  Option estimate =
      command
          .option("--estimate", options->estimate,
                  "Print instead the shortest time that the published figures "
                  "of a GPU allow for each command: " +
                      gpuNames())
          .type("GPU");
  command.option("--batch", options->batch, "Images per run of the estimate")
      .range(1, 1 << 20)
      .showDefault()
      .needs(estimate)
      .type("N");
  command
      .flag("--verify", options->verify,
            "Check the hashes of all weights and that they are finite")
      .excludes(estimate);
  command.action([options] { inspect(*options); });
}

} // namespace vit::tools
