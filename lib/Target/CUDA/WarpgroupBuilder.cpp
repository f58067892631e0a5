//===- WarpgroupBuilder.cpp - Code for the tensor cores of sm_90a ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpgroupBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;

/// The numbers of workgroup memory among the address spaces of NVPTX: of the
/// workgroup itself, and of those of a cluster.
static constexpr unsigned kShared = 3, kSharedCluster = 7;

LogicalResult mlir::vit::cuda::verifyWarpgroupTile(Operation *op,
                                                   kernel::TileAttr tile) {
  int64_t groups = tile.getRows() / kGroupRows;
  if ((groups == 1 || groups == 2) && tile.getRows() % kGroupRows == 0 &&
      tile.getCols() % kBoxColumns == 0 && tile.getCols() <= 256 &&
      tile.getChunk() == kBoxColumns &&
      tile.getThreads() == (groups + 1) * kWarpgroup)
    return success();
  return op->emitOpError("has a tile that its warpgroups do not cover: ")
         << tile;
}

WarpgroupBuilder::WarpgroupBuilder(simt::SimtBuilder &b)
    : b(b), groupValue(b.div(b.thread(), kWarpgroup)),
      threadValue(b.rem(b.thread(), kWarpgroup)),
      warpValue(b.div(threadValue, kWarp)),
      laneValue(b.rem(b.thread(), kWarp)) {}

Value WarpgroupBuilder::constant32(int32_t value) {
  return b.constant(b.getI32IntegerAttr(value));
}
Value WarpgroupBuilder::constant64(int64_t value) {
  return b.constant(b.getI64IntegerAttr(value));
}

//===----------------------------------------------------------------------===//
// Workgroup memory
//===----------------------------------------------------------------------===//

Value WarpgroupBuilder::allocate(int64_t bytes) {
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto type = MemRefType::get({bytes}, b.getI8Type(),
                              MemRefLayoutAttrInterface(), space);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&b.function().getBody().front());
  Value memory =
      memref::AllocOp::create(b, type, b.getI64IntegerAttr(kBoxAlignment));
  return toPointer(kShared, memory);
}

Value WarpgroupBuilder::toPointer(unsigned space, Value value) {
  auto type = LLVM::LLVMPointerType::get(b.getContext(), space);
  if (isa<MemRefType>(value.getType()))
    return UnrealizedConversionCastOp::create(b, type, value).getResult(0);
  return LLVM::AddrSpaceCastOp::create(b, type, value);
}

Value WarpgroupBuilder::at(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ValueRange{b.toInteger(bytes)});
}

SmallVector<Value> WarpgroupBuilder::toIntegers(ArrayRef<Value> values) {
  return llvm::map_to_vector(values, [&](Value v) { return b.toInteger(v); });
}

void WarpgroupBuilder::fenceMemory() {
  NVVM::FenceProxyOp::create(
      b, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

void WarpgroupBuilder::syncWarp() {
  NVVM::SyncWarpOp::create(b, constant32(-1));
}

Value WarpgroupBuilder::addMap(const TensorMap &map) {
  gpu::GPUFuncOp kernel = b.function();
  unsigned number = kernel.getNumArguments();
  auto attribute = b.getDenseI64ArrayAttr(
      {map.argument, map.columns, map.boxRows, map.rows});
  (void)kernel.insertArgument(
      number, LLVM::LLVMPointerType::get(b.getContext()),
      b.getDictionaryAttr(b.getNamedAttr(kTensorMapAttr, attribute)),
      kernel.getLoc());
  return kernel.getArgument(number);
}

//===----------------------------------------------------------------------===//
// Rings of buffers
//===----------------------------------------------------------------------===//

void WarpgroupBuilder::initialize(const Ring &ring, int64_t readers) {
  b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
    for (int64_t i = 0; i < ring.buffers; ++i) {
      NVVM::MBarrierInitOp::create(b, barrier(ring.full, b.index(i)),
                                   constant32(1), /*predicate=*/Value());
      NVVM::MBarrierInitOp::create(b, barrier(ring.empty, b.index(i)),
                                   constant32(readers), /*predicate=*/Value());
    }
    NVVM::FenceMbarrierInitOp::create(b);
  });
  b.barrier();
}

RingPosition WarpgroupBuilder::first() { return {b.index(0), b.index(0)}; }

RingPosition WarpgroupBuilder::next(const Ring &ring, RingPosition position) {
  Value isLast = b.isEqual(position.buffer, b.index(ring.buffers - 1));
  return {b.select(isLast, b.index(0), b.add(position.buffer, 1)),
          b.select(isLast, b.sub(b.index(1), position.round), position.round)};
}

/// Iterations of the test of an mbarrier, after which it may sleep.
static constexpr int32_t kTicks = 0x989680;

