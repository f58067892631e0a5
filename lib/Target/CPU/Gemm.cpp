//===- Gemm.cpp - Products with their epilogue ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile: a row block by a panel of weights. Units are
// numbered by chunks of row blocks, and within a chunk by panels, so that the
// panel and the rows of the chunk stay in the cache. If a panel is too large
// for that, it is processed in pieces of its depth, and the sums wait in the
// result. Each element is a single sum in depth order, however the work is
// split.
//
//===----------------------------------------------------------------------===//

#include "TiledGemm.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// Bytes of a panel of weights that stay in the second-level cache, beside the
/// rows of the input and what is prefetched.
static constexpr int64_t kPieceBytes = 256 << 10;

/// The largest divisor of `depth` up to kMaxUnroll, or `depth` if there is none
/// or if the loop would have few iterations. The time to compile a kernel grows
/// with its number of instructions.
static int64_t unrolledDepth(int64_t depth) {
  constexpr int64_t kMaxUnroll = 4;
  // With a loop of two iterations over the 6 rows of a block of values,
  // attention over 1370 tokens took 1.3 times as long.
  if (depth <= 2 * kMaxUnroll)
    return depth;
  for (int64_t unroll = kMaxUnroll; unroll > 1; --unroll)
    if (depth % unroll == 0)
      return unroll;
  return depth;
}

/// Adds the products of one depth of f32, or of f16 by f32.
static void multiplyDepth(KernelBuilder &b, const Tile &tile, Value left,
                          Value right, int64_t depth,
                          MutableArrayRef<Value> sums) {
  SmallVector<Value> columns;
  for (int64_t v = 0; v < tile.vectors; ++v)
    columns.push_back(
        b.load(tile.right,
               b.add(right, depth * tile.rightDepth + v * tile.rightVector)));
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value x = b.broadcast(b.loadScalar(
        tile.left, b.add(left, row * tile.leftRow + depth * tile.leftDepth)));
    for (int64_t v = 0; v < tile.vectors; ++v) {
      Value &sum = sums[row * tile.vectors + v];
      sum = b.fma(x, columns[v], sum);
    }
  }
}

std::pair<Value, Value> mlir::vit::cpu::widenPairs(KernelBuilder &b,
                                                   Value words) {
  auto all = [&](uint32_t value) {
    return b.splatBits(words.getType(), static_cast<int32_t>(value));
  };
  Value first = arith::ShLIOp::create(b, words, all(16));
  Value second = arith::AndIOp::create(b, words, all(0xffff0000));
  return {b.bitcast(first, b.getF32Type()), b.bitcast(second, b.getF32Type())};
}

Value mlir::vit::cpu::joinPairs(KernelBuilder &b, Value first, Value second,
                                Value buffer) {
  auto bits = [&](Value vector) {
    return b.bitcast(b.roundTo(vector, buffer), b.getI32Type());
  };
  Value low = bits(first), high = bits(second);
  Value sixteen = b.splatBits(low.getType(), 16);
  Value words =
      arith::OrIOp::create(b, arith::ShRUIOp::create(b, low, sixteen), high);
  return b.bitcast(words, b.getBF16Type());
}

namespace {
/// Multiplies words of 32 bits of narrow operands, vectors of 16.
class WordProduct {
public:
  virtual ~WordProduct() = default;
  /// What the products need of a vector of words of the right operand, and of
  /// one of the left one that is the same for all columns.
  virtual SmallVector<Value> prepareRight(Value words) = 0;
  virtual SmallVector<Value> prepareLeft(Value words) = 0;
  virtual Value addTo(Value sum, ArrayRef<Value> left,
                      ArrayRef<Value> right) = 0;

