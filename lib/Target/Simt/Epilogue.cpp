//===- Epilogue.cpp - Scalar code fused into a GPU kernel ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/ScalarCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<Epilogue> Epilogue::get(Operation *op, SimtBuilder &b,
                                  OperandRange extraValues, unsigned firstExtra,
                                  const Activation &result) {
  Epilogue epilogue(op, b, result);
  Region &region = op->getRegion(0);
  if (failed(verifyRegion(op, region)))
    return failure();
  epilogue.keepsZero = makesZeroOfZeros(region);
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  for (auto [i, value] : llvm::enumerate(extraValues)) {
    auto type = cast<RankedTensorType>(value.getType());
    Extra extra;
    extra.argument = firstExtra + i;
    int64_t group = 0;
    if (type.getShape() == resultType.getShape()) {
      FailureOr<Activation> shape = Activation::get(op, type);
      if (failed(shape))
        return failure();
      extra.broadcast = Broadcast::Element;
      group = shape->group;
    } else {
      auto encoding =
          dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
      if (!encoding)
        return op->emitOpError("needs #kernel.channels where an extra has ")
               << type << "; run vit-layout first";
      extra.broadcast =
          type.getRank() == 1 ? Broadcast::Channel : Broadcast::Token;
      group = encoding.getGroup();
    }
    if (group != result.group)
      return op->emitOpError("has an extra with channels in groups of ")
             << group << " where its result's are in groups of "
             << result.group;
    epilogue.extras.push_back(extra);
  }
  return epilogue;
}

SmallVector<Value> Epilogue::loadChannels(Value vector) const {
  SmallVector<Value> values;
  for (const Extra &extra : extras)
    values.push_back(extra.broadcast == Broadcast::Channel
                         ? b->load4(extra.argument, vector)
                         : Value());
  return values;
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels, Value row,
                      Value vector, Value offset) const {
  SmallVector<Value> arguments{element};
  for (auto [i, extra] : llvm::enumerate(extras)) {
    switch (extra.broadcast) {
    case Broadcast::Channel:
      arguments.push_back(channels[i]);
      break;
    case Broadcast::Token: {
      Value token = b->rem(row, shape.tokens);
      arguments.push_back(b->load4(
          extra.argument, b->add(b->mul(token, shape.vectors), vector)));
      break;
    }
    case Broadcast::Element:
      arguments.push_back(b->load4(extra.argument, offset));
      break;
    }
  }
  Value result = inlineEpilogue(*b, op->getRegion(0), arguments);
  if (keepsZero)
    return result;
  return maskChannels(*b, shape, vector, result);
}
