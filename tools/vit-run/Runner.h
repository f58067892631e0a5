//===- Runner.h - Run a model on a device -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_RUNNER_H
#define VIT_TOOLS_RUNNER_H

#include "Model.h"
#include "Trace.h"

#include <map>
#include <memory>

namespace vit::tools {

/// Runs a model on one device.
class Runner {
public:
  /// `log` may be null; else every call, and every command that runs for it, is
  /// appended to it (not by the reference). It must outlive the runner.
  static std::unique_ptr<Runner> create(Model &model, EventLog *log = nullptr);
  virtual ~Runner() = default;

  /// The outputs called `names` (empty: the default one) for `input`, whose
  /// first dimension is the batch: f32, or f64 from the reference. With
  /// `names` holding "*": all of them. Throws where an output holds a NaN or an
  /// infinity, and says where it comes from.
  std::vector<Tensor> run(const Tensor &input,
                          const std::vector<std::string> &names);

  /// Bytes that a call with this batch needs beside the weights; 0 where that
  /// is not known.
  virtual uint64_t workspaceBytes(int64_t) { return 0; }

protected:
  explicit Runner(Model &model) : model(model) {}
  virtual std::vector<Tensor>
  compute(const Tensor &input, const std::vector<std::string> &names) = 0;

  Model &model;

private:
  void checkFinite(const Tensor &input, const std::vector<Tensor> &outputs);
};

/// Throws unless `input` has the shape of the model's input.
void checkInput(const Tensor &input, const vit_binding_info &info);

} // namespace vit::tools

#endif // VIT_TOOLS_RUNNER_H