  static std::unique_ptr<WordProduct> get(KernelBuilder &b, Type element);
};

/// Pairs of bf16 by vdpbf16ps. Denormals count as zero.
class Bf16Dot : public WordProduct {
public:
  explicit Bf16Dot(KernelBuilder &b) : b(b) {}
  SmallVector<Value> prepareRight(Value words) override { return pairs(words); }
  SmallVector<Value> prepareLeft(Value words) override { return pairs(words); }
  Value addTo(Value sum, ArrayRef<Value> left, ArrayRef<Value> right) override {
    return b.intrinsic("avx512bf16.dpbf16ps.512", b.vectorType,
                       {sum, left[0], right[0]});
  }

private:
  SmallVector<Value> pairs(Value words) {
    return {b.bitcast(words, b.getBF16Type())};
  }
  KernelBuilder &b;
};

/// Pairs of bf16 that are widened to f32.
class Bf16Widened : public WordProduct {
public:
  explicit Bf16Widened(KernelBuilder &b) : b(b) {}
  SmallVector<Value> prepareRight(Value words) override { return widen(words); }
  SmallVector<Value> prepareLeft(Value words) override { return widen(words); }
  Value addTo(Value sum, ArrayRef<Value> left, ArrayRef<Value> right) override {
    return b.fma(left[1], right[1], b.fma(left[0], right[0], sum));
  }

private:
  SmallVector<Value> widen(Value words) {
    auto [first, second] = widenPairs(b, words);
    return {first, second};
  }
  KernelBuilder &b;
};

/// Four i8 by vpdpbusd, whose left operand is unsigned: 128 was added to it
/// (see Gemm::prepareRows), and the sums begin at -128 times the sum of the
/// column (see Form.h).
class Int8Dot : public WordProduct {
public:
  explicit Int8Dot(KernelBuilder &b) : b(b) {}
  SmallVector<Value> prepareRight(Value words) override { return {words}; }
  SmallVector<Value> prepareLeft(Value words) override { return {words}; }
  Value addTo(Value sum, ArrayRef<Value> left, ArrayRef<Value> right) override {
    Type i8 = b.getI8Type();
    return b.intrinsicOfRegisters(
        "avx512.vpdpbusd.512", "avx512.vpdpbusd.256",
        {sum, b.bitcast(left[0], i8), b.bitcast(right[0], i8)});
  }

private:
  KernelBuilder &b;
};

/// Four i8 as two pairs of i16, whose products vpmaddwd adds without overflow.
class Int8Pairs : public WordProduct {
public:
  explicit Int8Pairs(KernelBuilder &b) : b(b) {}
  SmallVector<Value> prepareRight(Value words) override { return split(words); }
  SmallVector<Value> prepareLeft(Value words) override { return split(words); }
  Value addTo(Value sum, ArrayRef<Value> left, ArrayRef<Value> right) override {
    for (int64_t half = 0; half < 2; ++half)
      sum = arith::AddIOp::create(
          b, sum,
          b.intrinsicOfRegisters("avx512.pmaddw.d.512", "avx2.pmadd.wd",
                                 {left[half], right[half]}));
    return sum;
  }

private:
  /// The bytes 0 and 2, then 1 and 3 of each word, as pairs of i16.
  SmallVector<Value> split(Value words) {
    Value pairs = b.bitcast(words, b.getI16Type());
    auto type = cast<VectorType>(pairs.getType());
    Value eight = b.constant(DenseElementsAttr::get(type, int16_t(8)));
    Value even = arith::ShRSIOp::create(
        b, arith::ShLIOp::create(b, pairs, eight), eight);
    return {even, arith::ShRSIOp::create(b, pairs, eight)};
  }
  KernelBuilder &b;
};
} // namespace

std::unique_ptr<WordProduct> WordProduct::get(KernelBuilder &b, Type element) {
  bool hasDot = b.getProduct(element).k > 1;
  if (element.isBF16()) {
    if (hasDot)
      return std::make_unique<Bf16Dot>(b);
    return std::make_unique<Bf16Widened>(b);
  }
  if (hasDot)
    return std::make_unique<Int8Dot>(b);
  return std::make_unique<Int8Pairs>(b);
}

/// The two elements of a widened left operand that stand for the word at
/// `offset`.
static SmallVector<Value> broadcastPair(KernelBuilder &b, Value left,
                                        Value offset) {
  return {b.broadcast(b.loadScalar(left, offset)),
          b.broadcast(b.loadScalar(left, b.add(offset, 1)))};
}

