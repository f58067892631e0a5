//===- Predictor.h - A model for threads of a host --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What programs that embed the tools (the Python package) call in place of the
// commands:
//
//   Predictor predictor(options);
//   std::vector<Picture> pictures = {std::string("cat.jpg")};
//   Tensor vectors = predictor.embed(pictures, {});
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PREDICTOR_H
#define VIT_TOOLS_PREDICTOR_H

#include "Attention.h"
#include "Predictions.h"
#include "Runner.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

namespace vit::tools {

/// A model that any number of threads call at once. Each call has a session of
/// its own: an idle one, or a new one over the same parameters as long as there
/// are less than cores; other callers wait. Outputs that the module of a text
/// or a folder does not compute are compiled when they are first asked for.
class Predictor {
public:
  /// Called between batches, on the caller's thread, with the number of
  /// pictures done; may throw, which ends the call.
  using Report = std::function<void(int64_t done)>;

  /// Compiles or loads the model. Throws if that fails, or if this machine
  /// cannot run it as the options say.
  explicit Predictor(const CommonOptions &options);
  ~Predictor();
  Predictor(const Predictor &) = delete;
  Predictor &operator=(const Predictor &) = delete;

  /// The model with its own outputs.
  Model &model();
  /// How pictures are prepared. Throws if the model does not say.
  const vit_preprocessing &preprocessing();
  /// The code that runs.
  vit_code_info code();

  /// A module that computes certain outputs, and its sessions.
  class Variant;
  /// The one that computes `names` (empty: the model's own outputs). Lives as
  /// long as the predictor.
  Variant &variantFor(const std::vector<std::string> &names);
  vit_binding_info inputOf(const Variant &variant);
  /// Its outputs that `names` mean (empty: all), in the module's order.
  std::vector<vit_binding_info>
  outputsOf(const Variant &variant, const std::vector<std::string> &names);
  /// See Runner::runInto.
  void run(Variant &variant, const vit_tensor &input,
           std::vector<vit_tensor> &outputs);

  /// The best classes of each picture. `options.function` and `nameOf` are set
  /// here. Throws for the first picture that cannot be read.
  std::vector<std::vector<Prediction>>
  classify(const std::vector<Picture> &pictures, PredictionOptions options,
           int64_t batch = 16, const Report &report = {});

  struct EmbedOptions {
    std::string name; ///< Of the output; empty: see chooseEmbedding.
    bool normalize = false;
    int64_t batch = 8;
  };
  /// f32 [pictures, width]. Throws for the first picture that cannot be read.
  Tensor embed(const std::vector<Picture> &pictures,
               const EmbedOptions &options, const Report &report = {});

  struct Map {
    std::vector<float> weights; ///< rows x columns of the grid
    TokenGrid grid;
  };
  /// Where the model looks in one picture.
  Map mapAttention(const Picture &picture, const AttentionRequest &request);

  /// To be called around fork(), in the parent before it and then in both: the
  /// first waits for running calls and keeps others from starting. A child
  /// makes sessions of its own.
  void beforeFork();
  void afterFork(bool isChild);

private:
  class Lease;
  /// Calls `visit` with the inputs of batch after batch.
  void forEachBatch(const std::vector<Picture> &pictures, int64_t batch,
                    const Report &report,
                    const std::function<void(const Tensor &)> &visit);
  std::vector<Tensor> runOn(Variant &variant, const Tensor &input,
                            const std::vector<std::string> &names);

  CommonOptions options;
  size_t mostSessions;
  std::mutex mutex; ///< Of all below.
  std::condition_variable changed;
  size_t running = 0; ///< Calls.
  bool isForking = false;
  std::map<std::string, std::unique_ptr<Variant>> variants;
  std::mutex compiling; ///< Held while a variant is made. Taken before `mutex`.
  std::optional<vit_preprocessing> prepared;
};

} // namespace vit::tools

#endif // VIT_TOOLS_PREDICTOR_H
