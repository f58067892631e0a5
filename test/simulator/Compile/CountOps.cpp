//===- CountOps.cpp - Classes of ops for counters -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts ops of the NVVM dialect, before LLVM and ptxas: those may join, remove
// and add instructions. What tensor cores and memory do is as written.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

#include "../Runtime/Interface.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

namespace vit::sim {

static std::optional<OpClass> classifyArithmetic(Operation *op) {
  if (isa<LLVM::ExpOp, LLVM::Exp2Op, LLVM::LogOp, LLVM::Log2Op, LLVM::SinOp,
          LLVM::CosOp, LLVM::SqrtOp, LLVM::FDivOp, LLVM::PowOp, LLVM::TanhOp,
          NVVM::RcpApproxFtzF32Op>(op))
    return OpClass::Special;
  if (auto intrinsic = dyn_cast<LLVM::CallIntrinsicOp>(op)) // or ex2.approx
    return isNamedBarrier(intrinsic) ? OpClass::Barrier : OpClass::Special;
  if (isa<LLVM::FMAOp, LLVM::FMulAddOp>(op))
    return OpClass::Fma;
  if (isa<LLVM::ConstantOp, LLVM::UndefOp, LLVM::PoisonOp, LLVM::ZeroOp,
          LLVM::AddressOfOp, LLVM::AddrSpaceCastOp, LLVM::BitcastOp,
          LLVM::ExtractValueOp, LLVM::InsertValueOp, LLVM::ExtractElementOp,
          LLVM::InsertElementOp, LLVM::ShuffleVectorOp>(op))
    return std::nullopt; // mostly no instructions
  if (op->getNumResults() != 1)
    return std::nullopt;
  auto isFloat = [](Type type) {
    return isa<FloatType>(getElementTypeOrSelf(type));
  };
  if (isFloat(op->getResult(0).getType()) ||
      llvm::any_of(op->getOperandTypes(), isFloat))
    return OpClass::Float;
  return OpClass::Integer;
}

static std::optional<OpClass> classify(Operation *op) {
  if (RegisterProduct::get(op))
    return OpClass::Mma;
  return llvm::TypeSwitch<Operation *, std::optional<OpClass>>(op)
      .Case<NVVM::MmaOp, NVVM::WgmmaMmaAsyncOp>(
          [](Operation *) { return OpClass::Mma; })
      .Case<NVVM::LdMatrixOp, NVVM::StMatrixOp>(
          [](Operation *) { return OpClass::LoadMatrix; })
      .Case<NVVM::CpAsyncOp, NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp,
            NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp>(
          [](Operation *) { return OpClass::CopyAsync; })
      .Case<LLVM::LoadOp>([](Operation *) { return OpClass::Load; })
      .Case<LLVM::StoreOp>([](Operation *) { return OpClass::Store; })
      .Case<NVVM::ShflOp, NVVM::VoteSyncOp, NVVM::ElectSyncOp>(
          [](Operation *) { return OpClass::Shuffle; })
      .Case<NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::SyncWarpOp,
            NVVM::CpAsyncWaitGroupOp, NVVM::BarrierArriveOp,
            NVVM::MBarrierArriveOp, NVVM::MBarrierArriveExpectTxOp,
            NVVM::MBarrierTryWaitParityOp, NVVM::MBarrierTryWaitOp,
            NVVM::WgmmaWaitGroupSyncOp, NVVM::CpAsyncBulkWaitGroupOp,
            NVVM::ClusterArriveOp, NVVM::ClusterArriveRelaxedOp,
            NVVM::ClusterWaitOp>([](Operation *) { return OpClass::Barrier; })
      .Case<LLVM::BrOp, LLVM::CondBrOp, LLVM::SwitchOp>(
          [](Operation *) { return OpClass::Branch; })
      .Default([](Operation *other) { return classifyArithmetic(other); });
}

/// How many instructions an op is, if each handles one element of arithmetic.
static uint32_t getWeight(Operation *op, OpClass kind) {
  if (kind != OpClass::Fma && kind != OpClass::Float &&
      kind != OpClass::Special && kind != OpClass::Integer)
    return 1;
  auto vector = dyn_cast<VectorType>(op->getResult(0).getType());
  return vector ? static_cast<uint32_t>(vector.getNumElements()) : 1;
}

void Converter::countOps(LLVM::LLVMFuncOp kernel) {
  for (auto [number, block] : llvm::enumerate(kernel.getBody())) {
    uint32_t counts[opClasses] = {};
    for (Operation &op : block)
      if (std::optional<OpClass> kind = classify(&op))
        counts[static_cast<uint32_t>(*kind)] += getWeight(&op, *kind);
    manifestOps += "ops";
    for (uint32_t count : counts)
      manifestOps += " " + std::to_string(count);
    manifestOps += "\n";
    location = kernel.getLoc();
    builder.setInsertionPointToStart(&block);
    call("sim_execute", {}, {constant(static_cast<uint32_t>(number))});
  }
}

} // namespace vit::sim
