//===- Blocked.cpp - Blocked activations, block by block ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

FailureOr<Blocked> Blocked::get(Operation *op, RankedTensorType type,
                                Elements allowed) {
  auto encoding = dyn_cast_if_present<kernel::BlockedAttr>(type.getEncoding());
  if (!encoding || (type.getRank() != 2 && type.getRank() != 3)) {
    op->emitOpError("needs #kernel.blocked where it has ")
        << type << "; run vit-tile and vit-layout first";
    return failure();
  }
  Type element = type.getElementType();
  bool isAllowed =
      element.isF32() ||
      (kernel::isNarrowFloat(element) && allowed != Elements::F32) ||
      (element.isInteger(8) && allowed == Elements::Integer);
  if (!isAllowed) {
    op->emitOpError("has no CPU code for elements of ")
        << type.getElementType() << "; use f32";
    return failure();
  }
  Blocked shape;
  static_cast<kernel::BlockedShape &>(shape) = kernel::BlockedShape::get(type);
  shape.width = type.getShape().back();
  shape.group = encoding.getGroup();
  return shape;
}

Value Blocked::vectorOffset(KernelBuilder &b, Value vector) const {
  int64_t perLine = line / kChannelPad;
  if (perLine == 1)
    return b.mul(vector, vectorElements());
  // Each run of channels (a group, or all of them) begins at a line.
  int64_t run = llvm::divideCeil(group == 0 ? width : group, kChannelPad);
  int64_t stored = kernel::padTo(run, perLine);
  if (group != 0 && run != stored)
    vector = b.add(b.mul(b.div(vector, run), stored), b.rem(vector, run));
  return b.add(b.mul(b.div(vector, perLine), lineElements()),
               b.mul(b.rem(vector, perLine), kChannelPad));
}

Blocked Blocked::widened() const {
  Blocked wide = *this;
  wide.line = kChannelPad;
  wide.channelBlocks = vectors();
  return wide;
}

void mlir::vit::cpu::storeVector(KernelBuilder &b, const Blocked &shape,
                                 Value vector, Value buffer, Value base,
                                 int64_t row, Value channelVector) {
  Value at = b.add(
      base, b.add(shape.vectorOffset(b, channelVector), row * shape.line));
  b.store(vector, buffer, at);
  int64_t run = llvm::divideCeil(shape.group == 0 ? shape.width : shape.group,
                                 kChannelPad);
  int64_t missing = kernel::padTo(run, shape.line / kChannelPad) - run;
  if (missing == 0)
    return;
  b.ifThen(b.isEqual(b.rem(channelVector, run), b.index(run - 1)), [&] {
    for (int64_t i = 1; i <= missing; ++i)
      b.store(b.splat(0), buffer, b.add(at, i * kChannelPad));
  });
}

FailureOr<InputAndResult> InputAndResult::get(Operation *op, bool rows,
                                              Elements resultElements) {
  RankedTensorType from = tensorOf(op->getOperand(0));
  RankedTensorType to = tensorOf(op->getResult(0));
  FailureOr<Blocked> input = Blocked::get(op, from);
  FailureOr<Blocked> result = Blocked::get(op, to, resultElements);
  if (failed(input) || failed(result))
    return failure();
  if (input->group != result->group || (rows && input->rows != result->rows))
    return op->emitOpError("has layouts that do not fit: input ")
           << from << ", result " << to;
  return InputAndResult{*input, *result};
}

int64_t Channels::lanes(int64_t vector) const {
  if (group == 0)
    return std::min(kChannelPad, width - vector * kChannelPad);
  int64_t vectors = kernel::padTo(group, kChannelPad) / kChannelPad;
  return std::min(kChannelPad, group - vector % vectors * kChannelPad);
}

bool Channels::hasPaddedChannels() const {
  return (group == 0 ? width : group) % kChannelPad != 0;
}

bool Blocked::mayBePadding(int64_t row) const {
  if (!isPerImage())
    return row > 0;
  int64_t used = tokens % rows;
  return used != 0 && row >= used;
}

RowBlock mlir::vit::cpu::getRowBlock(KernelBuilder &b, const Blocked &shape,
                                     Value block) {
  RowBlock result;
  result.block = block;
  result.base = b.mul(block, shape.blockElements());
  result.local = block;
  if (!shape.isPerImage())
    return result;
  result.local = b.rem(block, shape.blocksPerImage);
  if (shape.tokens % shape.rows != 0)
    result.isShort = b.isEqual(result.local, b.index(shape.blocksPerImage - 1));
  return result;
}

