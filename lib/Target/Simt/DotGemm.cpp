//===- DotGemm.cpp - Products of i8 by dot products of four of them -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For levels with an instruction that multiplies four i8 of a word by four of
// another one and adds the products: OpSDot on Vulkan, dp4a on CUDA. A work
// unit is one tile, as in Gemm.cpp. Both operands are row-major with
// neighbouring depths in a word. Sums are i32, and exact in any order.
//
// If the chunk is 1, each thread loads the words of its operands itself.
// Otherwise the workgroup copies a chunk of both to workgroup memory, in
// vectors of 16 depths. There a tile is [depth / 16][row], the columns of the
// weights in the order in which neighboring threads read them: column 4 j + i
// of the tile is at i * group + j. Gaps let eight threads that copy
// neighboring vectors write to all banks.
//
//===----------------------------------------------------------------------===//

#include "ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace {
class DotGemm : public ProductTile {
public:
  DotGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
          const Activation &result, const Epilogue &epilogue)
      : ProductTile(op, b, input, result, epilogue),
        count(threadRows * threadVectors * kVectorLanes),
        depths(tile.getChunk() / kBytesPerVector),
        group(tile.getCols() / kVectorLanes + 2),
        pitch{tile.getRows() + 4, kVectorLanes * group + 1} {}
  void emit();

private:
  /// Adds the products of a word of each row and each column. `left(i)` is that
  /// of row i, `right(j, lane)` that of a lane of column vector j.
  void multiply(SmallVectorImpl<Value> &sums, function_ref<Value(int64_t)> left,
                function_ref<Value(int64_t, int64_t)> right);
  SmallVector<Value> sumSteps(int64_t steps, ValueRange others,
                              CodeBuilder::Body body);
  Copy planCopy(unsigned operand, int64_t items);
  void multiplyShared(SmallVectorImpl<Value> &sums, Value left, Value right,
                      ArrayRef<Copy> copies);
  SmallVector<Value> sumDirect();
  SmallVector<Value> sumStaged();

  size_t count;     ///< sums of a thread: by row, column vector and lane
  int64_t depths;   ///< vectors of a row or column of a tile
  int64_t group;    ///< between two columns of the same vector of 4, see above
  int64_t pitch[2]; ///< between depths, by operand
};
} // namespace

void DotGemm::multiply(SmallVectorImpl<Value> &sums,
                       function_ref<Value(int64_t)> left,
                       function_ref<Value(int64_t, int64_t)> right) {
  SmallVector<Value> columns;
  for (int64_t j = 0; j < threadVectors; ++j)
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      columns.push_back(right(j, lane));
  Value *sum = sums.begin();
  for (int64_t i = 0; i < threadRows; ++i) {
    Value x = left(i);
    for (Value column : columns) {
      *sum = b.addDot(x, column, *sum);
      ++sum;
    }
  }
}

SmallVector<Value> DotGemm::sumSteps(int64_t steps, ValueRange others,
                                     CodeBuilder::Body body) {
  SmallVector<Value> values(count, b.splatBits(b.getI32Type(), 0));
  values.append(others.begin(), others.end());
  values = b.loop(steps, values, body);
  values.resize(count);
  return values;
}

SmallVector<Value> DotGemm::sumDirect() {
  int64_t words = input.vectors; // of a row of either operand
  SmallVector<Value> rowBase, columnBase;
  for (Value row : threadRow)
    rowBase.push_back(b.mul(clampRow(row), words));
  for (Value vector : threadVector)
    columnBase.push_back(b.mul(clampVector(vector), kVectorLanes * words));
  return sumSteps(words, {}, [&](Value step, ValueRange carried) {
    SmallVector<Value> sums(carried);
    multiply(
        sums,
        [&](int64_t i) { return b.loadBytes4(Input, b.add(rowBase[i], step)); },
        [&](int64_t j, int64_t lane) {
          return b.loadBytes4(Weight,
                              b.add(b.add(columnBase[j], lane * words), step));
        });
    return sums;
  });
}

