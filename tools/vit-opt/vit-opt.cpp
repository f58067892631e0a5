//===- vit-opt.cpp - Run passes on model text -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Registration.h"

#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

/// The upstream passes between emitted kernels and the LLVM dialect, so that
/// each step can be inspected.
static void registerLoweringPasses() {
  mlir::registerArithToLLVMConversionPass();
  mlir::registerConvertControlFlowToLLVMPass();
  mlir::registerConvertFuncToLLVMPass();
  mlir::registerConvertIndexToLLVMPass();
  mlir::registerConvertMathToLLVMPass();
  mlir::registerConvertToLLVMPass();
  mlir::registerConvertVectorToLLVMPass();
  mlir::registerConvertVectorToSCFPass();
  mlir::registerFinalizeMemRefToLLVMConversionPass();
  mlir::registerLowerAffinePass();
  mlir::registerReconcileUnrealizedCastsPass();
  mlir::registerSCFToControlFlowPass();
  mlir::registerUBToLLVMConversionPass();
  mlir::memref::registerExpandStridedMetadataPass();
}

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::vit::registerVitDialects(registry);
  mlir::vit::registerSimtCodegen(registry);
  mlir::registerTransformsPasses();
  registerLoweringPasses();
  mlir::vit::registerVitPasses();
  mlir::vit::registerPipelines();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Vision Transformer compiler driver\n", registry));
}
