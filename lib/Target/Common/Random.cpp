//===- Random.cpp - The random masks of kernel.dropout --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Random.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

RandomMask::RandomMask(CodeBuilder &b, kernel::DropoutOp op,
                       std::array<Value, 2> key, Value step)
    : b(b), key(key), probability(op.getProbability().convertToDouble()) {
  uint64_t stream = op.getStream();
  counter = {arith::AddIOp::create(b, step, constant(step, 1)),
             constant(step, uint32_t(stream)),
             constant(step, uint32_t(stream >> 32))};
}

Value RandomMask::broadcast(Value words, Value scalar) {
  auto type = dyn_cast<VectorType>(words.getType());
  return type ? Value(vector::BroadcastOp::create(b, type, scalar)) : scalar;
}

std::array<Value, 4> RandomMask::getWords(Value counters) {
  auto exclusiveOr = [&](Value x, Value y) -> Value {
    return arith::XOrIOp::create(b, x, y);
  };
  std::array<Value, 4> c = {counters, broadcast(counters, counter[0]),
                            broadcast(counters, counter[1]),
                            broadcast(counters, counter[2])};
  Value k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    auto x =
        arith::MulUIExtendedOp::create(b, c[0], constant(counters, 0xD2511F53));
    auto y =
        arith::MulUIExtendedOp::create(b, c[2], constant(counters, 0xCD9E8D57));
    c = {exclusiveOr(exclusiveOr(y.getHigh(), c[1]), broadcast(counters, k0)),
         y.getLow(),
         exclusiveOr(exclusiveOr(x.getHigh(), c[3]), broadcast(counters, k1)),
         x.getLow()};
    k0 = arith::AddIOp::create(b, k0, constant(k0, 0x9E3779B9));
    k1 = arith::AddIOp::create(b, k1, constant(k1, 0xBB67AE85));
  }
  return c;
}

Value RandomMask::isKept(Value words) {
  auto threshold = uint32_t(std::ceil(probability * 0x1p24));
  Value high = arith::ShRUIOp::create(b, words, constant(words, 8));
  return b.compare(arith::CmpIPredicate::uge, high, constant(words, threshold));
}
