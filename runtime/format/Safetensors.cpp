//===- Safetensors.cpp - The header of a safetensors file -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Safetensors.h"

#include "format/Diagnose.h"
#include "format/Error.h"
#include "format/Utf8.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace vit::format {

namespace {

/// Parses the JSON. It runs twice: first with `tensors` and `texts` NULL, which
/// only counts, then to fill them. Decoded strings go to `strings`, which has
/// as many bytes as the JSON: that is enough, since quotes make room for a NUL
/// and an escape is longer than what it stands for.
class HeaderParser {
public:
  HeaderParser(const char *begin, const char *end, char *strings,
               const char *name, vit_error *error)
      : begin(begin), end(end), at(begin), strings(strings), name(name),
        error(error) {}

  vit_status parse(StoredTensor *tensors, StoredText *texts);

  size_t tensorCount = 0, textCount = 0;

private:
  __attribute__((format(printf, 2, 3))) vit_status corrupt(const char *format,
                                                           ...);
  /// Fails about the character at the cursor.
  vit_status unexpected();
  vit_status expect(char c);
  bool accept(char c);
  char peek();

  vit_status parseString(const char *&text);
  bool parseEscape();
  bool parseHex(uint32_t &unit);
  vit_status parseNumber(uint64_t &value);
  vit_status parseMetadata(StoredText *texts);
  vit_status parseTensor(StoredTensor &tensor);
  vit_status parseType(StoredTensor &tensor);
  vit_status parseShape(StoredTensor &tensor);
  vit_status parseOffsets(StoredTensor &tensor);

  const char *begin, *end, *at;
  char *strings;
  const char *name;
  vit_error *error;
  const char *tensorName = nullptr; ///< of the tensor that is being parsed
};

} // namespace