/// An item is a vector of 16 depths of one of the `rows` of a tile.
ProductTile::Copy DotGemm::planCopy(unsigned operand, int64_t rows) {
  int64_t perRow = input.vectors * kVectorLanes / kBytesPerVector;
  Copy copy;
  copy.operand = operand;
  copy.items = rows * depths;
  copy.gaps = pitch[operand] * depths - copy.items;
  copy.offsets = {0};
  for (int64_t first = 0; first < copy.items; first += tile.getThreads()) {
    // Neighboring threads read neighboring vectors.
    Value item = getItem(copy, first);
    Value row = b.div(item, depths), at = b.rem(item, depths), source, place;
    if (operand == Input) {
      source = clampRow(b.add(firstRow, row));
      place = row;
    } else {
      Value vector = b.div(row, kVectorLanes), lane = b.rem(row, kVectorLanes);
      source = b.add(
          b.mul(clampVector(b.add(firstVector, vector)), kVectorLanes), lane);
      place = b.add(b.mul(lane, group), vector);
    }
    copy.source.push_back(b.add(b.mul(source, perRow), at));
    copy.stride.push_back(b.index(depths));
    copy.target.push_back(b.add(b.mul(at, pitch[operand]), place));
  }
  return copy;
}

void DotGemm::multiplyShared(SmallVectorImpl<Value> &sums, Value left,
                             Value right, ArrayRef<Copy> copies) {
  left = b.add(left, b.div(b.thread(), across));
  right = b.add(right, b.rem(b.thread(), across));
  for (int64_t d = 0; d < depths; ++d) {
    SmallVector<Value> x, w;
    for (int64_t i = 0; i < threadRows; ++i)
      x.push_back(b.loadShared(copies[Input].shared,
                               b.add(left, d * pitch[Input] + i * down)));
    for (int64_t j = 0; j < threadVectors; ++j)
      for (int64_t lane = 0; lane < kVectorLanes; ++lane)
        w.push_back(b.loadShared(
            copies[Weight].shared,
            b.add(right, d * pitch[Weight] + lane * group + j * across)));
    for (int64_t word = 0; word < kVectorLanes; ++word)
      multiply(
          sums, [&](int64_t i) { return b.extract(x[i], word); },
          [&](int64_t j, int64_t lane) {
            return b.extract(w[j * kVectorLanes + lane], word);
          });
  }
}

SmallVector<Value> DotGemm::sumStaged() {
  b.useByteVectors({Input, Weight});
  Copy copies[] = {planCopy(Input, tile.getRows()),
                   planCopy(Weight, tile.getCols())};
  for (Copy &copy : copies)
    copy.shared = b.allocateBytes16(2 * copy.total());
  return stage(
      copies, input.vectors * kVectorLanes / tile.getChunk(), count,
      [&](unsigned operand, Value at) {
        return SmallVector<Value>{b.loadBytes16(operand, at)};
      },
      [&](int64_t steps, ValueRange others, CodeBuilder::Body body) {
        return sumSteps(steps, others, body);
      },
      [&](SmallVectorImpl<Value> &sums, Value left, Value right) {
        multiplyShared(sums, left, right, copies);
      });
}

void DotGemm::emit() {
  SmallVector<Value> sums = tile.getChunk() == 1 ? sumDirect() : sumStaged();
  SmallVector<Value> vectors;
  for (size_t first = 0; first < count; first += kVectorLanes) {
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      lanes.push_back(
          arith::SIToFPOp::create(b, b.getF32Type(), sums[first + lane]));
    vectors.push_back(b.fromElements(lanes));
  }
  store(vectors);
}

FailureOr<KernelInfo> mlir::vit::simt::emitDotGemm(kernel::GemmOp op,
                                                   SimtBuilder &b) {
  return emitGemm<DotGemm>(op, b, [&](int64_t depth) -> LogicalResult {
    // Only the backward pass has such products, which is not in i8.
    if (isDepthMajor(op))
      return op.emitOpError("of i8 is with the transposed weight, whose "
                            "depths are not neighbours; dot products need "
                            "the weight [columns, depth]");
    return ProductTile::verify(op, depth, kBytesPerVector);
  });
}
