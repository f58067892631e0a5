//===- ProductEmitters.h - What emitters of products share ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_PRODUCTEMITTERS_H
#define VIT_TARGET_SIMT_PRODUCTEMITTERS_H

#include "Emitters.h"

#include "../Common/Arguments.h"

namespace mlir::vit::simt {

/// The part of a tile, rows x cols of a matrix, that is of this thread: vectors
/// of 4 columns, `across` apart, of rows that are `down` apart, so that
/// neighboring threads have neighboring vectors. Rows are counted one by one,
/// or in vectors of `rowLanes`.
class ThreadTile {
public:
  /// Whether those of all threads make up `tile`.
  static bool isWhole(kernel::TileAttr tile, int64_t rowLanes);

protected:
  /// For the tile of this unit. Units go down each column of `rowTiles` tiles.
  void place(SimtBuilder &b, kernel::TileAttr tile, Value rowTiles,
             int64_t rowLanes);

  int64_t across = 0, down = 0; ///< threads per row and per column of the tile
  Value firstRow, firstVector;  ///< those of the tile
  SmallVector<Value> threadRow, threadVector;
};

/// The part of a product that a workgroup computes: a tile of the result, of
/// which each thread has threadRows x 4 threadVectors elements.
class ProductTile : protected GemmArguments, protected ThreadTile {
public:
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }
  /// Emits an error on `op` and fails unless its tile is made up of those of
  /// its threads and its chunk is 1, or a multiple of `granule` that divides
  /// `depth`.
  static LogicalResult verify(kernel::GemmOp op, int64_t depth,
                              int64_t granule);

protected:
  ProductTile(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
              const Activation &result, const Epilogue &epilogue);

  /// `row`, or the last row of all images if it is after it.
  Value clampRow(Value row) const {
    return b.min(row, b.sub(rows, b.index(1)));
  }
  /// The same for a vector of columns.
  Value clampVector(Value vector) const {
    return isRagged ? b.min(vector, b.index(result.vectors - 1)) : vector;
  }
  /// Stores the results of this thread: row by row, the sums in f32 after the
  /// epilogue.
  void store(ArrayRef<Value> sums) const;

  /// How a thread copies its part of a tile of one operand to workgroup memory:
  /// items `thread`, `thread + threads`, ... of `offsets.size()` values each.
  struct Copy {
    unsigned operand;
    int64_t items;                ///< of the tile
    SmallVector<int64_t> offsets; ///< of the values of an item
    SmallVector<Value> source;    ///< at step 0
    SmallVector<Value> stride;    ///< per step
    SmallVector<Value> item, target;
    int64_t gaps = 0; ///< values of a buffer that are not used
    Value shared;     ///< two buffers of `total` values
    int64_t total() const { return items * int64_t(offsets.size()) + gaps; }
  };
  /// Adds the item of this thread after item `first` to `copy`. Returns it, or
  /// the last one if it is past the end.
  Value getItem(Copy &copy, int64_t first) const;
  /// Stores the values of each item to the buffer that begins at `base`.
  void putShared(const Copy &copy, ArrayRef<Value> values, Value base) const;

  /// Loads the values of an item of an operand.
  using Load = function_ref<SmallVector<Value>(unsigned operand, Value at)>;
  /// Emits a loop of `steps` that carries sums, followed by `others`. Returns
  /// the sums.
  using Loop = function_ref<SmallVector<Value>(int64_t steps, ValueRange others,
                                               CodeBuilder::Body body)>;
  /// Adds the products of the tiles in the buffers that begin at `left` and
  /// `right`.
  using Multiply =
      function_ref<void(SmallVectorImpl<Value> &sums, Value left, Value right)>;
  /// Emits a loop over the depth in which the workgroup copies the tiles of
  /// both operands, and loads the next ones while these are in use. There are
  /// two buffers of each, so that one barrier per step is enough. Returns what
  /// `loop` does. A thread has `count` sums.
  SmallVector<Value> stage(ArrayRef<Copy> copies, int64_t steps, size_t count,
                           Load load, Loop loop, Multiply multiply) const;

  kernel::GemmOp op;
  SimtBuilder &b;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t threadRows, threadVectors;
  bool isRagged; ///< the last column tile extends past the result
  Value rows;    ///< rows of all images
};

/// Emits a product of i8 at a level with dot products of four of them.
FailureOr<KernelInfo> emitDotGemm(kernel::GemmOp op, SimtBuilder &b);

/// Emits a product by a `KernelT`, which is made of (op, b, input, result,
/// epilogue) and has `emit` and the number of its `columnTiles`. `verifyTile`
/// emits an error and fails if the kernel does not support the tile of the op
/// for a product of `depth` channels.
template <typename KernelT>
FailureOr<KernelInfo>
emitGemm(kernel::GemmOp op, SimtBuilder &b,
         function_ref<LogicalResult(int64_t depth)> verifyTile) {
  FailureOr<InputAndResult> shapes = InputAndResult::getProduct(op);
  if (failed(shapes))
    return failure();
  const auto &[input, result] = *shapes;
  if (failed(verifyTile(input.vectors * kVectorLanes)))
    return failure();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), GemmArguments::FirstExtra, result);
  if (failed(epilogue))
    return failure();

  KernelT gemm(op, b, input, result, *epilogue);
  gemm.emit();
  KernelInfo info = result.getInfo(op, /*itemsPerRow=*/1,
                                   op.getTile().getRows(), gemm.columnTiles());
  info.flop = perImage(op, 2 * result.tokens * input.width * result.width);
  return info;
}

/// The same for a weight gradient by a `KernelT`, which is made of (op, b,
/// gradient, input) and has `emit` and the number of its `units`.
template <typename KernelT>
FailureOr<KernelInfo>
emitWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                   function_ref<LogicalResult()> verifyTile) {
  FailureOr<Activation> gradient =
      Activation::get(op, op.getGradient().getType());
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  if (failed(gradient) || failed(input))
    return failure();
  for (Value result : op->getResults())
    if (failed(Activation::getFlat(op, result.getType())))
      return failure();
  if (failed(verifyTile()))
    return failure();

  KernelT kernel(op, b, *gradient, *input);
  kernel.emit();
  KernelInfo info = withoutBatch(op, kernel.units());
  info.flop =
      perImage(op, 2 * gradient->tokens * gradient->width * input->width);
  return info;
}

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_PRODUCTEMITTERS_H
