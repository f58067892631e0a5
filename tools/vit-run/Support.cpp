//===- Support.cpp - Errors, tensors, small helpers -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "Overwriting.h"

#include "format/AtomicFile.h"
#include "format/Diagnose.h"
#include "vit/Import/ModelFolder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace vit::tools {

void normalizeRow(float *row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i)
    sum += static_cast<double>(row[i]) * row[i];
  double scale = 1 / std::max(std::sqrt(sum), 1e-12);
  for (int64_t i = 0; i < width; ++i)
    row[i] = static_cast<float>(row[i] * scale);
}

int64_t product(const std::vector<int64_t> &dims) {
  int64_t result = 1;
  for (int64_t dim : dims)
    result *= dim;
  return result;
}

void Tensor::allocate(vit_dtype type, std::vector<int64_t> shape) {
  dtype = type;
  dims = std::move(shape);
  data.assign(static_cast<size_t>(count()) * vit_dtype_size(type), 0);
}

double Tensor::at(int64_t index) const {
  return dtype == VIT_F64 ? reinterpret_cast<const double *>(data.data())[index]
                          : static_cast<double>(floats()[index]);
}

vit_tensor Tensor::view() const {
  vit_tensor result = {};
  result.name = name.empty() ? nullptr : name.c_str();
  result.data = const_cast<char *>(data.data());
  result.size = data.size();
  result.dtype = dtype;
  result.rank = static_cast<int32_t>(dims.size());
  for (size_t i = 0; i < dims.size(); ++i)
    result.dims[i] = dims[i];
  return result;
}

Tensor Tensor::copy(const vit_tensor &tensor) {
  Tensor result;
  result.name = tensor.name ? tensor.name : "";
  result.allocate(tensor.dtype, dimsOf(tensor));
  std::copy_n(static_cast<const char *>(tensor.data), result.data.size(),
              result.data.begin());
  return result;
}

std::string describeModule(vit_module *module) {
  vit_error error;
  char *text = nullptr;
  check(vit_module_describe(module, &text, &error), error);
  std::string json = text;
  vit_module_free_text(module, text);
  return json;
}

WeightsHandle openWeights(const std::string &path) {
  std::string resolved = mlir::vit::resolveModelFolder(path);
  std::error_code ignored;
  if (std::filesystem::is_directory(resolved, ignored) &&
      !mlir::vit::hasWeights(resolved))
    throw Error(mlir::vit::explainMissingWeights(resolved).text);
  vit_error error;
  vit_weights *opened = nullptr;
  check(vit_weights_open(resolved.c_str(), &opened, &error), error);
  for (int32_t i = 0; const char *note = vit_weights_note(opened, i); ++i)
    std::fprintf(stderr, "note: %s\n", note);
  return WeightsHandle(opened);
}

Tensor readNpy(const std::string &path) {
  vit_error error;
  vit_tensor array = {};
  check(vit_npy_read(path.c_str(), &array, &error), error);
  Tensor result;
  vit_status status = VIT_OK;
  if (array.dtype == VIT_I32 || array.dtype == VIT_I64 ||
      array.dtype == VIT_U8) {
    vit_tensor_release(&array);
    throw Error(path + " holds integers; a model's input is f32, f64 or f16 "
                       "(convert it with numpy's astype(\"float32\"))");
  }
  result.allocate(VIT_F32, dimsOf(array));
  if (result.count() > 0)
    status = vit_data_to_f32(array.dtype, array.data, result.count(),
                             result.floats(), &error);
  vit_tensor_release(&array);
  check(status, error);
  return result;
}

std::string shapeText(const int64_t *dims, size_t rank) {
  std::string result;
  for (size_t i = 0; i < rank; ++i)
    result += (i ? "x" : "") + (dims[i] < 0 ? "?" : std::to_string(dims[i]));
  return result;
}

std::string hexText(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(value));
  return text;
}

std::string bytesText(uint64_t bytes) {
  char text[32];
  if (bytes < 1024)
    std::snprintf(text, sizeof(text), "%d bytes", static_cast<int>(bytes));
  else if (bytes < (1u << 20))
    std::snprintf(text, sizeof(text), "%.1f KiB", bytes / 1024.0);
  else
    std::snprintf(text, sizeof(text), "%.1f MiB", bytes / 1048576.0);
  return text;
}

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty())
      parts.push_back(part);
  return parts;
}

std::string join(const std::vector<std::string> &parts,
                 const std::string &separator) {
  std::string result;
  for (size_t i = 0; i < parts.size(); ++i)
    result += (i ? separator : "") + parts[i];
  return result;
}

double shortestDecimal(double value) {
  char text[32];
  for (int digits = 6; digits <= 9; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (std::strtof(text, nullptr) == static_cast<float>(value))
      break;
  }
  return std::strtod(text, nullptr);
}

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  int code = errno;
  char reason[1024];
  if (!stream)
    throw Error(
        "cannot read " + path + ": " +
        format::explainNotOpened(path.c_str(), code, reason, sizeof(reason)));
  // An empty file gives nothing to insert, which fails too.
  if (stream.peek() != std::ifstream::traits_type::eof() &&
      !(text << stream.rdbuf()))
    throw Error("cannot read " + path + ": " + std::strerror(errno));
  return text.str();
}

void writeFile(const std::string &path, const std::string &text) {
  vit_error error;
  format::AtomicFile file;
  check(file.open(path.c_str(), &error), error);
  check(file.write(text.data(), text.size(), &error), error);
  check(file.commit(&error), error);
}

void AppendFile::open(const std::string &name, int flags) {
  path = name;
  file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0666);
  if (file < 0)
    fail();
}

AppendFile::~AppendFile() {
  if (file >= 0)
    close(file);
}

void AppendFile::fail() const {
  throw Error("cannot write " + path + ": " + std::strerror(errno));
}

bool AppendFile::isEmpty() const { return lseek(file, 0, SEEK_END) == 0; }

void AppendFile::write(const std::string &text) {
  for (size_t done = 0; done < text.size();) {
    ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      fail();
    done += static_cast<size_t>(count);
  }
}

void AppendFile::flush() {
  if (fsync(file) != 0 && errno != EINVAL)
    fail();
}

void requireWritable(const std::string &path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw Error("cannot write " + path + ": it is a folder");
  std::string parent = fs::path(path).parent_path().string();
  if (access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) != 0)
    throw Error("cannot write " + path + ": " + std::strerror(errno));
}

void requireNotRead(const std::string &output,
                    const std::vector<std::string> &inputs) {
  std::string fault = explainOverwrite(output, inputs);
  if (!fault.empty())
    throw Error(fault);
}

void printFirstPictureWarning() {
  static bool isDone = false;
  vit_image_set_warning(
      [](void *, const char *text) {
        if (!isDone)
          std::fprintf(stderr,
                       "warning: %s (said of the first such picture alone)\n",
                       text);
        isDone = true;
      },
      nullptr);
}

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t nanoseconds() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + time.tv_nsec;
}

uint64_t peakResidentBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

} // namespace vit::tools
