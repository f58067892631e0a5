//===- Safetensors.cpp - The header of a safetensors file -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Eight bytes of length, little endian; that much JSON; the tensors, one after
// the other without gaps. The JSON maps each name to {"dtype", "shape",
// "data_offsets"}, and "__metadata__" to an object of strings.
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include "Weights.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>
#include <unordered_set>

using namespace vit::data;

namespace {
struct TypeName {
  const char *name;
  int32_t dtype;
  size_t size;
};
constexpr TypeName typeNames[] = {
    {"F32", VIT_F32, 4}, {"F16", VIT_F16, 2}, {"BF16", VIT_BF16, 2},
    {"F64", VIT_F64, 8}, {"I64", VIT_I64, 8}, {"I32", VIT_I32, 4},
    {"U8", VIT_U8, 1},   {"BOOL", -1, 1},     {"I8", -1, 1},
    {"I16", -1, 2},      {"U16", -1, 2},      {"U32", -1, 4},
    {"U64", -1, 8},      {"C64", -1, 8},      {"F8_E4M3", -1, 1},
    {"F8_E5M2", -1, 1},  {"F8_E8M0", -1, 1}};

/// Takes the JSON event by event: no tree of a hostile header is ever built,
/// and a name that comes twice is seen.
class HeaderHandler {
public:
  // NOLINTBEGIN(readability-identifier-naming): nlohmann::json's names.
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit HeaderHandler(SafetensorsHeader &header) : header(header) {}

  bool null() { return unexpected(); }
  bool boolean(bool) { return unexpected(); }
  bool number_integer(number_integer_t) { return unexpected(); }
  bool number_float(number_float_t, const string_t &) { return unexpected(); }
  bool binary(binary_t &) { return unexpected(); }

  bool number_unsigned(number_unsigned_t value) {
    if (state == InShape) {
      if (value > number_unsigned_t(INT64_MAX))
        return unexpected();
      if (tensor().shape.size() == VIT_MAX_RANK)
        unsupported("tensor " + tensor().name + " has more than " +
                    std::to_string(VIT_MAX_RANK) + " dimensions");
      tensor().shape.push_back(int64_t(value));
      return true;
    }
    if (state == InOffsets && offsetCount < 2) {
      (offsetCount++ == 0 ? tensor().begin : tensor().end) = value;
      return true;
    }
    return unexpected();
  }

  bool string(string_t &value) {
    if (state == InMetadata) {
      header.metadata[currentKey] = value;
      return true;
    }
    if (state != InTensor || member != Dtype)
      return unexpected();
    for (const TypeName &type : typeNames)
      if (value == type.name) {
        tensor().dtype = type.dtype;
        tensor().dtypeName = type.name;
        return true;
      }
    unsupported("tensor " + tensor().name + " has dtype " + value +
                ", which is unknown");
  }

  bool start_object(std::size_t) {
    if (state == AtStart)
      state = InFile;
    else if (state == InFile && currentKey == "__metadata__")
      state = InMetadata;
    else if (state == InFile)
      beginTensor();
    else
      return unexpected();
    return true;
  }

  bool key(string_t &name) {
    currentKey = name;
    if (state == InFile) {
      if (!names.insert(name).second)
        corrupt("tensor " + name + " is there twice");
    } else if (state == InTensor) {
      member = name == "dtype"          ? Dtype
               : name == "shape"        ? Shape
               : name == "data_offsets" ? Offsets
                                        : None;
      if (member == None || seen[member])
        corrupt("tensor " + tensor().name + " has \"" + name +
                "\" where dtype, shape and data_offsets belong once each");
      seen[member] = true;
    }
    return true;
  }

  bool end_object() {
    if (state == InTensor && (!seen[Dtype] || !seen[Shape] || !seen[Offsets]))
      corrupt("tensor " + tensor().name +
              " lacks its dtype, shape or data_offsets");
    state = state == InFile ? AtEnd : InFile;
    return true;
  }

  bool start_array(std::size_t) {
    if (state != InTensor || (member != Shape && member != Offsets))
      return unexpected();
    state = member == Shape ? InShape : InOffsets;
    return true;
  }

  bool end_array() {
    if (state == InOffsets && offsetCount != 2)
      return unexpected();
    state = InTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string &,
                   const nlohmann::json::exception &) {
    corrupt("its header is not JSON (at byte " + std::to_string(position + 8) +
            ")");
  }

  // NOLINTEND(readability-identifier-naming)

private:
  enum State {
    AtStart,
    InFile,
    InMetadata,
    InTensor,
    InShape,
    InOffsets,
    AtEnd
  };
  enum Member { Dtype, Shape, Offsets, None };

  StoredTensor &tensor() { return header.tensors.back(); }

  void beginTensor() {
    header.tensors.emplace_back();
    tensor().name = currentKey;
    state = InTensor;
    offsetCount = 0;
    std::fill(seen, seen + 3, false);
  }

  [[noreturn]] bool unexpected() {
    corrupt(state == AtStart || header.tensors.empty()
                ? "its header is not a map of tensors"
                : "its header has a value of the wrong type near tensor " +
                      tensor().name);
  }

  SafetensorsHeader &header;
  State state = AtStart;
  Member member = None;
  bool seen[3] = {};
  int offsetCount = 0;
  std::string currentKey;
  std::unordered_set<std::string> names;
};
} // namespace

static size_t elementSize(const StoredTensor &tensor) {
  for (const TypeName &type : typeNames)
    if (type.name == tensor.dtypeName)
      return type.size;
  return 0;
}

/// Sizes agree with shapes, and the tensors tile the rest of the file.
static void checkLayout(SafetensorsHeader &header, uint64_t first,
                        uint64_t fileSize) {
  uint64_t available = fileSize - first;
  for (StoredTensor &tensor : header.tensors) {
    if (tensor.begin > tensor.end || tensor.end > available)
      corrupt("the file is truncated, or tensor " + tensor.name +
              " lies outside it");
    uint64_t count, size;
    if (!countElements(tensor.shape.data(), int32_t(tensor.shape.size()),
                       count) ||
        __builtin_mul_overflow(count, elementSize(tensor), &size) ||
        size != tensor.end - tensor.begin)
      corrupt("the shape and the size of tensor " + tensor.name + " disagree");
    tensor.begin += first;
    tensor.end += first;
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const StoredTensor &a, const StoredTensor &b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });
  uint64_t position = first;
  for (const StoredTensor &tensor : header.tensors) {
    if (tensor.begin != position)
      corrupt(tensor.begin < position
                  ? "tensor " + tensor.name + " overlaps another"
                  : "there is a gap before tensor " + tensor.name);
    position = tensor.end;
  }
  if (position != fileSize)
    corrupt("it has " + std::to_string(fileSize - position) +
            " bytes after its last tensor");
}

SafetensorsHeader vit::data::parseSafetensors(Bytes file) {
  constexpr uint64_t maxHeader = 100'000'000; // As the reference reader has it.
  if (file.size < 8)
    corrupt("it is not a safetensors file, or truncated");
  uint64_t length = readLittle64(file.data);
  if (length > maxHeader)
    corrupt("it is not a safetensors file, or its header is damaged");
  if (length < 2 || length > file.size - 8)
    corrupt("it is not a safetensors file, or truncated");
  const char *text = reinterpret_cast<const char *>(file.data) + 8;
  if (text[0] != '{')
    corrupt("it is not a safetensors file, or its header is damaged");
  SafetensorsHeader header;
  HeaderHandler handler(header);
  nlohmann::json::sax_parse(text, text + length, &handler);
  checkLayout(header, 8 + length, file.size);
  return header;
}
