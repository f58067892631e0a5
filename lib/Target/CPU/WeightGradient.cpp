//===- WeightGradient.cpp - dY^T X, summed over all rows ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile of the result: some outputs, broadcast from dY, by a
// panel of a few vectors of inputs. Both operands are read in their layout.
// Units are numbered by panels, so that a panel of X stays in the first-level
// cache while the channels of dY are used one after the other.
//
// The rows are split into chunks by an outer loop, so that a chunk of both
// operands stays in the second-level cache. The sum of a chunk starts from zero
// and is added to the tile at the end, which is also more accurate than one
// long sum. The order of additions depends only on the chunk, not on how units
// are split.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
struct WeightGradient {
  KernelBuilder &b;
  Blocked gradient, input;
  int64_t chunk;   ///< row blocks
  int64_t height;  ///< outputs per tile
  int64_t vectors; ///< vectors of a wide panel
  int64_t wide;    ///< number of wide panels; the others have one vector less
  int64_t panels;
  bool hasBias;

  /// The number of tiles of a panel.
  int64_t tiles() const {
    return gradient.channelBlocks * kChannelPad / height;
  }
  /// The first chunk overwrites the tile in memory, the others add to it.
  void accumulate(const Blocked &shape, Value sum, Value buffer,
                  Value rowOffset, Value channelVector, Value isFirst);
  void emitTile(Value from, Value to, Value isFirst, Value panel,
                Value firstVector, int64_t width, Value tile);
  void emitBias(Value from, Value to, Value isFirst, Value channelVector);
  void emit();
};
} // namespace

void WeightGradient::accumulate(const Blocked &shape, Value sum, Value buffer,
                                Value rowOffset, Value channelVector,
                                Value isFirst) {
  forChannels(b, shape, channelVector, [&](Value channel, int64_t lanes) {
    Value at = b.add(rowOffset, channel);
    Value old = b.select(isFirst, b.splat(0), b.loadLanes(buffer, at, lanes));
    b.storeLanes(b.addf(sum, old), buffer, at, lanes);
  });
}

void WeightGradient::emitTile(Value from, Value to, Value isFirst, Value panel,
                              Value firstVector, int64_t width, Value tile) {
  Value output = b.mul(tile, height); // among padded channels
  Value dy = b.argument(0), x = b.argument(1), result = b.argument(2);
  Value dyBase =
      b.add(b.mul(b.div(output, kChannelPad), gradient.vectorElements()),
            b.rem(output, kChannelPad));
  Value xBase = b.mul(firstVector, input.vectorElements());

  // The panel to prefetch: the next one of these rows or, in the last panel of
  // this call, its first panel of the next rows. Each tile of this panel
  // prefetches a share.
  Value isLast = b.isAtLeast(b.mul(b.add(panel, 1), tiles()), b.end());
  Value first = b.min(b.mul(b.div(b.begin(), tiles()), vectors), firstVector);
  Value nextPanel = b.select(isLast,
                             b.add(b.mul(first, input.vectorElements()),
                                   chunk * input.blockElements()),
                             b.add(xBase, width * input.vectorElements()));
  int64_t lines = width * input.rows;
  int64_t share = llvm::divideCeil(lines, tiles());
  nextPanel =
      b.add(nextPanel, b.mul(b.min(b.mul(tile, share), b.index(lines - share)),
                             kLineElements));

  SmallVector<Value> zeros(height * width, b.splat(0));
  SmallVector<Value> sums =
      b.loop(from, to, 1, zeros, [&](Value block, ValueRange carried) {
        SmallVector<Value> sums(carried);
        Value left = b.add(dyBase, b.mul(block, gradient.blockElements()));
        Value right = b.add(xBase, b.mul(block, input.blockElements()));
        // Prefetch a few lines per step. Bursts would wait for each other.
        prefetch(b, x, b.add(nextPanel, b.mul(block, input.blockElements())),
                 share, /*hint=*/3);
        // The tile of the result, which is added to at the end.
        Value line = b.min(b.sub(block, from), b.index(height - 1));
        prefetch(b, result,
                 b.add(b.mul(b.add(output, line), input.width),
                       b.mul(firstVector, kChannelPad)),
                 width, /*hint=*/3);
        for (int64_t row = 0; row < input.rows; ++row) {
          SmallVector<Value> columns;
          for (int64_t v = 0; v < width; ++v)
            columns.push_back(b.load(
                x,
                b.add(right, v * input.vectorElements() + row * kChannelPad)));
          for (int64_t i = 0; i < height; ++i) {
            Value scale = b.broadcast(
                b.loadScalar(dy, b.add(left, row * kChannelPad + i)));
            for (int64_t v = 0; v < width; ++v) {
              Value &sum = sums[i * width + v];
              sum = b.fma(scale, columns[v], sum);
            }
          }
        }
        return sums;
      });

  for (int64_t i = 0; i < height; ++i)
    ifChannel(b, gradient, b.add(output, i), [&](Value channel) {
      Value offset = b.mul(channel, input.width);
      for (int64_t v = 0; v < width; ++v)
        accumulate(input, sums[i * width + v], result, offset,
                   b.add(firstVector, v), isFirst);
    });
}

