//===- ObserveProducts.cpp - Values of products as outputs ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"
#include "vit/Dialect/Products.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "llvm/ADT/DenseSet.h"

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
  llvm::SmallDenseSet<Value> observed;
  forEachProduct(getOperation(), [&](Operation *op, StringRef name) {
    auto linear = dyn_cast<LinearOp>(op);
    // An argument is no output.
    if (inputs && (!linear || isa<BlockArgument>(linear.getInput()) ||
                   !observed.insert(linear.getInput()).second))
      return;
    OpBuilder builder(op->getContext());
    if (inputs)
      builder.setInsertionPoint(op);
    else
      builder.setInsertionPointAfter(op);
    StringRef prefix =
        inputs ? VIT_COMPILER_INPUT_PREFIX : VIT_COMPILER_PRODUCT_PREFIX;
    OutputOp::create(builder, op->getLoc(), (prefix + name).str(),
                     /*index=*/Value(),
                     inputs ? linear.getInput() : Value(op->getResult(0)));
    ++opsObserved;
  });
}
