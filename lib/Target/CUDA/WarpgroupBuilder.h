//===- WarpgroupBuilder.h - Code for the tensor cores of sm_90a -*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products of f16 or bf16 by wgmma m64nNk16 (PTX ISA, "Asynchronous warpgroup
// level matrix instructions") of boxes of matrices that TMA copies to workgroup
// memory. A warpgroup is four warps. Its 128 threads hold the 64 x N sums of a
// product as follows: with g = lane / 4 and t = lane % 4, warp w has rows
// 16 w to 16 w + 15; of each block of 8 columns, sums 0 and 1 of a lane are
// columns 2t and 2t + 1 of row g, sums 2 and 3 those of row g + 8.
//
// Workgroups of a cluster run together. A copy by one may go to all of them, to
// the same place in the memory of each, and complete on an mbarrier of each
// (PTX ISA, "cp.async.bulk.tensor", .multicast::cluster).
//
// A box is rows of 128 bytes, 64 elements of 16 bits, eight of them 1024 bytes
// apart. The piece of 16 bytes with number p of row r is at piece p ^ (r % 8).
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_WARPGROUPBUILDER_H
#define VIT_TARGET_CUDA_WARPGROUPBUILDER_H

#include "TensorBuilder.h"

#include "vit/Target/Codegen.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::vit::cuda {

inline constexpr int64_t kWarpgroup = 128; ///< threads
// The sizes of one wgmma; any number of blocks of columns up to 32.
inline constexpr int64_t kGroupRows = 64, kBlockColumns = 8;
/// Sums that a thread has in a block of columns: two in each of two rows.
inline constexpr int64_t kBlockSums = 4;
/// The depth of one wgmma of elements of 16 bits.
inline constexpr int64_t kWgmmaDepth = 16;
/// Elements and bytes of a row of a box.
inline constexpr int64_t kBoxColumns = TensorMap::kBoxColumns;
inline constexpr int64_t kBoxRowBytes = 128;
/// Rows of a box whose rows are the depths of a step, and its bytes.
inline constexpr int64_t kBoxDepths = 64;
inline constexpr int64_t kDepthBoxBytes = kBoxDepths * kBoxRowBytes;
/// The alignment of boxes that the swizzle repeats at.
inline constexpr int64_t kBoxAlignment = 1024;

/// A position in a ring of buffers: its number, and how often, modulo 2, the
/// ring has been gone through before. Index values.
struct RingPosition {
  Value buffer, round;
};

/// Buffers in workgroup memory that one thread fills by TMA and others read.
/// For each, an mbarrier `full` completes a phase when its boxes have arrived,
/// and one `empty` when all readers have released it.
struct Ring {
  int64_t buffers;
  int64_t bytes;     ///< of a buffer
  Value memory;      ///< !llvm.ptr<3>
  Value full, empty; ///< the mbarriers, 8 bytes each

  /// Bytes of the mbarriers.
  int64_t barrierBytes() const { return 2 * buffers * 8; }
};

/// An operand of a product: where its boxes are, and the order of their rows.
struct GroupOperand {
  Value descriptor; ///< i64
  /// Rows of boxes are depths, otherwise rows of the operand.
  bool isTransposed = false;
  /// From a box to the next one; 0: there is one box.
  int64_t boxBytes = 0;
  /// All depths are those of the first one.
  bool isConstant = false;
};

/// Emits an error on `op` and fails unless one or two warpgroups and one that
/// copies cover the tile of a product.
LogicalResult verifyWarpgroupTile(Operation *op, kernel::TileAttr tile);

/// Combines at least four values by `combine`, in four parts that are combined
/// at the end.
Value reduceInParts(ArrayRef<Value> values,
                    function_ref<Value(Value, Value)> combine);

class WarpgroupBuilder {
public:
  /// `operands` are those of products, not tf32.
  WarpgroupBuilder(simt::SimtBuilder &b, Operands operands);

