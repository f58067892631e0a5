//===- WeightGradientNarrow.cpp - dY^T X of bf16 --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is a panel of outputs by a panel of inputs. The depth of the
// product are the rows of the activations, which are not neighbours in memory.
// So a chunk of rows of both panels is packed into scratch: the outputs
// transposed, the inputs interleaved. The sums of a unit stay in scratch until
// all rows are added. The order of additions depends only on the tile, not on
// how units are split.
//
//===----------------------------------------------------------------------===//

#include "Packed.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// The most lines of channels of a panel.
static constexpr int64_t kOutputLines = 4, kInputLines = 8;
/// Panels of outputs become narrower so that there are so many units: packing
/// takes a larger share then, but all threads have work.
static constexpr int64_t kFewestUnits = 8;

namespace {
struct NarrowWeightGradient {
  KernelBuilder &b;
  Blocked gradient, input;
  bool hasBias;
  int64_t outLines, inLines;   ///< of a panel
  int64_t outPanels, inPanels; ///< the last ones may be narrower
  int64_t steps;               ///< of a chunk
  Value outputs, inputs;       ///< scratch: the packed chunk
  Value square;                ///< scratch of a transposition
  Value sums, biasSums;        ///< scratch, f32
  std::optional<Tiles> tiles = {};

  /// Row blocks of a step; the rest of its depth is zero.
  int64_t stepBlocks() const { return kStepDepth / gradient.rows; }
  int64_t inVectors() const { return inLines * kStepDepth / kVectorLanes; }
  int64_t sumRow() const { return inLines * kStepDepth; }
  int64_t allocate();
  /// Loads the rows of a step of a line of channels, as words. Row blocks from
  /// `end` on are zero or, with `repeats`, those of the last one.
  SmallVector<Value> loadStep(unsigned operand, const Blocked &shape,
                              Value block, Value line, Value end, bool repeats);
  void packOutputs(Value begin, Value end, Value firstLine);
  void packInputs(Value begin, Value end, Value firstLine);
  void addBias(Value begin, Value end, Value firstLine);
  void storeBias(Value firstLine);
  void storeSums(Value firstOut, Value firstIn);
  void emitUnit(Value outPanel, Value inPanel);
  void emit();
};
} // namespace

int64_t NarrowWeightGradient::allocate() {
  ScratchLayout scratch(b);
  Type bf16 = b.getBF16Type(), f32 = b.getF32Type();
  int64_t out = outLines * kStepDepth, in = inLines * kStepDepth;
  outputs = scratch.take(steps * kStepDepth * out, bf16);
  inputs = scratch.take(steps * kStepDepth * in, bf16);
  square = scratch.take(kStepDepth * kStepDepth, bf16);
  sums = scratch.take(out * in, f32);
  biasSums = scratch.take(out, f32);
  return scratch.getBytes();
}

SmallVector<Value> NarrowWeightGradient::loadStep(unsigned operand,
                                                  const Blocked &shape,
                                                  Value block, Value line,
                                                  Value end, bool repeats) {
  Value offset = b.mul(line, shape.lineElements());
  SmallVector<Value> lines;
  for (int64_t i = 0; i < stepBlocks(); ++i) {
    Value number = b.add(block, i);
    Value exists = b.isLess(number, end);
    number = b.min(number, b.sub(end, b.index(1)));
    Value base = b.add(b.mul(number, shape.blockElements()), offset);
    for (int64_t row = 0; row < shape.rows; ++row) {
      Value loaded = b.bitcast(
          b.loadLine(b.argument(operand), b.add(base, row * shape.line)),
          b.getF32Type());
      lines.push_back(repeats ? loaded : b.select(exists, loaded, b.splat(0)));
    }
  }
  lines.resize(kStepDepth, b.splat(0));
  return lines;
}

void NarrowWeightGradient::packOutputs(Value begin, Value end,
                                       Value firstLine) {
  int64_t rows = outLines * kStepDepth;
  b.loop(0, steps, [&](Value step) {
    Value block = b.add(begin, b.mul(step, stepBlocks()));
    b.loop(0, outLines, [&](Value line) {
      Value from = b.min(b.add(firstLine, line), b.index(gradient.lines() - 1));
      SmallVector<Value> lines =
          loadStep(0, gradient, block, from, end, /*repeats=*/false);
      Value to = b.add(b.mul(step, rows * kStepDepth),
                       b.mul(line, kStepDepth * kStepDepth));
      storeTransposed(b, lines, square, outputs, to);
    });
  });
}

