//===- Bindings.cpp - What the bindings share -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include <new>

namespace vit::python {

using tools::Error;

static std::string typeName(nb::handle object) {
  return nb::cast<std::string>(nb::type_name(object.type()));
}

static std::string dtypeName(nb::dlpack::dtype type) {
  static const char *const names[] = {"int",    "uint",    "float", "",
                                      "bfloat", "complex", "bool"};
  std::string name = type.code < std::size(names) ? names[type.code] : "type ";
  return type.code == 6 ? name : name + std::to_string(type.bits);
}

Floats readFloats(nb::handle object, const std::string &what) {
  Floats floats;
  if (nb::try_cast(object, floats, /*convert=*/false))
    return floats;
  PyErr_Clear();
  nb::ndarray<nb::ro> any;
  if (!nb::try_cast(object, any, /*convert=*/false)) {
    PyErr_Clear();
    throw Error(what + " is a " + typeName(object) +
                ", not an array: give a NumPy array, or what has __dlpack__ in "
                "CPU memory and no gradient (of torch: x.detach().cpu())");
  }
  if (any.device_type() != nb::device::cpu::value)
    throw Error(what + " is in the memory of a GPU: copy it to the CPU first "
                       "(of torch: x.cpu())");
  if (any.dtype() != nb::dtype<float>())
    throw Error(what + " is " + dtypeName(any.dtype()) +
                ", and the model takes float32: convert it (of NumPy: "
                "x.astype('float32'))");
  if (!nb::try_cast(object, floats, /*convert=*/true)) {
    PyErr_Clear();
    throw Error(what + " cannot be copied to row-major memory: do so first (of "
                       "NumPy: numpy.ascontiguousarray(x))");
  }
  return floats;
}

static nb::dlpack::dtype dtypeOf(vit_dtype type) {
  switch (type) {
  case VIT_F32:
    return nb::dtype<float>();
  case VIT_F64:
    return nb::dtype<double>();
  case VIT_I32:
    return nb::dtype<int32_t>();
  case VIT_I64:
    return nb::dtype<int64_t>();
  case VIT_U8:
    return nb::dtype<uint8_t>();
  case VIT_F16:
    return {static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
  case VIT_BF16:
    break;
  }
  throw Error("NumPy has no bfloat16", VIT_UNSUPPORTED);
}

Output makeOutput(const vit_binding_info &info, int64_t batch) {
  constexpr std::align_val_t kAlignment{64};
  std::vector<size_t> shape;
  size_t elements = 1;
  for (int32_t i = 0; i < info.rank; ++i) {
    shape.push_back(info.dims[i] < 0 ? batch : info.dims[i]);
    elements *= shape.back();
  }
  Output output;
  output.view = {};
  output.view.name = info.name;
  output.view.dtype = info.dtype;
  output.view.rank = info.rank;
  for (size_t i = 0; i < shape.size(); ++i)
    output.view.dims[i] = static_cast<int64_t>(shape[i]);
  output.view.size = elements * vit_dtype_size(info.dtype);
  output.view.data = ::operator new(output.view.size, kAlignment);
  nb::capsule owner(output.view.data, [](void *memory) noexcept {
    ::operator delete(memory, kAlignment);
  });
  output.array = Array(output.view.data, shape.size(), shape.data(), owner,
                       nullptr, dtypeOf(info.dtype));
  return output;
}

Array toArray(tools::Tensor &&tensor) {
  auto *owned = new tools::Tensor(std::move(tensor));
  nb::capsule owner(owned, [](void *memory) noexcept {
    delete static_cast<tools::Tensor *>(memory);
  });
  std::vector<size_t> shape(owned->dims.begin(), owned->dims.end());
  return Array(owned->data.data(), shape.size(), shape.data(), owner, nullptr,
               dtypeOf(owned->dtype));
}

static vit_dtype typeOf(nb::dlpack::dtype type, const std::string &name) {
  for (vit_dtype one : {VIT_F32, VIT_F16, VIT_F64, VIT_I32, VIT_I64, VIT_U8})
    if (type == dtypeOf(one))
      return one;
  if (type.code == static_cast<uint8_t>(nb::dlpack::dtype_code::Bfloat) &&
      type.bits == 16)
    return VIT_BF16;
  throw Error(name + " is " + dtypeName(type) + ", which cannot be a weight",
              VIT_UNSUPPORTED);
}

void writeWeights(nb::bytes path, const std::vector<std::string> &names,
                  nb::list arrays) {
  using Any = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
  std::vector<Any> owners(names.size());
  std::vector<vit_tensor> tensors(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (!nb::try_cast(arrays[i], owners[i], /*convert=*/true)) {
      PyErr_Clear();
      throw Error(names[i] + " is no array in CPU memory");
    }
    const Any &array = owners[i];
    vit_tensor &tensor = tensors[i];
    if (array.ndim() > VIT_MAX_RANK)
      throw Error(names[i] + " has more than 8 dimensions");
    tensor.name = names[i].c_str();
    // Only read; the C struct serves both directions.
    tensor.data = const_cast<void *>(array.data());
    tensor.size = array.nbytes();
    tensor.dtype = typeOf(array.dtype(), names[i]);
    tensor.rank = static_cast<int32_t>(array.ndim());
    for (size_t d = 0; d < array.ndim(); ++d)
      tensor.dims[d] = static_cast<int64_t>(array.shape(d));
  }
  const char *metadata[] = {"format", "pt"};
  vit_error error;
  tools::check(vit_weights_write(path.c_str(), tensors.data(),
                                 static_cast<int64_t>(tensors.size()), metadata,
                                 1, &error),
               error);
}

PictureList::PictureList(nb::list items) {
  using Pixels =
      nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
  for (nb::handle item : items) {
    if (nb::isinstance<nb::bytes>(item)) {
      nb::bytes path = nb::borrow<nb::bytes>(item);
      pictures.emplace_back(std::string(path.c_str(), path.size()));
      continue;
    }
    std::string name = "picture " + std::to_string(pictures.size());
    Pixels pixels;
    if (!nb::try_cast(item, pixels, /*convert=*/true)) {
      PyErr_Clear();
      throw Error(name + " is no array uint8 [height, width, channels]");
    }
    if (pixels.shape(0) == 0 || pixels.shape(1) == 0 ||
        pixels.shape(0) > INT32_MAX || pixels.shape(1) > INT32_MAX ||
        (pixels.shape(2) != 1 && pixels.shape(2) != 3))
      throw Error(name + " is an array of " + std::to_string(pixels.shape(0)) +
                  " x " + std::to_string(pixels.shape(1)) + " x " +
                  std::to_string(pixels.shape(2)) +
                  "; a picture is [height, width, 1 or 3]");
    vit_image image = {static_cast<int32_t>(pixels.shape(1)),
                       static_cast<int32_t>(pixels.shape(0)),
                       static_cast<int32_t>(pixels.shape(2)),
                       const_cast<uint8_t *>(pixels.data())};
    pictures.emplace_back(name, image);
    owners.push_back(nb::cast(pixels));
  }
}

void reportProgress(nb::handle callback, int64_t done) {
  nb::gil_scoped_acquire acquire;
  if (PyErr_CheckSignals() != 0)
    throw nb::python_error();
  if (!callback.is_none())
    callback(done);
}

} // namespace vit::python
