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

/// The gradient of one number (a loss) with respect to each value, accumulated
/// while ops are visited users first. The adjoints of ops
/// (DifferentiableOpInterface) report their results here.
class Gradients {
public:
  /// `wanted`: the values on a path to those whose gradients are wanted.
  explicit Gradients(llvm::DenseSet<Value> wanted)
      : wanted(std::move(wanted)) {}

  /// Whether the gradient of `value` is needed.
  bool isWanted(Value value) const { return wanted.contains(value); }
  /// The gradient of `value`, complete once all its users have been visited;
  /// null where the loss does not depend on it.
  Value get(Value value) const { return gradients.lookup(value); }
  /// Adds the contribution of one user to the gradient of `value`; it has the
  /// type of `value`. Contributions are summed by `vit.add` at the insertion
  /// point of `builder`.
  void add(OpBuilder &builder, Location location, Value value, Value gradient);

private:
  llvm::DenseSet<Value> wanted;
  llvm::DenseMap<Value, Value> gradients;
};

} // namespace mlir::vit

#endif // VIT_DIALECT_GRADIENTS_H
