//===- Pickle.h - Python pickles of arrays, without Python ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pickle is a program; this reader knows only the opcodes that build plain
// values and numpy arrays and calls nothing. It refuses everything else, naming
// it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_PICKLE_H
#define VIT_DATA_PICKLE_H

#include "Support.h"

#include <deque>
#include <string_view>

namespace vit::data {

struct PickleValue {
  enum Kind { None, Bool, Int, String, List, Tuple, Dict, Global, Object };

  Kind kind = None;
  int64_t integer = 0;
  std::string_view text; ///< String: its bytes. Global: "module name".
  /// List, Tuple: elements. Dict: keys and values in turn. Object: what was
  /// called, its arguments and, where there is one, its state.
  std::vector<PickleValue *> items;

  /// The value of a string key of a Dict, or NULL.
  const PickleValue *find(std::string_view key) const;
};

/// An array of bytes, as numpy pickles it.
struct PickledArray {
  std::vector<int64_t> shape;
  std::string_view bytes;
};

/// The value of a whole pickle. Views point into `file` and this object.
class Pickle {
public:
  explicit Pickle(Bytes file);
  const PickleValue &root() const { return *result; }

  /// Fails unless `value` is a numpy array of u1 in C order whose size agrees
  /// with its shape.
  static PickledArray toArray(const PickleValue &value);

private:
  class Machine;

  PickleValue *make(PickleValue::Kind kind);

  std::deque<PickleValue> values;
  std::deque<std::string> texts;
  PickleValue *result = nullptr;
};

} // namespace vit::data

#endif // VIT_DATA_PICKLE_H
