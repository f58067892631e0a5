//===- Pickle.h - Python pickles, without Python ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pickle is a program for a stack machine (pickletools.py lists its opcodes).
// This reader knows the binary opcodes of protocols 2 to 5 and builds values
// from them. It calls nothing: a call becomes a value that says what would be
// called, with which arguments.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_PICKLE_H
#define VIT_FORMAT_PICKLE_H

#include "format/Memory.h"

#include <string_view>

namespace vit::format {

struct PickleItem;

/// A value. It may contain itself, so whoever follows references limits the
/// depth.
struct PickleValue {
  enum Kind : uint8_t {
    None,
    Bool,
    Int,
    Float,
    Long, ///< An integer of more than 64 bits: `text` has its bytes.
    String,
    List,
    Tuple,
    Set,
    Dict, ///< Also OrderedDict and defaultdict.
    Global,
    Call,       ///< What Python would get by a call or by making an object.
    Persistent, ///< What stands outside the pickle; `arguments` identifies it.
  };

  /// Goes through `items`.
  struct Iterator {
    const PickleItem *item;
    const PickleValue &operator*() const;
    Iterator &operator++();
    bool operator!=(const Iterator &other) const { return item != other.item; }
  };

  bool isCallOf(std::string_view global) const {
    return kind == Call && callee->kind == Global && callee->text == global;
  }
  Iterator begin() const { return {items}; }
  Iterator end() const { return {nullptr}; }
  /// Item `index` of a List or Tuple, or NULL. Takes as many steps.
  const PickleValue *at(size_t index) const;
  /// The value of a string key of a Dict, or NULL.
  const PickleValue *find(std::string_view key) const;

  Kind kind = None;
  int64_t integer = 0; ///< Bool, Int
  double number = 0;   ///< Float
  /// String: its bytes. Global: "module.name", with a NUL after it.
  std::string_view text;
  /// List, Tuple, Set: elements. Dict: keys and values in turn. Call: what was
  /// added to the object.
  PickleItem *items = nullptr, *lastItem = nullptr;
  size_t count = 0; ///< of items
  const PickleValue *callee = nullptr;
  const PickleValue *arguments = nullptr; ///< Call: a Tuple
  const PickleValue *state = nullptr;     ///< of BUILD; may be NULL
};

struct PickleItem {
  PickleValue *value;
  PickleItem *next;
};

inline const PickleValue &PickleValue::Iterator::operator*() const {
  return *item->value;
}
inline PickleValue::Iterator &PickleValue::Iterator::operator++() {
  item = item->next;
  return *this;
}

/// What a pickle of some format may hold. Whatever else it names is refused.
struct PickleRules {
  /// Whether it may mention this global: "collections.OrderedDict".
  bool (*mayName)(std::string_view global);
  /// Whether it may call it. Objects of a class, which Python makes without
  /// calling a function by name, need `mayName` alone.
  bool (*mayCall)(std::string_view global);
  /// The end of the message about a global that is refused: what to do.
  const char *remedy;
};

/// The value of a pickle. Texts point into the pickle's bytes and this object.
class Pickle {
public:
  Pickle() = default;
  Pickle(const Pickle &) = delete;
  Pickle &operator=(const Pickle &) = delete;
  ~Pickle() { clear(); }

  /// Reads the pickle that begins at `bytes`, of at most `size` bytes. `name`
  /// is for messages: "cannot read NAME: ...". Fails with VIT_CORRUPT, or with
  /// VIT_UNSUPPORTED for opcodes that no such pickle has, for globals that
  /// `rules` do not allow and for more than 2^21 values. Memory is at most some
  /// hundred bytes for each byte of the pickle.
  vit_status read(const unsigned char *bytes, uint64_t size, const char *name,
                  const PickleRules &rules, const Allocator &allocator,
                  vit_error *error);

  const PickleValue &root() const { return *result; }
  /// Bytes of the pickle.
  uint64_t length() const { return used; }
  /// A List of the values of kind Persistent, in order.
  const PickleValue &persistent() const { return references; }

private:
  friend class PickleMachine;
  struct Chunk;

  /// Memory that lives as long as this object; NULL where there is none.
  void *take(size_t size);
  void clear();

  Allocator allocator;
  Chunk *chunks = nullptr;
  PickleValue references;
  const PickleValue *result = nullptr;
  uint64_t used = 0;
};

} // namespace vit::format

#endif // VIT_FORMAT_PICKLE_H