  Value group() const { return groupValue; }    ///< warpgroup of the workgroup
  Value inGroup() const { return threadValue; } ///< thread of the warpgroup
  Value warp() const { return warpValue; }      ///< warp of the warpgroup
  Value lane() const { return laneValue; }
  /// The row of a tile with kGroupRows for each warpgroup that is row g of its
  /// warp for this lane, or g + 8 if `half` is 1.
  Value row(int64_t half);

  //===--------------------------------------------------------------------===//
  // Workgroup memory
  //===--------------------------------------------------------------------===//

  /// Allocates memory at a multiple of kBoxAlignment; returns !llvm.ptr<3>. A
  /// kernel must do it once at most.
  Value allocate(int64_t bytes);
  Value at(Value pointer, Value bytes);
  Value at(Value pointer, int64_t bytes) { return at(pointer, b.index(bytes)); }
  /// Makes what this thread has written visible to TMA and wgmma.
  void fenceMemory();
  /// Waits for all lanes of the warp, and makes what they wrote visible.
  void syncWarp();
  /// Waits for all threads of the first `groups` warpgroups, and makes what
  /// they wrote visible to them.
  void syncGroups(int64_t groups);
  /// Adds a parameter to the kernel; returns a pointer to the map.
  Value addMap(const TensorMap &map);

  //===--------------------------------------------------------------------===//
  // Clusters
  //===--------------------------------------------------------------------===//

  /// Runs the workgroups in clusters of `count`, at most 32, whose units follow
  /// each other. To be called first.
  void setCluster(int64_t count);
  /// The number of this workgroup in its cluster.
  Value rank();

  //===--------------------------------------------------------------------===//
  // Rings of buffers
  //===--------------------------------------------------------------------===//

  /// Initialises the mbarriers of rings for arrivals of `readers` warps of each
  /// workgroup of the cluster, which release a buffer. All threads must reach
  /// it.
  void initialize(ArrayRef<Ring> rings, int64_t readers);
  /// The first position; `next` is the one after it.
  RingPosition first();
  RingPosition next(const Ring &ring, RingPosition position);
  Value buffer(const Ring &ring, RingPosition position) {
    return at(ring.memory, b.mul(position.buffer, ring.bytes));
  }
  /// For the thread that fills: waits until the buffer is empty, and expects
  /// `bytes` of boxes.
  void beginFill(const Ring &ring, RingPosition position, int64_t bytes);
  /// Copies the box at these coordinates (column, row and, if the map is of
  /// several matrices, that) to `to`, 128-byte aligned; in each workgroup of
  /// the cluster if `isMulticast`.
  void fill(const Ring &ring, RingPosition position, Value map,
            ArrayRef<Value> coordinates, Value to, bool isMulticast = false);
  void waitFull(const Ring &ring, RingPosition position);
  /// The warp releases a buffer, if `condition` is null or true: a lane for
  /// each workgroup of the cluster, whose copies fill this one's, too.
  void release(const Ring &ring, Value buffer, Value condition = {});

  //===--------------------------------------------------------------------===//
  // Workgroups that take several units
  //===--------------------------------------------------------------------===//