/// Adds the products of one word of narrow operands.
static void multiplyWords(KernelBuilder &b, const Tile &tile, Value left,
                          Value right, int64_t depth,
                          MutableArrayRef<Value> sums) {
  Type element = cast<MemRefType>(tile.right.getType()).getElementType();
  std::unique_ptr<WordProduct> product = WordProduct::get(b, element);
  SmallVector<SmallVector<Value>> columns;
  for (int64_t v = 0; v < tile.vectors; ++v) {
    Value line = b.loadLine(tile.right, b.add(right, depth * tile.rightDepth +
                                                         v * tile.rightVector));
    columns.push_back(product->prepareRight(b.bitcast(line, b.getI32Type())));
  }
  bool isWide = cast<MemRefType>(tile.left.getType()).getElementType().isF32();
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value at = b.add(left, row * tile.leftRow + depth * tile.leftDepth);
    SmallVector<Value> x =
        isWide ? broadcastPair(b, tile.left, at)
               : product->prepareLeft(b.broadcast(b.loadWord(tile.left, at)));
    for (int64_t v = 0; v < tile.vectors; ++v) {
      Value &sum = sums[row * tile.vectors + v];
      sum = product->addTo(sum, x, columns[v]);
    }
  }
}

SmallVector<Value> mlir::vit::cpu::emitTile(KernelBuilder &b, const Tile &tile,
                                            function_ref<void(Value)> onStep,
                                            ArrayRef<Value> start) {
  Type element = cast<MemRefType>(tile.right.getType()).getElementType();
  SmallVector<Value> init(start);
  if (init.empty())
    init.assign(tile.rows * tile.vectors, element.isInteger(8)
                                              ? b.splatBits(b.vectorType, 0)
                                              : b.splat(0));
  int64_t unroll = unrolledDepth(tile.unroll);
  auto *multiplyOne =
      kernel::interleaveOf(element) == 1 ? multiplyDepth : multiplyWords;
  auto multiply = [&](Value left, Value right, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t depth = 0; depth < unroll; ++depth)
      multiplyOne(b, tile, left, right, depth, sums);
    return sums;
  };
  auto step = [&](Value i, ValueRange carried) {
    if (onStep)
      onStep(i);
    Value left = b.add(tile.leftBase, b.mul(i, tile.leftStep));
    Value right = b.add(tile.rightBase, b.mul(i, tile.rightStep));
    if (unroll == tile.unroll)
      return multiply(left, right, carried);
    return b.loop(tile.unroll / unroll, SmallVector<Value>(carried),
                  [&](Value part, ValueRange sums) {
                    Value depth = b.mul(part, unroll);
                    return multiply(b.add(left, b.mul(depth, tile.leftDepth)),
                                    b.add(right, b.mul(depth, tile.rightDepth)),
                                    sums);
                  });
  };
  return b.loop(tile.steps, init, step);
}

void mlir::vit::cpu::prefetch(KernelBuilder &b, Value buffer, Value offset,
                              int64_t lines, int64_t hint) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  int64_t line = kernel::lineElements(element);
  for (int64_t i = 0; i < lines; ++i)
    memref::PrefetchOp::create(b, buffer, ValueRange{b.add(offset, i * line)},
                               /*isWrite=*/false, hint, /*isDataCache=*/true);
}

namespace {
/// A part of the depth of a panel, in steps of a line of channels.
struct Piece {
  Value first;
  int64_t steps;
  Value isFirst; ///< i1, null in the last piece
  bool isLast;
};

/// The state of the emitter for one product.
struct Gemm {
  kernel::GemmOp op;
  KernelBuilder &b;
  Blocked input, result;
  Epilogue epilogue;
  int64_t depth;     ///< input channels, padding included
  int64_t panel;     ///< columns of every panel but the last
  int64_t panels;    ///< number of panels
  int64_t lastPanel; ///< columns of the last panel
  int64_t chunk;     ///< row blocks of a chunk
  int64_t strip;     ///< most vectors of columns that a register tile may have
  int64_t piece;     ///< steps of every piece but the last
  /// Emits a panel in tile registers; null: in vector registers.
  function_ref<void(Value from, Value to, Value chunkBegin, Value panelIndex,
                    int64_t columns)>
      emitTiledPanel = nullptr;

