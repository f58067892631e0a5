//===- Npy.cpp - numpy's array files --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// numpy/lib/format.py: "\x93NUMPY", major and minor version, the length of the
// header (2 bytes in version 1, 4 later), a Python dictionary, the elements.
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include "format/Alignment.h"

#include <cstring>
#include <string_view>

using namespace vit;
using namespace vit::data;
using format::kAlignment;

//===----------------------------------------------------------------------===//
// The dictionary
//===----------------------------------------------------------------------===//

namespace {
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Reads the literal that numpy writes, in any order of keys and spacing:
/// {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  Header parse() {
    Header header;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      std::string key = parseString();
      expect(':');
      if (key == "descr" && !seen[0]) {
        seen[0] = true;
        if (peek() == '[')
          unsupported("structured arrays are unsupported");
        header.descr = parseString();
      } else if (key == "fortran_order" && !seen[1]) {
        seen[1] = true;
        header.fortranOrder = parseBool();
      } else if (key == "shape" && !seen[2]) {
        seen[2] = true;
        header.shape = parseShape();
      } else {
        broken();
      }
      if (!accept(',') && peek() != '}')
        broken();
    }
    skipSpace();
    if (position != text.size() || !seen[0] || !seen[1] || !seen[2])
      broken();
    return header;
  }

private:
  [[noreturn]] void broken() { corrupt("its npy header is damaged"); }

  void skipSpace() {
    while (position < text.size() &&
           (text[position] == ' ' || text[position] == '\n'))
      ++position;
  }
  char peek() {
    skipSpace();
    return position < text.size() ? text[position] : '\0';
  }
  bool accept(char c) {
    if (peek() != c)
      return false;
    ++position;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      broken();
  }
  std::string parseString() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      broken();
    size_t end = text.find(quote, ++position);
    if (end == std::string_view::npos)
      broken();
    std::string result(text.substr(position, end - position));
    position = end + 1;
    return result;
  }
  bool parseBool() {
    skipSpace();
    for (std::string_view word : {"True", "False"}) {
      if (text.substr(position, word.size()) != word)
        continue;
      position += word.size();
      return word == "True";
    }
    broken();
  }
  std::vector<int64_t> parseShape() {
    std::vector<int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skipSpace();
      size_t first = position;
      int64_t value = 0;
      while (position < text.size() && text[position] >= '0' &&
             text[position] <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[position] - '0', &value))
          broken();
        ++position;
      }
      if (position == first)
        broken();
      accept('L'); // Python 2 wrote long integers with it.
      shape.push_back(value);
      if (!accept(',') && peek() != ')')
        broken();
    }
    return shape;
  }

  std::string_view text;
  size_t position = 0;
};

struct TypeName {
  const char *descr;
  vit_dtype dtype;
};
constexpr TypeName typeNames[] = {{"<f4", VIT_F32}, {"<f8", VIT_F64},
                                  {"<f2", VIT_F16}, {"<i4", VIT_I32},
                                  {"<i8", VIT_I64}, {"|u1", VIT_U8}};
} // namespace

