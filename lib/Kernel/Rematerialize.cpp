//===- Rematerialize.cpp - Compute twice instead of keeping ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// While more bytes than the budget are live at some kernel of a training step,
// the pass recomputes a value that is live but not used there, before its next
// use. That frees the bytes of the value, except for those of operands whose
// lives become longer. Values are chosen by recompute cost first, then by
// bytes. See Chen et al., "Training Deep Nets with Sublinear Memory Cost".
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Dialect/Names.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

#include <limits>

namespace mlir::vit {
#define GEN_PASS_DEF_REMATERIALIZE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct RematerializePass : vit::impl::RematerializeBase<RematerializePass> {
  using Base::Base;
  void runOnOperation() override;
};

/// The lives of the values of a block, as intervals of op numbers.
class Liveness {
public:
  Liveness(Block &block, int64_t batch);

  /// The op at which the most bytes are live.
  Operation *getPeak() const { return ops[peak]; }
  int64_t getPeakBytes() const { return peakBytes; }
  bool isLiveAtPeak(Value value) const {
    auto life = lives.find(value);
    return life != lives.end() && life->second.begin <= peak &&
           peak <= life->second.end;
  }
  ArrayRef<Value> getValues() const { return values; }
  int64_t getBytes(Value value) const { return lives.lookup(value).bytes; }
  int64_t getTime(Operation *op) const { return times.lookup(op); }
  int64_t getPeakTime() const { return peak; }
  /// Returns whether `value` is a gradient that an update reads. Such values
  /// are not recomputed, since their memory is reserved anyway.
  bool isKept(Value value) const { return kept.contains(value); }

private:
  struct Life {
    int64_t bytes = 0, begin = 0, end = 0;
  };
  SmallVector<Operation *> ops;
  SmallVector<Value> values;
  DenseMap<Operation *, int64_t> times;
  DenseMap<Value, Life> lives;
  llvm::SmallDenseSet<Value> kept;
  int64_t peak = 0, peakBytes = 0;
};

/// A value to recompute before `user`.
struct Choice {
  Value value;
  Operation *user = nullptr;
  int cost = std::numeric_limits<int>::max();
  int64_t saved = 0;
};
} // namespace

Liveness::Liveness(Block &block, int64_t batch) {
  for (Operation &op : block) {
    times[&op] = ops.size();
    ops.push_back(&op);
  }
  // Gradients will be adjacent in memory that is live from the first gradient
  // on.
  int64_t firstGradient = ops.size(), last = ops.size() - 1;
  for (UpdateOp update : block.getOps<UpdateOp>())
    if (Value gradient = update.getGradient();
        gradient && gradient.getDefiningOp()) {
      if (OpOperand *reduced = getReduced(gradient))
        gradient = reduced->get();
      if (!gradient.getDefiningOp())
        continue;
      kept.insert(gradient);
      firstGradient = std::min(firstGradient, times[gradient.getDefiningOp()]);
    }
  LiveBytes live;
  for (Operation *op : ops) {
    for (Value value : op->getResults()) {
      if (!isComputed(value) || getReduced(value))
        continue;
      Life life;
      life.bytes = getSlotBytes(value, batch);
      life.begin = life.end = times[op];
      for (Operation *user : value.getUsers())
        life.end = std::max(life.end, times[user]);
      if (kept.contains(value)) {
        life.begin = firstGradient;
        life.end = last;
      }
      live.add(life.begin, life.end, life.bytes);
      lives[value] = life;
      values.push_back(value);
    }
  }
  std::tie(peak, peakBytes) = live.getPeak();
}

using Tried = llvm::SmallDenseSet<std::pair<Value, Operation *>>;

/// Returns the best value to recompute after the peak with a cost of at most
/// `highest`, other than those in `tried`. The user is null if there is none.
static Choice choose(const Liveness &liveness, const Tried &tried,
                     int highest) {
  Choice best;
  int64_t peak = liveness.getPeakTime();
  for (Value value : liveness.getValues()) {
    Operation *op = value.getDefiningOp();
    auto kernel = dyn_cast<KernelOpInterface>(op);
    std::optional<int> cost = kernel ? kernel.getRecomputeCost() : std::nullopt;
    if (!cost || *cost > std::min(highest, best.cost) ||
        liveness.isKept(value) || !liveness.isLiveAtPeak(value) ||
        liveness.getTime(op) == peak)
      continue;
    // Finds the next use after the peak. If there is a use at the peak, the
    // value must stay live.
    Operation *next = nullptr;
    bool isUsedAtPeak = false;
    for (Operation *user : value.getUsers()) {
      int64_t time = liveness.getTime(user);
      isUsedAtPeak |= time == peak;
      if (time > peak && (!next || time < liveness.getTime(next)))
        next = user;
    }
    if (isUsedAtPeak || !next || isa<func::ReturnOp>(next) ||
        tried.contains({value, next}))
      continue;
    int64_t saved = liveness.getBytes(value);
    llvm::SmallDenseSet<Value> operands(op->operand_begin(), op->operand_end());
    for (Value operand : operands)
      if (liveness.getBytes(operand) != 0 && !liveness.isLiveAtPeak(operand))
        saved -= liveness.getBytes(operand);
    if (saved > 0 && (*cost < best.cost || saved > best.saved))
      best = {value, next, *cost, saved};
  }
  return best;
}

/// Clones the kernel of `choice` before `choice.user`, for the users from there
/// on.
static Operation *recompute(const Choice &choice) {
  OpBuilder builder(choice.user);
  Operation *again = builder.clone(*choice.value.getDefiningOp());
  again->setLoc(withSuffix(again->getLoc(), ".again"));
  Value value = choice.value;
  value.replaceUsesWithIf(again->getResult(0), [&](OpOperand &use) {
    return again->isBeforeInBlock(use.getOwner());
  });
  return again;
}

void RematerializePass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal() || !isTrainingEntry(entry))
    return;
  Block &block = entry.getBody().front();
  Liveness liveness(block, batch);
  bytesBefore += liveness.getPeakBytes();
  Tried tried;
  // A bound for termination, far more than the useful number of attempts.
  size_t limit = 4 * liveness.getValues().size();
  int highest =
      budget == 0 ? kElementwiseCost : std::numeric_limits<int>::max();
  while (tried.size() < limit &&
         liveness.getPeakBytes() > static_cast<int64_t>(budget)) {
    Choice choice = choose(liveness, tried, highest);
    if (!choice.user)
      break;
    // Recomputing can increase another peak, because operands live longer. Such
    // a choice is undone and not tried again.
    tried.insert({choice.value, choice.user});
    Operation *again = recompute(choice);
    Liveness next(block, batch);
    if (next.getPeakBytes() > liveness.getPeakBytes()) {
      again->getResult(0).replaceAllUsesWith(choice.value);
      again->erase();
      continue;
    }
    ++recomputed;
    liveness = std::move(next);
  }
  bytesAfter += liveness.getPeakBytes();
  if (budget != 0 && liveness.getPeakBytes() > static_cast<int64_t>(budget))
    entry->setAttr(kLeastMemoryAttr, UnitAttr::get(&getContext()));
}
