//===- Epilogue.cpp - Scalar code fused into a GPU kernel -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<Epilogue> Epilogue::get(Operation *op, SimtBuilder &b,
                                  OperandRange extras, unsigned firstExtra,
                                  const Activation &result) {
  FailureOr<FusedCode> code =
      FusedCode::get(op, extras, result.group,
                     [&](RankedTensorType type) -> FailureOr<int64_t> {
                       FailureOr<Activation> shape = Activation::get(op, type);
                       if (failed(shape))
                         return failure();
                       return shape->group;
                     });
  if (failed(code))
    return failure();
  return Epilogue(*code, b, firstExtra, result);
}

SmallVector<Value> Epilogue::loadChannels(Value vector) const {
  SmallVector<Value> values;
  for (auto [i, broadcast] : llvm::enumerate(code.getBroadcasts()))
    values.push_back(broadcast == Broadcast::Channel
                         ? b->load4(firstExtra + i, vector)
                         : Value());
  return values;
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels, Value row,
                      Value vector, Value offset) const {
  Value result = code.apply(*b, element, [&](unsigned i) {
    switch (code.getBroadcasts()[i]) {
    case Broadcast::Channel:
      return channels[i];
    case Broadcast::Token: {
      Value token = b->rem(row, shape.tokens);
      return b->load4(firstExtra + i,
                      b->add(b->mul(token, shape.vectors), vector));
    }
    case Broadcast::Element:
      return b->load4(firstExtra + i, offset);
    }
    llvm_unreachable("every broadcast is above");
  });
  if (code.keepsZero())
    return result;
  return maskChannels(*b, shape, vector, result);
}
