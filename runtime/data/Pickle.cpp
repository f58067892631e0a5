//===- Pickle.cpp - Python pickles of arrays, without Python --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pickle.h"
#include "format/Diagnose.h"

#include <algorithm>

using namespace vit::data;

/// The globals that a CIFAR-10 batch may name, as pickled by Python 2 or 3.
static bool isAllowed(std::string_view global) {
  constexpr std::string_view allowed[] = {"numpy.core.multiarray._reconstruct",
                                          "numpy._core.multiarray._reconstruct",
                                          "numpy.ndarray", "numpy.dtype",
                                          "_codecs.encode"};
  return std::find(std::begin(allowed), std::end(allowed), global) !=
         std::end(allowed);
}

void vit::data::readPickle(Bytes file, const std::string &name,
                           format::Pickle &pickle) {
  constexpr format::PickleRules rules = {isAllowed, isAllowed,
                                         "no CIFAR-10 batch does"};
  constexpr uint8_t protocol = 0x80; // The first byte since protocol 2.
  if (file.size == 0 || file.data[0] != protocol)
    if (const char *contents =
            vit::format::recognise(file.data, file.size).text)
      corrupt("cannot read " + name + ": " + contents);
  vit_error error;
  check(pickle.read(file.data, file.size, name.c_str(), rules,
                    format::Allocator(), &error),
        error);
}

//===----------------------------------------------------------------------===//
// numpy arrays
//===----------------------------------------------------------------------===//

[[noreturn]] static void refuse() {
  corrupt("the pickle's data is not a numpy array of bytes");
}

PickledArray vit::data::toArray(const PickleValue &value) {
  auto isNumpy = [](const PickleValue &object, std::string_view suffix) {
    if (object.kind != PickleValue::Call || !object.state ||
        object.state->kind != PickleValue::Tuple)
      return false;
    std::string_view name = object.callee->text;
    return name.size() >= suffix.size() &&
           name.substr(name.size() - suffix.size()) == suffix;
  };
  // ndarray.__setstate__((version, shape, dtype, is Fortran order, bytes))
  if (!isNumpy(value, "._reconstruct") || value.state->count != 5)
    refuse();
  const PickleValue &shape = *value.state->at(1), &dtype = *value.state->at(2),
                    &isFortran = *value.state->at(3),
                    &bytes = *value.state->at(4);
  const PickleValue *type =
      isNumpy(dtype, ".dtype") ? dtype.arguments->at(0) : nullptr;
  if (shape.kind != PickleValue::Tuple || !type || type->text != "u1" ||
      isFortran.kind != PickleValue::Bool || isFortran.integer != 0 ||
      bytes.kind != PickleValue::String)
    refuse();
  PickledArray array;
  array.bytes = bytes.text;
  uint64_t size = 1;
  for (const PickleValue &dimension : shape) {
    if (dimension.kind != PickleValue::Int || dimension.integer < 0 ||
        __builtin_mul_overflow(size, uint64_t(dimension.integer), &size))
      refuse();
    array.shape.push_back(dimension.integer);
  }
  if (size != array.bytes.size())
    refuse();
  return array;
}
