//===- InlinePtx.cpp - The inline PTX that kernels have -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InlinePtx.h"

#include "llvm/Support/Regex.h"

namespace sim = vit::sim; // mlir::vit is another
using namespace mlir;
using sim::RegisterProduct;

/// Whether `text` is "$first, $first+1, ..." of `count` operands.
static bool isList(StringRef text, unsigned first, unsigned count) {
  SmallVector<StringRef> names;
  text.split(names, ", ");
  return names.size() == count && llvm::all_of(names, [&](StringRef name) {
           return name == "$" + std::to_string(first++);
         });
}

/// The constraints of `count` sums as results, the other operands, and the sums
/// as operands.
static std::string getConstraints(unsigned count) {
  std::string text;
  for (unsigned i = 0; i < count; ++i)
    text += "=f,";
  text += "r,r,r,r,l,r";
  for (unsigned i = 0; i < count; ++i)
    text += "," + std::to_string(i);
  return text;
}

std::optional<RegisterProduct> RegisterProduct::get(Operation *op) {
  auto assembly = dyn_cast<LLVM::InlineAsmOp>(op);
  if (!assembly || !assembly.getHasSideEffects() ||
      assembly.getNumResults() != 1)
    return std::nullopt;
  llvm::Regex pattern(
      "^\\{ \\.reg \\.pred p; setp\\.ne\\.b32 p, \\$([0-9]+), 0; "
      "wgmma\\.mma_async\\.sync\\.aligned\\.m64n([0-9]+)k16\\.f32\\.(b?f16\\.b?"
      "f16) \\{([^}]*)\\}, \\{([^}]*)\\}, \\$([0-9]+), p, 1, 1, ([01]); \\}$");
  SmallVector<StringRef> parts;
  if (!pattern.match(assembly.getAsmString(), &parts) ||
      (parts[3] != "bf16.bf16" && parts[3] != "f16.f16"))
    return std::nullopt;
  unsigned columns = 0, condition = 0, descriptor = 0;
  if (parts[1].getAsInteger(10, condition) ||
      parts[2].getAsInteger(10, columns) ||
      parts[6].getAsInteger(10, descriptor) || columns % 8 != 0 ||
      columns == 0 || columns > 256)
    return std::nullopt;
  // Results are numbered before operands.
  unsigned count = columns / 2;
  OperandRange operands = assembly.getOperands();
  if (!isList(parts[4], 0, count) || !isList(parts[5], count, kWords) ||
      descriptor != count + kWords || condition != count + kWords + 1 ||
      operands.size() != kWords + 2 + count ||
      assembly.getConstraints() != getConstraints(count))
    return std::nullopt;
  return RegisterProduct{
      operands.take_front(kWords), kWords,  operands[kWords + 1],
      operands.take_back(count),   columns, parts[7] == "1",
      parts[3] == "f16.f16"};
}
