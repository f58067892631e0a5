//===- ObserveProducts.cpp - Results of products as outputs ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"
#include "vit/Dialect/Names.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "llvm/ADT/StringSet.h"

namespace mlir::vit {
#define GEN_PASS_DEF_OBSERVEPRODUCTS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct ObserveProductsPass
    : vit::impl::ObserveProductsBase<ObserveProductsPass> {
  using Base::Base;
  void runOnOperation() override;
};
} // namespace

void ObserveProductsPass::runOnOperation() {
  llvm::StringSet<> names;
  WalkResult result = getOperation().walk([&](Operation *op) {
    if (isa<LayersOp>(op)) {
      op->emitOpError("is not unrolled; run vit-unroll-layers first");
      return WalkResult::interrupt();
    }
    if (!isa<LinearOp, AttentionOp>(op))
      return WalkResult::advance();
    std::string stem = getWorkName(op->getLoc()), name = stem;
    for (int64_t number = 2; !names.insert(name).second; ++number)
      name = stem + "#" + std::to_string(number);
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    OutputOp::create(builder, op->getLoc(), VIT_COMPILER_PRODUCT_PREFIX + name,
                     /*index=*/Value(), op->getResult(0));
    ++opsObserved;
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    signalPassFailure();
}
