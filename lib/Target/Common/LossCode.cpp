//===- LossCode.cpp - The arithmetic of losses ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LossCode.h"

#include <limits>

using namespace mlir;
using namespace mlir::vit;

Value SmoothedTargets::ofLabel(Type type, Value isLabel) const {
  return b.select(isLabel, b.splat(type, 1 - smoothing + share()),
                  b.splat(type, share()));
}

Value SmoothedTargets::ofProbabilities(Value probabilities) const {
  Type type = probabilities.getType();
  return b.fma(probabilities, b.splat(type, 1 - smoothing),
               b.splat(type, share()));
}

Value SmoothedTargets::checkLabel(Value label, Value loss) const {
  // The comparison is unsigned, so it also rejects negative labels.
  Value isClass = b.compare(arith::CmpIPredicate::ult, label,
                            b.splatBits(b.getI32Type(), int32_t(classes)));
  return b.select(
      isClass, loss,
      b.splat(loss.getType(), std::numeric_limits<double>::quiet_NaN()));
}

void Largest::add(CodeBuilder &b, Value x, function_ref<Value()> getNumber) {
  Value isLarger = b.compare(arith::CmpFPredicate::OGT, x, value);
  Value isNaN = b.compare(arith::CmpFPredicate::UNO, x, x);
  value = b.select(isLarger, x, value);
  number = b.select(isLarger, getNumber(), number);
  hasNaN = b.select(isNaN, b.splatBits(x.getType(), 1), hasNaN);
}

Value mlir::vit::isRightAnswer(CodeBuilder &b, Value answer, Value wanted) {
  Value isSame = b.isEqual(answer, wanted);
  Value isNumber = b.isAtLeast(answer, b.splatBits(b.getI32Type(), 0));
  return b.both(isSame, isNumber);
}
