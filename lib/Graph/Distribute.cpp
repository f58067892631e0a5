//===- Distribute.cpp - Sum gradients over ranks --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step that accumulates adds each gradient to a state. These additions become
// vit.all_reduce, a bucket of them at a time, in the order in which the
// backward part computes the gradients.
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_DISTRIBUTE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct DistributePass : vit::impl::DistributeBase<DistributePass> {
  using Base::Base;
  void runOnOperation() override;

private:
  void distribute(Block &block);
  void reduce(MutableArrayRef<AddOp> additions, int64_t number, Block &block);
};
} // namespace

/// Whether `op` adds a gradient, its second operand, to the state that
/// accumulates it (vit-generate-backward).
static bool isAccumulation(AddOp op) {
  auto read = op.getLhs().getDefiningOp<ReadOp>();
  if (!read || !op.getRhs().getDefiningOp() ||
      op.getRhs().getType() != op.getType() ||
      op.getLhs().getType() != op.getType())
    return false;
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(
      op, read.getParameterAttr());
  return state && state.getRole() == "gradient";
}

static int64_t getBytes(AddOp addition) {
  return addition.getType().getNumElements() * sizeof(float);
}

/// Replaces `additions` by one op behind the last of their gradients.
void DistributePass::reduce(MutableArrayRef<AddOp> additions, int64_t number,
                            Block &block) {
  Operation *last = additions.back().getRhs().getDefiningOp();
  // In the order of parameters, so that neighbours in memory are neighbours.
  llvm::sort(additions, [](AddOp first, AddOp second) {
    return first->isBeforeInBlock(second);
  });
  SmallVector<Value> gradients, sums;
  for (AddOp addition : additions) {
    gradients.push_back(addition.getRhs());
    sums.push_back(addition.getLhs());
    addition.getLhs().getDefiningOp()->moveBefore(&block, block.begin());
  }
  OpBuilder builder(&block, ++Block::iterator(last));
  auto name = "all_reduce." + std::to_string(number);
  ++buckets;
  auto reduced =
      AllReduceOp::create(builder, NameLoc::get(builder.getStringAttr(name)),
                          TypeRange(gradients), gradients, sums);
  for (auto [addition, result] : llvm::zip(additions, reduced.getResults())) {
    addition.replaceAllUsesWith(result);
    addition.erase();
  }
}

void DistributePass::distribute(Block &block) {
  SmallVector<AddOp> additions(
      llvm::make_filter_range(block.getOps<AddOp>(), isAccumulation));
  // Additions of one gradient to two states stay in order.
  llvm::stable_sort(additions, [](AddOp first, AddOp second) {
    Operation *one = first.getRhs().getDefiningOp(),
              *two = second.getRhs().getDefiningOp();
    return one != two && one->isBeforeInBlock(two);
  });
  size_t begin = 0;
  int64_t bytes = 0, number = 0;
  for (size_t end = 1; end <= additions.size(); ++end) {
    bytes += getBytes(additions[end - 1]);
    if (end < additions.size() && bytes < bucketBytes)
      continue;
    reduce(MutableArrayRef(additions).slice(begin, end - begin), number++,
           block);
    begin = end;
    bytes = 0;
  }
}

void DistributePass::runOnOperation() {
  if (bucketBytes < 1) {
    getOperation().emitError(
        "vit-distribute: a bucket has at least one byte, not ")
        << bucketBytes.getValue();
    return signalPassFailure();
  }
  for (auto entry : getOperation().getOps<func::FuncOp>())
    if (!entry.isExternal() && entry.getBody().hasOneBlock())
      distribute(entry.getBody().front());
}
