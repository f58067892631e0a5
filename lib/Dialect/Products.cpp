//===- Products.cpp - The products of a model by name ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Products.h"

#include "vit/Dialect/Names.h"
#include "vit/Dialect/Vit.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::vit;

void mlir::vit::forEachProduct(
    func::FuncOp entry,
    llvm::function_ref<void(Operation *, StringRef)> visit) {
  llvm::StringSet<> names;
  entry.walk([&](Operation *op) {
    if (!isa<LinearOp, AttentionOp>(op))
      return;
    std::string stem = getWorkName(op->getLoc()), name = stem;
    for (int64_t number = 2; !names.insert(name).second; ++number)
      name = stem + "#" + std::to_string(number);
    visit(op, name);
  });
}
