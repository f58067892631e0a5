//===- ScalarCode.h - The scalar code in a kernel's region ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_REFERENCE_SCALARCODE_H
#define VIT_LIB_REFERENCE_SCALARCODE_H

#include "mlir/IR/Block.h"
#include "mlir/Support/LLVM.h"

#include <string>
#include <vector>

namespace mlir::vit::reference {

/// A block of arith and math ops, as a list of steps on numbered doubles. i1
/// values are 0 or 1; i32 values are unsigned.
class ScalarCode {
public:
  /// Reads `block`. On an unknown op sets `error` and fails.
  static FailureOr<ScalarCode> compile(Block &block, std::string &error);

  /// The block's arguments; write them before `run`.
  double *arguments() { return values.data(); }
  /// The values that the block yields, valid until the next run.
  ArrayRef<double> run();

private:
  using Function = double (*)(const double *operands, int64_t detail);
  struct Step {
    Function function;
    int64_t detail; ///< a comparison's predicate
    unsigned operands[3];
    unsigned result;
  };
  std::vector<double> values; ///< arguments, then constants and results
  std::vector<Step> steps;
  std::vector<unsigned> yielded;
  std::vector<double> results;
};

} // namespace mlir::vit::reference

#endif // VIT_LIB_REFERENCE_SCALARCODE_H
