//===- PrecisionTrials.cpp - A model in f32 and in others -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PrecisionTrials.h"

#include "Runner.h"

namespace vit::tools {

/// `options` for another precision. Trials are many: they neither fill the
/// cache nor say what is compiled.
static CommonOptions inPrecision(CommonOptions options,
                                 const std::string &precision) {
  options.precision = precision;
  options.quiet = true;
  options.noCache = true;
  return options;
}

static CommonOptions inF32(CommonOptions options) {
  options.precision = "f32";
  options.keep.clear();
  return options;
}

PrecisionTrials::PrecisionTrials(const CommonOptions &given,
                                 std::vector<std::string> wanted,
                                 const DataOptions &data, int64_t images,
                                 const std::string &verb)
    : options(given), outputs(std::move(wanted)), model(inF32(given), outputs),
      pictures(model, data, images, verb), batch(pictures.batchFor(model)) {
  vit_binding_info output = model.outputInfos().front();
  hasClasses = canonicalName(output.name) == "logits" && output.rank == 2;
  if (!hasClasses) {
    noAccuracy = "its default output is '" + std::string(output.name) +
                 "', not the logits of classes";
    return;
  }
  try {
    checkProblem(model);
    pictures.matchClasses(model, /*byPosition=*/false, /*remedy=*/"");
  } catch (const Error &error) {
    noAccuracy = error.what();
  }
}

const std::vector<std::string> &PrecisionTrials::products() {
  constexpr char prefix[] = VIT_COMPILER_PRODUCT_PREFIX;
  if (!names.empty())
    return names;
  CommonOptions quiet = inPrecision(inF32(options), "f32");
  std::vector<std::string> all = outputs;
  all.push_back(std::string(prefix) + "*");
  Model observed(quiet, all);
  for (const vit_binding_info &info : observed.outputInfos()) {
    std::string name = info.name;
    if (name.rfind(prefix, 0) != 0)
      continue;
    name.erase(0, sizeof(prefix) - 1);
    if (name.empty() || name.find(',') != std::string::npos)
      throw Error(options.model + ": a product is called '" + name +
                  "'; to be kept in a precision of its own it needs a name "
                  "without commas (loc(\"...\") in the text)");
    names.push_back(name);
  }
  return names;
}

int64_t PrecisionTrials::sampleOf(int64_t sample) const {
  return sample > 0 && sample < count() ? sample : count();
}

void PrecisionTrials::add(const Tensor &exact, const Tensor &output,
                          const int32_t *labels, Trial &trial) const {
  trial.output.add(exact, output);
  if (hasClasses)
    trial.agreed += countSameTop1(exact, output);
  if (noAccuracy.empty())
    trial.score.add(output, labels);
}

PrecisionTrials::Baseline &PrecisionTrials::baseline(int64_t sample) {
  sample = sampleOf(sample);
  auto [found, isNew] = baselines.try_emplace(sample);
  Baseline &result = found->second;
  if (!isNew)
    return result;
  std::unique_ptr<Runner> runner = Runner::create(model);
  Progress progress(sample, "f32");
  pictures.forEach(
      batch, progress,
      [&](const Tensor &input, const int32_t *labels) {
        result.outputs.push_back(std::move(runner->run(input, {}).front()));
        add(result.outputs.back(), result.outputs.back(), labels, result.trial);
      },
      sample);
  return result;
}

Trial PrecisionTrials::run(const std::string &precision,
                           const std::vector<std::string> &keep, int64_t sample,
                           const std::string &label) {
  const Baseline &exact = baseline(sample);
  CommonOptions own = inPrecision(options, precision);
  own.keep.insert(own.keep.end(), keep.begin(), keep.end());
  Model variant(own, outputs);
  std::unique_ptr<Runner> runner = Runner::create(variant);
  Trial trial;
  size_t index = 0;
  Progress progress(sampleOf(sample), label);
  pictures.forEach(
      batch, progress,
      [&](const Tensor &input, const int32_t *labels) {
        add(exact.outputs[index++], runner->run(input, {}).front(), labels,
            trial);
      },
      sampleOf(sample));
  return trial;
}

Trial PrecisionTrials::runAlone(const std::string &product,
                                const std::string &precision, int64_t sample,
                                const std::string &label) {
  std::vector<std::string> others;
  for (const std::string &name : products())
    if (name != product)
      others.push_back(name + "=f32");
  return run(precision, others, sample, label);
}

} // namespace vit::tools
