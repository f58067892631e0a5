//===- StoredTensors.h - Parameters as a checkpoint stores them -*- C++ -*-===//
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

/// One of the module's parameters: rows [begin, end) of a stored tensor.
struct StoredPart {
  std::string parameter;     ///< Its name in the module: "query.weight.3"
  std::vector<int64_t> dims; ///< Its own shape
  int64_t begin, end;

  int64_t elements() const;
};

/// A tensor of a checkpoint and the parameters that it is made of: one, or
/// several (query, key and value of a fused projection).
struct CheckpointTensor {
  std::string name;           ///< "blocks.3.attn.qkv.weight"
  std::vector<int64_t> shape; ///< There; a parameter may drop ones and flatten.
  std::vector<StoredPart> parts;

  int64_t elements() const;
  int64_t rowElements() const { return elements() / shape.front(); }
};

/// The tensors of a checkpoint of `module`, in the order of its parameters.
/// Throws where the parameters do not fill them exactly.
std::vector<CheckpointTensor> storedTensors(vit_module *module);

/// Copies the values of all of `tensor`, row-major, out of or into the
/// parameters.
void readStored(const CheckpointTensor &tensor,
                const vit_parameters *parameters, float *values);
void writeStored(const CheckpointTensor &tensor, const float *values,
                 vit_parameters *parameters);

/// Whether two shapes hold the same elements in the same order, as far as ones
/// in front go: [1, 48] and [48] do.
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
