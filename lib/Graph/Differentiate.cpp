//===- Differentiate.cpp - Gradients of values in a block -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Graph/Differentiate.h"

#include "vit/Dialect/Names.h"

using namespace mlir;
using namespace mlir::vit;

FailureOr<SmallVector<Value>>
vit::buildGradients(OpBuilder &builder, Block &block,
                    ArrayRef<std::pair<Value, Value>> seeds,
                    ValueRange wanted) {
  // The values that depend on a wanted one, and the ops that compute them.
  llvm::DenseSet<Value> reached(wanted.begin(), wanted.end());
  SmallVector<Operation *> between;
  for (Operation &op :
       llvm::make_range(block.begin(), builder.getInsertionPoint())) {
    if (llvm::none_of(op.getOperands(),
                      [&](Value operand) { return reached.contains(operand); }))
      continue;
    between.push_back(&op);
    reached.insert(op.result_begin(), op.result_end());
  }

  Gradients gradients(std::move(reached));
  for (auto [value, gradient] : seeds)
    gradients.add(builder, value.getLoc(), value, gradient);
  for (Operation *op : llvm::reverse(between)) {
    if (llvm::none_of(op->getResults(),
                      [&](Value result) { return gradients.get(result); }))
      continue;
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no adjoint, but the loss depends on it");
    Location location = withSuffix(op->getLoc(), ".backward");
    if (failed(differentiable.buildAdjoint(builder, location, gradients)))
      return failure();
  }
  return llvm::map_to_vector(wanted,
                             [&](Value value) { return gradients.get(value); });
}