void WeightGradient::emitBias(Value from, Value to, Value isFirst,
                              Value channelVector) {
  Value base = b.mul(channelVector, gradient.vectorElements());
  SmallVector<Value> zeros(gradient.rows, b.splat(0));
  SmallVector<Value> sums =
      b.loop(from, to, 1, zeros, [&](Value block, ValueRange carried) {
        SmallVector<Value> sums(carried);
        Value at = b.add(base, b.mul(block, gradient.blockElements()));
        for (auto [row, sum] : llvm::enumerate(sums))
          sum =
              b.addf(sum, b.load(b.argument(0), b.add(at, row * kChannelPad)));
        return sums;
      });
  accumulate(gradient, addPairwise(b, sums), b.argument(3), b.index(0),
             channelVector, isFirst);
}

void WeightGradient::emit() {
  Value blocks = getRowBlocks(b, gradient);
  b.loop(b.index(0), blocks, chunk, [&](Value from) {
    Value to = b.min(b.add(from, chunk), blocks);
    Value isFirst = b.isEqual(from, b.index(0));
    b.loop(b.begin(), b.end(), [&](Value unit) {
      Value panel = b.div(unit, tiles()), tile = b.rem(unit, tiles());
      auto emitWide = [&] {
        emitTile(from, to, isFirst, panel, b.mul(panel, vectors), vectors,
                 tile);
      };
      auto emitNarrow = [&] {
        Value first = b.add(b.mul(panel, vectors - 1), wide);
        emitTile(from, to, isFirst, panel, first, vectors - 1, tile);
      };
      if (wide == panels)
        emitWide();
      else if (wide == 0)
        emitNarrow();
      else
        b.ifThen(b.isLess(panel, b.index(wide)), emitWide, emitNarrow);
      if (!hasBias)
        return;
      int64_t perVector = kChannelPad / height;
      Value isWhole = b.isEqual(b.rem(unit, perVector), b.index(0));
      b.ifThen(b.isLess(unit, b.index(tiles())), [&] {
        b.ifThen(isWhole,
                 [&] { emitBias(from, to, isFirst, b.div(tile, perVector)); });
      });
    });
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::WeightGradientOp op,
                                           KernelBuilder &b) {
  if (op.getResult().getType().getDimSize(0) !=
      op.getGradient().getType().getShape().back())
    return op.emitOpError("splits the rows, for which this target has no code");
  if (op.getGradient().getType().getElementType().isBF16())
    return emitNarrowWeightGradient(op, b);
  FailureOr<Blocked> gradient = Blocked::get(op, op.getGradient().getType());
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  if (failed(gradient) || failed(input))
    return failure();
  if (gradient->rows != input->rows)
    return op.emitOpError("has layouts that do not fit: gradient ")
           << op.getGradient().getType() << ", input "
           << op.getInput().getType();
  for (Type type : op->getResultTypes())
    if (failed(verifyFlat(op, type)))
      return failure();
  if (!op.getTile())
    return op.emitOpError("has no tile; run vit-tile first");

  // As many sums as fit into registers beside a row of the panel and one
  // broadcast element.
  bool hasManyRegisters = b.level.registers >= 32;
  int64_t height = hasManyRegisters ? 8 : 4;
  int64_t vectors =
      std::min<int64_t>(input->channelBlocks, hasManyRegisters ? 3 : 1);
  int64_t panels = llvm::divideCeil(input->channelBlocks, vectors);
  WeightGradient kernel{b,
                        *gradient,
                        *input,
                        std::max<int64_t>(1, op.getTile().getChunk()),
                        height,
                        vectors,
                        /*wide=*/input->channelBlocks - panels * (vectors - 1),
                        panels,
                        op.getBias() != nullptr};
  kernel.emit();
  for (OpResult result : op->getResults())
    zeroTail(b, result, b.argument(2 + result.getResultNumber()));

  KernelInfo info = withoutBatch(op, panels * kernel.tiles());
  int64_t rows = input->isPerImage() ? input->tokens : 1;
  info.flop = perImage(op, 2 * rows * input->width * gradient->width);
  return info;
}
