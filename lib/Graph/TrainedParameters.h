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

/// A parameter, or a layer of one, as a block reads it.
struct TrainedParameter {
  ParameterOp parameter;
  ReadOp read;
  /// Whether a vit.linear has it as its weight, which is what decays.
  bool isWeight = false;

  /// "fc1.weight.3"
  std::string getName() {
    std::string name = parameter.getSymName().str();
    return read.getLayer() ? name + "." + std::to_string(*read.getLayer())
                           : name;
  }
};

/// Names with `*` and `?`.
class NamePatterns {
public:
  /// Reports a pattern that cannot be one at `module`.
  static FailureOr<NamePatterns> parse(ArrayRef<std::string> texts,
                                       ModuleOp module);
  bool empty() const { return patterns.empty(); }
  /// Whether the symbol of `trained`, with or without its layer's number, or
  /// its name in the checkpoint is like one of them.
  bool match(TrainedParameter &trained);
  /// Reports the first one that has matched nothing.
  LogicalResult checkAllMatched(ModuleOp module) const;

private:
  struct Pattern {
    std::string text;
    llvm::GlobPattern glob;
    bool matched = false;
  };
  std::vector<Pattern> patterns;
};

/// Makes each parameter that `block` reads be read once, and returns them in
/// the order of the text.
SmallVector<TrainedParameter> collectParameters(Block &block);

} // namespace mlir::vit

#endif // VIT_LIB_GRAPH_TRAINEDPARAMETERS_H