int64_t mlir::vit::cpu::stripRows(const Blocked &shape) {
  constexpr int64_t most = 8;
  int64_t rows = std::min(shape.rows, most);
  while (shape.rows % rows != 0)
    --rows;
  return rows;
}

void mlir::vit::cpu::forEachStrip(
    KernelBuilder &b, const Blocked &shape, const RowBlock &block,
    function_ref<void(const RowBlock &strip)> body) {
  int64_t rows = stripRows(shape);
  if (rows == shape.rows)
    return body(block);
  b.loop(0, shape.rows / rows, [&](Value i) {
    RowBlock strip = block;
    strip.firstRow = b.mul(i, rows);
    strip.base = b.add(block.base, b.mul(strip.firstRow, shape.line));
    body(strip);
  });
}

Value mlir::vit::cpu::getStripBase(KernelBuilder &b, const Blocked &shape,
                                   const RowBlock &strip) {
  Value base = b.mul(strip.block, shape.blockElements());
  return strip.firstRow ? b.add(base, b.mul(strip.firstRow, shape.line)) : base;
}

Value mlir::vit::cpu::getRow(KernelBuilder &b, const Blocked &shape,
                             const RowBlock &block, int64_t row) {
  Value first = b.mul(block.local, shape.rows);
  if (block.firstRow)
    first = b.add(first, block.firstRow);
  return b.add(first, row);
}

Value mlir::vit::cpu::getRowBlocks(KernelBuilder &b, const Blocked &shape) {
  if (shape.isPerImage())
    return b.mul(b.batch(), shape.blocksPerImage);
  return b.div(b.add(b.batch(), shape.rows - 1), shape.rows);
}

Value mlir::vit::cpu::zeroPaddedRow(KernelBuilder &b, const Blocked &shape,
                                    const RowBlock &block, int64_t row,
                                    Value vector) {
  // In a strip any row may be the last one.
  bool isStrip = block.firstRow && shape.mayBePadding(shape.rows - 1);
  if (!isStrip && !shape.mayBePadding(row))
    return vector;
  if (shape.isPerImage() && !isStrip)
    return b.select(block.isShort, b.splat(0), vector);
  Value end = shape.isPerImage() ? b.index(shape.tokens) : b.batch();
  return b.select(b.isLess(getRow(b, shape, block, row), end), vector,
                  b.splat(0));
}

Value mlir::vit::cpu::getRowOffset(KernelBuilder &b, const Blocked &shape,
                                   Value image, Value row) {
  Value block = b.div(row, shape.rows);
  if (shape.isPerImage())
    block = b.add(b.mul(image, shape.blocksPerImage), block);
  return b.add(b.mul(block, shape.blockElements()),
               b.mul(b.rem(row, shape.rows), shape.line));
}

Value mlir::vit::cpu::getChannelOffset(KernelBuilder &b, const Blocked &shape,
                                       Value channel) {
  int64_t group = shape.group;
  if (group != 0)
    channel =
        b.add(b.mul(b.div(channel, group), kernel::padTo(group, kChannelPad)),
              b.rem(channel, group));
  return b.add(b.mul(b.div(channel, kChannelPad), shape.vectorElements()),
               b.rem(channel, kChannelPad));
}

void mlir::vit::cpu::storeZeroRow(KernelBuilder &b, const Blocked &shape,
                                  Value buffer, Value offset) {
  b.loop(0, shape.lines(), [&](Value line) {
    Value at = b.add(offset, b.mul(line, shape.lineElements()));
    for (int64_t i = 0; i < shape.line; i += kChannelPad)
      b.store(b.splat(0), buffer, b.add(at, i));
  });
}

void mlir::vit::cpu::forEachRow(
    KernelBuilder &b, const Blocked &shape, Value result,
    function_ref<void(Value image, Value token, Value offset)> body) {
  b.loop(b.begin(), b.end(), [&](Value i) {
    RowBlock block = getRowBlock(b, shape, i);
    b.loop(0, shape.rows, [&](Value r) {
      Value row = b.add(b.mul(block.local, shape.rows), r);
      Value offset = b.add(block.base, b.mul(r, kChannelPad));
      bool perImage = shape.isPerImage();
      auto visit = [&] {
        Value image = perImage ? b.div(i, shape.blocksPerImage) : row;
        body(image, perImage ? row : b.index(0), offset);
      };
      Value exists =
          b.isLess(row, perImage ? b.index(shape.tokens) : b.batch());
      if (result)
        b.ifThen(exists, visit,
                 [&] { storeZeroRow(b, shape, result, offset); });
      else
        b.ifThen(exists, visit);
    });
  });
}