  int64_t steps() const { return depth / input.line; }
  Type element() const {
    return cast<MemRefType>(b.argument(0).getType()).getElementType();
  }
  /// Neighbouring channels that lie side by side in the weights.
  int64_t interleave() const { return kernel::interleaveOf(element()); }
  bool isInt8() const { return element().isInteger(8); }
  /// Whether the product takes the input as unsigned elements.
  bool isBiased() const {
    return isInt8() && !emitTiledPanel && b.getProduct(b.getI8Type()).k > 1;
  }
  /// Whether the product is one of f32, on f16 or bf16. It takes the input as
  /// f32, so that each element is widened once for all columns of a panel.
  bool isWidened() const {
    return kernel::isNarrowFloat(element()) &&
           ::vit::format::isWidened(b.getProduct(element()));
  }
  /// The type in which prepareRows stores the input; null: the product reads
  /// the input itself.
  Type preparedType() const {
    return isBiased()    ? Type(b.getI8Type())
           : isWidened() ? Type(b.getF32Type())
                         : Type();
  }
  /// The prepared rows of a strip: its lines one after the other, `stripRows`
  /// lines in a step, of one piece.
  int64_t preparedBytes() const {
    Type type = preparedType();
    return type ? stripRows(result) * piece * input.line *
                      type.getIntOrFloatBitWidth() / 8
                : 0;
  }
  /// Elements of a column of a panel: of i8 with the word of corrections.
  int64_t columnElements() const { return depth + (isInt8() ? 4 : 0); }
  int64_t pieces() const { return llvm::divideCeil(steps(), piece); }
  void emitPanel(Value from, Value to, Value chunkBegin, Value panelIndex,
                 int64_t columns);
  void emitPiece(Value from, Value to, Value chunkBegin, Value panelIndex,
                 int64_t columns, const Piece &piece);
  void emitStrip(const RowBlock &block, Value chunkBegin, Value panelIndex,
                 int64_t columns, const Piece &piece, Value firstVector,
                 int64_t vectors);
  SmallVector<Value> loadSums(const Piece &piece, Value base, int64_t vectors);
  SmallVector<Value> loadCorrections(const Tile &tile, int64_t columns);
  void prepareRows(const RowBlock &block, const Piece &piece);
  void emit();
};
} // namespace

/// Loads the sums that the pieces before have left in the result: none if there
/// is only one piece, zeros in the first one.
SmallVector<Value> Gemm::loadSums(const Piece &piece, Value base,
                                  int64_t vectors) {
  SmallVector<Value> sums;
  if (pieces() == 1)
    return sums;
  for (int64_t row = 0; row < stripRows(result); ++row)
    for (int64_t v = 0; v < vectors; ++v) {
      Value at = b.add(base, v * result.vectorElements() + row * kChannelPad);
      Value sum = b.load(b.argument(op->getNumOperands()), at);
      sums.push_back(piece.isFirst ? b.select(piece.isFirst, b.splat(0), sum)
                                   : sum);
    }
  return sums;
}

/// Loads the sums at which a product of vpdpbusd begins; none if the level has
/// another instruction.
SmallVector<Value> Gemm::loadCorrections(const Tile &tile, int64_t columns) {
  SmallVector<Value> sums;
  if (b.getProduct(b.getI8Type()).k == 1)
    return sums;
  Value base = b.add(tile.rightBase, columns * depth);
  for (int64_t row = 0; row < tile.rows; ++row)
    for (int64_t v = 0; v < tile.vectors; ++v)
      sums.push_back(
          b.bitcast(b.loadLine(tile.right, b.add(base, v * tile.rightVector)),
                    b.getI32Type()));
  return sums;
}

