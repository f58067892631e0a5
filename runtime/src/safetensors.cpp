//===- safetensors.cpp - Weight files that modules refer to ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "safetensors.h"

namespace vit::runtime {

namespace {

/// A cursor over the JSON header. Every read returns false at what is not
/// allowed there, and nothing reads beyond `end`.
class Cursor {
public:
  Cursor(const char *begin, const char *end) : at(begin), end(end) {}

  bool consume(char c) {
    skipBlanks();
    if (at == end || *at != c)
      return false;
    ++at;
    return true;
  }

  bool atEnd() {
    skipBlanks();
    return at == end;
  }

  /// A string, raw between its quotes.
  bool string(const char *&text, uint32_t &length) {
    if (!consume('"'))
      return false;
    text = at;
    for (; at != end && *at != '"'; ++at) {
      if (static_cast<unsigned char>(*at) < 0x20)
        return false;
      if (*at != '\\')
        continue;
      ++at; // What is escaped is no end.
      if (at == end)
        return false;
    }
    if (at == end || at - text > 4096)
      return false;
    length = uint32_t(at - text);
    ++at;
    return true;
  }

  /// A whole number without a sign.
  bool number(uint64_t &value) {
    skipBlanks();
    const char *first = at;
    value = 0;
    for (; at != end && *at >= '0' && *at <= '9'; ++at)
      if (__builtin_mul_overflow(value, uint64_t(10), &value) ||
          __builtin_add_overflow(value, uint64_t(*at - '0'), &value))
        return false;
    return at != first && (*first != '0' || at - first == 1);
  }

private:
  void skipBlanks() {
    while (at != end &&
           (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
      ++at;
  }

  const char *at;
  const char *end;
};

} // namespace

static bool isKey(const char *text, uint32_t length, const char *key) {
  return length == std::strlen(key) && std::memcmp(text, key, length) == 0;
}

/// {"key": "value", ...}, of which nothing is kept.
static bool skipTextObject(Cursor &cursor) {
  if (!cursor.consume('{'))
    return false;
  if (cursor.consume('}'))
    return true;
  do {
    const char *text;
    uint32_t length;
    if (!cursor.string(text, length) || !cursor.consume(':') ||
        !cursor.string(text, length))
      return false;
  } while (cursor.consume(','));
  return cursor.consume('}');
}

static bool parseTensor(Cursor &cursor, StoredTensor &tensor) {
  if (!cursor.consume('{'))
    return false;
  bool hasType = false, hasShape = false, hasOffsets = false;
  do {
    const char *key;
    uint32_t length;
    if (!cursor.string(key, length) || !cursor.consume(':'))
      return false;
    if (isKey(key, length, "dtype") && !hasType) {
      const char *type;
      uint32_t typeLength;
      if (!cursor.string(type, typeLength) || typeLength >= sizeof tensor.dtype)
        return false;
      std::memcpy(tensor.dtype, type, typeLength);
      tensor.dtype[typeLength] = 0;
      hasType = true;
    } else if (isKey(key, length, "shape") && !hasShape) {
      if (!cursor.consume('['))
        return false;
      if (!cursor.consume(']')) {
        do {
          uint64_t dim;
          if (tensor.rank == 8 || !cursor.number(dim) || dim > INT64_MAX)
            return false;
          tensor.dims[tensor.rank++] = int64_t(dim);
        } while (cursor.consume(','));
        if (!cursor.consume(']'))
          return false;
      }
      hasShape = true;
    } else if (isKey(key, length, "data_offsets") && !hasOffsets) {
      if (!cursor.consume('[') || !cursor.number(tensor.begin) ||
          !cursor.consume(',') || !cursor.number(tensor.end) ||
          !cursor.consume(']'))
        return false;
      hasOffsets = true;
    } else {
      return false;
    }
  } while (cursor.consume(','));
  return cursor.consume('}') && hasType && hasShape && hasOffsets;
}

/// Goes over the header once; `tensors` NULL only counts.
static bool parseHeader(Cursor cursor, StoredTensor *tensors, size_t &total) {
  total = 0;
  if (!cursor.consume('{'))
    return false;
  if (cursor.consume('}'))
    return cursor.atEnd();
  do {
    StoredTensor tensor = {};
    if (!cursor.string(tensor.name, tensor.nameLength) || !cursor.consume(':'))
      return false;
    if (isKey(tensor.name, tensor.nameLength, "__metadata__")) {
      if (!skipTextObject(cursor))
        return false;
      continue;
    }
    if (!parseTensor(cursor, tensor))
      return false;
    if (tensors)
      tensors[total] = tensor;
    ++total;
  } while (cursor.consume(','));
  return cursor.consume('}') && cursor.atEnd();
}

vit_status readSafetensors(const unsigned char *file, uint64_t size,
                           const char *name, const Allocator &allocator,
                           Array<StoredTensor> &tensors, vit_error *error) {
  uint64_t length = 0;
  for (int i = 0; size >= 8 && i < 8; ++i)
    length |= uint64_t(file[i]) << (8 * i);
  constexpr uint64_t most = 100'000'000; // the format's own limit
  if (size < 8 || length < 2 || length > size - 8 || length > most)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: it is no whole safetensors file", name);
  const char *begin = reinterpret_cast<const char *>(file) + 8;
  Cursor cursor(begin, begin + length);
  size_t total;
  if (!parseHeader(cursor, nullptr, total))
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: its safetensors header is not valid", name);
  if (!tensors.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(StoredTensor),
                       "the list of stored tensors");
  parseHeader(cursor, tensors.data(), total);
  uint64_t dataSize = size - 8 - length;
  for (StoredTensor &tensor : tensors) {
    if (tensor.begin > tensor.end || tensor.end > dataSize)
      return fail(error, VIT_CORRUPT,
                  "'%s' is damaged: tensor '%.*s' lies beyond its end", name,
                  int(tensor.nameLength), tensor.name);
    tensor.begin += 8 + length;
    tensor.end += 8 + length;
  }
  return VIT_OK;
}

static int hexDigit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// True where the raw JSON string stands for `name`. Escapes beyond ASCII,
/// which no checkpoint has in its names, match nothing.
static bool matches(const StoredTensor &tensor, const char *name) {
  const char *at = tensor.name, *end = at + tensor.nameLength;
  for (; at != end; ++at, ++name) {
    char c = *at;
    if (c == '\\') {
      ++at; // There is one more: the cursor saw to it.
      switch (*at) {
      case 'b':
        c = '\b';
        break;
      case 'f':
        c = '\f';
        break;
      case 'n':
        c = '\n';
        break;
      case 'r':
        c = '\r';
        break;
      case 't':
        c = '\t';
        break;
      case 'u': {
        int code = 0;
        for (int i = 0; i < 4; ++i) {
          int digit = end - at > 1 ? hexDigit(*++at) : -1;
          if (digit < 0)
            return false;
          code = code * 16 + digit;
        }
        if (code == 0 || code >= 0x80)
          return false;
        c = char(code);
        break;
      }
      default:
        c = *at;
      }
    }
    if (*name != c)
      return false;
  }
  return *name == 0;
}

const StoredTensor *findTensor(const Array<StoredTensor> &tensors,
                               const char *name) {
  for (const StoredTensor &tensor : tensors)
    if (matches(tensor, name))
      return &tensor;
  return nullptr;
}

} // namespace vit::runtime