void WarpgroupBuilder::beginFill(const Ring &ring, RingPosition position,
                                 int64_t bytes) {
  // A wait for the phase before the first one returns at once.
  Value parity = b.toInteger(b.sub(b.index(1), position.round));
  NVVM::MBarrierTryWaitParityOp::create(b, barrier(ring.empty, position.buffer),
                                        parity, constant32(kTicks));
  NVVM::MBarrierArriveExpectTxOp::create(
      b, /*res=*/Type(), barrier(ring.full, position.buffer), constant32(bytes),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false,
      /*predicate=*/Value());
}

void WarpgroupBuilder::fill(const Ring &ring, RingPosition position, Value map,
                            ArrayRef<Value> coordinates, Value to) {
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      b, toPointer(kSharedCluster, to), map, toIntegers(coordinates),
      barrier(ring.full, position.buffer), /*im2colOffsets=*/ValueRange(),
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value(),
      NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
      /*group=*/NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
}

void WarpgroupBuilder::waitFull(const Ring &ring, RingPosition position) {
  NVVM::MBarrierTryWaitParityOp::create(b, barrier(ring.full, position.buffer),
                                        b.toInteger(position.round),
                                        constant32(kTicks));
}

void WarpgroupBuilder::release(const Ring &ring, Value buffer) {
  NVVM::MBarrierArriveOp::create(b, b.getI64Type(), barrier(ring.empty, buffer),
                                 /*count=*/Value());
}

//===----------------------------------------------------------------------===//
// Workgroups that take several units
//===----------------------------------------------------------------------===//

/// Registers of a thread that copies, and of one that multiplies, where it has
/// more than kFewSums: with two warpgroups that multiply, all of a
/// multiprocessor.
static constexpr int64_t kCopyRegisters = 40, kProductRegisters = 232;
static constexpr int64_t kFewSums = 64;

void WarpgroupBuilder::specialize(int64_t groups, int64_t sums,
                                  function_ref<void()> copy,
                                  function_ref<void()> multiply) {
  b.function()->setAttr(kResidentAttr, b.getUnitAttr());
  bool changesRegisters = groups == 2 && sums > kFewSums;
  // Without this, ptxas does not know the registers before the change.
  if (changesRegisters)
    b.function()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                          b.getI32IntegerAttr(1));
  auto copyAll = [&] {
    if (changesRegisters)
      setRegisters(kCopyRegisters, /*isIncrease=*/false);
    b.ifThen(b.isEqual(inGroup(), b.index(0)), copy);
  };
  auto multiplyAll = [&] {
    if (changesRegisters)
      setRegisters(kProductRegisters, /*isIncrease=*/true);
    multiply();
  };
  b.ifThen(b.isEqual(group(), b.index(groups)), copyAll, multiplyAll);
}

void WarpgroupBuilder::forEachUnit(
    Value units, function_ref<RingPosition(Value, RingPosition)> body) {
  Value workgroups = gpu::GridDimOp::create(b, gpu::Dimension::x);
  RingPosition begin = first();
  b.loop(b.unit(), units, workgroups, {begin.buffer, begin.round},
         [&](Value unit, ValueRange carried) {
           RingPosition after = body(unit, {carried[0], carried[1]});
           return SmallVector<Value>{after.buffer, after.round};
         });
}

RingPosition
WarpgroupBuilder::copySteps(const Ring &ring, RingPosition position,
                            Value steps,
                            function_ref<void(Value, RingPosition)> fill) {
  auto copyStep = [&](Value step, ValueRange carried) {
    RingPosition now = {carried[0], carried[1]};
    beginFill(ring, now, ring.bytes);
    fill(step, now);
    RingPosition after = next(ring, now);
    return SmallVector<Value>{after.buffer, after.round};
  };
  SmallVector<Value> after =
      b.loop(b.index(0), steps, 1, {position.buffer, position.round}, copyStep);
  return {after[0], after[1]};
}

std::pair<SmallVector<Value>, RingPosition> WarpgroupBuilder::addSteps(
    const Ring &ring, RingPosition position, Value steps, ValueRange sums,
    function_ref<SmallVector<Value>(Value, ValueRange)> multiply) {
  Value releases = b.isEqual(lane(), b.index(0));
  auto releaseIf = [&](Value condition, Value buffer) {
    b.ifThen(b.both(releases, condition), [&] { release(ring, buffer); });
  };
  auto step = [&](Value step, ValueRange carried) {
    RingPosition now = {carried[0], carried[1]};
    waitFull(ring, now);
    SmallVector<Value> next =
        multiply(buffer(ring, now), carried.drop_front(3));
    // The products of the step before are complete: its buffer is free.
    waitProducts(1);
    releaseIf(b.isLess(b.index(0), step), carried[2]);
    RingPosition after = this->next(ring, now);
    SmallVector<Value> values = {after.buffer, after.round, now.buffer};
    values.append(next);
    return values;
  };
  SmallVector<Value> carried = {position.buffer, position.round, b.index(0)};
  carried.append(sums.begin(), sums.end());
  carried = b.loop(b.index(0), steps, 1, carried, step);
  waitProducts(0);
  releaseIf(b.isLess(b.index(0), steps), carried[2]);
  return {SmallVector<Value>(ArrayRef<Value>(carried).drop_front(3)),
          {carried[0], carried[1]}};
}

