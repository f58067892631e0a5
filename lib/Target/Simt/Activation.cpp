//===- Activation.cpp - Activations on a GPU ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using kernel::kChannelPad;

FailureOr<Activation> Activation::get(Operation *op, RankedTensorType type) {
  auto channels = dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
  bool isWhole = !type.getEncoding() && type.getRank() > 0 &&
                 type.getShape().back() % kChannelPad == 0;
  if ((type.getRank() != 2 && type.getRank() != 3) || !(channels || isWhole)) {
    op->emitOpError("needs #kernel.channels where it has ")
        << type << "; run vit-tile and vit-layout for a GPU first";
    return failure();
  }
  Activation shape;
  shape.tokens = type.getRank() == 3 ? type.getDimSize(1) : 1;
  shape.width = type.getShape().back();
  shape.group = channels ? channels.getGroup() : 0;
  shape.vectors =
      kernel::paddedChannels(shape.width, shape.group) / kVectorLanes;
  return shape;
}

FailureOr<Activation> Activation::getFlat(Operation *op, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (!tensor.hasStaticShape() || tensor.getEncoding() ||
      !tensor.getElementType().isF32()) {
    op->emitOpError("needs row-major f32 without a batch where it has ")
        << type;
    return failure();
  }
  Activation shape;
  shape.tokens = 1;
  shape.width = tensor.getNumElements();
  shape.group = 0;
  shape.vectors = kernel::occupiedElements(shape.width) / kVectorLanes;
  return shape;
}

Channel Activation::getChannel(SimtBuilder &b, Value padded) const {
  Value exists = b.isLess(padded, b.index(vectors * kVectorLanes));
  if (!hasPaddedChannels())
    return {padded, exists};
  int64_t run = group == 0 ? width : group;
  int64_t paddedRun = kernel::padTo(run, kChannelPad);
  Value inRun = b.rem(padded, paddedRun);
  return {b.add(b.mul(b.div(padded, paddedRun), run), inRun),
          b.both(exists, b.isLess(inRun, b.index(run)))};
}

KernelInfo Activation::getInfo(Operation *op, int64_t itemsPerRow,
                               int64_t itemsPerUnit, int64_t times) const {
  return {kernel::ExtentAttr::get(op->getContext(), times, tokens * itemsPerRow,
                                  itemsPerUnit)};
}

FailureOr<InputAndResult> InputAndResult::get(Operation *op) {
  RankedTensorType from = tensorOf(op->getOperand(0));
  RankedTensorType to = tensorOf(op->getResult(0));
  FailureOr<Activation> input = Activation::get(op, from);
  FailureOr<Activation> result = Activation::get(op, to);
  if (failed(input) || failed(result))
    return failure();
  if (input->group != result->group)
    return op->emitOpError("has layouts that do not fit: input ")
           << from << ", result " << to;
  return InputAndResult{*input, *result};
}

FailureOr<InputAndResult> InputAndResult::getProduct(kernel::GemmOp op) {
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  FailureOr<Activation> result = Activation::get(op, op.getResult().getType());
  if (failed(input) || failed(result))
    return failure();
  auto weight = op.getWeight().getType();
  auto panels = dyn_cast_if_present<kernel::PanelsAttr>(weight.getEncoding());
  bool transposed = op.getTransposed();
  // The input has the channels of `out` if transposed, otherwise those of `in`.
  auto fits = [&] {
    int64_t in = panels.getInGroup(), out = panels.getOutGroup();
    bool isRowMajor = op.getTf32() || !weight.getElementType().isF32();
    return isRowMajor == (panels.getCols() == 1) &&
           panels.getInterleave() == 1 &&
           panels.getTransposed() == (transposed && !isRowMajor) &&
           (transposed ? out : in) == input->group &&
           (transposed ? in : out) == result->group;
  };
  if (!panels || !fits())
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", weight " << weight << ", result "
           << op.getResult().getType() << "; run vit-tile and vit-layout first";
  return InputAndResult{*input, *result};
}

bool mlir::vit::simt::isDepthMajor(kernel::GemmOp op) {
  auto panels =
      cast<kernel::PanelsAttr>(op.getWeight().getType().getEncoding());
  return op.getTransposed() && panels.getCols() == 1;
}

FailureOr<SmallVector<Activation>>
mlir::vit::simt::getHeads(Operation *op, ValueRange values, unsigned query,
                          int64_t headDim, ArrayRef<int64_t> offsets) {
  SmallVector<Activation> shapes;
  for (Value value : values) {
    FailureOr<Activation> shape = Activation::get(op, tensorOf(value));
    if (failed(shape))
      return failure();
    shapes.push_back(*shape);
  }
  for (auto [i, shape] : llvm::enumerate(shapes)) {
    int64_t offset = i >= query && i < query + 3 ? offsets[i - query] : 0;
    if (!kernel::areHeadsAligned(shape.group, headDim, offset))
      return op->emitOpError("has heads of ")
             << headDim << " channels that do not begin at a vector; run "
             << "vit-layout first";
  }
  return shapes;
}

void mlir::vit::simt::storeZeroTail(SimtBuilder &b, unsigned argument,
                                    int64_t count) {
  int64_t end = kernel::occupiedElements(count);
  if (count == end)
    return;
  b.ifThen(b.isEqual(b.unit(), b.index(0)), [&] {
    b.loop(b.add(b.thread(), count), b.index(end), b.threads(),
           [&](Value item) { b.store(b.scalar(0), argument, item); });
  });
}

