//===- Binding.h - The caller's tensors against an entry's ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_BINDING_H
#define VIT_RUNTIME_BINDING_H

#include "Error.h"
#include "module_generated.h"

namespace vit::runtime {

using Bindings = flatbuffers::Vector<flatbuffers::Offset<schema::Binding>>;

/// Finds the binding with this name or alias (NULL: the first). `what`, "input"
/// or "output", is for messages.
vit_status findBinding(const Bindings &bindings, const char *name,
                       const char *what, uint32_t &index, vit_error *error);

/// Returns the batch of the first input's tensor, 1 if it is not batched.
vit_status readBatch(const schema::Binding &binding, const vit_tensor &tensor,
                     int64_t &batch, vit_error *error);

/// Fills in the expected type and shape if the caller left the rank 0.
void describeOutput(const schema::Binding &binding, vit_tensor &tensor,
                    int64_t batch);

/// Checks type, shape, size and alignment.
vit_status checkTensor(const schema::Binding &binding, const vit_tensor &tensor,
                       const char *what, int64_t batch, vit_error *error);

} // namespace vit::runtime

#endif // VIT_RUNTIME_BINDING_H
