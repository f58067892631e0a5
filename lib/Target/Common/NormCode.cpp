//===- NormCode.cpp - The arithmetic of norms -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormCode.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;

Value NormCode::getFactor(CodeBuilder &b, Value squares) const {
  Value least = b.scalar(epsilon), divisor;
  if (kind == NormKind::l2) {
    Value norm = math::SqrtOp::create(b, squares);
    divisor = b.atLeast(norm, least);
  } else {
    Value mean = b.mulf(squares, b.scalar(1.0 / double(channels)));
    divisor = math::SqrtOp::create(b, b.addf(mean, least));
  }
  return b.divf(b.scalar(1), divisor);
}

Value NormCode::getSlope(CodeBuilder &b, Value squares, Value products,
                         Value factor) const {
  if (kind != NormKind::l2)
    return b.mulf(b.mulf(products, b.scalar(1.0 / double(channels))), factor);
  // A norm below epsilon is not what x is divided by.
  Value norm = math::SqrtOp::create(b, squares);
  Value isDivisor =
      b.compare(arith::CmpFPredicate::OGT, norm, b.scalar(epsilon));
  return b.select(isDivisor, b.mulf(products, factor), b.scalar(0));
}
