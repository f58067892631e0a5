//===- Workload.h - The repeated work of a benchmark ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_WORKLOAD_H
#define VIT_TOOLS_WORKLOAD_H

#include "Runner.h"

#include <memory>

namespace vit::tools {

/// A call of a model that is repeated on the same data.
class Workload {
public:
  virtual ~Workload() = default;
  virtual void run() = 0;
  /// Bytes that it needs in addition to the weights; 0 if unknown.
  virtual uint64_t workspaceBytes() = 0;
  /// The code that runs; nothing for the reference.
  virtual std::optional<vit_code_info> code() = 0;
};

/// A new session that computes `outputs` (empty: the default one) of `input`.
/// `log` as for Runner::create.
std::unique_ptr<Workload>
createInference(Model &model, const Tensor &input,
                const std::vector<std::string> &outputs, EventLog *log);

/// The same for training steps of a model that was compiled for them, on
/// `images` with random labels, at a learning rate of 0.001.
std::unique_ptr<Workload> createTraining(Model &model, const Tensor &images,
                                         EventLog *log);

} // namespace vit::tools

#endif // VIT_TOOLS_WORKLOAD_H
