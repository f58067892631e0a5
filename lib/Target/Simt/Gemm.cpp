//===- Gemm.cpp - Products with their epilogue on a GPU -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of the result, computed for `chunk` of
// the depth at a time. Units are numbered by rows first, so that units that run
// at the same time share a panel of weights. A thread has thread_rows x
// thread_cols sums. Its rows are `down` apart and its column vectors `across`
// apart, so that neighboring threads read neighboring vectors. If the chunk is
// 1, each thread loads its operands itself. Otherwise the workgroup copies a
// chunk of both operands to workgroup memory, and loads the next chunk while
// this one is in use. Each element is a single sum in depth order, whatever the
// tile.
//
// Weights of f32 are in panels, where a vector is 4 columns at one depth. Those
// of 16 bits and of i8 are row-major, [columns][depth]: 4 depths of 4 columns
// are loaded together and transposed. Products with the transposed weight read
// [depth][columns], as a single panel. Operands are widened when they are
// loaded, so workgroup memory holds f32. The sums of i8 are exact: f32 has
// those of up to 1,040 depths, and where there are more they are added as
// integers.
//
//===----------------------------------------------------------------------===//

#include "ProductEmitters.h"

#include "vit/Kernel/TensorCores.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

/// The most products of multiples of i8, -127 to 127, whose sum is less than
/// 2^24, so that f32 has it and all others on the way to it.
static constexpr int64_t kExactDepth = (1 << 24) / (127 * 127);

namespace {
class Gemm : public ProductTile {
public:
  Gemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
       const Activation &result, const Epilogue &epilogue);
  void emit();

private:
  /// A vector of columns in the weights: its position at depth 0, and the
  /// distance to the next depth (rows: from a vector of depths to the next).
  struct Column {
    Value base, stride;
  };
  Column getColumn(Value vector);
  /// Loads 4 columns in `together` depths: those at `at`, a position that is a
  /// multiple of the stride after the base of the columns.
  SmallVector<Value> loadColumns(Value at);

  /// Emits a loop of `steps` over the depth whose `body` adds products to the
  /// first of the values that it carries, the sums, followed by `others`.
  /// Returns the sums.
  SmallVector<Value> sumSteps(int64_t steps, ValueRange others,
                              CodeBuilder::Body body);
  /// Adds the products of four depths. `left(i)` is the vector of these depths
  /// in row i, `right(d, j)` is column vector j at depth d.
  void multiply(SmallVectorImpl<Value> &sums, function_ref<Value(int64_t)> left,
                function_ref<Value(int64_t, int64_t)> right);
  Copy planInput();
  /// An item is `together` depths of a vector of columns.
  Copy planWeights();
  /// Adds the products of the tiles. `left` and `right` are where the rows and
  /// columns of this thread begin.
  void multiplyShared(SmallVectorImpl<Value> &sums, const Copy &leftCopy,
                      Value left, const Copy &rightCopy, Value right);
  SmallVector<Value> sumDirect();
  SmallVector<Value> sumStaged();

  int64_t panel;    ///< vectors of every panel of weights but the last
  int64_t together; ///< depths of a vector of columns that are loaded together
};
} // namespace

Gemm::Gemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
           const Activation &result, const Epilogue &epilogue)
    : ProductTile(op, b, input, result, epilogue) {
  auto panels =
      cast<kernel::PanelsAttr>(op.getWeight().getType().getEncoding());
  bool isRowMajor = panels.getCols() == 1;
  together = isRowMajor && !isDepthMajor(op) ? kVectorLanes : 1;
  panel = isRowMajor
              ? result.vectors
              : std::min(panels.getCols() / kVectorLanes, result.vectors);
}

Gemm::Column Gemm::getColumn(Value vector) {
  int64_t depth = input.vectors * kVectorLanes;
  if (together > 1)
    return {b.mul(vector, kVectorLanes * input.vectors), b.index(1)};
  if (panel == result.vectors)
    return {vector, b.index(panel)};
  Value index = b.div(vector, panel), inPanel = b.rem(vector, panel);
  Column column;
  column.base = b.add(b.mul(index, panel * depth), inPanel);
  column.stride = b.index(panel);
  if (int64_t last = result.vectors % panel)
    column.stride = b.select(b.isLess(index, b.index(result.vectors / panel)),
                             column.stride, b.index(last));
  return column;
}

