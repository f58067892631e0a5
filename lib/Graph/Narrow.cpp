//===- Narrow.cpp - The precision of products -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_NARROW
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct NarrowPass : vit::impl::NarrowBase<NarrowPass> {
  using Base::Base;
  void runOnOperation() override;
};
} // namespace

void NarrowPass::runOnOperation() {
  std::optional<Precision> wanted = symbolizePrecision(precision);
  if (!wanted) {
    getOperation().emitError()
        << "there is no precision '" << precision << "'; choose f32 or bf16";
    return signalPassFailure();
  }
  auto attribute = PrecisionAttr::get(&getContext(), *wanted);
  auto narrow = [&](auto op) {
    if (op.getPrecision())
      return;
    op.setPrecisionAttr(attribute);
    ++opsNarrowed;
  };
  getOperation().walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op))
      narrow(linear);
    else if (auto attention = dyn_cast<AttentionOp>(op))
      narrow(attention);
  });
}
