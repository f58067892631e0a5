//===- CompilerOptions.h - What the tools ask of the compiler ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_COMPILEROPTIONS_H
#define VIT_TOOLS_COMPILEROPTIONS_H

#include "vit/Compiler.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vit::tools {

/// Options for compiling a training step.
struct TrainingRequest {
  std::string options; ///< Of vit-generate-backward.
  uint64_t memory = 0; ///< Bytes for a step's activations; 0: no limit.
  int64_t batch = 0;   ///< Of a step.
  /// Bytes of the buckets in which gradients are summed over ranks; 0: there is
  /// one rank.
  uint64_t bucketBytes = 0;
};

/// The default of bucketBytes where there are several ranks. A GPU computes and
/// exchanges a bucket sooner, and the start of an exchange takes as long.
inline constexpr uint64_t kBucketBytes = uint64_t(1) << 20,
                          kCudaBucketBytes = uint64_t(8) << 20;

/// What code in int8 takes from pictures; see vit_compiler_request.
struct Calibration {
  std::string statistics;
  double smoothAlpha = 0;
  bool staticScales = false;
};

/// Options of the compiler. An empty string means the default.
struct CompilerOptions {
  std::string model, weights, imageSize;
  bool allowUnused = false;
  uint64_t seed = 0;
  std::string outputs, skipPasses; ///< Separated by commas.
  std::string dumpIr;
  std::string target, level, precision;
  std::string keep; ///< NAME=PRECISION, separated by commas.
  std::optional<TrainingRequest> training;
  std::optional<Calibration> calibration;

  /// The request does not store parameters in the module. It points into these
  /// options.
  vit_compiler_request createRequest(vit_compiler_action action) const {
    auto given = [](const std::string &text) {
      return text.empty() ? nullptr : text.c_str();
    };
    vit_compiler_request request = {};
    request.struct_size = sizeof(request);
    request.action = action;
    request.model = model.c_str();
    request.weights = given(weights);
    request.image_size = given(imageSize);
    request.allow_unused = allowUnused;
    request.seed = seed;
    request.outputs = given(outputs);
    request.skip_passes = given(skipPasses);
    request.dump_directory = given(dumpIr);
    request.targets = given(target);
    request.levels = given(level);
    request.precision = given(precision);
    request.keep = given(keep);
    if (calibration) {
      request.statistics = calibration->statistics.c_str();
      request.smooth_alpha = calibration->smoothAlpha;
      request.static_scales = calibration->staticScales;
    }
    request.parameters = VIT_COMPILER_REFERENCE;
    if (training) {
      request.training = training->options.c_str();
      request.training_memory = training->memory;
      request.batch = training->batch;
      request.bucket_bytes = training->bucketBytes;
    }
    return request;
  }
};

} // namespace vit::tools

#endif // VIT_TOOLS_COMPILEROPTIONS_H
