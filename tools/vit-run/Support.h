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

/// Ends a command: `main` prints it as `error: ...` and returns 1.
struct Error : std::runtime_error {
  explicit Error(const std::string &message,
                 vit_status status = VIT_INVALID_ARGUMENT)
      : std::runtime_error(message), status(status) {}
  /// That of the call that failed, for hosts that tell errors apart.
  vit_status status;
};

/// Ends a command without another message; `main` returns `status`.
struct ExitStatus {
  int status;
};

/// Throws the error message if a call of vit.h or vit-data.h failed.
inline void check(vit_status status, const vit_error &error) {
  if (status != VIT_OK)
    throw Error(error.message, status);
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

/// torch.nn.functional.normalize of a row: x / max(||x||, 1e-12).
void normalizeRow(float *row, int64_t width);

/// A row-major array of f32 or f64 that owns its memory.
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
  /// Element `index` as double.
  double at(int64_t index) const;
  vit_tensor view() const;
  static Tensor copy(const vit_tensor &tensor);
};

/// Reads an .npy file of f16, bf16, f32 or f64 as f32.
Tensor readNpy(const std::string &path);

/// The dimensions of a vit_tensor, a vit_weight_info or a vit_binding_info.
template <typename Info> std::vector<int64_t> dimsOf(const Info &info) {
  return {info.dims, info.dims + info.rank};
}

/// The JSON of vit_module_describe.
std::string describeModule(vit_module *module);

WeightsHandle openWeights(const std::string &path);

/// "2x3x32x32"; -1 is printed as "?".
std::string shapeText(const int64_t *dims, size_t rank);
inline std::string shapeText(const std::vector<int64_t> &dims) {
  return shapeText(dims.data(), dims.size());
}

/// "12.3 MiB"
std::string bytesText(uint64_t bytes);
/// Sixteen hexadecimal digits.
std::string hexText(uint64_t value);

/// Splits `text` at each `separator`.
std::vector<std::string> split(const std::string &text, char separator);
std::string join(const std::vector<std::string> &parts,
                 const std::string &separator);

/// The shortest decimal number that reads back as the same float.
double shortestDecimal(double value);

std::string readFile(const std::string &path);
/// Writes a temporary file and renames it, so that `path` is never partial.
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

/// Throws if `path` cannot be written. Call it before long computations.
void requireWritable(const std::string &path);
/// Throws if `output` is one of the files that the command reads.
void requireNotRead(const std::string &output,
                    const std::vector<std::string> &inputs);

/// From here on the data library's warnings about pictures go to standard
/// error, the first one alone: a data set may give as many as it has pictures.
void printFirstPictureWarning();

/// Seconds of a monotonic clock.
double now();
/// CLOCK_MONOTONIC, the clock of events.
uint64_t nanoseconds();

/// The peak memory of this process in bytes.
uint64_t peakResidentBytes();

} // namespace vit::tools

#endif // VIT_TOOLS_SUPPORT_H
