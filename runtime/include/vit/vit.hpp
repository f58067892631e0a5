//===- vit.hpp - The vit runtime for C++ ------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A thin, header-only C++17 wrapper over vit.h. Objects own their C
/// counterpart and are moved, not copied; every failed call throws vit::Error,
/// on the caller's side of the C API.
///
/// \code
/// vit::Module module("vit-b16.vitm");
/// vit::Session session(module);
/// std::vector<float> logits = session.run(image.data(), {1, 3, 224, 224});
/// \endcode
///
//===----------------------------------------------------------------------===//

#ifndef VIT_VIT_HPP
#define VIT_VIT_HPP

#include "vit/vit.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace vit {

/// A failed call: its status and its message.
class Error : public std::runtime_error {
public:
  Error(vit_status status, const vit_error &error)
      : std::runtime_error(error.message), code(status) {}
  vit_status status() const { return code; }

private:
  vit_status code;
};

namespace detail {

/// Calls call(&error) and throws where that fails.
template <typename Call> void check(Call call) {
  vit_error error = {};
  if (vit_status status = call(&error))
    throw Error(status, error);
}

/// One reference to a C object.
template <typename T, void (*Release)(T *)> class Handle {
public:
  Handle() = default;
  explicit Handle(T *object) : object(object) {}
  Handle(Handle &&other) noexcept
      : object(std::exchange(other.object, nullptr)) {}
  Handle &operator=(Handle &&other) noexcept {
    std::swap(object, other.object);
    return *this;
  }
  ~Handle() { Release(object); }

  T *get() const { return object; }
  T **out() { return &object; }

private:
  T *object = nullptr;
};

} // namespace detail

/// A tensor over memory of the caller, for Session::run. `dims` may be left
/// empty for an output: the call fills them in.
inline vit_tensor tensor(const char *name, void *data, size_t bytes,
                         const std::vector<int64_t> &dims = {},
                         vit_dtype dtype = VIT_F32) {
  if (dims.size() > VIT_MAX_RANK)
    throw std::invalid_argument("a tensor has more than 8 dimensions");
  vit_tensor result = {};
  result.name = name;
  result.data = data;
  result.size = bytes;
  result.dtype = dtype;
  result.rank = int32_t(dims.size());
  for (size_t i = 0; i < dims.size(); ++i)
    result.dims[i] = dims[i];
  return result;
}

/// A tensor of DLPack, over the same memory, in that of the host or of a CUDA
/// device. `DlTensor` is DLPack's DLTensor or has its fields. Throws
/// std::invalid_argument for another device, for elements that are not packed
/// row-major, and for a type that vit does not have.
template <typename DlTensor>
vit_tensor dlpackTensor(const char *name, const DlTensor &given) {
  // DLDeviceType, DLDataTypeCode
  enum { Cpu = 1, Cuda = 2, CudaHost = 3, CudaManaged = 13 };
  struct {
    int code, bits;
    vit_dtype dtype;
  } constexpr types[] = {{2, 32, VIT_F32}, {4, 16, VIT_BF16}, {2, 16, VIT_F16},
                         {0, 32, VIT_I32}, {0, 64, VIT_I64},  {1, 8, VIT_U8},
                         {2, 64, VIT_F64}};
  const int device = int(given.device.device_type);
  const bool isDevice = device == Cuda || device == CudaManaged;
  if (!isDevice && device != Cpu && device != CudaHost)
    throw std::invalid_argument("a tensor is on another device than the host "
                                "or CUDA");
  if (given.ndim < 0 || given.ndim > VIT_MAX_RANK)
    throw std::invalid_argument("a tensor has more than 8 dimensions");
  vit_tensor result = {};
  result.name = name;
  result.data = static_cast<char *>(given.data) + given.byte_offset;
  result.memory = isDevice ? VIT_DEVICE : VIT_HOST;
  result.rank = int32_t(given.ndim);
  int64_t elements = 1;
  for (int i = int(given.ndim); i-- > 0;) {
    if (given.strides && given.shape[i] != 1 && given.strides[i] != elements)
      throw std::invalid_argument("a tensor is not packed row-major");
    result.dims[i] = given.shape[i];
    elements *= given.shape[i];
  }
  for (const auto &type : types)
    if (type.code == int(given.dtype.code) &&
        type.bits == int(given.dtype.bits) && given.dtype.lanes == 1) {
      result.dtype = type.dtype;
      result.size = size_t(elements) * size_t(type.bits) / 8;
      return result;
    }
  throw std::invalid_argument("a tensor has elements of another type than "
                              "f32, bf16, f16, f64, i32, i64 and u8");
}