/// Copies a piece of the rows of `block` to scratch, widened or with 128 added
/// to each element: once for all columns of a panel, instead of for each of
/// their products.
void Gemm::prepareRows(const RowBlock &block, const Piece &piece) {
  int64_t rows = stripRows(result), line = input.line;
  Value from = b.add(getStripBase(b, input, block),
                     b.mul(piece.first, input.lineElements()));
  Value scratch = b.scratch(0, preparedType());
  auto words = VectorType::get({kVectorLanes}, b.getI32Type());
  Value bias = b.splatBits(words, int32_t(0x80808080));
  b.loop(0, piece.steps, [&](Value step) {
    for (int64_t row = 0; row < rows; ++row) {
      Value source =
          b.add(from, b.add(b.mul(step, input.lineElements()), row * line));
      Value target = b.add(b.mul(step, rows * line), row * line);
      if (isWidened()) {
        for (int64_t i = 0; i < line; i += kVectorLanes)
          b.store(b.load(b.argument(0), b.add(source, i)), scratch,
                  b.add(target, i));
        continue;
      }
      Value bits = b.bitcast(b.loadLine(b.argument(0), source), b.getI32Type());
      Value sum = arith::XOrIOp::create(b, bits, bias);
      b.storeLine(b.bitcast(sum, b.getI8Type()), scratch, target);
    }
  });
}

void Gemm::emitStrip(const RowBlock &block, Value chunkBegin, Value panelIndex,
                     int64_t columns, const Piece &piece, Value firstVector,
                     int64_t vectors) {
  int64_t line = input.line;
  Tile tile;
  tile.rows = stripRows(result);
  tile.vectors = vectors;
  tile.unroll = line / interleave();
  tile.steps = piece.steps;
  tile.left = b.argument(0);
  tile.leftBase = b.add(getStripBase(b, input, block),
                        b.mul(piece.first, input.lineElements()));
  tile.leftRow = line;
  tile.leftDepth = interleave();
  tile.leftStep = input.lineElements();
  if (Type type = preparedType()) {
    tile.left = b.scratch(0, type);
    tile.leftBase = b.index(0);
    tile.leftStep = tile.rows * line;
  }
  tile.right = b.argument(1);
  Value pieceBase = b.add(b.mul(panelIndex, panel * columnElements()),
                          b.mul(piece.first, line * columns));
  tile.rightVector = kVectorLanes * interleave();
  tile.rightBase = b.add(pieceBase, b.mul(firstVector, tile.rightVector));
  tile.rightDepth = columns * interleave();
  tile.rightStep = columns * line;

  // While this piece is in use, prefetch the next one, of this or the next
  // panel, into the L2 cache, its lines spread evenly over the steps of all row
  // blocks of the chunk.
  int64_t strips = columns / kVectorLanes / vectors;
  int64_t lines = std::min<int64_t>(8, llvm::divideCeil(panel, strips * chunk));
  Value position = b.add(b.mul(b.sub(block.block, chunkBegin), strips),
                         b.div(firstVector, vectors));
  Value next = b.add(b.add(pieceBase, piece.steps * line * panel),
                     b.mul(position, tile.steps * lines * line));
  // Prefetch into the first-level cache what the epilogue of the next row block
  // of this panel reads and writes.
  Value firstChannel =
      b.add(b.mul(panelIndex, panel / kChannelPad), firstVector);
  SmallVector<Value> buffers;
  if (piece.isLast && !result.isNarrow())
    buffers = epilogue.elementExtras();
  buffers.push_back(b.argument(op->getNumOperands()));
  int64_t tileLines =
      std::max<int64_t>(1, vectors * kChannelPad / result.line) * result.rows;
  int64_t share = llvm::divideCeil(tileLines, tile.steps);
  Value nextTile = b.add(b.add(block.base, result.blockElements()),
                         result.vectorOffset(b, firstChannel));
  auto fetch = [&](Value step) {
    if (panels > 1 || pieces() > 1)
      prefetch(b, tile.right, b.add(next, b.mul(step, lines * line)), lines,
               /*hint=*/2);
    Value first = b.min(b.mul(step, share), b.index(tileLines - share));
    for (Value buffer : buffers)
      prefetch(b, buffer, b.add(nextTile, b.mul(first, result.line)), share,
               /*hint=*/3);
  };
  Value base = b.add(block.base, result.vectorOffset(b, firstChannel));
  SmallVector<Value> sums = emitTile(b, tile, fetch,
                                     isInt8() ? loadCorrections(tile, columns)
                                              : loadSums(piece, base, vectors));
  if (isInt8())
    for (Value &sum : sums)
      sum = arith::SIToFPOp::create(b, b.vectorType, sum);

  // Where the block lies in an f32 result, as the extras do.
  Blocked wide = result.widened();
  Value wideBase = getStripBase(b, wide, block);
  for (int64_t v = 0; v < vectors; ++v) {
    Value channel = b.add(firstChannel, v);
    Value offset = b.add(wideBase, b.mul(channel, wide.vectorElements()));
    SmallVector<Value> channels;
    if (piece.isLast)
      channels = epilogue.loadChannels(channel);
    for (int64_t row = 0; row < tile.rows; ++row) {
      Value at = b.add(offset, row * kChannelPad);
      if (!piece.isLast) {
        b.store(sums[row * vectors + v], b.argument(op->getNumOperands()), at);
        continue;
      }
      Value value = epilogue.apply(sums[row * vectors + v], channels, block,
                                   row, channel, at);
      storeVector(b, result, zeroPaddedRow(b, result, block, row, value),
                  b.argument(op->getNumOperands()), block.base, row, channel);
    }
  }
}

