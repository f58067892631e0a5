//===- Registration.cpp - What GPU code generation needs ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../CUDA/LowerToNvvm.h"

#include "vit/Target/Codegen.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"

using namespace mlir;

void mlir::vit::registerSimtCodegen(DialectRegistry &registry) {
  cuda::registerLowering(registry);
  registry.insert<spirv::SPIRVDialect>();
}
