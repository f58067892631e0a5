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

Value mlir::vit::cuda::reduceInParts(
    ArrayRef<Value> values, function_ref<Value(Value, Value)> combine) {
  SmallVector<Value> parts(values.take_front(4));
  for (size_t i = 4; i < values.size(); ++i)
    parts[i % 4] = combine(parts[i % 4], values[i]);
  return combine(combine(parts[0], parts[2]), combine(parts[1], parts[3]));
}

WarpgroupBuilder::WarpgroupBuilder(simt::SimtBuilder &b, Operands operands)
    : b(b), type(operands.type == ::vit::format::ElementType::F16
                     ? NVVM::WGMMATypes::f16
                     : NVVM::WGMMATypes::bf16),
      groupValue(b.div(b.thread(), kWarpgroup)),
      threadValue(b.rem(b.thread(), kWarpgroup)),
      warpValue(b.div(threadValue, kWarp)),
      laneValue(b.rem(b.thread(), kWarp)) {}

Value WarpgroupBuilder::row(int64_t half) {
  Value inWarp = b.add(b.div(lane(), 4), half * 8);
  return b.add(b.add(b.mul(group(), kGroupRows), b.mul(warp(), kMmaRows)),
               inWarp);
}

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

void WarpgroupBuilder::syncGroups(int64_t groups) {
  // Barrier 0 is that of the workgroup. Not nvvm.barrier, whose text cannot be
  // read where it has a location.
  Value operands[] = {constant32(1),
                      constant32(static_cast<int32_t>(groups * kWarpgroup))};
  LLVM::CallIntrinsicOp::create(
      b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.count"), operands);
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
// Clusters
//===----------------------------------------------------------------------===//

void WarpgroupBuilder::setCluster(int64_t count) {
  cluster = count;
  if (cluster > 1)
    b.function()->setAttr(
        kClusterDimAttr,
        b.getDenseI32ArrayAttr({static_cast<int32_t>(cluster), 1, 1}));
}

Value WarpgroupBuilder::rank() {
  return b.toIndex(NVVM::ClusterId::create(b, b.getI32Type()));
}

//===----------------------------------------------------------------------===//
// Rings of buffers
//===----------------------------------------------------------------------===//

void WarpgroupBuilder::initialize(ArrayRef<Ring> rings, int64_t readers) {
  b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
    for (const Ring &ring : rings)
      for (int64_t i = 0; i < ring.buffers; ++i) {
        NVVM::MBarrierInitOp::create(b, barrier(ring.full, b.index(i)),
                                     constant32(1), /*predicate=*/Value());
        NVVM::MBarrierInitOp::create(b, barrier(ring.empty, b.index(i)),
                                     constant32(readers * cluster),
                                     /*predicate=*/Value());
      }
    NVVM::FenceMbarrierInitOp::create(b);
  });
  if (cluster == 1)
    return b.barrier();
  // Before any other workgroup uses them. The fence releases them.
  NVVM::ClusterArriveRelaxedOp::create(b, /*aligned=*/b.getUnitAttr());
  NVVM::ClusterWaitOp::create(b, /*aligned=*/b.getUnitAttr());
}

RingPosition WarpgroupBuilder::first() { return {b.index(0), b.index(0)}; }

RingPosition WarpgroupBuilder::next(const Ring &ring, RingPosition position) {
  Value isLast = b.isEqual(position.buffer, b.index(ring.buffers - 1));
  return {b.select(isLast, b.index(0), b.add(position.buffer, 1)),
          b.select(isLast, b.sub(b.index(1), position.round), position.round)};
}

/// Iterations of the test of an mbarrier, after which it may sleep.
static constexpr int32_t kTicks = 0x989680;

void WarpgroupBuilder::waitEmpty(const Ring &ring, RingPosition position) {
  // A wait for the phase before the first one returns at once.
  Value parity = b.toInteger(b.sub(b.index(1), position.round));
  NVVM::MBarrierTryWaitParityOp::create(b, barrier(ring.empty, position.buffer),
                                        parity, constant32(kTicks));
}

void WarpgroupBuilder::beginFill(const Ring &ring, RingPosition position,
                                 int64_t bytes) {
  waitEmpty(ring, position);
  NVVM::MBarrierArriveExpectTxOp::create(
      b, /*res=*/Type(), barrier(ring.full, position.buffer), constant32(bytes),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false,
      /*predicate=*/Value());
}

void WarpgroupBuilder::fill(const Ring &ring, RingPosition position, Value map,
                            ArrayRef<Value> coordinates, Value to,
                            bool isMulticast) {
  Value mask;
  if (isMulticast)
    mask = b.constant(
        b.getI16IntegerAttr(static_cast<int16_t>((1 << cluster) - 1)));
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      b, toPointer(kSharedCluster, to), map, toIntegers(coordinates),
      barrier(ring.full, position.buffer), /*im2colOffsets=*/ValueRange(), mask,
      /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
      /*group=*/NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
}