SmallVector<Value> Gemm::loadColumns(Value at) {
  if (together == 1)
    return {b.load4(Weight, at)};
  SmallVector<Value> columns, depths;
  for (int64_t i = 0; i < kVectorLanes; ++i)
    columns.push_back(b.load4(Weight, b.add(at, i * input.vectors)));
  for (int64_t d = 0; d < kVectorLanes; ++d)
    depths.push_back(b.fromElements(llvm::map_to_vector(
        columns, [&](Value column) { return b.extract(column, d); })));
  return depths;
}

void Gemm::multiply(SmallVectorImpl<Value> &sums,
                    function_ref<Value(int64_t)> left,
                    function_ref<Value(int64_t, int64_t)> right) {
  SmallVector<SmallVector<Value>> columns(kVectorLanes);
  for (int64_t d = 0; d < kVectorLanes; ++d)
    for (int64_t j = 0; j < threadVectors; ++j)
      columns[d].push_back(right(d, j));
  for (int64_t i = 0; i < threadRows; ++i) {
    Value x = left(i);
    for (int64_t d = 0; d < kVectorLanes; ++d) {
      Value factor = b.broadcast(b.extract(x, d));
      for (int64_t j = 0; j < threadVectors; ++j) {
        Value &sum = sums[i * threadVectors + j];
        sum = b.fma(factor, columns[d][j], sum);
      }
    }
  }
}

SmallVector<Value> Gemm::sumSteps(int64_t steps, ValueRange others,
                                  CodeBuilder::Body body) {
  size_t count = threadRows * threadVectors;
  auto withOthers = [&](Value start) {
    SmallVector<Value> values(count, start);
    values.append(others.begin(), others.end());
    return values;
  };
  int64_t depth = input.vectors * kVectorLanes, part = steps;
  if (b.isInt8(Input))
    while (part * (depth / steps) > kExactDepth || steps % part != 0)
      --part;
  SmallVector<Value> sums;
  if (part == steps) {
    sums = b.loop(steps, withOthers(b.splat(0)), body);
    sums.resize(count);
    return sums;
  }
  auto integers = VectorType::get({kVectorLanes}, b.getI32Type());
  sums = b.loop(
      steps / part, withOthers(b.splatBits(integers, 0)),
      [&](Value i, ValueRange carried) {
        Value first = b.mul(i, part);
        SmallVector<Value> values(count, b.splat(0));
        values.append(carried.begin() + count, carried.end());
        values = b.loop(part, values, [&](Value step, ValueRange inner) {
          return body(b.add(first, step), inner);
        });
        for (size_t i = 0; i < count; ++i)
          values[i] = arith::AddIOp::create(
              b, carried[i], arith::FPToSIOp::create(b, integers, values[i]));
        return values;
      });
  sums.resize(count);
  for (Value &sum : sums)
    sum = arith::SIToFPOp::create(b, b.vectorType, sum);
  return sums;
}

SmallVector<Value> Gemm::sumDirect() {
  SmallVector<Value> rowBase;
  for (Value row : threadRow)
    rowBase.push_back(b.mul(clampRow(row), input.vectors));
  SmallVector<Column> columns;
  for (Value vector : threadVector)
    columns.push_back(getColumn(clampVector(vector)));
  return sumSteps(input.vectors, {}, [&](Value step, ValueRange carried) {
    SmallVector<Value> sums(carried);
    Value depth = b.mul(step, kVectorLanes / together);
    SmallVector<SmallVector<Value>> loaded(threadVectors);
    multiply(
        sums,
        [&](int64_t i) { return b.load4(Input, b.add(rowBase[i], step)); },
        [&](int64_t d, int64_t j) {
          if (d % together == 0) {
            Value offset = b.mul(b.add(depth, d / together), columns[j].stride);
            loaded[j] = loadColumns(b.add(columns[j].base, offset));
          }
          return loaded[j][d % together];
        });
    return sums;
  });
}

