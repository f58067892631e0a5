//===- Calibration.cpp - Statistics of the inputs of products -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Calibration.h"

#include "PictureSet.h"
#include "Runner.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace vit::tools {

/// Raises `maxima` to the magnitudes in `values`, whose last dimension is the
/// channels.
static void addMaxima(std::vector<float> &maxima, const Tensor &values) {
  auto width = static_cast<size_t>(values.dims.back());
  maxima.resize(width);
  const float *x = values.floats();
  for (size_t i = 0, count = size_t(values.count()); i < count; ++i)
    maxima[i % width] = std::max(maxima[i % width], std::fabs(x[i]));
}

std::string observeInputs(const CompilerOptions &compiler,
                          const DataOptions &data, int64_t limit) {
  constexpr const char *prefix = VIT_COMPILER_INPUT_PREFIX;
  // Other outputs may need other tokens of the inputs.
  std::vector<std::string> outputs;
  if (!compiler.outputs.empty())
    outputs = split(compiler.outputs, ',');
  outputs.push_back(std::string(prefix) + "*");
  Model model(optionsToRun(compiler), outputs);
  PictureSet pictures(model, data, limit, "calibrating on");
  std::unique_ptr<Runner> runner = Runner::create(model);
  Progress progress(pictures.count());
  std::map<std::string, std::vector<float>> maxima;
  pictures.forEach(
      pictures.batchFor(model), progress,
      [&](const Tensor &input, const int32_t *) {
        for (const Tensor &result : runner->run(input, {"*"}))
          if (result.name.rfind(prefix, 0) == 0)
            addMaxima(maxima[result.name.substr(std::string(prefix).size())],
                      result);
      });
  nlohmann::json statistics = nlohmann::json::object();
  for (const auto &[name, values] : maxima)
    statistics[name]["input"] = values;
  return statistics.dump();
}

} // namespace vit::tools
