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

/// Whether `linear` is a product that loses much in int8 and takes little time:
/// that of the patches, or one with a row per image.
static bool isSensitive(LinearOp linear) {
  return tensorOf(linear.getInput()).getRank() == 2 ||
         linear.getInput().getDefiningOp<PatchifyOp>();
}

void NarrowPass::runOnOperation() {
  std::optional<Precision> wanted = symbolizePrecision(precision);
  if (!wanted) {
    getOperation().emitError() << "there is no precision '" << precision
                               << "'; choose f32, bf16 or int8";
    return signalPassFailure();
  }
  auto narrow = [&](auto op, bool mayBeInt8) {
    if (op.getPrecision())
      return;
    bool isInt8 = *wanted == Precision::int8 && mayBeInt8;
    Precision own =
        *wanted != Precision::int8 || isInt8 ? *wanted : Precision::bf16;
    op.setPrecisionAttr(PrecisionAttr::get(&getContext(), own));
    ++opsNarrowed;
  };
  getOperation().walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op))
      narrow(linear, !isSensitive(linear));
    else if (auto attention = dyn_cast<AttentionOp>(op))
      narrow(attention, /*mayBeInt8=*/false);
  });
}
