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

/// A block of arith and math ops as a list of steps on numbered doubles. i1
/// values are 0 and 1; i32 values are taken as unsigned.
class ScalarCode {
public:
  /// Reads `block`. Sets `error` and fails where an op is not known.
  static FailureOr<ScalarCode> compile(Block &block, std::string &error);

  /// The block's arguments, to be written before `run`.
  double *arguments() { return values.data(); }
  /// What the block yields, until the next run.
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
