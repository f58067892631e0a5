//===- Leaves.cpp - The operands of scalar code ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Leaves.h"

#include "ElementCode.h"
#include "KernelUtils.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Derives a parameter in the shape of a result that has no batch.
FailureOr<Value> Leaves::reshape(Value leaf) {
  RankedTensorType type = typeOf(leaf);
  if (!isLoaded(leaf) || (type.getNumElements() != 1 &&
                          type.getNumElements() != result.getNumElements()))
    return user->emitOpError("has no kernel that broadcasts the parameter ")
           << type << " to " << result;
  OpBuilder builder(user);
  return DeriveOp::create(builder, leaf.getLoc(), result, leaf).getResult();
}

/// Derives a parameter in one of the shapes in which extras can be broadcast.
FailureOr<Value> Leaves::broadcast(Value leaf) {
  RankedTensorType type = typeOf(leaf);
  ArrayRef<int64_t> shape = type.getShape();
  if (type == result)
    return leaf;
  if (isComputed(leaf))
    return user->emitOpError("has no kernel that broadcasts ")
           << type << " to " << result;
  if (result.hasStaticShape())
    return reshape(leaf);
  ArrayRef<int64_t> kept =
      shape.drop_while([](int64_t size) { return size == 1; });
  ArrayRef<int64_t> suffix =
      result.getShape().drop_front().take_back(kept.size());
  SmallVector<int64_t> target(kept);
  if (kept.empty())
    target = {result.getShape().back()}; // one number for all
  else if (kept != suffix)
    return user->emitOpError("has no kernel that broadcasts the parameter ")
           << type << " to " << result << "; use [width] or [tokens, width]";
  auto wanted = RankedTensorType::get(target, type.getElementType());
  if (wanted == type)
    return leaf;
  if (!isLoaded(leaf))
    return user->emitOpError("has no kernel that broadcasts a constant ")
           << type << " to " << result;
  OpBuilder builder(user);
  return DeriveOp::create(builder, leaf.getLoc(), wanted, leaf).getResult();
}

LogicalResult Leaves::add(Value value) {
  if (value == element || extras.contains(value))
    return success();
  if (!isActivation(value) && isElementwise(value.getDefiningOp())) {
    for (Value operand : value.getDefiningOp()->getOperands())
      if (failed(add(operand)))
        return failure();
    return success();
  }
  FailureOr<Value> operand = broadcast(value);
  if (failed(operand))
    return failure();
  extras.insert({value, *operand});
  return success();
}

SmallVector<Value> Leaves::getExtras() const {
  return llvm::map_to_vector(extras,
                             [](const auto &pair) { return pair.second; });
}

Value Leaves::emit(OpBuilder &builder, Block &block, Value value) const {
  if (value == element)
    return block.getArgument(0);
  if (auto found = extras.find(value); found != extras.end())
    return block.getArgument(1 + std::distance(extras.begin(), found));
  Operation *op = value.getDefiningOp();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(emit(builder, block, operand));
  return emitElement(builder, op, operands);
}
