//===- CubinTest.cpp - Registers of the kernels in a cubin ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Cubin.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <string>
#include <vector>

using namespace vit::format;

namespace {

template <typename T> std::string bytesOf(const T &value) {
  return std::string(reinterpret_cast<const char *>(&value), sizeof value);
}

struct Section {
  std::string name, contents;
  uint32_t link = 0;
};

/// An ELF file with a null section, `sections` and, as the last one, the names.
std::string makeElf(std::vector<Section> sections) {
  sections.insert(sections.begin(), Section());
  sections.push_back({".shstrtab", ""});
  std::string names, body, headers;
  std::vector<Elf64_Shdr> table;
  for (const Section &section : sections) {
    Elf64_Shdr header = {};
    header.sh_name = uint32_t(names.size());
    names += section.name + '\0';
    table.push_back(header);
  }
  sections.back().contents = names;
  for (size_t i = 0; i < sections.size(); ++i) {
    table[i].sh_offset = sizeof(Elf64_Ehdr) + body.size();
    table[i].sh_size = sections[i].contents.size();
    table[i].sh_link = sections[i].link;
    body += sections[i].contents;
    headers += bytesOf(table[i]);
  }
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shoff = sizeof header + body.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = uint16_t(sections.size());
  header.e_shstrndx = uint16_t(sections.size() - 1);
  return bytesOf(header) + body + headers;
}

Elf64_Sym symbolAt(uint32_t name) {
  Elf64_Sym symbol = {};
  symbol.st_name = name;
  return symbol;
}

/// Records of `.nv.info`: format, attribute, size, value.
std::string registerCount(uint32_t symbol, uint32_t registers) {
  return std::string("\x04\x2f\x08\0", 4) + bytesOf(symbol) +
         bytesOf(registers);
}

/// Kernels "gemm" (symbol 1, 40 registers) and "gemm_1" (symbol 2, 255).
std::string makeCubin() {
  std::string names("\0gemm\0gemm_1\0", 13);
  std::string symbols =
      bytesOf(symbolAt(0)) + bytesOf(symbolAt(1)) + bytesOf(symbolAt(6));
  // A record without a value and one of another attribute come before.
  std::string info = std::string("\x03\x1b\xff\0", 4) +
                     std::string("\x04\x11\x08\0", 4) +
                     std::string("\x01\0\0\0\0\0\0\0", 8) +
                     registerCount(2, 255) + registerCount(1, 40);
  return makeElf({{".strtab", names},
                  {".symtab", symbols, 1},
                  {".nv.info.gemm", registerCount(1, 7)},
                  {".nv.info", info}});
}

/// `text` is copied so that a sanitizer sees accesses behind its end.
uint32_t find(const std::string &text, const char *kernel) {
  std::vector<unsigned char> copy(text.begin(), text.end());
  return findRegisters(copy.data(), copy.size(), kernel);
}

} // namespace

TEST(Cubin, FindsTheKernel) {
  std::string cubin = makeCubin();
  EXPECT_EQ(find(cubin, "gemm"), 40u);
  EXPECT_EQ(find(cubin, "gemm_1"), 255u);
  EXPECT_EQ(find(cubin, "gem"), 0u);
  EXPECT_EQ(find(cubin, "gemm_2"), 0u);
  EXPECT_EQ(find("", "gemm"), 0u);
}

// No part of a cut file is read behind its end, and the section headers, which
// are last, are needed.
TEST(Cubin, CutFilesSayNothing) {
  std::string cubin = makeCubin();
  for (size_t size = 0; size < cubin.size(); ++size)
    EXPECT_EQ(find(cubin.substr(0, size), "gemm"), 0u) << size;
}

// Any other byte gives some number, but no access behind the end.
TEST(Cubin, ChangedBytesAreHarmless) {
  std::string cubin = makeCubin();
  for (size_t i = 0; i < cubin.size(); ++i)
    for (int value : {0x00, 0x7f, 0x80, 0xff}) {
      std::string changed = cubin;
      changed[i] = char(value);
      uint32_t registers = find(changed, "gemm");
      bool isRecord = cubin.find(registerCount(1, 40)) + 8 <= i &&
                      i < cubin.find(registerCount(1, 40)) + 12;
      EXPECT_TRUE(isRecord || registers == 0 || registers == 40 ||
                  registers == 255 || registers == 7)
          << i << ' ' << value << ' ' << registers;
    }
}
