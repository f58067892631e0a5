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
  return size % kLanes == 0 ? 0 : size;
}

/// The one group that `op` can work with; none: any.
static std::optional<int64_t> getOwnGroup(Operation *op) {
  if (auto attention = dyn_cast<AttentionOp>(op))
    return getPaddedGroup(attention.getHeadDim());
  if (auto rows = dyn_cast<RowsOp>(op)) {
    int64_t count = rows.getGroups();
    int64_t width = rows.getInput().getType().getShape().back();
    return count == 1 ? 0 : getPaddedGroup(width / count);
  }
  return std::nullopt;
}

HeadGroups::HeadGroups(func::FuncOp entry) {
  auto key = [](Value value) { return value.getAsOpaquePointer(); };
  Block &block = entry.getBody().front();
  // What must agree without a conversion. A product's input need not: its
  // weights are packed to suit.
  for (Operation &op : block) {
    if (!isKernel(&op))
      continue;
    classes.insert(key(op.getResult(0)));
    if (isa<AttentionOp, PatchifyOp>(op))
      continue;
    for (Value operand : op.getOperands().drop_front(isa<GemmOp>(op) ? 1 : 0))
      if (isActivation(operand))
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
        wish(op.getResult(0), *own);
        for (Value operand : op.getOperands())
          if (isActivation(operand))
            wish(operand, *own);
      }
}

int64_t HeadGroups::getGroup(Operation *op) const {
  if (std::optional<int64_t> own = getOwnGroup(op))
    return *own;
  return groups.lookup(
      classes.getLeaderValue(op->getResult(0).getAsOpaquePointer()));
}
