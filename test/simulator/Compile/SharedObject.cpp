//===- SharedObject.cpp - Compiles host code to a shared object -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedObject.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace sim = vit::sim; // mlir::vit is another
using namespace mlir;

void sim::registerHostTranslation(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

static std::unique_ptr<llvm::TargetMachine> createMachine() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  // Standard: do not fuse multiplications and additions unless the kernel uses
  // fma. The GPU's compiler may fuse others.
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "x86-64-v3", "", options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::None));
}

/// Little, and no more in the code generator: kernels are simulated for a few
/// blocks, for which compiling them takes longer than running them.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1)
      .run(module, modules);
}

static LogicalResult link(ModuleOp host, StringRef object, StringRef path) {
  std::string linker;
  StringRef besideLlvm[] = {VIT_LLVM_BINARY_DIR};
  for (StringRef name : {"ld.lld-22", "ld.lld"}) {
    auto found = llvm::sys::findProgramByName(name, besideLlvm);
    if (!found)
      found = llvm::sys::findProgramByName(name);
    if (found && linker.empty())
      linker = *found;
  }
  if (linker.empty())
    return host.emitError("no ld.lld; it comes with the package lld-22");
  std::string message;
  // Write to a temporary file and rename: no partial file is visible.
  std::string temporary = (path + ".tmp").str();
  int status = llvm::sys::ExecuteAndWait(
      linker, {linker, "-shared", "-o", temporary, object}, std::nullopt, {}, 0,
      0, &message);
  if (status || llvm::sys::fs::rename(temporary, path))
    return host.emitError("cannot link ")
           << path << ": " << linker << " ends " << status << " " << message;
  return success();
}

LogicalResult sim::writeSharedObject(ModuleOp host, StringRef path) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine();
  if (!machine)
    return host.emitError("this LLVM was built without X86");
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module =
      translateModuleToLLVMIR(host, context, "kernels");
  if (!module)
    return failure();
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  optimize(*module, *machine);

  SmallString<128> object;
  int descriptor = -1;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile(
          "vit-simulate", "o", descriptor, object))
    return host.emitError("cannot write a temporary file: ") << code.message();
  llvm::scope_exit remove([&] { llvm::sys::fs::remove(object); });
  {
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                     llvm::CodeGenFileType::ObjectFile))
      return host.emitError("this LLVM writes no object files");
    passes.run(*module);
  }
  return link(host, object, path);
}
