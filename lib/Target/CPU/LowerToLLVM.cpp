//===- LowerToLLVM.cpp - From vector code to LLVM IR ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerToLLVM.h"

#include "../Codegen/Llvm.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

void mlir::vit::cpu::registerLowering(DialectRegistry &registry) {
  registry.insert<LLVM::LLVMDialect, cf::ControlFlowDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

static LogicalResult convert(ModuleOp module) {
  MLIRContext *context = module.getContext();
  LowerToLLVMOptions options(context);
  LLVMTypeConverter types(context, options);
  if (failed(lowerStructured(module)))
    return failure();

  RewritePatternSet patterns(context);
  cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  arith::populateArithToLLVMConversionPatterns(types, patterns);
  populateMathToLLVMConversionPatterns(types, patterns);
  populateVectorToLLVMConversionPatterns(types, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(types, patterns);
  populateFuncToLLVMConversionPatterns(types, patterns);
  LLVMConversionTarget target(*context);
  target.addLegalOp<ModuleOp>();
  return applyFullConversion(module, target, std::move(patterns));
}

/// Adds the external function. The body takes five values per buffer, MLIR's
/// descriptor of a 1-d memref: allocated and aligned pointer, offset, size and
/// stride. Only the aligned pointer is used.
static void addEntry(llvm::Module &module, StringRef name) {
  llvm::Function *body = module.getFunction(name);
  body->setName(name + ".body");
  body->setLinkage(llvm::GlobalValue::InternalLinkage);
  body->addFnAttr(llvm::Attribute::AlwaysInline);

  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> b(context);
  llvm::Type *pointer = b.getPtrTy(), *integer = b.getInt64Ty();
  auto *type = llvm::FunctionType::get(
      b.getVoidTy(), {pointer, integer, integer, integer, pointer}, false);
  auto *entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                       name, module);
  entry->addFnAttr(llvm::Attribute::NoUnwind);
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "", entry));
  SmallVector<llvm::Value *> arguments;
  auto addBuffer = [&](llvm::Value *address) {
    arguments.append(
        {address, address, b.getInt64(0), b.getInt64(0), b.getInt64(1)});
  };
  unsigned buffers = (body->arg_size() - 8) / 5;
  for (unsigned i = 0; i < buffers; ++i)
    addBuffer(b.CreateLoad(
        pointer, b.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), i)));
  for (unsigned i = 1; i <= 3; ++i)
    arguments.push_back(entry->getArg(i));
  addBuffer(entry->getArg(4));
  b.CreateCall(body, arguments);
  b.CreateRetVoid();
}

std::unique_ptr<llvm::Module>
mlir::vit::cpu::lowerToLLVM(ModuleOp module, StringRef name, bool verify,
                            llvm::LLVMContext &context) {
  if (failed(convert(module)) || (verify && failed(mlir::verify(module))))
    return nullptr;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(
      module, context, "kernel", /*disableVerification=*/true);
  if (code)
    addEntry(*code, name);
  return code;
}
