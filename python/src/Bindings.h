//===- Bindings.h - What the bindings share ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_PYTHON_BINDINGS_H
#define VIT_PYTHON_BINDINGS_H

#include "Pictures.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

namespace vit::python {

namespace nb = nanobind;

using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Array = nb::ndarray<nb::numpy>;

/// `object` as f32 in row-major CPU memory, without a copy where it is that
/// already; arrays with other strides are copied. `what` is what messages call
/// it. Throws tools::Error that says how to convert it.
Floats readFloats(nb::handle object, const std::string &what);

/// A new NumPy array, and the view of it that a session writes.
struct Output {
  Array array;
  vit_tensor view;
};
Output makeOutput(const vit_binding_info &info, int64_t batch);
/// A NumPy array that owns the memory of `tensor`.
Array toArray(tools::Tensor &&tensor);

/// Writes named arrays to a .safetensors file.
void writeWeights(nb::bytes path, const std::vector<std::string> &names,
                  nb::list arrays);

/// Pictures as the package's Python code hands them over: bytes for the path of
/// a file, otherwise an array uint8 [height, width, 1 or 3].
struct PictureList {
  explicit PictureList(nb::list items);
  std::vector<tools::Picture> pictures;
  std::vector<nb::object> owners; ///< Keep the pixels alive.
};

/// Runs `work` without the GIL. Python's own exceptions win over its errors:
/// what Ctrl-C has interrupted ends with KeyboardInterrupt.
template <typename Work> auto withoutGil(Work work) {
  try {
    nb::gil_scoped_release release;
    return work();
  } catch (const tools::Error &) {
    if (PyErr_CheckSignals() != 0)
      throw nb::python_error();
    throw;
  }
}

/// Called in withoutGil, between two steps of work: throws what a signal's
/// handler raises, and calls `callback` with `done` unless it is None.
void reportProgress(nb::handle callback, int64_t done);

void addModel(nb::module_ &module);
void addTrainer(nb::module_ &module);

} // namespace vit::python

#endif // VIT_PYTHON_BINDINGS_H
