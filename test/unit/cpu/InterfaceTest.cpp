//===- InterfaceTest.cpp - Which kernel ops are launches ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Kernel.h"

#include "gtest/gtest.h"

#include <set>

using namespace mlir;
using namespace mlir::vit::kernel;

/// Passes ignore an op that is a launch but does not implement the interface.
TEST(KernelOpInterface, AllLaunchesImplementIt) {
  MLIRContext context;
  context.loadDialect<KernelDialect>();
  std::set<std::string> others;
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (name.getDialectNamespace() == KernelDialect::getDialectNamespace() &&
        !name.hasInterface<KernelOpInterface>())
      others.insert(name.stripDialect().str());
  EXPECT_EQ(others,
            (std::set<std::string>{"all_reduce", "arena", "bias_correction",
                                   "concat", "derive", "dispatch", "gelu_slope",
                                   "relative_positions", "resample",
                                   "row_scales", "yield"}));
}
