//===- ConvertAsync.cpp - Asynchronous copies and barriers ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async, and what sm_90 adds: named barriers, mbarriers, clusters, copies of
// boxes of tensors (TMA), products of warpgroups, and fences of the
// asynchronous proxy.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

#include "../Runtime/Interface.h"

#include "llvm/ADT/TypeSwitch.h"

namespace vit::sim {

LogicalResult Converter::replaceByCall(Operation *op, StringRef name,
                                       ValueRange operands) {
  if (llvm::any_of(op->getResults(), [](Value v) { return !v.use_empty(); }))
    return op->emitError("the simulator does not know the result of ")
           << op->getName();
  call(name, {}, operands);
  op->erase();
  return success();
}

LogicalResult Converter::convertCopy(NVVM::CpAsyncOp op) {
  Value bytes = constant(op.getSize());
  return replaceByCall(op, "sim_copy_async",
                       {op.getDst(), op.getSrc(), bytes,
                        op.getCpSize() ? op.getCpSize() : bytes, getSite(op)});
}

LogicalResult Converter::convertMapa(NVVM::MapaOp op) {
  Value plain =
      call("sim_map_shared", pointer(), {op.getA(), op.getB(), getSite(op)})
          .getResult();
  // The type keeps its address space until all are removed.
  op.getResult().replaceAllUsesWith(
      LLVM::AddrSpaceCastOp::create(builder, location, op.getType(), plain));
  op.erase();
  return success();
}

LogicalResult Converter::convertBarrier(NVVM::BarrierOp op) {
  if (op.getNumResults())
    return op.emitError("the simulator knows no barrier with a reduction");
  if (!op.getBarrierId() && !op.getNumberOfThreads())
    return replaceByCall(op, "sim_barrier", {getSite(op)});
  ordered = true;
  auto orZero = [&](Value value) { return value ? value : constant(0); };
  return replaceByCall(op, "sim_named_barrier",
                       {orZero(op.getBarrierId()),
                        orZero(op.getNumberOfThreads()), constant(1),
                        getSite(op)});
}

/// The operands of a copy at `coordinates` in the scratch memory.
Value Converter::storeCoordinates(ValueRange coordinates) {
  for (auto [i, coordinate] : llvm::enumerate(coordinates))
    storeWord(coordinate, static_cast<int32_t>(i));
  return getScratch();
}

LogicalResult Converter::convertTensorCopy(Operation *op) {
  if (auto load =
          dyn_cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op)) {
    if (!load.getIm2colOffsets().empty() || load.getPredicate() ||
        load.getMode() != NVVM::TMALoadMode::TILE)
      return op->emitError("the simulator knows copies of tiles alone, without "
                           "predicates");
    Value rank = constant(load.getCoordinates().size());
    Value mask = load.getMulticastMask();
    mask = mask ? LLVM::ZExtOp::create(builder, location, builder.getI32Type(),
                                       mask)
                : constant(0);
    return replaceByCall(op, "sim_load_tensor",
                         {load.getDstMem(), load.getTmaDescriptor(),
                          storeCoordinates(load.getCoordinates()), rank,
                          load.getMbar(), mask, getSite(op)});
  }
  auto store = cast<NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp>(op);
  if (store.getPredicate() || store.getMode() != NVVM::TMAStoreMode::TILE)
    return op->emitError("the simulator knows stores of tiles alone, without "
                         "predicates");
  Value rank = constant(store.getCoordinates().size());
  return replaceByCall(op, "sim_store_tensor",
                       {store.getSrcMem(), store.getTmaDescriptor(),
                        storeCoordinates(store.getCoordinates()), rank,
                        getSite(op)});
}

Value Converter::getSumMemory(Type type) {
  Value &memory = sums[type];
  if (!memory) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    memory =
        LLVM::AllocaOp::create(builder, location, pointer(), type, constant(1));
  }
  return memory;
}

Value Converter::getType(bool isF16) {
  return constant(
      static_cast<uint32_t>(isF16 ? MatrixType::F16 : MatrixType::Bf16));
}