void WarpgroupBuilder::waitFull(const Ring &ring, RingPosition position) {
  NVVM::MBarrierTryWaitParityOp::create(b, barrier(ring.full, position.buffer),
                                        b.toInteger(position.round),
                                        constant32(kTicks));
}

void WarpgroupBuilder::release(const Ring &ring, Value buffer,
                               Value condition) {
  Value releases = cluster == 1 ? b.isEqual(lane(), b.index(0))
                                : b.isLess(lane(), b.index(cluster));
  b.ifThen(condition ? b.both(releases, condition) : releases, [&] {
    Value empty = barrier(ring.empty, buffer);
    if (cluster == 1) {
      NVVM::MBarrierArriveOp::create(b, b.getI64Type(), empty,
                                     /*count=*/Value());
      return;
    }
    auto type = LLVM::LLVMPointerType::get(b.getContext(), kSharedCluster);
    Value there =
        NVVM::MapaOp::create(b, type, empty, b.toInteger(lane())).getResult();
    // What it orders are reads by wgmma, which are complete. In the scope of
    // the cluster it would wait for all memory accesses of the thread.
    NVVM::MBarrierArriveOp::create(b, /*res=*/Type(), there, /*count=*/Value());
  });
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

RingPosition WarpgroupBuilder::forEachUnit(
    Value units, function_ref<RingPosition(Value, RingPosition)> body) {
  return forEachUnit(units, 1, [&](Value unit, const Positions &positions) {
    return Positions{body(unit, positions[0])};
  })[0];
}

WarpgroupBuilder::Positions WarpgroupBuilder::forEachUnit(
    Value units, size_t rings,
    function_ref<Positions(Value, const Positions &)> body) {
  Value workgroups = gpu::GridDimOp::create(b, gpu::Dimension::x);
  auto flatten = [](const Positions &positions) {
    SmallVector<Value> values;
    for (RingPosition position : positions)
      values.append({position.buffer, position.round});
    return values;
  };
  auto unflatten = [&](ValueRange values) {
    Positions positions;
    for (size_t i = 0; i < rings; ++i)
      positions.push_back({values[2 * i], values[2 * i + 1]});
    return positions;
  };
  return unflatten(b.loop(b.unit(), units, workgroups,
                          flatten(Positions(rings, first())),
                          [&](Value unit, ValueRange carried) {
                            return flatten(body(unit, unflatten(carried)));
                          }));
}

void WarpgroupBuilder::drain(const Ring &ring, RingPosition position) {
  for (int64_t i = 0; cluster > 1 && i < ring.buffers; ++i) {
    waitEmpty(ring, position);
    position = next(ring, position);
  }
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
  auto step = [&](Value step, ValueRange carried) {
    RingPosition now = {carried[0], carried[1]};
    waitFull(ring, now);
    SmallVector<Value> next =
        multiply(buffer(ring, now), carried.drop_front(3));
    // The products of the step before are complete: its buffer is free.
    waitProducts(1);
    release(ring, carried[2], b.isLess(b.index(0), step));
    RingPosition after = this->next(ring, now);
    SmallVector<Value> values = {after.buffer, after.round, now.buffer};
    values.append(next);
    return values;
  };
  SmallVector<Value> carried = {position.buffer, position.round, b.index(0)};
  carried.append(sums.begin(), sums.end());
  carried = b.loop(b.index(0), steps, 1, carried, step);
  waitProducts(0);
  release(ring, carried[2], b.isLess(b.index(0), steps));
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
  GroupOperand operand;
  operand.descriptor = arith::OrIOp::create(b, bits, constant64(fixed));
  operand.isTransposed = isTransposed;
  operand.boxBytes = boxBytes;
  return operand;
}

Value WarpgroupBuilder::at(const GroupOperand &operand, int64_t k) {
  constexpr int64_t perBox = kBoxColumns / kWgmmaDepth;
  int64_t bytes = operand.isTransposed ? k * kWgmmaDepth * kBoxRowBytes
                                       : k / perBox * operand.boxBytes +
                                             k % perBox * kWgmmaDepth * 2;
  // A descriptor counts 16 bytes.
  return arith::AddIOp::create(b, operand.descriptor,
                               constant64(operand.isConstant ? 0 : bytes / 16));
}

static int64_t getCount(Value sums) {
  return cast<LLVM::LLVMStructType>(sums.getType()).getBody().size();
}

static int64_t getColumns(Value sums) {
  return getCount(sums) / kBlockSums * kBlockColumns;
}

SmallVector<Value> WarpgroupBuilder::split(Value sums) {
  return llvm::map_to_vector(llvm::seq(getCount(sums)),
                             [&](int64_t i) { return extract(sums, i); });
}

Value WarpgroupBuilder::zeros(int64_t columns) {
  int64_t count = columns / kBlockColumns * kBlockSums;
  return join(SmallVector<Value>(count, b.scalar(0)));
}

Value WarpgroupBuilder::undefined(int64_t columns) {
  int64_t count = columns / kBlockColumns * kBlockSums;
  return LLVM::UndefOp::create(
      b, LLVM::LLVMStructType::getLiteral(
             b.getContext(), SmallVector<Type>(count, b.getF32Type())));
}

Value WarpgroupBuilder::join(ArrayRef<Value> sums) {
  int64_t count = static_cast<int64_t>(sums.size());
  Value all = undefined(count / kBlockSums * kBlockColumns);
  for (auto [i, sum] : llvm::enumerate(sums))
    all = LLVM::InsertValueOp::create(b, all, sum, i);
  return all;
}

void WarpgroupBuilder::beginProducts() { NVVM::WgmmaFenceAlignedOp::create(b); }
void WarpgroupBuilder::endProducts() {
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
}

Value WarpgroupBuilder::multiply(const GroupOperand &left,
                                 const GroupOperand &right, Value sums,
                                 int64_t depth, bool accumulates) {
  auto shape = NVVM::MMAShapeAttr::get(b.getContext(), kGroupRows,
                                       getColumns(sums), kWgmmaDepth);
  for (int64_t k = 0; k < depth / kWgmmaDepth; ++k)
    sums = NVVM::WgmmaMmaAsyncOp::create(
        b, sums.getType(), sums, at(left, k), at(right, k), shape, type, type,
        NVVM::WGMMATypes::f32,
        k != 0 || accumulates ? NVVM::WGMMAScaleOut::one
                              : NVVM::WGMMAScaleOut::zero,
        NVVM::WGMMAScaleIn::one, NVVM::WGMMAScaleIn::one,
        left.isTransposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        right.isTransposed ? NVVM::MMALayout::row : NVVM::MMALayout::col,
        /*satfinite=*/NVVM::MMAIntOverflowAttr());
  return sums;
}

Value WarpgroupBuilder::multiply(const GroupOperand &left,
                                 const GroupOperand &right, Value sums,
                                 int64_t depth) {
  return multiply(left, right, sums, depth, /*accumulates=*/true);
}

Value WarpgroupBuilder::multiply(const GroupOperand &left,
                                 const GroupOperand &right, int64_t columns,
                                 int64_t depth) {
  return multiply(left, right, undefined(columns), depth,
                  /*accumulates=*/false);
}

/// Names of the operands `first`, ... of inline PTX.
static std::string listOperands(int64_t first, int64_t count) {
  auto names = llvm::map_range(llvm::seq(first, first + count), [](int64_t i) {
    return "$" + std::to_string(i);
  });
  return "{" + llvm::join(names, ", ") + "}";
}

Value WarpgroupBuilder::multiply(ArrayRef<SmallVector<Value>> left,
                                 const GroupOperand &right, Value sums,
                                 Value accumulates) {
  // nvvm.wgmma.mma_async has no left operand in registers. The operands of the
  // PTX: sums; words, a descriptor, whether to add to the sums; the sums again.
  int64_t count = getCount(sums);
  std::string name = NVVM::stringifyWGMMATypes(type).str();
  std::string ptx = "{ .reg .pred p; setp.ne.b32 p, $" +
                    std::to_string(count + kLeftWords + 1) +
                    ", 0; wgmma.mma_async.sync.aligned.m64n" +
                    std::to_string(getColumns(sums)) + "k16.f32." + name + "." +
                    name + " " + listOperands(0, count) + ", " +
                    listOperands(count, kLeftWords) + ", $" +
                    std::to_string(count + kLeftWords) + ", p, 1, 1, " +
                    (right.isTransposed ? "1" : "0") + "; }";
  std::string constraints;
  for (int64_t i = 0; i < count; ++i)
    constraints += "=f,";
  constraints += "r,r,r,r,l,r";
  for (int64_t i = 0; i < count; ++i)
    constraints += "," + std::to_string(i);
  for (auto [k, words] : llvm::enumerate(left)) {
    SmallVector<Value> operands(words);
    operands.push_back(at(right, static_cast<int64_t>(k)));
    operands.push_back(
        k != 0 ? constant32(1)
               : arith::ExtUIOp::create(b, b.getI32Type(), accumulates));
    operands.append(split(sums));
    sums = LLVM::InlineAsmOp::create(
               b, sums.getType(), operands, ptx, constraints,
               /*has_side_effects=*/true, /*is_align_stack=*/false,
               LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
               .getResult(0);
  }
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
