//===- HeadGroups.cpp - Which activations pad head by head ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadGroups.h"

#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"

using namespace mlir;
using namespace mlir::vit::kernel;

/// Groups of whole vectors need no padding of their own.
static int64_t getPaddedGroup(int64_t size) {
  return size % kChannelPad == 0 ? 0 : size;
}

/// The group of a norm over `groups` equal parts of `input`'s rows.
static int64_t getNormGroup(Value input, int64_t groups) {
  int64_t width = cast<RankedTensorType>(input.getType()).getShape().back();
  return groups == 1 ? 0 : getPaddedGroup(width / groups);
}

/// The one group that `op` can work with; none: any.
static std::optional<int64_t> getOwnGroup(Operation *op) {
  if (auto attention = dyn_cast<AttentionOp>(op))
    return getPaddedGroup(attention.getHeadDim());
  if (auto attention = dyn_cast<AttentionBackwardOp>(op))
    return getPaddedGroup(attention.getHeadDim());
  if (auto rows = dyn_cast<RowsOp>(op))
    return getNormGroup(rows.getInput(), rows.getGroups());
  if (auto rows = dyn_cast<NormalizeBackwardOp>(op))
    return getNormGroup(rows.getInput(), rows.getGroups());
  if (isa<SoftmaxBackwardOp, LossOp, LossBackwardOp>(op))
    return 0;
  return std::nullopt;
}

/// Activations that have a group: not pictures, labels or soft targets, which
/// are read as they are.
static SmallVector<Value> getGroupedOperands(Operation *op) {
  SmallVector<Value> grouped;
  if (auto loss = dyn_cast<LossOp>(op))
    return {loss.getInput()};
  if (auto loss = dyn_cast<LossBackwardOp>(op))
    return {loss.getInput()};
  if (isa<PatchifyOp>(op))
    return {};
  llvm::copy_if(op->getOperands(), std::back_inserter(grouped), isActivation);
  return grouped;
}

HeadGroups::HeadGroups(func::FuncOp entry) {
  auto key = [](Value value) { return value.getAsOpaquePointer(); };
  Block &block = entry.getBody().front();
  // What must agree without a conversion. A product's input need not: its
  // weights are packed to suit. Sums without a batch have no groups.
  for (Operation &op : block) {
    if (!isKernel(&op))
      continue;
    for (Value result : op.getResults())
      classes.insert(key(result));
    if (op.getNumResults() == 0 || !isActivation(op.getResult(0)) ||
        isa<AttentionOp, AttentionBackwardOp>(op))
      continue;
    for (Value result : op.getResults().drop_front())
      classes.unionSets(key(op.getResult(0)), key(result));
    for (Value operand : getGroupedOperands(&op))
      if (!isa<GemmOp>(op) || operand != op.getOperand(0) ||
          llvm::is_contained(getExtras(&op), operand))
        classes.unionSets(key(op.getResult(0)), key(operand));
  }
  // Where the wishes differ, 0 wins and the others convert.
  auto wish = [&](Value value, int64_t group) {
    auto [found, isNew] =
        groups.insert({classes.getOrInsertLeaderValue(key(value)), group});
    if (!isNew && group == 0)
      found->second = 0;
  };
  for (Operation &op : block)
    if (isKernel(&op))
      if (std::optional<int64_t> own = getOwnGroup(&op)) {
        for (Value result : op.getResults())
          if (isActivation(result))
            wish(result, *own);
        for (Value operand : getGroupedOperands(&op))
          wish(operand, *own);
      }
}

int64_t HeadGroups::getGroup(Operation *op) const {
  if (std::optional<int64_t> own = getOwnGroup(op))
    return *own;
  if (op->getNumResults() == 0)
    return 0;
  return groups.lookup(
      classes.getLeaderValue(op->getResult(0).getAsOpaquePointer()));
}