LogicalResult Converter::convertProduct(NVVM::WgmmaMmaAsyncOp op) {
  auto shape = op.getShape();
  bool isF16 = op.getTypeA() == NVVM::WGMMATypes::f16;
  if ((!isF16 && op.getTypeA() != NVVM::WGMMATypes::bf16) ||
      op.getTypeB() != op.getTypeA() ||
      op.getTypeD() != NVVM::WGMMATypes::f32 || shape.getM() != 64 ||
      shape.getK() != 16)
    return op.emitError(
        "the simulator knows wgmma m64k16 of bf16 or f16 alone, "
        "with sums in f32");
  auto type = cast<LLVM::LLVMStructType>(op.getInouts().getType());
  Value memory = getSumMemory(type);
  LLVM::StoreOp::create(builder, location, op.getInouts(), memory);
  uint32_t flags = (op.getLayoutA() == NVVM::MMALayout::col) |
                   (op.getLayoutB() == NVVM::MMALayout::row) << 1 |
                   (op.getScaleD() == NVVM::WGMMAScaleOut::one) << 2 |
                   (op.getScaleA() == NVVM::WGMMAScaleIn::neg) << 3 |
                   (op.getScaleB() == NVVM::WGMMAScaleIn::neg) << 4;
  call("sim_multiply_async", {},
       {memory, op.getDescriptorA(), op.getDescriptorB(), getType(isF16),
        constant(shape.getN()), constant(flags), getSite(op)});
  Value result = LLVM::LoadOp::create(builder, location, type, memory);
  op.getResults().replaceAllUsesWith(result);
  op.erase();
  return success();
}

LogicalResult Converter::convertInlinePtx(LLVM::InlineAsmOp op) {
  std::optional<RegisterProduct> product = RegisterProduct::get(op);
  if (!product)
    return op.emitError("the simulator does not know this inline PTX");
  ordered = true;
  Type type = op.getType(0);
  Value memory = getSumMemory(type);
  for (auto [i, sum] : llvm::enumerate(product->sums)) {
    Value to = LLVM::GEPOp::create(
        builder, location, pointer(), builder.getF32Type(), memory,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    LLVM::StoreOp::create(builder, location, sum, to);
  }
  uint32_t flags = uint32_t(product->transposedB) << 1;
  SmallVector<Value> operands = {memory};
  llvm::append_range(operands, product->words);
  operands.append({op.getOperand(product->descriptor), product->accumulates,
                   getType(product->isF16), constant(product->columns),
                   constant(flags), getSite(op)});
  call("sim_multiply_words_async", {}, operands);
  Value result = LLVM::LoadOp::create(builder, location, type, memory);
  for (Value word : product->words)
    if (Operation *writer = word.getDefiningOp()) {
      builder.setInsertionPointAfter(writer);
      call("sim_touch_registers", {}, {});
    }
  op.getResult(0).replaceAllUsesWith(result);
  op.erase();
  return success();
}

void Converter::convertMakingOfSums(LLVM::InsertValueOp op) {
  bool isPart = llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<LLVM::InsertValueOp>(user);
  });
  if (!sums.contains(op.getType()) || isPart)
    return;
  builder.setInsertionPointAfter(op);
  call("sim_touch_registers", {}, {});
}

void Converter::convertUseOfSums(LLVM::ExtractValueOp op) {
  // Products take the sums of others apart, but may use them at any time.
  bool isOperand = llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<LLVM::InlineAsmOp>(user);
  });
  if (!sums.contains(op.getContainer().getType()) || isOperand)
    return;
  builder.setInsertionPointAfter(op);
  LLVM::CallOp sum =
      call("sim_sum", op.getType(), {op.getResult(), getSite(op)});
  op.getResult().replaceAllUsesExcept(sum.getResult(), sum);
}

