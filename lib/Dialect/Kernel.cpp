//===- Kernel.cpp - The kernel dialect ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Kernel.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

#include "KernelDialect.cpp.inc"
#include "KernelEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "KernelAttributes.cpp.inc"
#include "KernelInterfaces.cpp.inc"
#define GET_OP_CLASSES
#include "KernelOps.cpp.inc"

bool kernel::isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return !op || isa<KernelOpInterface, ConcatOp, AllReduceOp, DispatchOp>(op);
}

OpOperand *kernel::getReduced(Value value) {
  auto reduce = value.getDefiningOp<AllReduceOp>();
  return reduce ? &reduce.getGradientsMutable()[cast<OpResult>(value)
                                                    .getResultNumber()]
                : nullptr;
}

void KernelDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "KernelAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "KernelOps.cpp.inc"
      >();
}
