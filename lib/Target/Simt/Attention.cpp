//===- Attention.cpp - Softmax attention on a GPU -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include "../Common/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

Attention::Attention(kernel::AttentionOp op, SimtBuilder &b,
                     ArrayRef<Activation> shapes)
    : op(op), b(b), tile(op.getTile()), shapes(shapes), heads(op.getHeads()),
      queries(shapes[Query].tokens), keys(shapes[Key].tokens),
      vectors(kernel::padTo(op.getHeadDim(), kernel::kChannelPad) /
              kVectorLanes),
      factor(op.getScale().convertToDouble() * kLog2E) {}

FailureOr<Attention> Attention::get(kernel::AttentionOp op, SimtBuilder &b) {
  auto shapes =
      getHeads(op, {op.getQuery(), op.getKey(), op.getValue(), op.getResult()},
               /*query=*/0, op.getHeadDim(), op.getOffsets());
  if (failed(shapes))
    return failure();
  if (op.getBias() && failed(Activation::getFlat(op, op.getBias().getType())))
    return failure();
  return Attention(op, b, *shapes);
}

int64_t Attention::unitsPerHead() const {
  int64_t parts = vectors * kVectorLanes / tile.getCols();
  return llvm::divideCeil(queries, tile.getRows()) * parts;
}

KernelInfo Attention::getInfo() const {
  kernel::AttentionOp op = this->op;
  return {perImage(op, heads * unitsPerHead()),
          perImage(op, 4 * heads * queries * keys * op.getHeadDim())};
}

void Attention::locate(Value unit) {
  int64_t blocks = llvm::divideCeil(queries, tile.getRows());
  Value pair = b.div(unit, unitsPerHead());
  image = b.div(pair, heads);
  head = b.rem(pair, heads);
  firstQuery = b.mul(b.rem(unit, blocks), tile.getRows());
}

Value Attention::inRow(Argument argument, Value vector) {
  int64_t offset = offsetOf(argument, op.getOffsets());
  int64_t first =
      kernel::paddedChannel(offset, shapes[argument].group) / kVectorLanes;
  return b.add(b.add(b.mul(head, vectors), first), vector);
}

Value Attention::at(Argument argument, Value token, Value vector) {
  const Activation &shape = shapes[argument];
  Value row = b.add(b.mul(image, shape.tokens), token);
  return b.add(b.mul(row, shape.vectors), inRow(argument, vector));
}

Value Attention::getPower(Value difference) {
  return b.roundAs(Query, emitExp2OfNegative(b, difference));
}

Value Attention::isQuery(Value token) {
  return queries % tile.getRows() == 0 ? Value()
                                       : b.isLess(token, b.index(queries));
}

void Attention::ifQuery(Value token, function_ref<void()> body) {
  if (Value exists = isQuery(token))
    b.ifThen(exists, body);
  else
    body();
}

Value Attention::addBias(Value score, Value query, Value key) {
  if (!op.getBias())
    return score;
  return addBias(score, b.add(biasAt(query), clampKey(key)));
}

Value Attention::addBias(Value score, Value element) {
  return b.fma(b.load(kBias, element), b.scalar(kLog2E), score);
}

Value Attention::biasAt(Value query) {
  return b.mul(b.add(b.mul(head, queries), clampQuery(query)), keys);
}

Value Attention::probabilityAt(Value query, Value key) {
  Value matrix = b.add(b.mul(image, heads), head);
  Value row = b.add(b.mul(matrix, queries), query);
  return b.add(b.mul(row, keys), key);
}

void Attention::storeScore(Value score, Value query, Value key) {
  ifQuery(query, [&] {
    b.ifThen(b.isLess(key, b.index(keys)), [&] {
      b.store(score, number(Probabilities), probabilityAt(query, key));
    });
  });
}

void Attention::normalizeScore(Value query, Value key, Value largest,
                               Value inverse) {
  Value position = probabilityAt(query, key);
  Value score = b.load(number(Probabilities), position);
  Value power = getPower(b.subf(score, largest));
  b.store(b.mulf(power, inverse), number(Probabilities), position);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(const Attention &a) {
  kernel::TileAttr tile = a.tile;
  int64_t width = a.vectors * kVectorLanes;
  bool fits =
      tile.getChunk() == 1
          ? tile.getRows() == tile.getThreads() * tile.getThreadRows() &&
                tile.getCols() == tile.getThreadCols() &&
                tile.getCols() % kVectorLanes == 0 &&
                width % tile.getCols() == 0
          : tile.getThreads() == 4 * tile.getRows() &&
                tile.getRows() % 2 == 0 && tile.getCols() == width &&
                tile.getChunk() % 16 == 0;
  if (fits)
    return success();
  kernel::AttentionOp op = a.op;
  return op.emitOpError("has a tile that its threads do not cover: ") << tile;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::AttentionOp op,
                                            SimtBuilder &b) {
  if (auto probabilities = op.getProbabilities()) {
    if (tensorOf(probabilities).getEncoding())
      return op.emitOpError("writes probabilities row-major only");
    b.useScalars();
  }
  FailureOr<Attention> a = Attention::get(op, b);
  if (failed(a) || failed(verifyTile(*a)))
    return failure();
  a->locate(b.unit());
  if (a->tile.getChunk() == 1)
    emitAttentionDirect(*a);
  else
    emitAttentionStaged(*a);
  return a->getInfo();
}
