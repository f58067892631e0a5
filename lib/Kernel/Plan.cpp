//===- Plan.cpp - Slots of the workspace ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels run in program order, so the life of a value is an interval of
// positions in the program. The pass tries two orders of assigning values to
// slots, by position and by decreasing size, and keeps the result with fewer
// bytes. A slot is as large as the largest of its values at any batch; the
// sizes at one batch only guide the choice.
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"
#include "vit/Passes.h"

#include <limits>

namespace mlir::vit {
#define GEN_PASS_DEF_PLAN
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
/// The life of a value, or of a concat with all values computed in its memory.
struct Life {
  int64_t bytes = 0;
  /// The positions of the first and the last kernel that need it.
  int64_t begin = std::numeric_limits<int64_t>::max(), end = -1;

  bool overlaps(const Life &other) const {
    return begin <= other.end && other.begin <= end;
  }
};

/// An assignment of lives to slots.
struct SlotPlan {
  SmallVector<int64_t> slotOfLife;
  SmallVector<int64_t> sizes;
  SmallVector<SmallVector<const Life *>> lives;

  int64_t getBytes() const {
    int64_t bytes = 0;
    for (int64_t size : sizes)
      bytes += size;
    return bytes;
  }
  bool isFree(int64_t slot, const Life &life) const {
    return llvm::none_of(
        lives[slot], [&](const Life *other) { return other->overlaps(life); });
  }
  int64_t choose(const Life &life, bool share) const;
};

/// The location of a result: `offset` bytes into the memory of life number
/// `life`.
struct Home {
  unsigned life;
  int64_t offset = 0; ///< bytes
};

struct PlanPass : vit::impl::PlanBase<PlanPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult collect(Block &block);
  SlotPlan assign(ArrayRef<unsigned> order) const;
  int64_t getLiveBytes() const;
  SlotsAttr getSlots(Operation &op, const SlotPlan &plan);

  SmallVector<Life> lives;
  DenseMap<Value, Home> homes;
};
} // namespace

/// Returns whether `value` is written to a buffer of the caller: the entry
/// returns it, and no kernel writes zeros after its last element.
static bool isWrittenToCaller(Value value) {
  bool isReturned = llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp>(user);
  });
  RankedTensorType type = tensorOf(value);
  bool isPadded =
      type.hasStaticShape() && type.getRank() > 0 &&
      occupiedElements(type.getNumElements()) != type.getNumElements();
  return isReturned && !isPadded;
}

/// Collects the lives of all values of `block` that need a slot.
LogicalResult PlanPass::collect(Block &block) {
  DenseMap<Operation *, int64_t> times;
  for (Operation &op : block)
    times[&op] = times.size();
  auto bytesOf = [&](Value value) { return getSlotBytes(value, batch); };
  auto extend = [&](Life &life, Value value) {
    Operation *maker = value.getDefiningOp();
    if (!isa<ConcatOp>(maker))
      life.begin = std::min(life.begin, times[maker]);
    life.end = std::max(life.end, times[maker]);
    for (Operation *user : value.getUsers())
      life.end = std::max(life.end, times[user]);
  };
  for (ConcatOp concat : block.getOps<ConcatOp>()) {
    unsigned index = lives.size();
    Life life;
    life.bytes = bytesOf(concat.getResult());
    homes[concat.getResult()] = {index};
    extend(life, concat.getResult());
    int64_t offset = 0;
    for (Value operand : concat.getGradients()) {
      if (OpOperand *reduced = getReduced(operand))
        operand = reduced->get();
      Operation *maker = operand.getDefiningOp();
      if (!isa_and_nonnull<KernelOpInterface>(maker) ||
          isWrittenToCaller(operand) ||
          !homes.try_emplace(operand, Home{index, offset}).second)
        return concat.emitOpError("has an operand that no kernel makes for it "
                                  "alone; run vit-group-updates");
      extend(life, operand);
      offset += bytesOf(operand);
    }
    lives.push_back(life);
  }
  for (auto kernel : block.getOps<KernelOpInterface>())
    for (Value result : kernel->getResults()) {
      if (isWrittenToCaller(result) || homes.contains(result))
        continue;
      homes[result] = {static_cast<unsigned>(lives.size())};
      Life life;
      life.bytes = bytesOf(result);
      extend(life, result);
      lives.push_back(life);
    }
  return success();
}

