//===- Flatten.cpp - An object file as one flat image ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flatten.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace {
/// The object of one kernel and the offsets of its sections in the image.
struct Flattener {
  const object::ELFObjectFileBase &object;
  StringRef name; ///< of the kernel
  SmallVectorImpl<char> &image;
  DenseMap<uint64_t, uint64_t> offsets =
      DenseMap<uint64_t, uint64_t>(); ///< of sections, by number

  Error fail(const Twine &what) {
    return createStringError("kernel " + name + " " + what);
  }
  Error appendSections();
  Error relocate();
  Error relocate(object::ELFRelocationRef relocation, uint64_t sectionOffset);
  Expected<uint64_t> findEntry();
};
} // namespace

Error Flattener::appendSections() {
  for (object::ELFSectionRef section : object.sections()) {
    if (!(section.getFlags() & ELF::SHF_ALLOC) || section.getSize() == 0)
      continue;
    Expected<StringRef> sectionName = section.getName();
    Expected<StringRef> contents = section.getContents();
    if (!sectionName)
      return sectionName.takeError();
    if (!contents)
      return contents.takeError();
    if (sectionName->starts_with(".eh_frame") ||
        sectionName->starts_with(".note"))
      continue;
    if (section.getFlags() & ELF::SHF_WRITE)
      return fail("has writable data in section " + *sectionName);
    image.resize(alignTo(
        image.size(), std::max<uint64_t>(64, section.getAlignment().value())));
    offsets[section.getIndex()] = image.size();
    image.append(contents->begin(), contents->end());
  }
  return Error::success();
}

/// `sectionOffset` is the offset of the section that is patched.
Error Flattener::relocate(object::ELFRelocationRef relocation,
                          uint64_t sectionOffset) {
  auto symbol = relocation.getSymbol();
  if (symbol == object.symbol_end())
    return fail("has a relocation without a symbol");
  auto home = symbol->getSection();
  auto symbolName = symbol->getName();
  auto address = symbol->getAddress();
  auto addend = relocation.getAddend();
  if (!home)
    return home.takeError();
  if (!symbolName)
    return symbolName.takeError();
  if (!address)
    return address.takeError();
  if (!addend)
    return addend.takeError();
  if (*home == object.section_end())
    return fail("needs the symbol " + *symbolName);
  auto base = offsets.find((*home)->getIndex());
  if (base == offsets.end())
    return fail("refers to a section that is not part of the image");
  uint64_t type = relocation.getType();
  if (type != ELF::R_X86_64_PC32 && type != ELF::R_X86_64_PLT32)
    return fail("has a relocation of type " + Twine(type));
  uint64_t place = sectionOffset + relocation.getOffset();
  int64_t value = int64_t(base->second + *address + *addend) - int64_t(place);
  if (!isInt<32>(value))
    return fail("is too large");
  support::endian::write32le(&image[place], uint32_t(value));
  return Error::success();
}

Error Flattener::relocate() {
  for (const object::SectionRef &section : object.sections()) {
    auto target = section.getRelocatedSection();
    if (!target)
      return target.takeError();
    if (*target == object.section_end())
      continue;
    auto patched = offsets.find((*target)->getIndex());
    if (patched == offsets.end())
      continue;
    for (object::ELFRelocationRef relocation : section.relocations())
      if (Error error = relocate(relocation, patched->second))
        return error;
  }
  return Error::success();
}

Expected<uint64_t> Flattener::findEntry() {
  for (const object::ELFSymbolRef &symbol : object.symbols()) {
    auto symbolName = symbol.getName();
    if (!symbolName)
      return symbolName.takeError();
    if (*symbolName != name || symbol.getELFType() != ELF::STT_FUNC)
      continue;
    auto home = symbol.getSection();
    auto address = symbol.getAddress();
    if (!home)
      return home.takeError();
    if (!address)
      return address.takeError();
    return offsets.lookup((*home)->getIndex()) + *address;
  }
  return fail("is missing from its object");
}

Expected<uint64_t> mlir::vit::cpu::flatten(MemoryBufferRef buffer,
                                           StringRef name,
                                           SmallVectorImpl<char> &image) {
  auto object = object::ObjectFile::createELFObjectFile(buffer);
  if (!object)
    return object.takeError();
  Flattener flattener{cast<object::ELFObjectFileBase>(**object), name, image};
  if (Error error = flattener.appendSections())
    return std::move(error);
  if (Error error = flattener.relocate())
    return std::move(error);
  return flattener.findEntry();
}