static vit_dtype toDtype(const std::string &descr) {
  for (const TypeName &type : typeNames)
    if (descr == type.descr ||
        (descr[0] == '=' && descr.substr(1) == type.descr + 1))
      return type.dtype;
  if (!descr.empty() && descr[0] == '>')
    unsupported("its elements are big endian (" + descr +
                "): save it with astype('<" + descr.substr(1) + "')");
  unsupported("its elements are of type \"" + descr +
              "\": known are f2, f4, f8, i4, i8 and u1");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static vit_tensor parseNpy(Bytes file) {
  if (file.size < 10 || std::memcmp(file.data, "\x93NUMPY", 6) != 0)
    misread(file, "it is not an npy file");
  int version = file.data[6];
  if (version < 1 || version > 3)
    unsupported("npy version " + std::to_string(version) + " is unsupported");
  size_t begin = version == 1 ? 10 : 12;
  if (file.size < begin)
    corrupt("the file is truncated");
  size_t length =
      version == 1 ? readLittle16(file.data + 8) : readLittle32(file.data + 8);
  if (length > file.size - begin)
    corrupt("the file is truncated");
  std::string_view text(reinterpret_cast<const char *>(file.data + begin),
                        length);
  Header header = HeaderParser(text).parse();
  begin += length;

  vit_tensor tensor = {};
  tensor.dtype = toDtype(header.descr);
  if (header.shape.size() > VIT_MAX_RANK)
    unsupported("it has " + std::to_string(header.shape.size()) +
                " dimensions, more than " + std::to_string(VIT_MAX_RANK));
  tensor.rank = int32_t(header.shape.size());
  for (int32_t i = 0; i < tensor.rank; ++i)
    tensor.dims[i] = header.shape[size_t(i)];
  if (header.fortranOrder && tensor.rank > 1)
    unsupported("it is in Fortran order: save numpy.ascontiguousarray of it");
  uint64_t count;
  if (!format::countElements(tensor.dims, tensor.rank, count))
    corrupt("its shape is impossible");
  uint64_t size;
  if (__builtin_mul_overflow(
          count, format::sizeOf(format::ElementType(tensor.dtype)), &size) ||
      size > file.size - begin)
    corrupt("the file is truncated: its header promises " +
            std::to_string(count) + " elements");
  if (size < file.size - begin)
    corrupt("it has " + std::to_string(file.size - begin - size) +
            " bytes more than its header says");
  tensor.size = size;
  Buffer<uint8_t> memory = allocate(size);
  std::memcpy(memory.get(), file.data + begin, size);
  tensor.data = memory.release();
  return tensor;
}

static vit_tensor readNpy(Bytes file, const std::string &name) {
  return named("cannot read " + name, [&] { return parseNpy(file); });
}

extern "C" vit_status vit_npy_read(const char *path, vit_tensor *out_tensor,
                                   vit_error *error) {
  return guarded(error, [&] {
    if (!path || !out_tensor)
      invalid("vit_npy_read needs a path and somewhere to put the tensor");
    std::vector<uint8_t> file = readFile(path);
    *out_tensor = readNpy({file.data(), file.size()}, path);
  });
}

extern "C" vit_status vit_npy_read_memory(const void *data, size_t size,
                                          const char *name,
                                          vit_tensor *out_tensor,
                                          vit_error *error) {
  return guarded(error, [&] {
    if ((!data && size) || !out_tensor)
      invalid("vit_npy_read_memory needs data and somewhere to put the tensor");
    *out_tensor = readNpy({static_cast<const uint8_t *>(data), size},
                          name ? name : "the array");
  });
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static std::string makeHeader(const vit_tensor &tensor, const char *descr) {
  std::string shape = "(";
  for (int32_t i = 0; i < tensor.rank; ++i)
    shape += std::to_string(tensor.dims[i]) + (i + 1 < tensor.rank ? ", " : "");
  shape += tensor.rank == 1 ? ",)" : ")";
  std::string text = std::string("{'descr': '") + descr +
                     "', 'fortran_order': False, 'shape': " + shape + ", }";
  // Spaces and a line feed, so that the elements are aligned.
  constexpr size_t preamble = 10;
  text.append(kAlignment - 1 - (preamble + text.size()) % kAlignment, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += char(text.size() & 255);
  header += char(text.size() >> 8);
  return header + text;
}

extern "C" vit_status vit_npy_write(const char *path, const vit_tensor *tensor,
                                    vit_error *error) {
  return guarded(error, [&] {
    if (!path || !tensor)
      invalid("vit_npy_write needs a path and a tensor");
    size_t bytes = checkTensor(*tensor);
    const char *descr = nullptr;
    for (const TypeName &type : typeNames)
      if (type.dtype == tensor->dtype)
        descr = type.descr;
    std::vector<float> widened;
    const void *data = tensor->data;
    if (!descr) { // bf16
      descr = "<f4";
      widened.resize(bytes / 2);
      format::widen(widened.data(), data, toElementType(tensor->dtype),
                    int64_t(widened.size()));
      data = widened.data();
      bytes *= 2;
    }
    std::string header = makeHeader(*tensor, descr);
    AtomicFile file(path);
    file.write(header.data(), header.size());
    file.write(data, bytes);
    file.commit();
  });
}
