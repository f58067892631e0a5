//===- Norm.cpp - The factor that clips gradients -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Squares are added in 64 f32 sums for each run of elements, and the sums of
// the runs in double. There is one work unit, so the order is fixed.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

static constexpr int64_t kVectors = 4; ///< vectors of sums
static constexpr int64_t kRun = 4096;  ///< elements of a run

/// Returns the f32 sum of squares of [from, to), as f64. `to - from` is a
/// multiple of `vectors` vectors.
static Value addSquares(KernelBuilder &b, Value buffer, Value from, Value to,
                        int64_t vectors) {
  SmallVector<Value> sums(vectors, b.splat(0));
  sums = b.loop(from, to, vectors * kVectorLanes, sums,
                [&](Value at, ValueRange carried) {
                  SmallVector<Value> next;
                  for (int64_t v = 0; v < vectors; ++v) {
                    Value g = b.load(buffer, b.add(at, v * kVectorLanes));
                    next.push_back(b.fma(g, g, carried[v]));
                  }
                  return next;
                });
  Value sum = b.reduce(KernelBuilder::Reduction::Add, addPairwise(b, sums));
  return arith::ExtFOp::create(b, b.getF64Type(), sum);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::NormOp op,
                                           KernelBuilder &b) {
  auto number = [&](double value) {
    return b.constant(b.getF64FloatAttr(value));
  };
  for (Value gradient : op.getGradients())
    if (failed(verifyFlat(op, gradient.getType())))
      return failure();
  b.loop(b.begin(), b.end(), [&](Value) {
    Value total = number(0);
    for (auto [i, gradient] : llvm::enumerate(op.getGradients())) {
      Value buffer = b.argument(i);
      int64_t elements = kernel::occupiedElements(
          cast<RankedTensorType>(gradient.getType()).getNumElements());
      int64_t runs = elements / kRun * kRun;
      int64_t groups =
          elements / (kVectors * kVectorLanes) * (kVectors * kVectorLanes);
      total = b.loop(b.index(0), b.index(runs), kRun, ValueRange{total},
                     [&](Value at, ValueRange carried) {
                       Value sum =
                           addSquares(b, buffer, at, b.add(at, kRun), kVectors);
                       return SmallVector<Value>{b.addf(carried[0], sum)};
                     })[0];
      total = b.addf(total, addSquares(b, buffer, b.index(runs),
                                       b.index(groups), kVectors));
      total = b.addf(
          total, addSquares(b, buffer, b.index(groups), b.index(elements), 1));
    }
    Value norm = math::SqrtOp::create(b, total);
    Value factor = b.divf(number(op.getMaxNorm().convertToDouble()),
                          b.addf(norm, number(1e-6)));
    // NaN is kept.
    factor = b.select(
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, factor, number(1)),
        number(1), factor);
    b.storeScalar(arith::TruncFOp::create(b, b.getF32Type(), factor),
                  b.argument(op->getNumOperands()), b.index(0));
  });
  KernelInfo info;
  info.units = kernel::ExtentAttr::get(op.getContext(), 1, 1, kernel::kNoBatch);
  info.flop = kernel::ExtentAttr::get(op.getContext(), 0, 1, 1);
  return info;
}