KernelInfo mlir::vit::cpu::getRowBlockInfo(RankedTensorType type,
                                           int64_t times) {
  kernel::ExtentAttr blocks = kernel::getRowBlocks(type);
  return {kernel::ExtentAttr::get(type.getContext(), blocks.getTimes() * times,
                                  blocks.getOf(), blocks.getPer())};
}

KernelInfo mlir::vit::cpu::emitPerImage(Operation *op, KernelBuilder &b,
                                        const InputAndResult &layouts,
                                        function_ref<Value(Value base)> body) {
  const Blocked &input = layouts.input, &shape = layouts.result;
  Value result = b.argument(1);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value block = b.div(unit, shape.channelBlocks);
    Value channel = b.rem(unit, shape.channelBlocks);
    b.loop(0, shape.rows, [&](Value row) {
      Value image = b.add(b.mul(block, shape.rows), row);
      Value at = b.add(b.mul(block, shape.blockElements()),
                       b.add(b.mul(channel, shape.vectorElements()),
                             b.mul(row, kChannelPad)));
      b.ifThen(
          b.isLess(image, b.batch()),
          [&] {
            Value base = b.add(
                b.mul(image, input.blocksPerImage * input.blockElements()),
                b.mul(channel, input.vectorElements()));
            b.store(body(base), result, at);
          },
          [&] { b.store(b.splat(0), result, at); });
    });
  });
  return getRowBlockInfo(tensorOf(op->getResult(0)), shape.channelBlocks);
}

/// Replaces each two rows whose numbers differ in `bit` by two shuffles of
/// them.
static SmallVector<Value> shufflePairs(KernelBuilder &b, ArrayRef<Value> rows,
                                       int64_t bit, ArrayRef<int64_t> low,
                                       ArrayRef<int64_t> high) {
  SmallVector<Value> next(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    if (row & bit)
      continue;
    next[row] = b.shuffle(rows[row], rows[row | bit], low);
    next[row | bit] = b.shuffle(rows[row], rows[row | bit], high);
  }
  return next;
}

SmallVector<Value> mlir::vit::cpu::transposeVectors(KernelBuilder &b,
                                                    SmallVector<Value> rows) {
  // Each step is one instruction of AVX2 and AVX-512 per vector: two that
  // interleave elements and pairs within 128 bits, two that move 128 bits.
  constexpr int64_t kLanes = kVectorLanes, kPart = 4;
  SmallVector<int64_t> low, high;
  auto shuffle = [&](int64_t bit) {
    rows = shufflePairs(b, rows, bit, low, high);
    low.clear();
    high.clear();
  };
  for (int64_t part = 0; part < kLanes; part += kPart)
    for (int64_t lane : {part, part + 1})
      for (int64_t row : {int64_t(0), kLanes}) {
        low.push_back(row + lane);
        high.push_back(row + lane + 2);
      }
  shuffle(1);
  for (int64_t part = 0; part < kLanes; part += kPart)
    for (int64_t row : {int64_t(0), kLanes})
      for (int64_t lane : {part, part + 1}) {
        low.push_back(row + lane);
        high.push_back(row + lane + 2);
      }
  shuffle(2);
  for (int64_t bit : {4, 8}) {
    for (int64_t part : {0, 2, 4, 6})
      for (int64_t lane = 0; lane < kPart; ++lane) {
        low.push_back(part * kPart + lane);
        high.push_back((part + 1) * kPart + lane);
      }
    shuffle(bit);
  }
  // Bit 0 of a row's number now says which pair of the 128 bits it holds, bit 1
  // which element of the pair, bits 2 and 3 which 128 bits.
  SmallVector<Value> ordered(kLanes);
  for (int64_t row = 0; row < kLanes; ++row) {
    int64_t lane = (row & 1) << 1 | (row >> 1 & 1);
    int64_t part = row >> 2;
    ordered[part * kPart + lane] = rows[row];
  }
  return ordered;
}

