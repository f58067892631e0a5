//===- StoredTensors.h - Parameters as stored in checkpoints ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_STOREDTENSORS_H
#define VIT_TOOLS_STOREDTENSORS_H

#include "Support.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vit::tools {

/// A parameter of the module: rows [begin, end) of a stored tensor.
struct StoredPart {
  std::string parameter;     ///< Its name in the module: "query.weight.3"
  std::vector<int64_t> dims; ///< The shape of the parameter
  int64_t begin, end;

  int64_t elements() const;
};

/// A tensor of a checkpoint and its parameters: one, or several (query, key and
/// value of a fused projection).
struct CheckpointTensor {
  std::string name;           ///< "blocks.3.attn.qkv.weight"
  std::vector<int64_t> shape; ///< Parameters may drop ones or flatten.
  std::vector<StoredPart> parts;

  int64_t elements() const;
  /// Of one row of the parts.
  int64_t rowElements() const {
    const StoredPart &part = parts.front();
    return part.elements() / std::max<int64_t>(1, part.end - part.begin);
  }
};

/// The tensors of a checkpoint of `module`, in the order of its parameters.
/// Throws unless the parameters cover them exactly.
std::vector<CheckpointTensor> storedTensors(vit_module *module);

/// Copies all values of `tensor`, row-major, from or to the parameters.
void readStored(const CheckpointTensor &tensor,
                const vit_parameters *parameters, float *values);
void writeStored(const CheckpointTensor &tensor, const float *values,
                 vit_parameters *parameters);

/// Whether both shapes are equal except for leading ones, such as [1, 48] and
/// [48].
bool sameStoredShape(const std::vector<int64_t> &a,
                     const std::vector<int64_t> &b);

/// "[1, 65, 192]"
std::string storedShapeText(const std::vector<int64_t> &shape);

/// The shape of tensor `index` of a file.
std::vector<int64_t> shapeIn(const vit_weights *weights, int64_t index);

/// "A, B, C and 7 more"
std::string listText(const std::vector<std::string> &items, size_t most = 6);

} // namespace vit::tools

#endif // VIT_TOOLS_STOREDTENSORS_H
