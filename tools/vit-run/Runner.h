//===- Runner.h - Runs a model on a device ----------------------*- C++ -*-===//
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
  /// `log` may be null. Otherwise every call and every command of it is
  /// appended (except by the reference); the log must outlive the runner.
  static std::unique_ptr<Runner> create(Model &model, EventLog *log = nullptr);
  virtual ~Runner() = default;

  /// The outputs `names` (empty: the default one; "*": all) for `input`, whose
  /// first dimension is the batch. f32, or f64 from the reference. Throws if an
  /// output holds a NaN or an infinity, and reports its origin.
  std::vector<Tensor> run(const Tensor &input,
                          const std::vector<std::string> &names);

  /// The same without a copy: `outputs` are views of the caller's memory, named
  /// and as large as Model::outputInfos says. Not by the reference.
  void runInto(const vit_tensor &input, std::vector<vit_tensor> &outputs);

  /// Bytes that a call with this batch needs in addition to the weights; 0 if
  /// unknown.
  virtual uint64_t workspaceBytes(int64_t) { return 0; }
  /// The code that runs; nothing for the reference.
  virtual std::optional<vit_code_info> code() { return std::nullopt; }

protected:
  explicit Runner(Model &model) : model(model) {}
  virtual std::vector<Tensor>
  compute(const Tensor &input, const std::vector<std::string> &names) = 0;
  virtual void computeInto(const vit_tensor &input,
                           std::vector<vit_tensor> &outputs);

  Model &model;

private:
  void checkFinite(const vit_tensor &input, const vit_tensor &output);
};

/// Creates a session with the device, threads and memory limit of the model's
/// options. `log` may be null; otherwise every command that runs while it is
/// open is appended to it, and it must outlive the session.
/// `collective` may be null: one rank; see vit_session_options.
SessionHandle createSession(Model &model, EventLog *log,
                            const vit_collective *collective = nullptr,
                            vit_reduction reduction = VIT_REDUCE_ORDERED);

/// The code with which the session runs `entry` (null: the first).
vit_code_info codeOf(const SessionHandle &session, const char *entry);

/// Bytes that a call of `entry` (null: the first) with this batch needs in
/// addition to the weights.
uint64_t workspaceBytes(const SessionHandle &session, const char *entry,
                        int64_t batch);

/// Throws if `input`, which messages call `source`, does not have the shape of
/// the model's input.
void checkInput(const Tensor &input, const vit_binding_info &info,
                const std::string &source = "the input");

/// The outputs among `outputs` that `names` mean (empty: the default one; "*":
/// all), in the order of `outputs`. Throws if there is one that `outputs` does
/// not have.
std::vector<vit_binding_info>
selectOutputs(const std::vector<vit_binding_info> &outputs,
              const std::vector<std::string> &names);

} // namespace vit::tools

#endif // VIT_TOOLS_RUNNER_H
