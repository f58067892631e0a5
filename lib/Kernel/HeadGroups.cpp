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

/// Groups that are a multiple of the vector width need no padding of their own.
static int64_t getPaddedGroup(int64_t size) {
  return size % kChannelPad == 0 ? 0 : size;
}

/// The only group that `kernel` supports, or nullopt if it supports any.
static std::optional<int64_t> getOwnGroup(KernelOpInterface kernel) {
  std::optional<int64_t> size = kernel.getGroupSize();
  return size ? std::optional(getPaddedGroup(*size)) : std::nullopt;
}

/// The operands that have a batch and that `kernel` reads in `layout`.
static SmallVector<Value> getOperands(KernelOpInterface kernel,
                                      OperandLayout layout) {
  SmallVector<Value> operands;
  for (OpOperand &operand : kernel->getOpOperands())
    if (isActivation(operand.get()) &&
        kernel.getOperandLayout(operand.getOperandNumber()) == layout)
      operands.push_back(operand.get());
  return operands;
}

HeadGroups::HeadGroups(func::FuncOp entry) {
  auto key = [](Value value) { return value.getAsOpaquePointer(); };
  Block &block = entry.getBody().front();
  // Unites the values of a kernel that must have the same group. Results
  // without a batch have no groups.
  for (auto kernel : block.getOps<KernelOpInterface>()) {
    ResultRange results = kernel->getResults();
    for (Value result : results)
      classes.insert(key(result));
    if (results.empty() || !isActivation(results.front()) ||
        !getOperands(kernel, OperandLayout::OwnGroup).empty())
      continue;
    for (Value result : results.drop_front())
      classes.unionSets(key(results.front()), key(result));
    for (Value operand : getOperands(kernel, OperandLayout::Grouped))
      classes.unionSets(key(results.front()), key(operand));
  }
  // If kernels of a class need different groups, the class has none (0) and the
  // other kernels convert.
  auto wish = [&](Value value, int64_t group) {
    auto [found, isNew] =
        groups.insert({classes.getOrInsertLeaderValue(key(value)), group});
    if (!isNew && group == 0)
      found->second = 0;
  };
  for (auto kernel : block.getOps<KernelOpInterface>())
    if (std::optional<int64_t> own = getOwnGroup(kernel)) {
      for (Value result : kernel->getResults())
        if (isActivation(result))
          wish(result, *own);
      for (auto layout : {OperandLayout::Grouped, OperandLayout::OwnGroup})
        for (Value operand : getOperands(kernel, layout))
          wish(operand, *own);
    }
}

int64_t HeadGroups::getGroup(KernelOpInterface kernel) const {
  if (std::optional<int64_t> own = getOwnGroup(kernel))
    return *own;
  if (kernel->getNumResults() == 0)
    return 0;
  return groups.lookup(
      classes.getLeaderValue(kernel->getResult(0).getAsOpaquePointer()));
}
