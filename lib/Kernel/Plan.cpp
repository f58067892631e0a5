//===- Plan.cpp - Slots of the workspace ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels run in program order, so a value's life is an interval of it. Each
// value takes, when it is made, the free slot that fits it best. A slot is as
// large as the largest of its values, whatever the batch; sizes at batch 1
// only steer the choice.
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_PLAN
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct PlanPass : vit::impl::PlanBase<PlanPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  int64_t chooseSlot(int64_t bytes);
  void assign(OpResult value);
  void release(Operation *op);

  /// Bytes of each slot at batch 1, and which are free.
  SmallVector<int64_t> slotSizes;
  SmallVector<bool> isFree;
  DenseMap<Value, int64_t> slots;
};
} // namespace

/// A value that the entry returns is written to the caller's buffer.
static bool isReturned(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp>(user);
  });
}

/// The smallest free slot that is large enough, else the largest free one,
/// which then grows, else a new one.
int64_t PlanPass::chooseSlot(int64_t bytes) {
  int64_t best = -1;
  for (int64_t slot = 0, count = slotSizes.size(); slot < count; ++slot) {
    if (!isFree[slot])
      continue;
    if (best < 0) {
      best = slot;
      continue;
    }
    bool fits = slotSizes[slot] >= bytes, bestFits = slotSizes[best] >= bytes;
    bool smaller = slotSizes[slot] < slotSizes[best];
    if (fits != bestFits
            ? fits
            : (slotSizes[slot] != slotSizes[best] && smaller == fits))
      best = slot;
  }
  if (best < 0 || !share) {
    best = slotSizes.size();
    slotSizes.push_back(0);
    isFree.push_back(false);
  }
  slotSizes[best] = std::max(slotSizes[best], bytes);
  isFree[best] = false;
  return best;
}

void PlanPass::assign(OpResult value) {
  if (isReturned(value))
    return;
  Operation *op = value.getOwner();
  int64_t bytes =
      getBytes(cast<RankedTensorType>(value.getType())).evaluate(/*batch=*/1);
  int64_t slot = chooseSlot(bytes);
  slots[value] = slot;
  valueBytes += bytes;
  StringRef name = value.getResultNumber() == 0 ? "slot" : "probabilities_slot";
  op->setAttr(name, Builder(op->getContext()).getI64IntegerAttr(slot));
}

/// Frees the slots of what nobody reads after `op`.
void PlanPass::release(Operation *op) {
  auto isLastUse = [&](Value value) {
    return llvm::none_of(value.getUsers(), [&](Operation *user) {
      return op->isBeforeInBlock(user);
    });
  };
  auto releaseValue = [&](Value value) {
    auto found = slots.find(value);
    if (found != slots.end() && isLastUse(value))
      isFree[found->second] = true;
  };
  llvm::for_each(op->getOperands(), releaseValue);
  llvm::for_each(op->getResults(), releaseValue);
}

void PlanPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  slotSizes.clear();
  isFree.clear();
  slots.clear();
  for (Operation &op : entry.getBody().front()) {
    if (!isKernel(&op))
      continue;
    // Results first: a kernel never writes what it reads.
    for (OpResult result : op.getResults())
      assign(result);
    release(&op);
  }
  slotCount = slotSizes.size();
  for (int64_t size : slotSizes)
    slotBytes += size;
}