  /// Emits what the last warpgroup's first thread does, which copies, and what
  /// the other `groups` warpgroups do. If these have more than a few sums, or
  /// registers like them, in each thread, registers move to them.
  void specialize(int64_t groups, int64_t sums, function_ref<void()> copy,
                  function_ref<void()> multiply);
  /// Calls `body` for those of `units` units that this workgroup takes, with a
  /// position in the ring; it returns the one after those it has used. Returns
  /// the last one.
  RingPosition forEachUnit(
      Value units,
      function_ref<RingPosition(Value unit, RingPosition position)> body);
  /// The same with a position in each of `rings` rings.
  using Positions = SmallVector<RingPosition>;
  Positions
  forEachUnit(Value units, size_t rings,
              function_ref<Positions(Value unit, const Positions &)> body);
  /// Fills a buffer per step. `fill` copies ring.bytes.
  RingPosition copySteps(const Ring &ring, RingPosition position, Value steps,
                         function_ref<void(Value step, RingPosition now)> fill);
  /// For the thread that fills, in a cluster: waits until others have released
  /// all buffers, as they access memory of this workgroup for that. `position`
  /// is the one after the last fill.
  void drain(const Ring &ring, RingPosition position);
  /// Starts the products of a buffer per step and waits for all. `multiply`
  /// starts one group of them and returns the next sums. Buffers are released
  /// by lane 0 of each warp.
  std::pair<SmallVector<Value>, RingPosition> addSteps(
      const Ring &ring, RingPosition position, Value steps, ValueRange sums,
      function_ref<SmallVector<Value>(Value buffer, ValueRange sums)> multiply);

  //===--------------------------------------------------------------------===//
  // Stores of boxes
  //===--------------------------------------------------------------------===//

  /// Stores the box at `from`, which this warp has written, to these
  /// coordinates. All lanes must reach it. Lane 0 has then one group more.
  void store(Value map, ArrayRef<Value> coordinates, Value from);
  /// Lane 0 waits until at most `pending` stores of this warp still read
  /// workgroup memory.
  void waitStores(uint32_t pending);

  //===--------------------------------------------------------------------===//
  // Products
  //===--------------------------------------------------------------------===//

  /// The operand in the boxes at `address`, of which each is `boxBytes` further
  /// than the last. If it is transposed, its rows are columns of boxes.
  GroupOperand operand(Value address, bool isTransposed = false,
                       int64_t boxBytes = 0);
  /// Zeros for 64 x `columns` sums, a struct of f32, or any values.
  Value zeros(int64_t columns);
  Value undefined(int64_t columns);
  /// To be called before the products of a group, and after them.
  void beginProducts();
  void endProducts();
  /// Starts sums + left right^T over `depth`, a multiple of kWgmmaDepth. `left`
  /// are 64 rows, `right` as many as `sums` has columns.
  Value multiply(const GroupOperand &left, const GroupOperand &right,
                 Value sums, int64_t depth = kBoxColumns);
  /// Starts left right^T, which has `columns` columns.
  Value multiply(const GroupOperand &left, const GroupOperand &right,
                 int64_t columns, int64_t depth);
  /// Starts sums + left right^T, or left right^T if `accumulates` is false. The
  /// left operand is in registers, kLeftWords for each kWgmmaDepth (see
  /// TensorBuilder::packLeft).
  Value multiply(ArrayRef<SmallVector<Value>> left, const GroupOperand &right,
                 Value sums, Value accumulates);
  /// Waits until at most `pending` groups of products are incomplete.
  void waitProducts(int64_t pending);
  /// Sum `i` of this thread, and all of them.
  Value extract(Value sums, int64_t i);
  SmallVector<Value> split(Value sums);
  Value join(ArrayRef<Value> sums);

private:
  /// The descriptor of an operand from depth k * kWgmmaDepth on.
  Value at(const GroupOperand &operand, int64_t k);
  Value multiply(const GroupOperand &left, const GroupOperand &right,
                 Value sums, int64_t depth, bool accumulates);
  SmallVector<Value> toIntegers(ArrayRef<Value> values);
  void setRegisters(int64_t count, bool isIncrease);
  void waitEmpty(const Ring &ring, RingPosition position);
  Value toPointer(unsigned space, Value pointer);
  Value barrier(Value barriers, Value buffer) {
    return at(barriers, b.mul(buffer, 8));
  }
  Value constant32(int32_t value);
  Value constant64(int64_t value);

  simt::SimtBuilder &b;
  NVVM::WGMMATypes type; ///< of the operands of products
  int64_t cluster = 1;
  Value groupValue, threadValue, warpValue, laneValue;
};

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_WARPGROUPBUILDER_H