/// What a .vitm file holds. Immutable; may be shared between threads.
class Module {
public:
  explicit Module(const std::string &path,
                  const vit_module_options *options = nullptr) {
    detail::check([&](vit_error *error) {
      return vit_module_load(path.c_str(), options, handle.out(), error);
    });
  }

  vit_module *get() const { return handle.get(); }

  vit_binding_info input(int32_t index = 0, const char *entry = nullptr) const {
    vit_binding_info info = {};
    detail::check([&](vit_error *error) {
      return vit_module_input(get(), entry, index, &info, error);
    });
    return info;
  }
  vit_binding_info output(int32_t index = 0,
                          const char *entry = nullptr) const {
    vit_binding_info info = {};
    detail::check([&](vit_error *error) {
      return vit_module_output(get(), entry, index, &info, error);
    });
    return info;
  }

  /// The label of a class, or its number where the module has none for it.
  std::string label(int32_t index) const {
    const char *text = vit_module_label(get(), index);
    return text ? text : std::to_string(index);
  }

  /// The precisions of an entry's code, the default one first.
  std::vector<std::string> precisions(const char *entry = nullptr) const {
    std::vector<std::string> names;
    while (const char *name =
               vit_module_precision(get(), entry, int32_t(names.size())))
      names.push_back(name);
    return names;
  }

  /// What turns logits into scores.
  vit_score_function scoreFunction() const {
    return vit_module_score_function(get());
  }

  /// The tokens that the layers process.
  vit_token_info tokens(const char *entry = nullptr) const {
    vit_token_info result = {};
    result.struct_size = sizeof result;
    detail::check([&](vit_error *error) {
      return vit_module_entry_tokens(get(), entry, &result, error);
    });
    return result;
  }

  vit_preprocessing preprocessing(const char *entry = nullptr) const {
    vit_preprocessing result = {};
    result.struct_size = sizeof result;
    detail::check([&](vit_error *error) {
      return vit_module_entry_preprocessing(get(), entry, &result, error);
    });
    return result;
  }

  /// The whole description as JSON.
  std::string describe() const {
    char *text = nullptr;
    detail::check([&](vit_error *error) {
      return vit_module_describe(get(), &text, error);
    });
    struct Free {
      vit_module *module;
      char *text;
      ~Free() { vit_module_free_text(module, text); }
    } free = {get(), text};
    return text;
  }

  uint64_t workspaceSize(int64_t batch, const char *entry = nullptr) const {
    uint64_t bytes = 0;
    detail::check([&](vit_error *error) {
      return vit_module_workspace_size(get(), entry, batch, &bytes, error);
    });
    return bytes;
  }

private:
  detail::Handle<vit_module, vit_module_release> handle;
};

/// The weights of a module, shared by the sessions made over them.
class Parameters {
public:
  explicit Parameters(const Module &module) {
    detail::check([&](vit_error *error) {
      return vit_parameters_create(module.get(), handle.out(), error);
    });
  }

  vit_parameters *get() const { return handle.get(); }

  int32_t count() const { return vit_parameters_count(get()); }
  vit_binding_info info(int32_t index) const {
    vit_binding_info info = {};
    detail::check([&](vit_error *error) {
      return vit_parameters_info(get(), index, &info, error);
    });
    return info;
  }

  /// `data` must have exactly the parameter's number of elements.
  void read(const std::string &name, std::vector<float> &data) const {
    detail::check([&](vit_error *error) {
      return vit_parameters_read(get(), name.c_str(), data.data(),
                                 data.size() * sizeof(float), error);
    });
  }
  void write(const std::string &name, const std::vector<float> &data) {
    detail::check([&](vit_error *error) {
      return vit_parameters_write(get(), name.c_str(), data.data(),
                                  data.size() * sizeof(float), error);
    });
  }

  /// The first parameter with a NaN or an infinity; empty where there is none.
  std::string findNotFinite() const {
    const char *name = vit_parameters_find_not_finite(get());
    return name ? name : "";
  }

  /// Whether a training step of the module changes this parameter.
  bool isTrained(int32_t index) const {
    return vit_parameters_is_trained(get(), index) != 0;
  }

  /// What training keeps beside the parameters; see
  /// vit_parameters_state_count.
  int32_t stateCount() const { return vit_parameters_state_count(get()); }
  vit_binding_info stateInfo(int32_t index) const {
    vit_binding_info info = {};
    detail::check([&](vit_error *error) {
      return vit_parameters_state_info(get(), index, &info, error);
    });
    return info;
  }
  /// `size` bytes at `data`, which must be the state's.
  void readState(const std::string &name, void *data, size_t size) const {
    detail::check([&](vit_error *error) {
      return vit_parameters_state_read(get(), name.c_str(), data, size, error);
    });
  }
  void writeState(const std::string &name, const void *data, size_t size) {
    detail::check([&](vit_error *error) {
      return vit_parameters_state_write(get(), name.c_str(), data, size, error);
    });
  }

