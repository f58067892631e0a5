//===- Text.h - Writing JSON without allocating -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A writer that is run twice: without a buffer it only counts, so that the
// caller can allocate the buffer for the second run.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_TEXT_H
#define VIT_RUNTIME_TEXT_H

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>

namespace vit::runtime {

/// Keys are NULL for members of arrays. Text must be UTF-8.
class Text {
public:
  Text() = default;
  /// `memory` has room for the whole text and a NUL.
  Text(char *memory, size_t capacity) : memory(memory), capacity(capacity) {}

  size_t size() const { return used; }

  void beginObject(const char *key) { open(key, '{'); }
  void endObject() { close('}'); }
  void beginArray(const char *key) { open(key, '['); }
  void endArray() { close(']'); }

  template <typename T> void field(const char *key, T value) {
    separate(key);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      write(static_cast<int64_t>(value));
    else if constexpr (std::is_floating_point_v<T>)
      write(static_cast<double>(value));
    else
      write(value);
  }
  template <typename T> void item(T value) { field(nullptr, value); }

  /// An array with what `write` writes for each element of `list`, which may be
  /// NULL.
  template <typename List, typename Write>
  void array(const char *key, const List *list, Write write) {
    beginArray(key);
    if (list)
      for (auto element : *list)
        write(element);
    endArray();
  }
  /// An array of the numbers of `list`.
  template <typename List> void numbers(const char *key, const List *list) {
    array(key, list, [this](auto number) { item(number); });
  }
  /// An array of objects: `write` writes the fields of one.
  template <typename List, typename Write>
  void objects(const char *key, const List *list, Write write) {
    array(key, list, [&](auto element) {
      beginObject(nullptr);
      write(*element);
      endObject();
    });
  }

private:
  void put(char c) {
    if (memory && used + 1 < capacity) {
      memory[used] = c;
      memory[used + 1] = 0;
    }
    ++used;
  }
  void put(const char *text) {
    while (*text)
      put(*text++);
  }

  void separate(const char *key) {
    if (!first)
      put(',');
    first = false;
    if (!key)
      return;
    write(key);
    put(':');
  }
  void open(const char *key, char bracket) {
    separate(key);
    put(bracket);
    first = true;
  }
  void close(char bracket) {
    put(bracket);
    first = false;
  }

  void write(const char *text) {
    put('"');
    for (; *text; ++text) {
      auto c = static_cast<unsigned char>(*text);
      if (c == '"' || c == '\\')
        put('\\');
      if (c >= 0x20) {
        put(*text);
        continue;
      }
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      put(escape);
    }
    put('"');
  }
  void write(int64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "%lld", static_cast<long long>(value));
    put(text);
  }
  void write(bool value) { put(value ? "true" : "false"); }
  void write(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    // The locale may use a comma as the decimal point.
    for (char *c = text; *c; ++c)
      if (*c == ',')
        *c = '.';
    put(text);
  }

  char *memory = nullptr;
  size_t capacity = 0;
  size_t used = 0;
  bool first = true;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_TEXT_H