ProductTile::Copy Gemm::planInput() {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  Copy copy;
  copy.operand = Input;
  copy.items = tile.getRows() * depthVectors;
  copy.offsets = {0};
  for (int64_t first = 0; first < copy.items; first += tile.getThreads()) {
    Value item = getItem(copy, first);
    Value row = b.add(firstRow, b.div(item, depthVectors));
    copy.source.push_back(
        b.add(b.mul(clampRow(row), input.vectors), b.rem(item, depthVectors)));
    copy.stride.push_back(b.index(depthVectors));
    copy.target.push_back(copy.item.back());
  }
  return copy;
}

ProductTile::Copy Gemm::planWeights() {
  int64_t depth = tile.getChunk(), depths = depth / together;
  int64_t columnVectors = tile.getCols() / kVectorLanes;
  Copy copy;
  copy.operand = Weight;
  copy.items = depths * columnVectors;
  for (int64_t d = 0; d < together; ++d)
    copy.offsets.push_back(d * columnVectors);
  for (int64_t first = 0; first < copy.items; first += tile.getThreads()) {
    Value item = getItem(copy, first);
    // Neighboring threads read neighboring vectors.
    Value vector =
        together == 1 ? b.rem(item, columnVectors) : b.div(item, depths);
    Value at = together == 1 ? b.div(item, columnVectors) : b.rem(item, depths);
    Column column = getColumn(clampVector(b.add(firstVector, vector)));
    copy.source.push_back(b.add(column.base, b.mul(at, column.stride)));
    copy.stride.push_back(b.mul(column.stride, depths));
    copy.target.push_back(
        together == 1 ? copy.item.back()
                      : b.add(b.mul(at, together * columnVectors), vector));
  }
  return copy;
}

void Gemm::multiplyShared(SmallVectorImpl<Value> &sums, const Copy &leftCopy,
                          Value left, const Copy &rightCopy, Value right) {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  int64_t columnVectors = tile.getCols() / kVectorLanes;
  for (int64_t k = 0; k < depthVectors; ++k)
    multiply(
        sums,
        [&](int64_t i) {
          return b.loadShared(leftCopy.shared,
                              b.add(left, i * down * depthVectors + k));
        },
        [&](int64_t d, int64_t j) {
          return b.loadShared(
              rightCopy.shared,
              b.add(right,
                    (k * kVectorLanes + d) * columnVectors + j * across));
        });
}

SmallVector<Value> Gemm::sumStaged() {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  // The tile of the input is [rows][depth], that of the weights [depth][cols].
  Copy copies[] = {planInput(), planWeights()};
  for (Copy &copy : copies)
    copy.shared = b.allocateShared4(2 * copy.total());
  Value leftBase = b.mul(b.div(b.thread(), across), depthVectors);
  Value rightBase = b.rem(b.thread(), across);
  return stage(
      copies, input.vectors / depthVectors, threadRows * threadVectors,
      [&](unsigned operand, Value at) {
        return operand == Input ? SmallVector<Value>{b.load4(Input, at)}
                                : loadColumns(at);
      },
      [&](int64_t steps, ValueRange others, CodeBuilder::Body body) {
        return sumSteps(steps, others, body);
      },
      [&](SmallVectorImpl<Value> &sums, Value left, Value right) {
        multiplyShared(sums, copies[0], b.add(left, leftBase), copies[1],
                       b.add(right, rightBase));
      });
}

void Gemm::emit() { store(tile.getChunk() == 1 ? sumDirect() : sumStaged()); }

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::GemmOp op, SimtBuilder &b) {
  if (kernel::usesDotProducts(op, b.level))
    return emitDotGemm(op, b);
  return emitGemm<Gemm>(op, b, [&](int64_t depth) {
    return ProductTile::verify(op, depth, kVectorLanes);
  });
}