vit_status HeaderParser::corrupt(const char *format, ...) {
  char reason[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(error, VIT_CORRUPT, "cannot read %s: %s", name, reason);
}

vit_status HeaderParser::unexpected() {
  // What may stand somewhere in JSON is of a wrong type here.
  char c = peek();
  if (c == 0 || !std::strchr("\"-+.0123456789[]{}:,aeflnrstuE", c))
    return corrupt("its header is not JSON (at byte %lld)",
                   lld(at - begin) + 8);
  if (!tensorName)
    return corrupt("its header is not a map of tensors");
  return corrupt("its header has a value of the wrong type near tensor %s",
                 tensorName);
}

char HeaderParser::peek() {
  while (at != end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
    ++at;
  return at == end ? 0 : *at;
}

bool HeaderParser::accept(char c) {
  if (peek() != c)
    return false;
  ++at;
  return true;
}

vit_status HeaderParser::expect(char c) {
  return accept(c) ? VIT_OK : unexpected();
}

bool HeaderParser::parseHex(uint32_t &unit) {
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    char c = at == end ? 0 : *at;
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return false;
    unit = unit << 4 | uint32_t(digit);
  }
  return true;
}

/// Decodes what follows a backslash.
bool HeaderParser::parseEscape() {
  constexpr char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (at == end)
    return false;
  char c = *at++;
  if (c != 'u') {
    const char *letter = std::strchr(letters, c);
    if (c == 0 || !letter)
      return false;
    *strings++ = values[letter - letters];
    return true;
  }
  uint32_t point, low;
  if (!parseHex(point))
    return false;
  if (point >= 0xd800 && point < 0xdc00) {
    if (end - at < 2 || at[0] != '\\' || at[1] != 'u')
      return false;
    at += 2;
    if (!parseHex(low) || low < 0xdc00 || low >= 0xe000)
      return false;
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  if (point == 0 || (point >= 0xdc00 && point < 0xe000))
    return false; // A NUL would end the string; a lone surrogate is no text.
  int more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr uint32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
  *strings++ = char(leads[more] | point >> (6 * more));
  while (more-- > 0)
    *strings++ = char(0x80 | (point >> (6 * more) & 0x3f));
  return true;
}

vit_status HeaderParser::parseString(const char *&text) {
  VIT_TRY(expect('"'));
  char *first = strings;
  text = first;
  bool isGood = true;
  while (isGood && at != end && *at != '"') {
    char c = *at++;
    if (c == '\\')
      isGood = parseEscape();
    else if (static_cast<unsigned char>(c) < 0x20)
      isGood = false;
    else
      *strings++ = c;
  }
  if (!isGood || at == end || !isUtf8(first, size_t(strings - first)))
    return corrupt("its header is not JSON (at byte %lld)",
                   lld(at - begin) + 8);
  ++at;
  *strings++ = 0;
  return VIT_OK;
}

/// A whole number without a sign.
vit_status HeaderParser::parseNumber(uint64_t &value) {
  char c = peek();
  const char *first = at;
  value = 0;
  for (; at != end && *at >= '0' && *at <= '9'; ++at)
    if (__builtin_mul_overflow(value, uint64_t(10), &value) ||
        __builtin_add_overflow(value, uint64_t(*at - '0'), &value))
      return unexpected();
  return at == first || (c == '0' && at - first > 1) ? unexpected() : VIT_OK;
}

vit_status HeaderParser::parseMetadata(StoredText *texts) {
  VIT_TRY(expect('{'));
  if (accept('}'))
    return VIT_OK;
  do {
    StoredText text;
    VIT_TRY(parseString(text.key));
    VIT_TRY(expect(':'));
    VIT_TRY(parseString(text.value));
    if (texts)
      texts[textCount] = text;
    ++textCount;
  } while (accept(','));
  return expect('}');
}

vit_status HeaderParser::parseType(StoredTensor &tensor) {
  const char *type;
  VIT_TRY(parseString(type));
  if (parseSafetensorsName(type, std::strlen(type), tensor.type))
    return VIT_OK;
  return fail(error, VIT_UNSUPPORTED,
              "cannot read %s: tensor %s has dtype %s, which is unknown", name,
              tensor.name, type);
}

vit_status HeaderParser::parseShape(StoredTensor &tensor) {
  VIT_TRY(expect('['));
  if (accept(']'))
    return VIT_OK;
  do {
    uint64_t dim;
    VIT_TRY(parseNumber(dim));
    if (dim > INT64_MAX)
      return unexpected();
    if (tensor.rank == VIT_MAX_RANK)
      return fail(error, VIT_UNSUPPORTED,
                  "cannot read %s: tensor %s has more than %d dimensions", name,
                  tensor.name, VIT_MAX_RANK);
    tensor.dims[tensor.rank++] = int64_t(dim);
  } while (accept(','));
  return expect(']');
}

vit_status HeaderParser::parseOffsets(StoredTensor &tensor) {
  VIT_TRY(expect('['));
  VIT_TRY(parseNumber(tensor.begin));
  VIT_TRY(expect(','));
  VIT_TRY(parseNumber(tensor.end));
  return expect(']');
}

vit_status HeaderParser::parseTensor(StoredTensor &tensor) {
  VIT_TRY(expect('{'));
  tensorName = tensor.name;
  enum Member { Type, Shape, Offsets, None };
  bool seen[4] = {};
  if (peek() != '}')
    do {
      const char *key;
      VIT_TRY(parseString(key));
      Member member = std::strcmp(key, "dtype") == 0          ? Type
                      : std::strcmp(key, "shape") == 0        ? Shape
                      : std::strcmp(key, "data_offsets") == 0 ? Offsets
                                                              : None;
      if (member == None || seen[member])
        return corrupt("tensor %s has \"%s\" where dtype, shape and "
                       "data_offsets belong once each",
                       tensor.name, key);
      seen[member] = true;
      VIT_TRY(expect(':'));
      VIT_TRY(member == Type    ? parseType(tensor)
              : member == Shape ? parseShape(tensor)
                                : parseOffsets(tensor));
    } while (accept(','));
  VIT_TRY(expect('}'));
  if (!seen[Type] || !seen[Shape] || !seen[Offsets])
    return corrupt("tensor %s lacks its dtype, shape or data_offsets",
                   tensor.name);
  return VIT_OK;
}

vit_status HeaderParser::parse(StoredTensor *tensors, StoredText *texts) {
  bool hasMetadata = false;
  VIT_TRY(expect('{'));
  if (!accept('}')) {
    do {
      StoredTensor tensor = {};
      VIT_TRY(parseString(tensor.name));
      VIT_TRY(expect(':'));
      if (std::strcmp(tensor.name, "__metadata__") == 0) {
        if (hasMetadata)
          return corrupt("tensor __metadata__ is there twice");
        hasMetadata = true;
        VIT_TRY(parseMetadata(texts));
        continue;
      }
      VIT_TRY(parseTensor(tensor));
      if (tensors)
        tensors[tensorCount] = tensor;
      ++tensorCount;
    } while (accept(','));
    VIT_TRY(expect('}'));
  }
  return peek() == 0 && at == end ? VIT_OK : unexpected();
}

/// Checks that sizes agree with shapes and that the tensors tile the rest of
/// the file, and sorts them.
vit_status Safetensors::checkLayout(uint64_t first, uint64_t fileSize,
                                    const char *name,
                                    const Allocator &allocator,
                                    vit_error *error) {
  uint64_t available = fileSize - first;
  for (StoredTensor &tensor : list) {
    if (tensor.begin > tensor.end || tensor.end > available)
      return fail(error, VIT_CORRUPT,
                  "cannot read %s: the file is truncated, or tensor %s lies "
                  "outside it",
                  name, tensor.name);
    uint64_t count, size;
    if (!countElements(tensor.dims, tensor.rank, count) ||
        __builtin_mul_overflow(count, sizeOf(tensor.type), &size) ||
        size != tensor.end - tensor.begin)
      return fail(error, VIT_CORRUPT,
                  "cannot read %s: the shape and the size of tensor %s "
                  "disagree",
                  name, tensor.name);
    tensor.begin += first;
    tensor.end += first;
  }
  std::sort(list.begin(), list.end(),
            [](const StoredTensor &a, const StoredTensor &b) {
              return a.begin != b.begin ? a.begin < b.begin
                     : a.end != b.end   ? a.end < b.end
                                        : std::strcmp(a.name, b.name) < 0;
            });
  VIT_TRY(indexNames(name, allocator, error));
  uint64_t position = first;
  for (const StoredTensor &tensor : list) {
    if (tensor.begin != position)
      return fail(error, VIT_CORRUPT,
                  tensor.begin < position
                      ? "cannot read %s: tensor %s overlaps another"
                      : "cannot read %s: there is a gap before tensor %s",
                  name, tensor.name);
    position = tensor.end;
  }
  if (position != fileSize)
    return fail(error, VIT_CORRUPT,
                "cannot read %s: it has %llu bytes after its last tensor", name,
                llu(fileSize - position));
  return VIT_OK;
}

vit_status Safetensors::read(const unsigned char *file, uint64_t size,
                             const char *name, const Allocator &allocator,
                             vit_error *error) {
  uint64_t length = 0;
  for (int i = 0; size >= 8 && i < 8; ++i)
    length |= uint64_t(file[i]) << (8 * i);
  constexpr uint64_t most = 100'000'000; // as in the reference implementation
  bool isOther = length > most || (length != 0 && size > 8 && file[8] != '{');
  // Its own mark says nothing where the length before it is wrong.
  bool isMarked = size > 8 && file[8] == '{';
  const char *contents = isMarked ? nullptr : recognise(file, size).text;
  if (contents && (isOther || size < 8 || length < 2))
    return fail(error, VIT_CORRUPT, "cannot read %s: %s", name, contents);
  if (isOther && isMarked)
    return fail(error, VIT_CORRUPT,
                "cannot read %s: its header is damaged (%llu bytes long): "
                "download it again",
                name, static_cast<unsigned long long>(length));
  if (isOther)
    return fail(error, VIT_CORRUPT,
                "cannot read %s: it is not a safetensors file (nor one of "
                "torch.save), or its header is damaged",
                name);
  if (size < 8 || length < 2 || length > size - 8)
    return fail(error, VIT_CORRUPT,
                "cannot read %s: it is not a safetensors file (nor one of "
                "torch.save), or truncated",
                name);
  const char *text = reinterpret_cast<const char *>(file) + 8;
  if (!strings.allocateRaw(allocator, length))
    return outOfMemory(error, length, "the header of a safetensors file");
  const char *end = text + length;
  HeaderParser counter(text, end, strings.data(), name, error);
  VIT_TRY(counter.parse(nullptr, nullptr));
  if (!list.allocate(allocator, counter.tensorCount) ||
      !texts.allocate(allocator, counter.textCount))
    return outOfMemory(error, counter.tensorCount * sizeof(StoredTensor),
                       "the list of stored tensors");
  HeaderParser parser(text, end, strings.data(), name, error);
  VIT_TRY(parser.parse(list.data(), texts.data()));
  return checkLayout(8 + length, size, name, allocator, error);
}

} // namespace vit::format
