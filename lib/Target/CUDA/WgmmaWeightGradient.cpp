//===- WgmmaWeightGradient.cpp - dy^T x in bf16 by warpgroups -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of [out, in], numbered as in
// TensorWeightGradient.cpp; a workgroup takes several, as in WgmmaGemm.cpp.
// Both operands lie in workgroup memory as in memory, 64 rows of boxes of 64
// channels, and wgmma transposes them. If the gradient of the bias is wanted,
// the units of the first columns multiply dy^T by ones, too. Rows beyond the
// last are zero.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Simt/ProductEmitters.h"
#include "WarpgroupBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

/// Buffers of the operands.
static constexpr int64_t kBuffers = 4;
/// What the ones take, eight columns of a depth of 64.
static constexpr int64_t kOnesBytes = kBlockColumns * kBoxRowBytes;

namespace {
class WgmmaWeightGradient : WeightGradientArguments {
public:
  WgmmaWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                      const Activation &gradient, const Activation &input);
  void emit();
  int64_t units() const { return parts * rowTiles * columnTiles; }

private:
  /// Where a unit is: its first channels of both operands, its part of the
  /// rows, and the steps over them.
  struct Unit {
    Value first[2], part, firstStep, steps;
  };
  Unit locate(Value unit);
  void allocate();
  void copy();
  RingPosition compute(Value number, RingPosition position);
  /// Adds the products of all steps of a unit and stores them.
  RingPosition sum(const Unit &unit, RingPosition position, bool withBias);
  void store(const Unit &unit, Value sums);
  void storePair(Value row, Value column, Value low, Value high);
  void storeBias(const Unit &unit, Value sums);
  /// The channel of dy of row `half` (0, 1) of this lane.
  Channel getOut(const Unit &unit, int64_t half);
  /// The row of a channel of dy in the results.
  Value getRow(const Unit &unit, const Channel &out) {
    return b.add(b.mul(unit.part, shapes[Gradient].width), out.number);
  }

  SimtBuilder &b;
  WarpgroupBuilder w;
  TensorBuilder t;
  Activation shapes[2];
  kernel::TileAttr tile;
  bool hasBias;
  int64_t parts, rowTiles, columnTiles;
  int64_t groups; ///< warpgroups that multiply
  Value maps[2];
  Ring ring;
  Value ones; ///< in workgroup memory
};
} // namespace

WgmmaWeightGradient::WgmmaWeightGradient(kernel::WeightGradientOp op,
                                         SimtBuilder &b,
                                         const Activation &gradient,
                                         const Activation &input)
    : b(b), w(b, Operands::of(op)), t(b, Operands::of(op)),
      shapes{gradient, input}, tile(op.getTile()),
      hasBias(op.getBias() != nullptr),
      parts(op.getResult().getType().getDimSize(0) / gradient.width),
      rowTiles(
          llvm::divideCeil(gradient.vectors * kVectorLanes, tile.getRows())),
      columnTiles(
          llvm::divideCeil(input.vectors * kVectorLanes, tile.getCols())),
      groups(tile.getRows() / kGroupRows) {
  for (unsigned operand : {Gradient, Input})
    maps[operand] =
        w.addMap({operand, shapes[operand].vectors * kVectorLanes, kBoxDepths});
}

WgmmaWeightGradient::Unit WgmmaWeightGradient::locate(Value number) {
  Unit unit;
  Value column = b.div(number, rowTiles);
  unit.first[Gradient] = b.mul(b.rem(number, rowTiles), tile.getRows());
  unit.first[Input] = b.mul(b.rem(column, columnTiles), tile.getCols());
  unit.part = b.div(column, columnTiles);
  Value rows = shapes[Gradient].rows(b);
  Value steps = b.div(b.add(rows, kBoxDepths - 1), kBoxDepths);
  Value perPart = b.div(b.add(steps, parts - 1), parts);
  unit.firstStep = b.min(b.mul(unit.part, perPart), steps);
  unit.steps = b.min(perPart, b.sub(steps, unit.firstStep));
  return unit;
}

void WgmmaWeightGradient::allocate() {
  ring.buffers = kBuffers;
  ring.bytes = (tile.getRows() + tile.getCols()) / kBoxColumns * kDepthBoxBytes;
  int64_t ringBytes = ring.buffers * ring.bytes;
  int64_t onesBytes = hasBias ? kOnesBytes : 0;
  ring.memory = w.allocate(ringBytes + onesBytes + ring.barrierBytes());
  ones = w.at(ring.memory, ringBytes);
  ring.full = w.at(ones, onesBytes);
  ring.empty = w.at(ring.full, ring.barrierBytes() / 2);
  if (hasBias) {
    b.loop(b.thread(), b.index(kOnesBytes / 4), b.index(b.threads()), {},
           [&](Value word, ValueRange) {
             LLVM::StoreOp::create(b, t.ones(), w.at(ones, b.mul(word, 4)),
                                   /*alignment=*/4);
             return SmallVector<Value>();
           });
    w.fenceMemory();
  }
  w.initialize(ring, groups * kWarpgroup / kWarp);
}