void Gemm::emitPiece(Value from, Value to, Value chunkBegin, Value panelIndex,
                     int64_t columns, const Piece &piece) {
  int64_t vectors = columns / kVectorLanes;
  int64_t width = b.stripVectors(stripRows(result), vectors, strip);
  b.loop(from, to, [&](Value i) {
    forEachStrip(b, result, getRowBlock(b, result, i),
                 [&](const RowBlock &rows) {
                   if (preparedType())
                     prepareRows(rows, piece);
                   if (width == vectors) {
                     emitStrip(rows, chunkBegin, panelIndex, columns, piece,
                               b.index(0), vectors);
                     return;
                   }
                   b.loop(0, vectors / width, [&](Value s) {
                     emitStrip(rows, chunkBegin, panelIndex, columns, piece,
                               b.mul(s, width), width);
                   });
                 });
  });
}

void Gemm::emitPanel(Value from, Value to, Value chunkBegin, Value panelIndex,
                     int64_t columns) {
  if (emitTiledPanel)
    return emitTiledPanel(from, to, chunkBegin, panelIndex, columns);
  int64_t last = pieces() - 1;
  auto emit = [&](const Piece &part) {
    emitPiece(from, to, chunkBegin, panelIndex, columns, part);
  };
  if (last > 0)
    b.loop(0, last, [&](Value i) {
      emit({b.mul(i, piece), piece, b.isEqual(i, b.index(0)), false});
    });
  emit({b.index(last * piece), steps() - last * piece, Value(), true});
}

