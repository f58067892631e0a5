//===- WgmmaGemm.cpp - Products by warpgroups -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of the result; units are numbered as in
// Simt/Gemm.cpp. A workgroup takes several units, one after the other: every
// n-th one, where n is the number of workgroups. One thread of the last
// warpgroup copies 64 of the depth of both operands at a time into a ring of
// buffers (TMA, zeros beyond the last row or channel), also those of the next
// unit while the others finish this one. Each of the other warpgroups
// multiplies 64 rows by all columns; one group of products is under way while
// the next is issued. Each element is a single sum in depth order, whatever the
// tile.
//
// Weights whose rows are depths (isDepthMajor) are boxes of 64 depths x 64
// columns, as in WgmmaWeightGradient.cpp; wgmma transposes them.
//
// In a cluster of two workgroups each takes one of two neighbouring row tiles
// of a column tile. It copies its own rows, and half of the weights to both:
// half of the columns, or of the depths of all columns where these are rows. So
// it waits until both have emptied a buffer, and a buffer of each is full when
// all its boxes have arrived, whoever copied them. There is an even number of
// row tiles: what is beyond the last row is zeros and is not stored.
//
// In a result of f16 or bf16, neighbouring lanes exchange sums, so that each
// has 4 consecutive channels of one row: even lanes of row g, odd lanes of row
// g + 8 (see WarpgroupBuilder.h). After the epilogue a warp writes them into
// boxes of 16 x 64 in workgroup memory, which TMA stores. The lanes of a pair
// take different blocks of columns at a time, so that the 16 lanes of an access
// are in different banks. A result of f32 is stored from registers.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Simt/ProductEmitters.h"
#include "WarpgroupBuilder.h"

#include "vit/Kernel/Cluster.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

/// Buffers of the operands.
static constexpr int64_t kBuffers = 4;
/// Rows of the boxes of a result, and the buffers of a warp for them.
static constexpr int64_t kStoreRows = 16, kStoreBuffers = 2;
static constexpr int64_t kStoreBytes = kStoreRows * kBoxRowBytes;
/// Blocks of 8 columns of a box.
static constexpr int64_t kBoxBlocks = kBoxColumns / kBlockColumns;

namespace {
class WgmmaGemm : GemmArguments {
public:
  WgmmaGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
            const Activation &result, const Epilogue &epilogue);
  void emit();
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }

private:
  /// The first row and column of a unit's tile.
  struct Corner {
    Value row, column;
  };
  Corner corner(Value unit);
  Value units() { return b.mul(rowTiles, columnTiles()); }
  void allocate();
  /// Copies this workgroup's part of the weights of a step from depth `depth`
  /// on, of the tile that begins at `column`, to `to`.
  void copyWeights(RingPosition now, Value depth, Value column, Value to);
  /// Copies the operands of all units.
  void copy();
  /// The sums of a unit.
  std::pair<Value, RingPosition> sum(RingPosition position);
  /// Sum `i` of a block of columns that this lane needs in round `round`: the
  /// four are consecutive channels of its row.
  SmallVector<Value> exchange(Value sums, int64_t block, int64_t round);
  void store(Value sums, Corner corner);
  /// Stores the part of `sums` that is in box `box` of the tile.
  void storeBox(Value sums, int64_t box, Corner corner);

  kernel::GemmOp op;
  SimtBuilder &b;
  WarpgroupBuilder w;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t cluster;   ///< workgroups that share the weights of a step
  bool isNarrow;     ///< the result is f16 or bf16
  bool isDepthMajor; ///< the rows of the weights are depths
  int64_t groups;    ///< warpgroups that multiply
  int64_t steps;     ///< over the depth
  int64_t columns;
  Value rows, rowTiles;
  Value isOdd;
  Value inputMap, weightMap, resultMap;
  Ring ring;
  Value stores; ///< the buffers of this warp
};
} // namespace

WgmmaGemm::WgmmaGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
                     const Activation &result, const Epilogue &epilogue)
    : op(op), b(b), w(b, Operands::of(op)), input(input), result(result),
      epilogue(epilogue), tile(op.getTile()), cluster(kernel::getCluster(op)),
      isNarrow(b.isNarrow(op->getNumOperands())),
      isDepthMajor(simt::isDepthMajor(op)), groups(tile.getRows() / kGroupRows),
      steps(llvm::divideCeil(input.vectors * kVectorLanes, kBoxColumns)),
      columns(result.vectors * kVectorLanes) {
  rows = result.rows(b);
  w.setCluster(cluster);
  int64_t clusterRows = tile.getRows() * cluster;
  rowTiles = b.mul(b.div(b.add(rows, clusterRows - 1), clusterRows), cluster);
  isOdd = b.isEqual(b.rem(w.lane(), 2), b.index(1));
  int64_t depth = input.vectors * kVectorLanes;
  inputMap = w.addMap({Input, depth, tile.getRows()});
  weightMap = w.addMap(
      isDepthMajor ? TensorMap{Weight, columns, kBoxDepths / cluster}
                   : TensorMap{Weight, depth, tile.getCols() / cluster});
  if (isNarrow)
    resultMap = w.addMap({op->getNumOperands(), columns, kStoreRows});
}