//===----------------------------------------------------------------------===//
// Vectors and values without a batch
//===----------------------------------------------------------------------===//

LogicalResult mlir::vit::cpu::verifyFlat(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.hasStaticShape() && !tensor.getEncoding() &&
      tensor.getElementType().isF32())
    return success();
  return op->emitOpError("needs row-major f32 without a batch where it has ")
         << type;
}

void mlir::vit::cpu::zeroTail(KernelBuilder &b, Value result, Value buffer) {
  int64_t elements = tensorOf(result).getNumElements();
  auto op = result.getDefiningOp<kernel::KernelOpInterface>();
  DenseI64ArrayAttr ends = op.getEndsAttr();
  unsigned number = cast<OpResult>(result).getResultNumber();
  if (elements == kernel::occupiedElements(elements) ||
      (ends && llvm::is_contained(ends.asArrayRef(), number)))
    return;
  b.ifThen(b.isEqual(b.begin(), b.index(0)), [&] {
    b.loop(elements, kernel::occupiedElements(elements),
           [&](Value i) { b.storeScalar(b.scalar(0), buffer, i); });
  });
}

void mlir::vit::cpu::ifStoredVector(
    KernelBuilder &b, const Blocked &shape, Value stored,
    function_ref<void(Value channelVector)> body) {
  int64_t run = llvm::divideCeil(shape.group == 0 ? shape.width : shape.group,
                                 kChannelPad);
  int64_t stride = kernel::padTo(run, shape.line / kChannelPad);
  Value inRun = b.rem(stored, stride);
  Value vector = b.add(b.mul(b.div(stored, stride), run), inRun);
  auto ifUsed = [&] {
    if (run == stride)
      return body(vector);
    b.ifThen(b.isLess(inRun, b.index(run)), [&] { body(vector); });
  };
  b.ifThen(b.isLess(stored, b.index(shape.channelBlocks)), ifUsed);
}

void mlir::vit::cpu::forChannels(
    KernelBuilder &b, const Channels &channels, Value channelVector,
    function_ref<void(Value channel, int64_t lanes)> body) {
  if (!channels.hasPaddedChannels())
    return body(b.mul(channelVector, kChannelPad), kChannelPad);
  int64_t run = channels.group == 0 ? channels.width : channels.group;
  int64_t vectors = llvm::divideCeil(run, kChannelPad),
          tail = run % kChannelPad;
  Value inRun = b.rem(channelVector, vectors);
  Value channel = b.add(b.mul(b.div(channelVector, vectors), run),
                        b.mul(inRun, kChannelPad));
  if (vectors == 1)
    return body(channel, tail);
  b.ifThen(
      b.isEqual(inRun, b.index(vectors - 1)), [&] { body(channel, tail); },
      [&] { body(channel, kChannelPad); });
}

void mlir::vit::cpu::ifChannel(KernelBuilder &b, const Channels &channels,
                               Value padded,
                               function_ref<void(Value channel)> body) {
  if (!channels.hasPaddedChannels())
    return body(padded);
  int64_t run = channels.group == 0 ? channels.width : channels.group;
  int64_t stride = kernel::padTo(run, kChannelPad);
  Value inRun = b.rem(padded, stride);
  Value channel = b.add(b.mul(b.div(padded, stride), run), inRun);
  b.ifThen(b.isLess(inRun, b.index(run)), [&] { body(channel); });
}

Carried mlir::vit::cpu::forEachVector(
    KernelBuilder &b, int64_t elements, Carried carried,
    function_ref<Carried(Value vector, int64_t lanes, Carried)> body) {
  int64_t whole = elements / kVectorLanes, tail = elements % kVectorLanes;
  if (whole > 0)
    carried = b.loop(whole, carried, [&](Value i, ValueRange values) {
      return body(i, kVectorLanes, Carried(values));
    });
  return tail > 0 ? body(b.index(whole), tail, carried) : carried;
}

Value mlir::vit::cpu::addPairwise(KernelBuilder &b, ArrayRef<Value> vectors) {
  SmallVector<Value> summands(vectors);
  while (summands.size() > 1) {
    SmallVector<Value> pairs;
    for (size_t i = 0; i + 1 < summands.size(); i += 2)
      pairs.push_back(b.addf(summands[i], summands[i + 1]));
    if (summands.size() % 2)
      pairs.push_back(summands.back());
    summands = pairs;
  }
  return summands.front();
}
