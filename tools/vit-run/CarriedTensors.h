//===- CarriedTensors.h - What training passes on unread --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CARRIEDTENSORS_H
#define VIT_TOOLS_CARRIEDTENSORS_H

#include "Support.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vit::tools {

/// Tensors of the checkpoint that a run began with that the graph does not use,
/// while the class of the model's library has them (DINOv2's mask_token). The
/// run's checkpoints hold copies, bit by bit and of the same type, so that the
/// library loads them strictly. Their bytes stay in the mapped file.
class CarriedTensors {
public:
  CarriedTensors() = default;
  explicit CarriedTensors(WeightsHandle file) : file(std::move(file)) {}

  /// Tensor `index` of the file, to be called `name`. False if it is of a type
  /// that cannot be written.
  bool add(int64_t index, std::string name);
  /// The index of a tensor of the file, -1 where there is none.
  int64_t find(const std::string &name) const {
    return vit_weights_find(file.get(), name.c_str());
  }
  /// The tensors as they are written.
  std::vector<vit_tensor> views() const;
  /// To be called around the use of `views`: throws if the file was cut short.
  void requireWhole() const;
  /// Their names for format::kCarriedKey.
  std::string list() const;

private:
  WeightsHandle file;
  std::vector<std::pair<int64_t, std::string>> tensors;
};

} // namespace vit::tools

#endif // VIT_TOOLS_CARRIEDTENSORS_H