/// Returns the smallest free slot that is large enough, or else the largest
/// free slot, which then grows, or -1 if no slot is free.
int64_t SlotPlan::choose(const Life &life, bool share) const {
  int64_t best = -1;
  for (int64_t slot = 0, count = share ? sizes.size() : 0; slot < count;
       ++slot) {
    if (!isFree(slot, life))
      continue;
    if (best < 0) {
      best = slot;
      continue;
    }
    bool fits = sizes[slot] >= life.bytes, bestFits = sizes[best] >= life.bytes;
    bool smaller = sizes[slot] < sizes[best];
    if (fits != bestFits ? fits
                         : (sizes[slot] != sizes[best] && smaller == fits))
      best = slot;
  }
  return best;
}

SlotPlan PlanPass::assign(ArrayRef<unsigned> order) const {
  SlotPlan plan;
  plan.slotOfLife.resize(lives.size());
  for (unsigned index : order) {
    const Life &life = lives[index];
    int64_t slot = plan.choose(life, share);
    if (slot < 0) {
      slot = plan.sizes.size();
      plan.sizes.push_back(0);
      plan.lives.emplace_back();
    }
    plan.sizes[slot] = std::max(plan.sizes[slot], life.bytes);
    plan.lives[slot].push_back(&life);
    plan.slotOfLife[index] = slot;
  }
  return plan;
}

int64_t PlanPass::getLiveBytes() const {
  LiveBytes live;
  for (const Life &life : lives)
    live.add(life.begin, life.end, life.bytes);
  return live.getPeak().second;
}

/// Returns the slots of the results of `op`, or null if the caller provides the
/// memory of all of them.
SlotsAttr PlanPass::getSlots(Operation &op, const SlotPlan &plan) {
  SmallVector<int64_t> slots, offsets;
  for (Value result : op.getResults()) {
    auto home = homes.find(result);
    bool hasSlot = home != homes.end();
    slots.push_back(hasSlot ? plan.slotOfLife[home->second.life] : -1);
    offsets.push_back(hasSlot ? home->second.offset : 0);
  }
  if (llvm::all_of(slots, [](int64_t slot) { return slot < 0; }))
    return {};
  return SlotsAttr::get(&getContext(), slots, offsets);
}

void PlanPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  lives.clear();
  homes.clear();
  Block &block = entry.getBody().front();
  if (failed(collect(block)))
    return signalPassFailure();

  auto order = llvm::to_vector(llvm::seq<unsigned>(0, lives.size()));
  llvm::sort(order, [&](unsigned first, unsigned second) {
    return std::pair(lives[first].begin, first) <
           std::pair(lives[second].begin, second);
  });
  SlotPlan plan = assign(order);
  llvm::sort(order, [&](unsigned first, unsigned second) {
    const Life &one = lives[first], &two = lives[second];
    return std::tuple(-one.bytes, one.begin, first) <
           std::tuple(-two.bytes, two.begin, second);
  });
  if (SlotPlan other = assign(order); other.getBytes() < plan.getBytes())
    plan = std::move(other);
  for (auto kernel : block.getOps<KernelOpInterface>())
    kernel.setSlotsAttr(getSlots(*kernel, plan));
  for (auto concat : block.getOps<ConcatOp>())
    concat.setSlotsAttr(getSlots(*concat, plan));

  slotCount += plan.sizes.size();
  slotBytes += plan.getBytes();
  liveBytes += getLiveBytes();
  for (const Life &life : lives)
    valueBytes += life.bytes;
}
