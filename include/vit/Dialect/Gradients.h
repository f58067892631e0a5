//===- Gradients.h - Gradients while a graph is walked backwards -*- C++
//-*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_GRADIENTS_H
#define VIT_DIALECT_GRADIENTS_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::vit {

/// The gradient of one number (a loss) with respect to each value, as far as
/// it is known while ops are visited users first; what ops hand their adjoints'
/// results to (DifferentiableOpInterface).
class Gradients {
public:
  /// `wanted`: the values on the way to those whose gradients are asked for.
  explicit Gradients(llvm::DenseSet<Value> wanted)
      : wanted(std::move(wanted)) {}

  /// Whether somebody needs the gradient of `value`.
  bool isWanted(Value value) const { return wanted.contains(value); }
  /// The gradient of `value`, complete once all its users have been visited;
  /// null where the loss does not depend on it.
  Value get(Value value) const { return gradients.lookup(value); }
  /// One user's share of the gradient of `value`, which has its type; shares
  /// are summed by `vit.add` at `builder`'s place.
  void add(OpBuilder &builder, Location location, Value value, Value gradient);

private:
  llvm::DenseSet<Value> wanted;
  llvm::DenseMap<Value, Value> gradients;
};

} // namespace mlir::vit

#endif // VIT_DIALECT_GRADIENTS_H