void WgmmaWeightGradient::copy() {
  w.forEachUnit(b.index(units()), [&](Value number, RingPosition position) {
    Unit unit = locate(number);
    auto fill = [&](Value step, RingPosition now) {
      Value row = b.mul(b.add(unit.firstStep, step), kBoxDepths);
      Value to = w.buffer(ring, now);
      for (unsigned operand : {Gradient, Input}) {
        int64_t width = operand == Gradient ? tile.getRows() : tile.getCols();
        for (int64_t box = 0; box < width / kBoxColumns; ++box) {
          Value channel = b.add(unit.first[operand], box * kBoxColumns);
          w.fill(ring, now, maps[operand], {channel, row}, to);
          to = w.at(to, kDepthBoxBytes);
        }
      }
    };
    return w.copySteps(ring, position, unit.steps, fill);
  });
}

RingPosition WgmmaWeightGradient::sum(const Unit &unit, RingPosition position,
                                      bool withBias) {
  SmallVector<Value> sums = {w.zeros(tile.getCols())};
  if (withBias)
    sums.push_back(w.zeros(kBlockColumns));
  auto multiply = [&](Value buffer, ValueRange sums) {
    Value right = w.at(buffer, tile.getRows() / kBoxColumns * kDepthBoxBytes);
    GroupOperand operands[] = {
        w.operand(w.at(buffer, b.mul(w.group(), kDepthBoxBytes)),
                  /*isTransposed=*/true, kDepthBoxBytes),
        w.operand(right, /*isTransposed=*/true, kDepthBoxBytes)};
    GroupOperand column = w.operand(ones);
    column.isConstant = true;
    w.beginProducts();
    SmallVector<Value> next = {w.multiply(operands[0], operands[1], sums[0])};
    if (withBias)
      next.push_back(w.multiply(operands[0], column, sums[1]));
    w.endProducts();
    return next;
  };
  auto [all, after] = w.addSteps(ring, position, unit.steps, sums, multiply);
  store(unit, all[0]);
  if (withBias)
    storeBias(unit, all[1]);
  return after;
}

RingPosition WgmmaWeightGradient::compute(Value number, RingPosition position) {
  Unit unit = locate(number);
  if (!hasBias)
    return sum(unit, position, /*withBias=*/false);
  auto either = [&](bool withBias) {
    return [&, withBias] {
      RingPosition after = sum(unit, position, withBias);
      return SmallVector<Value>{after.buffer, after.round};
    };
  };
  SmallVector<Value> after = t.ifElse(b.isEqual(unit.first[Input], b.index(0)),
                                      either(true), either(false));
  return {after[0], after[1]};
}

Channel WgmmaWeightGradient::getOut(const Unit &unit, int64_t half) {
  return shapes[Gradient].getChannel(b,
                                     b.add(unit.first[Gradient], w.row(half)));
}

void WgmmaWeightGradient::storePair(Value row, Value column, Value low,
                                    Value high) {
  const Activation &input = shapes[Input];
  if (!input.hasPaddedChannels()) {
    Value to = b.add(b.mul(row, input.width), column);
    if (input.width % tile.getCols() == 0)
      return t.storePair({low, high}, Result, to);
    b.ifThen(b.isLess(column, b.index(input.width)),
             [&] { t.storePair({low, high}, Result, to); });
    return;
  }
  const Value pair[] = {low, high};
  for (int64_t i : {0, 1}) {
    Channel in = input.getChannel(b, b.add(column, i));
    b.ifThen(in.exists, [&] {
      b.store(pair[i], Result, b.add(b.mul(row, input.width), in.number));
    });
  }
}

void WgmmaWeightGradient::store(const Unit &unit, Value sums) {
  Value column = b.add(unit.first[Input], b.mul(b.rem(w.lane(), 4), 2));
  for (int64_t half : {0, 1}) {
    Channel out = getOut(unit, half);
    b.ifThen(out.exists, [&] {
      for (int64_t j = 0; j < tile.getCols() / kBlockColumns; ++j)
        storePair(getRow(unit, out), b.add(column, j * kBlockColumns),
                  w.extract(sums, j * kBlockSums + 2 * half),
                  w.extract(sums, j * kBlockSums + 2 * half + 1));
    });
  }
}

void WgmmaWeightGradient::storeBias(const Unit &unit, Value sums) {
  // All columns of the products with ones are equal.
  Value isFirst = b.isEqual(b.rem(w.lane(), 4), b.index(0));
  for (int64_t half : {0, 1}) {
    Channel out = getOut(unit, half);
    b.ifThen(b.both(isFirst, out.exists), [&] {
      b.store(w.extract(sums, 2 * half), Bias, getRow(unit, out));
    });
  }
}

void WgmmaWeightGradient::emit() {
  b.useScalars();
  allocate();
  int64_t outs = parts * shapes[Gradient].width;
  storeZeroTail(b, Result, outs * shapes[Input].width);
  if (hasBias)
    storeZeroTail(b, Bias, outs);
  auto multiply = [&] {
    w.forEachUnit(b.index(units()), [&](Value unit, RingPosition position) {
      return compute(unit, position);
    });
  };
  w.specialize(groups, tile.getCols() / 2, [&] { copy(); }, multiply);
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitWgmmaWeightGradient(kernel::WeightGradientOp op,
                                         SimtBuilder &b) {
  return emitWeightGradient<WgmmaWeightGradient>(
      op, b, [&] { return verifyWarpgroupTile(op, op.getTile()); });
}
