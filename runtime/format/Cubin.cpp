//===- Cubin.cpp - What a cubin says of its kernels -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Cubin.h"

#include <cstring>
#include <elf.h>

namespace vit::format {

namespace {

/// Bytes of the file, or a part of them.
class Bytes {
public:
  Bytes() = default;
  Bytes(const unsigned char *data, uint64_t size) : data(data), size(size) {}

  /// False where the file ends before.
  bool part(uint64_t offset, uint64_t count, Bytes &result) const {
    if (offset > size || count > size - offset)
      return false;
    result = Bytes(data + offset, count);
    return true;
  }
  /// The same for a record, which need not be aligned.
  template <typename T> bool read(uint64_t offset, T &value) const {
    Bytes bytes;
    if (!part(offset, sizeof(T), bytes))
      return false;
    std::memcpy(&value, bytes.data, sizeof(T));
    return true;
  }
  /// Whether `text` and a NUL are at `offset`.
  bool has(uint64_t offset, std::string_view text) const {
    Bytes bytes;
    return part(offset, text.size() + 1, bytes) &&
           std::memcmp(bytes.data, text.data(), text.size()) == 0 &&
           bytes.data[text.size()] == 0;
  }

private:
  const unsigned char *data = nullptr;
  uint64_t size = 0;
};

class Elf {
public:
  explicit Elf(Bytes file) : file(file) {}

  bool open() {
    return file.read(0, header) &&
           std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_ident[EI_CLASS] == ELFCLASS64 &&
           header.e_ident[EI_DATA] == ELFDATA2LSB &&
           header.e_shentsize == sizeof(Elf64_Shdr) &&
           contents(header.e_shstrndx, names);
  }
  bool find(std::string_view name, Elf64_Shdr &section) const {
    for (uint32_t i = 0; i < header.e_shnum; ++i)
      if (read(i, section) && names.has(section.sh_name, name))
        return true;
    return false;
  }
  bool contents(const Elf64_Shdr &section, Bytes &bytes) const {
    return file.part(section.sh_offset, section.sh_size, bytes);
  }
  bool contents(uint32_t index, Bytes &bytes) const {
    Elf64_Shdr section;
    return read(index, section) && contents(section, bytes);
  }

private:
  bool read(uint32_t index, Elf64_Shdr &section) const {
    Bytes headers;
    return index < header.e_shnum &&
           file.part(header.e_shoff, header.e_shnum * sizeof(section),
                     headers) &&
           headers.read(index * sizeof(section), section);
  }

  Bytes file, names;
  Elf64_Ehdr header;
};

/// A record of `.nv.info` with a value of `size` bytes. Other formats have a
/// value of up to 16 bits in `size`.
struct Record {
  uint8_t format;
  uint8_t attribute;
  uint16_t size;
};
constexpr uint8_t kHasValue = 0x04;      // EIFMT_SVAL
constexpr uint8_t kRegisterCount = 0x2f; // EIATTR_REGCOUNT

struct RegisterCount {
  uint32_t symbol;
  uint32_t registers;
};

} // namespace

uint32_t findRegisters(const unsigned char *data, uint64_t size,
                       std::string_view kernel) {
  Elf elf(Bytes(data, size));
  Elf64_Shdr table;
  Elf64_Shdr section;
  Bytes symbols, strings, info;
  if (!elf.open() || !elf.find(".symtab", table) ||
      !elf.contents(table, symbols) || !elf.contents(table.sh_link, strings) ||
      !elf.find(".nv.info", section) || !elf.contents(section, info))
    return 0;
  Record record;
  for (uint64_t at = 0; info.read(at, record);) {
    at += sizeof(record);
    RegisterCount value;
    Elf64_Sym symbol;
    if (record.format == kHasValue && record.attribute == kRegisterCount &&
        record.size == sizeof(value) && info.read(at, value) &&
        symbols.read(uint64_t(value.symbol) * sizeof(symbol), symbol) &&
        strings.has(symbol.st_name, kernel))
      return value.registers;
    at += record.format == kHasValue ? record.size : 0;
  }
  return 0;
}

} // namespace vit::format