void WgmmaGemm::allocate() {
  int64_t warps = groups * kWarpgroup / kWarp;
  ring.buffers = kBuffers;
  ring.bytes = (tile.getRows() + tile.getCols()) * kBoxRowBytes;
  int64_t ringBytes = ring.buffers * ring.bytes;
  int64_t storeBytes = isNarrow ? warps * kStoreBuffers * kStoreBytes : 0;
  ring.memory = w.allocate(ringBytes + storeBytes + ring.barrierBytes());
  ring.full = w.at(ring.memory, ringBytes + storeBytes);
  ring.empty = w.at(ring.full, ring.barrierBytes() / 2);
  Value warp = b.div(b.thread(), kWarp);
  stores = w.at(ring.memory,
                b.add(b.mul(warp, kStoreBuffers * kStoreBytes), ringBytes));
  w.initialize(ring, warps);
}

WgmmaGemm::Corner WgmmaGemm::corner(Value unit) {
  return {b.mul(b.rem(unit, rowTiles), tile.getRows()),
          b.mul(b.div(unit, rowTiles), tile.getCols())};
}

void WgmmaGemm::copyWeights(RingPosition now, Value depth, Value column,
                            Value to) {
  bool isShared = cluster > 1;
  int64_t part = (isDepthMajor ? kBoxDepths : tile.getCols()) / cluster;
  Value ownPart = isShared ? b.mul(w.rank(), part) : b.index(0);
  to = w.at(to, b.mul(ownPart, kBoxRowBytes));
  if (!isDepthMajor)
    return w.fill(ring, now, weightMap, {depth, b.add(column, ownPart)}, to,
                  isShared);
  for (int64_t box = 0; box < tile.getCols() / kBoxColumns; ++box)
    w.fill(ring, now, weightMap,
           {b.add(column, box * kBoxColumns), b.add(depth, ownPart)},
           w.at(to, box * kDepthBoxBytes), isShared);
}

void WgmmaGemm::copy() {
  auto copyUnit = [&](Value unit, RingPosition position) {
    auto [row, column] = corner(unit);
    auto fill = [&, row = row, column = column](Value step, RingPosition now) {
      Value depth = b.mul(step, kBoxColumns), left = w.buffer(ring, now);
      w.fill(ring, now, inputMap, {depth, row}, left);
      copyWeights(now, depth, column,
                  w.at(left, tile.getRows() * kBoxRowBytes));
    };
    return w.copySteps(ring, position, b.index(steps), fill);
  };
  w.drain(ring, w.forEachUnit(units(), copyUnit));
}

std::pair<Value, RingPosition> WgmmaGemm::sum(RingPosition position) {
  auto multiply = [&](Value buffer, ValueRange sums) {
    Value left = w.at(buffer, b.mul(w.group(), kGroupRows * kBoxRowBytes));
    Value right = w.at(buffer, tile.getRows() * kBoxRowBytes);
    GroupOperand operands[] = {
        w.operand(left),
        w.operand(right, isDepthMajor, isDepthMajor ? kDepthBoxBytes : 0)};
    w.beginProducts();
    Value next = w.multiply(operands[0], operands[1], sums[0]);
    w.endProducts();
    return SmallVector<Value>{next};
  };
  auto [sums, after] = w.addSteps(ring, position, b.index(steps),
                                  w.zeros(tile.getCols()), multiply);
  return {sums[0], after};
}

SmallVector<Value> WgmmaGemm::exchange(Value sums, int64_t block,
                                       int64_t round) {
  // Even lanes take block `block` in round 0 and the one half a box further in
  // round 1, odd lanes the other one.
  int64_t even = block + round * kBoxBlocks / 2;
  int64_t odd = block + (1 - round) * kBoxBlocks / 2;
  auto get = [&](int64_t from, int64_t i) {
    return w.extract(sums, from * kBlockSums + i);
  };
  Value own[2], other[2];
  for (int64_t i : {0, 1}) {
    own[i] = b.select(isOdd, get(odd, 2 + i), get(even, i));
    Value given = b.select(isOdd, get(even, i), get(odd, 2 + i));
    other[i] = gpu::ShuffleOp::create(b, given, 1, int32_t(kWarp),
                                      gpu::ShuffleMode::XOR)
                   .getShuffleResult();
  }
  return {b.select(isOdd, other[0], own[0]), b.select(isOdd, other[1], own[1]),
          b.select(isOdd, own[0], other[0]), b.select(isOdd, own[1], other[1])};
}