void mlir::vit::simt::forEachItem(SimtBuilder &b, Value total, int64_t perUnit,
                                  function_ref<void(Value item)> body) {
  Value begin = b.mul(b.unit(), perUnit);
  Value end = b.min(b.add(begin, perUnit), total);
  b.loop(b.add(begin, b.thread()), end, b.threads(), body);
}

KernelInfo mlir::vit::simt::emitPerItem(Operation *op, SimtBuilder &b,
                                        int64_t total,
                                        function_ref<void(Value item)> body) {
  int64_t perUnit = b.threads() * kItemsPerThread;
  forEachItem(b, b.index(total), perUnit, body);
  return withoutBatch(op, llvm::divideCeil(total, perUnit));
}

KernelInfo mlir::vit::simt::emitPerVector(
    Operation *op, SimtBuilder &b, const Activation &shape,
    function_ref<void(Value item, Value row, Value vector)> body) {
  int64_t vectors = shape.vectors, perUnit = b.threads() * kItemsPerThread;
  forEachItem(b, b.mul(shape.rows(b), vectors), perUnit, [&](Value item) {
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    body(item, row, vector);
  });
  return shape.getInfo(op, vectors, perUnit);
}

FailureOr<RowParts> RowParts::get(Operation *op, SimtBuilder &b, Type input,
                                  const Activation &shape, int64_t groups,
                                  bool isEven) {
  int64_t channels = shape.width / groups;
  // Each part begins at a vector if its channels are whole groups of the layout
  // or need no padding.
  bool fits = groups == 1 || (shape.group == 0 ? channels % kChannelPad == 0
                                               : channels % shape.group == 0);
  if (!fits)
    return op->emitOpError("has groups of ")
           << channels << " channels that do not begin at a vector in " << input
           << "; give the layout groups of that many channels";
  int64_t vectors = shape.vectors / groups, sharing = 1;
  while (!b.level.isDirect && sharing * 4 < vectors &&
         (!isEven || vectors % (sharing * 2) == 0) &&
         b.threads() % (sharing * 2) == 0)
    sharing *= 2;
  return RowParts{b, shape, groups, vectors, channels, sharing, isEven};
}

void RowParts::forEach(Value total,
                       function_ref<void(Value item, Value stores)> body) {
  int64_t perUnit = b.threads() / sharing;
  if (sharing == 1) {
    lane = b.index(0);
    return forEachItem(b, total, perUnit,
                       [&](Value item) { body(item, Value()); });
  }
  lane = b.rem(b.thread(), sharing);
  Value item = b.add(b.mul(b.unit(), perUnit), b.div(b.thread(), sharing));
  if (perUnit == 1)
    return body(item, Value());
  // All threads must reach each barrier. Those without an item repeat the last
  // one.
  body(b.min(item, b.sub(total, b.index(1))), b.isLess(item, total));
}

SmallVector<Value> RowParts::visit(
    ValueRange init,
    function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  auto visitVector = [&](Value i, ValueRange carried) {
    return body(b.add(first, i), b.add(base, i), carried);
  };
  if (!isEven)
    return b.loop(lane, b.index(vectors), sharing, init, visitVector);
  // The same number of iterations for all threads, to avoid divergence.
  return b.loop(vectors / sharing, init, [&](Value round, ValueRange carried) {
    return visitVector(b.add(b.mul(round, sharing), lane), carried);
  });
}

void mlir::vit::simt::ifStores(SimtBuilder &b, Value stores,
                               function_ref<void()> body) {
  if (stores)
    b.ifThen(stores, body);
  else
    body();
}

Value mlir::vit::simt::maskChannels(SimtBuilder &b, const Activation &shape,
                                    Value vector, Value value, double other) {
  if (!shape.hasPaddedChannels())
    return value;
  int64_t run = shape.group == 0 ? shape.width : shape.group;
  if (shape.group != 0)
    vector = b.rem(vector, kernel::padTo(run, kChannelPad) / kVectorLanes);
  int64_t whole = run / kVectorLanes, rest = run % kVectorLanes;
  Value padding = b.splat(other), last = padding;
  if (rest != 0) {
    SmallVector<bool> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      lanes.push_back(lane < rest);
    Value mask = b.constant(DenseElementsAttr::get(
        VectorType::get({kVectorLanes}, b.getI1Type()), ArrayRef<bool>(lanes)));
    last = b.select(b.isEqual(vector, b.index(whole)),
                    b.select(mask, value, padding), padding);
  }
  return b.select(b.isLess(vector, b.index(whole)), value, last);
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

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
  for (auto [extra, broadcast] : llvm::zip(extras, code->getBroadcasts()))
    if (broadcast == Broadcast::Row &&
        failed(Activation::get(op, tensorOf(extra))))
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
    case Broadcast::Row: // an activation of one channel, padded
      return b->broadcast(b->load(firstExtra + i, b->mul(row, kChannelPad)));
    }
    llvm_unreachable("every broadcast is above");
  });
  if (code.keepsZero())
    return result;
  return maskChannels(*b, shape, vector, result);
}