void NarrowWeightGradient::packInputs(Value begin, Value end, Value firstLine) {
  int64_t word = inVectors() * kStepDepth;
  b.loop(0, steps, [&](Value step) {
    Value block = b.add(begin, b.mul(step, stepBlocks()));
    b.loop(0, inLines, [&](Value line) {
      Value from = b.min(b.add(firstLine, line), b.index(input.lines() - 1));
      // The outputs are zero where rows are repeated.
      SmallVector<Value> lines =
          loadStep(1, input, block, from, end, /*repeats=*/true);
      Value to =
          b.add(b.mul(step, kStepWords * word), b.mul(line, 2 * kStepDepth));
      for (int64_t i = 0; i < kStepWords; ++i) {
        auto [first, second] =
            interleaveLines(b, lines[2 * i], lines[2 * i + 1]);
        b.storeLine(first, inputs, b.add(to, i * word));
        b.storeLine(second, inputs, b.add(to, i * word + kStepDepth));
      }
    });
  });
}

/// Adds the rows of the chunk to the sums of the bias's gradient: of each line
/// the even channels, then the odd ones.
void NarrowWeightGradient::addBias(Value begin, Value end, Value firstLine) {
  b.loop(0, outLines, [&](Value line) {
    Value from = b.min(b.add(firstLine, line), b.index(gradient.lines() - 1));
    Value zero = b.splat(0);
    SmallVector<Value> added = b.loop(
        begin, end, 1, {zero, zero}, [&](Value block, ValueRange carried) {
          Value base = b.add(b.mul(block, gradient.blockElements()),
                             b.mul(from, gradient.lineElements()));
          SmallVector<Value> even, odd;
          for (int64_t row = 0; row < gradient.rows; ++row) {
            Value loaded =
                b.loadLine(b.argument(0), b.add(base, row * gradient.line));
            auto [first, second] =
                widenPairs(b, b.bitcast(loaded, b.getI32Type()));
            even.push_back(first);
            odd.push_back(second);
          }
          return SmallVector<Value>{b.addf(carried[0], addPairwise(b, even)),
                                    b.addf(carried[1], addPairwise(b, odd))};
        });
    for (int64_t half = 0; half < 2; ++half) {
      Value at = b.add(b.mul(line, kStepDepth), half * kVectorLanes);
      b.store(b.addf(b.load(biasSums, at), added[half]), biasSums, at);
    }
  });
}

void NarrowWeightGradient::storeBias(Value firstLine) {
  b.loop(0, outLines, [&](Value line) {
    Value at = b.mul(line, kStepDepth);
    Value even = b.load(biasSums, at);
    Value odd = b.load(biasSums, b.add(at, kVectorLanes));
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<int64_t> lanes;
      for (int64_t i = 0; i < kVectorLanes; ++i)
        lanes.push_back(i % 2 * kVectorLanes + (half * kVectorLanes + i) / 2);
      Value stored = b.add(b.mul(b.add(firstLine, line), 2), half);
      ifStoredVector(b, gradient, stored, [&](Value vector) {
        forChannels(b, gradient, vector, [&](Value channel, int64_t count) {
          b.storeLanes(b.shuffle(even, odd, lanes), b.argument(3), channel,
                       count);
        });
      });
    }
  });
}

void NarrowWeightGradient::storeSums(Value firstOut, Value firstIn) {
  Value result = b.argument(2);
  b.loop(0, 2 * outLines, [&](Value out) {
    Value outStored = b.add(b.mul(firstOut, 2), out);
    ifStoredVector(b, gradient, outStored, [&](Value outVector) {
      forChannels(b, gradient, outVector, [&](Value output, int64_t count) {
        b.loop(0, inVectors(), [&](Value in) {
          Value inStored = b.add(b.mul(firstIn, 2), in);
          ifStoredVector(b, input, inStored, [&](Value inVector) {
            forChannels(b, input, inVector, [&](Value channel, int64_t lanes) {
              Value from = b.add(b.mul(out, kVectorLanes * sumRow()),
                                 b.mul(in, kVectorLanes));
              Value to = b.add(b.mul(output, input.width), channel);
              b.loop(0, count, [&](Value i) {
                b.storeLanes(b.load(sums, b.add(from, b.mul(i, sumRow()))),
                             result, b.add(to, b.mul(i, input.width)), lanes);
              });
            });
          });
        });
      });
    });
  });
}

