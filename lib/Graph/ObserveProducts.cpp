//===- ObserveProducts.cpp - Results of products as outputs ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"
#include "vit/Dialect/Products.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

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
  WalkResult result = getOperation().walk([](LayersOp layers) {
    layers.emitOpError("is not unrolled; run vit-unroll-layers first");
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return signalPassFailure();
  forEachProduct(getOperation(), [&](Operation *op, StringRef name) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    OutputOp::create(builder, op->getLoc(),
                     (VIT_COMPILER_PRODUCT_PREFIX + name).str(),
                     /*index=*/Value(), op->getResult(0));
    ++opsObserved;
  });
}
