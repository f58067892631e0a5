//===- Pickle.h - Python pickles of arrays, without Python ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_PICKLE_H
#define VIT_DATA_PICKLE_H

#include "Support.h"
#include "format/Pickle.h"

namespace vit::data {

using format::PickleValue;

/// Reads a pickle of plain values and numpy arrays, as CIFAR-10's batches are.
/// Fails if it names anything else. `name` is for messages. `pickle` refers to
/// `file`.
void readPickle(Bytes file, const std::string &name, format::Pickle &pickle);

/// An array of bytes, as numpy pickles it.
struct PickledArray {
  std::vector<int64_t> shape;
  std::string_view bytes;
};

/// Fails unless `value` is a numpy array of u1 in C order whose size agrees
/// with its shape.
PickledArray toArray(const PickleValue &value);

} // namespace vit::data

#endif // VIT_DATA_PICKLE_H