void WgmmaGemm::storeBox(Value sums, int64_t box, Corner corner) {
  // Of the lane in the box: its row, whose number modulo 8 is g, and its half
  // of a piece of 16 bytes.
  Value g = b.div(w.lane(), 4), half = b.div(b.rem(w.lane(), 4), 2);
  Value odd = b.rem(w.lane(), 2);
  Value boxRow = b.add(
      corner.row, b.add(b.mul(w.group(), kGroupRows), b.mul(w.warp(), 16)));
  Value inBox = b.add(g, b.mul(odd, 8));
  Value row = b.add(boxRow, inBox);
  // Beyond the last row or channel anything may be loaded; it is not stored.
  Value safeRow = b.min(row, b.sub(rows, b.index(1)));
  Value boxColumn = b.add(corner.column, box * kBoxColumns);
  Value buffer =
      w.at(stores, b.add(b.add(b.mul(inBox, kBoxRowBytes), b.mul(half, 8)),
                         box % kStoreBuffers * kStoreBytes));
  for (int64_t block = 0; block < kBoxBlocks / 2; ++block)
    for (int64_t round : {0, 1}) {
      Value inRow = b.add(
          b.mul(round ? b.sub(b.index(1), odd) : odd, kBoxBlocks / 2), block);
      Value vector =
          b.add(b.div(boxColumn, kVectorLanes), b.add(b.mul(inRow, 2), half));
      Value safe = columns % tile.getCols() == 0
                       ? vector
                       : b.min(vector, b.index(result.vectors - 1));
      Value offset = b.add(b.mul(safeRow, result.vectors), safe);
      Value elements =
          b.fromElements(exchange(sums, box * kBoxBlocks + block, round));
      Value value = epilogue.apply(elements, epilogue.loadChannels(safe),
                                   safeRow, safe, offset);
      if (!isNarrow) {
        Value exists = b.both(b.isLess(row, rows),
                              b.isLess(vector, b.index(result.vectors)));
        b.ifThen(exists,
                 [&] { b.store4(value, op->getNumOperands(), offset); });
        continue;
      }
      Value piece = arith::XOrIOp::create(b, inRow, g);
      value = emitRounded(b, b.elementType(op->getNumOperands()), value);
      LLVM::StoreOp::create(b, value, w.at(buffer, b.mul(piece, 16)),
                            /*alignment=*/8);
    }
  if (isNarrow)
    w.store(resultMap, {boxColumn, boxRow},
            w.at(stores, box % kStoreBuffers * kStoreBytes));
}

void WgmmaGemm::store(Value sums, Corner corner) {
  for (int64_t box = 0; box < tile.getCols() / kBoxColumns; ++box) {
    // The first box may follow one of the last unit in the same buffer, and
    // waits for all of them.
    if (isNarrow && (box == 0 || box >= kStoreBuffers)) {
      w.waitStores(box == 0 ? 0 : kStoreBuffers - 1);
      w.syncWarp();
    }
    storeBox(sums, box, corner);
  }
}

void WgmmaGemm::emit() {
  allocate();
  auto multiply = [&] {
    w.forEachUnit(units(), [&](Value unit, RingPosition position) {
      auto [sums, after] = sum(position);
      store(sums, corner(unit));
      return after;
    });
    if (isNarrow)
      w.waitStores(0);
  };
  w.specialize(groups, tile.getCols() / 2, [&] { copy(); }, multiply);
}

FailureOr<KernelInfo> mlir::vit::cuda::emitWgmmaGemm(kernel::GemmOp op,
                                                     SimtBuilder &b) {
  int64_t cluster = kernel::getCluster(op);
  auto verify = [&](int64_t) -> LogicalResult {
    if (cluster != 1 && cluster != 2)
      return op.emitOpError("is for clusters of ")
             << cluster << " workgroups; there can be 2";
    return verifyWarpgroupTile(op, op.getTile());
  };
  FailureOr<KernelInfo> info = emitGemm<WgmmaGemm>(op, b, verify);
  if (failed(info))
    return failure();
  // A unit for each workgroup of a cluster, also where its rows do not exist.
  kernel::ExtentAttr units = info->units;
  info->units =
      kernel::ExtentAttr::get(b.getContext(), units.getTimes() * cluster,
                              units.getOf(), units.getPer() * cluster);
  return info;
}