void NarrowWeightGradient::emitUnit(Value outPanel, Value inPanel) {
  Value firstOut = b.mul(outPanel, outLines), firstIn = b.mul(inPanel, inLines);
  Value blocks = getRowBlocks(b, gradient);
  int64_t elements = outLines * kStepDepth * sumRow();
  b.loop(0, elements / kVectorLanes,
         [&](Value i) { b.store(b.splat(0), sums, b.mul(i, kVectorLanes)); });
  Value isFirst = b.isEqual(inPanel, b.index(0));
  if (hasBias)
    b.loop(0, outLines * 2, [&](Value i) {
      b.store(b.splat(0), biasSums, b.mul(i, kVectorLanes));
    });
  b.loop(b.index(0), blocks, steps * stepBlocks(), [&](Value begin) {
    Value end = b.min(b.add(begin, steps * stepBlocks()), blocks);
    packOutputs(begin, end, firstOut);
    packInputs(begin, end, firstIn);
    if (hasBias)
      b.ifThen(isFirst, [&] { addBias(begin, end, firstOut); });
    multiplyPacked(b, tiles ? &*tiles : nullptr,
                   {outputs, b.index(0), outLines * kStepDepth},
                   {inputs, b.index(0), inVectors()}, steps, sums, b.index(0),
                   sumRow(), /*adds=*/true);
  });
  storeSums(firstOut, firstIn);
  if (hasBias)
    b.ifThen(isFirst, [&] { storeBias(firstOut); });
}

void NarrowWeightGradient::emit() {
  if (hasTiles(b, b.getBF16Type()))
    tiles.emplace(b, kTileRows);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    emitUnit(b.rem(unit, outPanels), b.div(unit, outPanels));
  });
  if (tiles)
    tiles->release();
}

/// Divides `lines` into equal panels of at most `most` lines and returns the
/// lines of one.
static int64_t getPanelLines(int64_t lines, int64_t most) {
  return llvm::divideCeil(lines, llvm::divideCeil(lines, most));
}

FailureOr<KernelInfo>
mlir::vit::cpu::emitNarrowWeightGradient(kernel::WeightGradientOp op,
                                         KernelBuilder &b) {
  FailureOr<Blocked> gradient =
      Blocked::get(op, op.getGradient().getType(), Elements::Narrow);
  FailureOr<Blocked> input =
      Blocked::get(op, op.getInput().getType(), Elements::Narrow);
  if (failed(gradient) || failed(input))
    return failure();
  if (gradient->rows != input->rows || gradient->rows > kStepDepth)
    return op.emitOpError("has layouts that do not fit: gradient ")
           << op.getGradient().getType() << ", input "
           << op.getInput().getType();
  for (Type type : op->getResultTypes())
    if (failed(verifyFlat(op, type)))
      return failure();
  if (!op.getTile())
    return op.emitOpError("has no tile; run vit-tile first");

  int64_t inLines = getPanelLines(input->lines(), kInputLines);
  int64_t inPanels = llvm::divideCeil(input->lines(), inLines);
  int64_t most = kOutputLines;
  auto units = [&] {
    return inPanels * llvm::divideCeil(gradient->lines(), most);
  };
  while (most > 1 && units() < kFewestUnits)
    most /= 2;
  int64_t outLines = getPanelLines(gradient->lines(), most);
  int64_t outPanels = llvm::divideCeil(gradient->lines(), outLines);
  NarrowWeightGradient kernel{
      b,          *gradient, *input,    bool(op.getBias()),
      outLines,   inLines,   outPanels, inPanels,
      /*steps=*/1};
  kernel.steps = llvm::divideCeil(std::max<int64_t>(1, op.getTile().getChunk()),
                                  kernel.stepBlocks());
  int64_t scratch = kernel.allocate();
  kernel.emit();
  for (OpResult result : op->getResults())
    zeroTail(b, result, b.argument(2 + result.getResultNumber()));

  KernelInfo info = withoutBatch(op, outPanels * inPanels);
  int64_t rows = input->isPerImage() ? input->tokens : 1;
  info.flop = perImage(op, 2 * rows * input->width * gradient->width);
  info.scratch = scratch;
  return info;
}