//===----------------------------------------------------------------------===//
// Stores of boxes
//===----------------------------------------------------------------------===//

void WarpgroupBuilder::store(Value map, ArrayRef<Value> coordinates,
                             Value from) {
  fenceMemory();
  syncWarp();
  b.ifThen(b.isEqual(lane(), b.index(0)), [&] {
    NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
        b, map, from, toIntegers(coordinates),
        /*l2CacheHint=*/Value(), NVVM::TMAStoreMode::TILE,
        /*predicate=*/Value());
    NVVM::CpAsyncBulkCommitGroupOp::create(b);
  });
}

void WarpgroupBuilder::waitStores(uint32_t pending) {
  b.ifThen(b.isEqual(lane(), b.index(0)), [&] {
    NVVM::CpAsyncBulkWaitGroupOp::create(b, pending, b.getUnitAttr());
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

GroupOperand WarpgroupBuilder::operand(Value address, bool isTransposed,
                                       int64_t boxBytes) {
  // The swizzle of 128 bytes; the distance of eight rows; where the rows of the
  // operand are columns of boxes, that of two boxes.
  int64_t fixed = int64_t(1) << 62 | (kBoxAlignment >> 4) << 32 |
                  (isTransposed ? boxBytes >> 4 : 1) << 16;
  Value bits = LLVM::PtrToIntOp::create(b, b.getI64Type(), address);
  bits = arith::ShRUIOp::create(b, bits, constant64(4));
  bits = arith::AndIOp::create(b, bits, constant64(0x3fff));
  return {arith::OrIOp::create(b, bits, constant64(fixed)), isTransposed};
}

Value WarpgroupBuilder::zeros(int64_t columns) {
  int64_t count = columns / kBlockColumns * kBlockSums;
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(count, b.getF32Type()));
  Value sums = LLVM::UndefOp::create(b, type);
  Value zero = b.scalar(0);
  for (int64_t i = 0; i < count; ++i)
    sums = LLVM::InsertValueOp::create(b, sums, zero, i);
  return sums;
}

void WarpgroupBuilder::beginProducts() { NVVM::WgmmaFenceAlignedOp::create(b); }
void WarpgroupBuilder::endProducts() {
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
}

Value WarpgroupBuilder::multiply(const GroupOperand &left,
                                 const GroupOperand &right, Value sums) {
  int64_t columns =
      cast<LLVM::LLVMStructType>(sums.getType()).getBody().size() / kBlockSums *
      kBlockColumns;
  auto shape =
      NVVM::MMAShapeAttr::get(b.getContext(), kGroupRows, columns, kWgmmaDepth);
  // A descriptor counts 16 bytes.
  auto at = [&](const GroupOperand &operand, int64_t k) -> Value {
    int64_t bytes = operand.isTransposed ? kBoxRowBytes : 2;
    Value offset =
        constant64(operand.isConstant ? 0 : k * kWgmmaDepth * bytes / 16);
    return arith::AddIOp::create(b, operand.descriptor, offset);
  };
  for (int64_t k = 0; k < kBoxColumns / kWgmmaDepth; ++k)
    sums = NVVM::WgmmaMmaAsyncOp::create(
        b, sums.getType(), sums, at(left, k), at(right, k), shape,
        NVVM::WGMMATypes::bf16, NVVM::WGMMATypes::bf16, NVVM::WGMMATypes::f32,
        NVVM::WGMMAScaleOut::one, NVVM::WGMMAScaleIn::one,
        NVVM::WGMMAScaleIn::one,
        left.isTransposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        right.isTransposed ? NVVM::MMALayout::row : NVVM::MMALayout::col,
        /*satfinite=*/NVVM::MMAIntOverflowAttr());
  return sums;
}

void WarpgroupBuilder::waitProducts(int64_t pending) {
  NVVM::WgmmaWaitGroupSyncOp::create(b, static_cast<uint64_t>(pending));
}

void WarpgroupBuilder::setRegisters(int64_t count, bool isIncrease) {
  NVVM::SetMaxRegisterOp::create(b, static_cast<uint32_t>(count),
                                 isIncrease
                                     ? NVVM::SetMaxRegisterAction::increase
                                     : NVVM::SetMaxRegisterAction::decrease);
}

Value WarpgroupBuilder::extract(Value sums, int64_t i) {
  return LLVM::ExtractValueOp::create(b, sums, i);
}