void Gemm::emit() {
  Value rowBlocks = getRowBlocks(b, result);
  auto loop = scf::WhileOp::create(
      b, TypeRange{b.getIndexType()}, ValueRange{b.begin()},
      [&](OpBuilder &, Location, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(carried[0].getParentBlock());
        scf::ConditionOp::create(b, b.isLess(carried[0], b.end()), carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(carried[0].getParentBlock());
        Value unit = carried[0];
        // All earlier chunks have full size. This one may be the last.
        Value chunkIndex = b.div(unit, chunk * panels);
        Value chunkBegin = b.mul(chunkIndex, chunk);
        Value blocks = b.min(b.index(chunk), b.sub(rowBlocks, chunkBegin));
        Value inChunk = b.sub(unit, b.mul(chunkIndex, chunk * panels));
        Value panelIndex = b.div(inChunk, blocks);
        Value first = b.rem(inChunk, blocks);
        Value count = b.min(b.sub(blocks, first), b.sub(b.end(), unit));
        Value from = b.add(chunkBegin, first), to = b.add(from, count);
        if (lastPanel == panel) {
          emitPanel(from, to, chunkBegin, panelIndex, panel);
        } else if (panels == 1) {
          emitPanel(from, to, chunkBegin, b.index(0), lastPanel);
        } else {
          b.ifThen(
              b.isLess(panelIndex, b.index(panels - 1)),
              [&] { emitPanel(from, to, chunkBegin, panelIndex, panel); },
              [&] {
                emitPanel(from, to, chunkBegin, b.index(panels - 1), lastPanel);
              });
        }
        scf::YieldOp::create(b, ValueRange{b.add(unit, count)});
      });
  b.setInsertionPointAfter(loop);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::GemmOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> input =
      Blocked::get(op, op.getInput().getType(), Elements::Integer);
  FailureOr<Blocked> result =
      Blocked::get(op, op.getResult().getType(), Elements::Integer);
  if (failed(input) || failed(result))
    return failure();
  auto weight = op.getWeight().getType();
  auto panels = dyn_cast_if_present<kernel::PanelsAttr>(weight.getEncoding());
  if (!panels)
    return op.emitOpError("needs #kernel.panels where its weight has ")
           << weight << "; run vit-tile and vit-layout first";
  if (!op.getTile())
    return op.emitOpError("has no tile; run vit-tile first");
  // x W reads panels of the transpose of W, so outputs and inputs change
  // places.
  int64_t depthGroup =
      op.getTransposed() ? panels.getOutGroup() : panels.getInGroup();
  int64_t columnGroup =
      op.getTransposed() ? panels.getInGroup() : panels.getOutGroup();
  if (input->rows != result->rows || depthGroup != input->group ||
      columnGroup != result->group || panels.getCols() <= 0 ||
      panels.getCols() % kPanelGranule != 0 ||
      panels.getTransposed() != op.getTransposed() ||
      panels.getInterleave() !=
          kernel::interleaveOf(op.getInput().getType().getElementType()))
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", weight " << weight << ", result "
           << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/2, *result);
  if (failed(epilogue))
    return failure();

  int64_t columns = result->vectors() * kChannelPad;
  int64_t panel = std::min(panels.getCols(), columns);
  int64_t count = llvm::divideCeil(columns, panel);
  int64_t wanted = op.getTile().getCols() / kVectorLanes;
  int64_t strip = wanted > 0 ? wanted : panel / kVectorLanes;
  Gemm gemm{op,
            b,
            *input,
            *result,
            *epilogue,
            input->channelBlocks * kChannelPad,
            panel,
            count,
            columns - (count - 1) * panel,
            std::max<int64_t>(1, op.getTile().getChunk()),
            strip,
            0};
  // Only a result of f32 can keep the sums of a piece.
  int64_t panelBytes = gemm.depth * panel * kernel::kLineBytes / input->line;
  int64_t pieces = result->isNarrow() || gemm.isInt8()
                       ? 1
                       : llvm::divideCeil(panelBytes, kPieceBytes);
  gemm.piece = llvm::divideCeil(gemm.steps(), pieces);
  KernelInfo info = getRowBlockInfo(op.getResult().getType(), count);
  if (b.getProduct(op.getInput().getType().getElementType()).m > 1) {
    if (failed(verifyTileRows(op, result->rows)))
      return failure();
    TiledGemm tiled(op, b, *input, *result, *epilogue, gemm.chunk);
    auto emitPanel = [&](Value from, Value to, Value chunkBegin, Value index,
                         int64_t columns) {
      tiled.emitPanel({from, to, chunkBegin,
                       b.mul(index, panel * gemm.columnElements()),
                       b.mul(index, panel / kVectorLanes), columns,
                       /*isOnly=*/count == 1});
    };
    gemm.emitTiledPanel = emitPanel;
    gemm.emit();
    tiled.finish();
    info.scratch = tiled.getScratch();
  } else {
    gemm.emit();
    info.scratch = gemm.preparedBytes();
  }

  int64_t rows = result->isPerImage() ? result->tokens : 1;
  info.flop = perImage(op, 2 * rows * input->width * result->width);
  return info;
}
