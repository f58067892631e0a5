//===- TrainedParameters.h - What a training step trains --------*- C++ -*-===//
//-*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_GRAPH_TRAINEDPARAMETERS_H
#define VIT_LIB_GRAPH_TRAINEDPARAMETERS_H

#include "vit/Dialect/Vit.h"

#include "llvm/Support/GlobPattern.h"

namespace mlir::vit {

/// A parameter, or a layer of one, that a block reads.
struct TrainedParameter {
  ParameterOp parameter;
  ReadOp read;
  /// Whether it is the weight of a vit.linear; only these have weight decay.
  bool isWeight = false;

  /// "fc1.weight.3"
  std::string getName() {
    std::string name = parameter.getSymName().str();
    return read.getLayer() ? name + "." + std::to_string(*read.getLayer())
                           : name;
  }
};

/// A list of name patterns with `*` and `?`.
class NamePatterns {
public:
  /// Emits an error at `module` for a malformed pattern.
  static FailureOr<NamePatterns> parse(ArrayRef<std::string> texts,
                                       ModuleOp module);
  bool empty() const { return patterns.empty(); }
  /// Returns whether a pattern matches the symbol of `trained`, with or without
  /// the number of the layer, or its name in the checkpoint.
  bool match(TrainedParameter &trained);
  /// Emits an error for the first pattern that has matched nothing.
  LogicalResult checkAllMatched(ModuleOp module) const;

private:
  struct Pattern {
    std::string text;
    llvm::GlobPattern glob;
    bool matched = false;
  };
  std::vector<Pattern> patterns;
};

/// Merges the reads of each parameter that `block` reads, and returns the
/// parameters in program order.
SmallVector<TrainedParameter> collectParameters(Block &block);

} // namespace mlir::vit

#endif // VIT_LIB_GRAPH_TRAINEDPARAMETERS_H