  /// Training steps done; to be set when training goes on from a checkpoint.
  uint64_t steps() const { return vit_parameters_steps(get()); }
  void setSteps(uint64_t steps) { vit_parameters_set_steps(get(), steps); }
  /// The seed of dropout.
  void seed(uint64_t seed) { vit_parameters_seed(get(), seed); }

private:
  detail::Handle<vit_parameters, vit_parameters_release> handle;
};

/// A workspace and threads; calls any entry of its module, one call at a time.
class Session {
public:
  explicit Session(const Module &module,
                   const vit_session_options *options = nullptr)
      : module(module.get()) {
    detail::check([&](vit_error *error) {
      return vit_session_create(module.get(), options, handle.out(), error);
    });
  }

  vit_session *get() const { return handle.get(); }

  /// The code that the session runs.
  vit_code_info code(const char *entry = nullptr) const {
    vit_code_info info = {};
    info.struct_size = sizeof info;
    detail::check([&](vit_error *error) {
      return vit_session_code(get(), entry, &info, error);
    });
    return info;
  }

  /// Bytes of workspace of a call; see vit_session_workspace_size.
  uint64_t workspaceSize(const char *entry, int64_t batch) const {
    uint64_t bytes = 0;
    detail::check([&](vit_error *error) {
      return vit_session_workspace_size(get(), entry, batch, &bytes, error);
    });
    return bytes;
  }

  /// The general call; see vit_session_run.
  void run(const char *entry, const std::vector<vit_tensor> &inputs,
           std::vector<vit_tensor> &outputs) {
    detail::check([&](vit_error *error) {
      return vit_session_run(get(), entry, inputs.data(),
                             int32_t(inputs.size()), outputs.data(),
                             int32_t(outputs.size()), error);
    });
  }

  /// The work of the first call, ahead of it; see vit_session_warm_up.
  void warmUp(const char *entry, int64_t batch) {
    detail::check([&](vit_error *error) {
      return vit_session_warm_up(get(), entry, batch, error);
    });
  }

  /// One training step: "train_step" or, without `update`, "accumulate_step".
  /// Returns the whole of vit_step, with loss and correct; see
  /// vit_session_step.
  vit_step step(const vit_tensor &images, const vit_tensor &targets,
                float learningRate, bool update = true) {
    vit_step step = {};
    step.struct_size = sizeof step;
    step.images = &images;
    step.targets = &targets;
    step.learning_rate = learningRate;
    step.update = update;
    detail::check([&](vit_error *error) {
      return vit_session_step(get(), &step, error);
    });
    step.images = step.targets = nullptr; // The caller's may go.
    return step;
  }

  /// Where a NaN or infinity first appears, empty where there is none; see
  /// vit_session_find_not_finite.
  std::string findNotFinite(const char *entry,
                            const std::vector<vit_tensor> &inputs) {
    char name[1024] = "";
    detail::check([&](vit_error *error) {
      return vit_session_find_not_finite(get(), entry, inputs.data(),
                                         int32_t(inputs.size()), name,
                                         sizeof name, error);
    });
    return name;
  }

  /// Calls the first entry with one f32 input of shape `dims` (its batch
  /// first) and returns its default output, row-major f32.
  std::vector<float> run(const float *input, const std::vector<int64_t> &dims) {
    vit_binding_info info = {};
    detail::check([&](vit_error *error) {
      return vit_module_output(module, nullptr, 0, &info, error);
    });
    int64_t inputElements = 1, outputElements = 1;
    for (int64_t dim : dims)
      inputElements *= dim;
    for (int32_t i = 0; i < info.rank; ++i)
      outputElements *= info.dims[i] >= 0 ? info.dims[i]
                        : dims.empty()    ? 1
                                          : dims[0];
    if (inputElements < 1 || outputElements < 1)
      throw std::invalid_argument("a dimension of the input is below 1");
    std::vector<float> result(static_cast<size_t>(outputElements));
    // Inputs are only read; the C struct serves both directions.
    vit_tensor in = tensor(nullptr, const_cast<float *>(input),
                           size_t(inputElements) * sizeof(float), dims);
    vit_tensor out =
        tensor(nullptr, result.data(), result.size() * sizeof(float));
    detail::check([&](vit_error *error) {
      return vit_session_run(get(), nullptr, &in, 1, &out, 1, error);
    });
    return result;
  }

private:
  vit_module *module; ///< Retained by the session.
  detail::Handle<vit_session, vit_session_release> handle;
};

} // namespace vit

#endif // VIT_VIT_HPP
