//===- Support.h - Errors, tensors, small helpers ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_SUPPORT_H
#define VIT_TOOLS_SUPPORT_H

#include "vit/vit-data.h"
#include "vit/vit.h"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace vit::tools {

/// What ends a command: `main` prints it as `error: ...` and returns 1.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Ends a command that has said all there is to say; `main` returns `status`.
struct ExitStatus {
  int status;
};

/// Throws the message of a failed call of vit.h or vit-data.h.
inline void check(vit_status status, const vit_error &error) {
  if (status != VIT_OK)
    throw Error(error.message);
}

/// Owns a handle of the C API.
template <typename T, void (*release)(T *)> struct Releaser {
  void operator()(T *handle) const { release(handle); }
};
using ModuleHandle =
    std::unique_ptr<vit_module, Releaser<vit_module, vit_module_release>>;
using ParametersHandle =
    std::unique_ptr<vit_parameters,
                    Releaser<vit_parameters, vit_parameters_release>>;
using SessionHandle =
    std::unique_ptr<vit_session, Releaser<vit_session, vit_session_release>>;
using WeightsHandle =
    std::unique_ptr<vit_weights, Releaser<vit_weights, vit_weights_release>>;
using DatasetHandle =
    std::unique_ptr<vit_dataset, Releaser<vit_dataset, vit_dataset_release>>;

int64_t product(const std::vector<int64_t> &dims);

/// A row-major array of f32 or f64 with memory of its own.
struct Tensor {
  std::string name;
  vit_dtype dtype = VIT_F32;
  std::vector<int64_t> dims;
  std::vector<char> data;

  int64_t count() const { return product(dims); }
  void allocate(vit_dtype type, std::vector<int64_t> shape);
  float *floats() { return reinterpret_cast<float *>(data.data()); }
  const float *floats() const {
    return reinterpret_cast<const float *>(data.data());
  }
  /// Element `index`, widened where the tensor is f32.
  double at(int64_t index) const;
  vit_tensor view() const;
  static Tensor copy(const vit_tensor &tensor);
};

/// An .npy file of f16, bf16, f32 or f64 as f32.
Tensor readNpy(const std::string &path);

/// The dimensions of a vit_tensor, a vit_weight_info or a vit_binding_info.
template <typename Info> std::vector<int64_t> dimsOf(const Info &info) {
  return {info.dims, info.dims + info.rank};
}

WeightsHandle openWeights(const std::string &path);

/// "2x3x32x32"; -1 is written "?".
std::string shapeText(const int64_t *dims, size_t rank);
inline std::string shapeText(const std::vector<int64_t> &dims) {
  return shapeText(dims.data(), dims.size());
}

/// "12.3 MiB"
std::string bytesText(uint64_t bytes);

/// The parts of `text` between `separator`s.
std::vector<std::string> split(const std::string &text, char separator);
std::string join(const std::vector<std::string> &parts,
                 const std::string &separator);

/// The shortest decimal number that reads back as the same float.
double shortestDecimal(double value);

std::string readFile(const std::string &path);
/// Writes beside `path` and renames: whole or not at all.
void writeFile(const std::string &path, const std::string &text);

/// A file that is appended to: each `write` is complete when it returns.
class AppendFile {
public:
  AppendFile() = default;
  /// `flags`: O_CREAT, or 0 if the file exists.
  void open(const std::string &path, int flags);
  ~AppendFile();
  AppendFile(const AppendFile &) = delete;
  AppendFile &operator=(const AppendFile &) = delete;

  bool isEmpty() const;
  void write(const std::string &text);
  /// Syncs the file to disk.
  void flush();

private:
  [[noreturn]] void fail() const;

  std::string path;
  int file = -1;
};

/// Throws where writeFile would not get as far as writing: for what is written
/// after long work.
void requireWritable(const std::string &path);

/// Seconds of a clock that only goes forward.
double now();
/// CLOCK_MONOTONIC, on which events are.
uint64_t nanoseconds();

/// Most memory this process has held, in bytes.
uint64_t peakResidentBytes();

} // namespace vit::tools

#endif // VIT_TOOLS_SUPPORT_H
