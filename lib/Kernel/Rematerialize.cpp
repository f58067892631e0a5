//===- Rematerialize.cpp - Compute twice instead of keeping ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As long as too much lives at some kernel of a training step, a value that
// lives there but is not used there is computed again before its next use. That
// frees its bytes, less those of operands that have to live longer for it. The
// kind of kernel decides first, then the bytes: Chen et al., "Training Deep
// Nets with Sublinear Memory Cost", with the choice left to the graph.
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

/// When the values of a block live, by the numbers of its ops.
class Liveness {
public:
  Liveness(Block &block, int64_t batch);

  /// The op at which most bytes live, and how many.
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
  /// Whether `value` is a gradient that an update reads: its memory is taken
  /// anyway, so it is not recomputed.
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

/// A value to compute again before `user`.
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
  // Gradients lie side by side in the end, in memory that is there from the
  // first of them on.
  int64_t firstGradient = ops.size(), last = ops.size() - 1;
  for (UpdateOp update : block.getOps<UpdateOp>())
    if (Value gradient = update.getGradient();
        gradient && gradient.getDefiningOp()) {
      kept.insert(gradient);
      firstGradient = std::min(firstGradient, times[gradient.getDefiningOp()]);
    }
  SmallVector<int64_t> changes(ops.size() + 1, 0);
  for (Operation *op : ops) {
    for (Value value : op->getResults()) {
      if (!isComputed(value))
        continue;
      Life life;
      life.bytes =
          padTo(kernel::getBytes(cast<RankedTensorType>(value.getType()))
                    .evaluate(batch),
                kSlotAlignment);
      life.begin = life.end = times[op];
      for (Operation *user : value.getUsers())
        life.end = std::max(life.end, times[user]);
      if (kept.contains(value)) {
        life.begin = firstGradient;
        life.end = last;
      }
      changes[life.begin] += life.bytes;
      changes[life.end + 1] -= life.bytes;
      lives[value] = life;
      values.push_back(value);
    }
  }
  int64_t now = 0;
  for (int64_t time = 0; time <= last; ++time) {
    now += changes[time];
    if (now > peakBytes) {
      peakBytes = now;
      peak = time;
    }
  }
}

using Tried = llvm::SmallDenseSet<std::pair<Value, Operation *>>;

/// The best value to compute again after the peak, at no more than `highest`;
/// without a user if there is none but those that have been tried in vain.
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
    // The next use after the peak; one at the peak needs the value there.
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

/// Runs the kernel of `choice` again, for its users from `choice.user` on.
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
  // Far more than there are values to keep.
  size_t limit = 4 * liveness.getValues().size();
  int highest =
      budget == 0 ? kElementwiseCost : std::numeric_limits<int>::max();
  while (tried.size() < limit &&
         liveness.getPeakBytes() > static_cast<int64_t>(budget)) {
    Choice choice = choose(liveness, tried, highest);
    if (!choice.user)
      break;
    // What one peak saves another may pay for, where operands live longer. A
    // choice that does not pay, or that came back, is not made again.
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
}