std::optional<LogicalResult> Converter::convertAsync(Operation *op) {
  bool wasOrdered = ordered;
  ordered = true;
  using Result = std::optional<LogicalResult>;
  Result result =
      llvm::TypeSwitch<Operation *, Result>(op)
          .Case([&](NVVM::BarrierArriveOp arrive) {
            Value number =
                arrive.getBarrierId() ? arrive.getBarrierId() : constant(0);
            return replaceByCall(op, "sim_named_barrier",
                                 {number, arrive.getNumberOfThreads(),
                                  constant(0), getSite(op)});
          })
          .Case([&](NVVM::MBarrierInitOp init) -> LogicalResult {
            if (init.getPredicate())
              return op->emitError("the simulator knows no predicates");
            return replaceByCall(
                op, "sim_mbarrier_init",
                {init.getAddr(), init.getCount(), getSite(op)});
          })
          .Case([&](NVVM::MBarrierArriveOp arrive) {
            Value number = arrive.getCount() ? arrive.getCount() : constant(1);
            return replaceByCall(
                op, "sim_mbarrier_arrive",
                {arrive.getAddr(), number, constant(0), getSite(op)});
          })
          .Case([&](NVVM::MBarrierArriveExpectTxOp arrive) -> LogicalResult {
            if (arrive.getPredicate())
              return op->emitError("the simulator knows no predicates");
            return replaceByCall(op, "sim_mbarrier_arrive",
                                 {arrive.getAddr(), constant(1),
                                  arrive.getTxcount(), getSite(op)});
          })
          .Case([&](NVVM::MBarrierTryWaitParityOp wait) {
            return replaceByCall(
                op, "sim_mbarrier_wait",
                {wait.getAddr(), wait.getPhase(), getSite(op)});
          })
          .Case([&](NVVM::MBarrierTryWaitOp wait) -> LogicalResult {
            if (!wait.getStateOrPhase().getType().isInteger(32))
              return op->emitError("the simulator knows waits for a parity "
                                   "alone");
            // It may wait for as long as it likes: until it is true.
            call("sim_mbarrier_wait", {},
                 {wait.getAddr(), wait.getStateOrPhase(), getSite(op)});
            Value yes = LLVM::ConstantOp::create(builder, location,
                                                 builder.getBoolAttr(true));
            op->getResult(0).replaceAllUsesWith(yes);
            op->erase();
            return success();
          })
          .Case([&](NVVM::ElectSyncOp elect) -> LogicalResult {
            Value mask =
                elect.getMembermask() ? elect.getMembermask() : constant(~0u);
            Value leader = call("sim_vote", builder.getI32Type(),
                                {mask, constant(0),
                                 constant(static_cast<uint32_t>(Vote::Leader)),
                                 getSite(op)})
                               .getResult();
            leader = LLVM::TruncOp::create(builder, location,
                                           builder.getI1Type(), leader);
            op->getResult(0).replaceAllUsesWith(leader);
            op->erase();
            return success();
          })
          .Case([&](NVVM::MapaOp mapa) { return convertMapa(mapa); })
          .Case<NVVM::ClusterArriveOp, NVVM::ClusterArriveRelaxedOp>(
              [&](Operation *) {
                Value relaxed = constant(isa<NVVM::ClusterArriveRelaxedOp>(op));
                return replaceByCall(op, "sim_cluster_arrive",
                                     {relaxed, getSite(op)});
              })
          .Case([&](NVVM::ClusterWaitOp) {
            return replaceByCall(op, "sim_cluster_wait", {getSite(op)});
          })
          .Case([&](NVVM::FenceMbarrierInitOp) {
            return replaceByCall(op, "sim_fence_init", {});
          })
          .Case([&](NVVM::FenceProxyOp fence) -> LogicalResult {
            if (fence.getKind() != NVVM::ProxyKind::async &&
                fence.getKind() != NVVM::ProxyKind::async_shared)
              return op->emitError("the simulator knows fences of the proxy "
                                   "async alone");
            return replaceByCall(op, "sim_fence_async", {});
          })
          .Case<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp,
                NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp>(
              [&](Operation *) { return convertTensorCopy(op); })
          .Case([&](NVVM::CpAsyncBulkCommitGroupOp) {
            return replaceByCall(op, "sim_commit_stores", {});
          })
          .Case([&](NVVM::CpAsyncBulkWaitGroupOp wait) {
            return replaceByCall(op, "sim_wait_stores",
                                 {constant(wait.getGroup())});
          })
          .Case([&](NVVM::PrefetchOp) -> LogicalResult {
            op->erase(); // a hint
            return success();
          })
          .Case([&](NVVM::WgmmaFenceAlignedOp) {
            return replaceByCall(op, "sim_fence_products", {});
          })
          .Case([&](NVVM::WgmmaMmaAsyncOp product) {
            return convertProduct(product);
          })
          .Case([&](NVVM::WgmmaGroupSyncAlignedOp) {
            return replaceByCall(op, "sim_commit_products", {});
          })
          .Case([&](NVVM::WgmmaWaitGroupSyncOp wait) {
            return replaceByCall(
                op, "sim_wait_products",
                {constant(static_cast<uint32_t>(wait.getGroup()))});
          })
          .Case([&](NVVM::SetMaxRegisterOp set) {
            return replaceByCall(op, "sim_set_registers",
                                 {constant(set.getRegCount()), getSite(op)});
          })
          .Default([](Operation *) -> Result { return std::nullopt; });
  if (!result)
    ordered = wasOrdered;
  return result;
}

} // namespace vit::sim
