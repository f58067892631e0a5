//===- Codegen.cpp - From vector code to a flat image ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kernel goes its own way to an object: through an MLIR context and an
// LLVM context of the thread that compiles it, so that threads share nothing.
//
//===----------------------------------------------------------------------===//

#include "../Codegen/Parallel.h"
#include "Flatten.h"
#include "KernelBuilder.h"
#include "LowerToLLVM.h"

#include "vit/Target/CPU.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AsmState.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <mutex>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

bool mlir::vit::isCpuLevel(StringRef level) {
  return succeeded(getLevel(level));
}

void mlir::vit::registerCpuCodegen(DialectRegistry &registry) {
  registry
      .insert<arith::ArithDialect, func::FuncDialect, math::MathDialect,
              memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
}

//===----------------------------------------------------------------------===//
// LLVM IR to an object
//===----------------------------------------------------------------------===//

namespace {
struct Features {
  const char *cpu;
  const char *features;
};
} // namespace

// x86-64-v4 alone would split 512-bit vectors where LLVM thinks it cheaper.
static Features getFeatures(StringRef level) {
  if (level == "avx512")
    return {"x86-64-v4", "-prefer-256-bit"};
  return {"x86-64-v3", ""};
}

static void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    // The order that the emitters give is the schedule: the scheduler before
    // register allocation would hoist an unrolled block's loads and spill.
    auto &options = llvm::cl::getRegisteredOptions();
    auto option = options.find("enable-misched");
    if (option != options.end())
      static_cast<llvm::cl::opt<bool> *>(option->second)->setValue(false);
  });
}

static std::unique_ptr<llvm::TargetMachine> createMachine(StringRef level) {
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Only vector.fma fuses: never a multiplication and an addition by chance.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  Features features = getFeatures(level);
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, features.cpu, features.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

/// The few passes that matter to code that is already laid out.
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

  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LoopRotatePass()));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(
      llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager manager;
  manager.addPass(llvm::AlwaysInlinerPass());
  manager.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  manager.run(module, modules);
}

//===----------------------------------------------------------------------===//
// One kernel
//===----------------------------------------------------------------------===//

namespace {
struct Kernel {
  std::string name;
  std::string bytecode;
  SmallVector<char> image;
  uint64_t entry = 0;
  std::string error;
};

/// What one thread compiles with.
class Worker {
public:
  Worker(StringRef level, const CodegenOptions &options)
      : options(options), machine(createMachine(level)),
        context(MLIRContext::Threading::DISABLED) {
    DialectRegistry registry;
    registerCpuCodegen(registry);
    registerLowering(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }
  void compile(Kernel &kernel);

private:
  llvm::Error run(Kernel &kernel);
  llvm::Error dump(const Kernel &kernel, StringRef suffix, StringRef contents);

  const CodegenOptions &options;
  std::unique_ptr<llvm::TargetMachine> machine;
  MLIRContext context;
};
} // namespace

llvm::Error Worker::dump(const Kernel &kernel, StringRef suffix,
                         StringRef contents) {
  return dumpCode(options, kernel.name + suffix.str(), contents);
}

llvm::Error Worker::run(Kernel &kernel) {
  if (!machine)
    return llvm::createStringError("this LLVM was built without X86");
  std::string messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + " ";
    return success();
  });
  auto fail = [&](const Twine &what) {
    return llvm::createStringError("kernel " + kernel.name + " " + what +
                                   (messages.empty() ? "" : ": " + messages));
  };

  Block block;
  ParserConfig config(&context, options.verify);
  if (failed(readBytecodeFile(
          llvm::MemoryBufferRef(kernel.bytecode, kernel.name), &block, config)))
    return fail("cannot be read back");
  auto module = cast<ModuleOp>(block.front());
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      lowerToLLVM(module, kernel.name, options.verify, llvmContext);
  if (!code)
    return fail("does not lower to LLVM");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  if (options.verify && llvm::verifyModule(*code))
    return fail("is not valid LLVM IR");
  optimize(*code, *machine);
  if (!options.dumpDirectory.empty()) {
    std::string text;
    llvm::raw_string_ostream(text) << *code;
    if (llvm::Error error = dump(kernel, ".ll", text))
      return error;
  }

  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile,
                                   /*DisableVerify=*/!options.verify))
    return fail("cannot be emitted");
  codegen.run(*code);
  StringRef bytes(object.data(), object.size());
  if (llvm::Error error = dump(kernel, ".o", bytes))
    return error;
  llvm::Expected<uint64_t> entry = flatten(
      llvm::MemoryBufferRef(bytes, kernel.name), kernel.name, kernel.image);
  if (!entry)
    return entry.takeError();
  kernel.entry = *entry;
  return llvm::Error::success();
}

void Worker::compile(Kernel &kernel) {
  if (llvm::Error error = run(kernel))
    kernel.error = llvm::toString(std::move(error));
}

//===----------------------------------------------------------------------===//
// All kernels
//===----------------------------------------------------------------------===//

FailureOr<CodeImage> mlir::vit::compileKernels(ModuleOp kernels,
                                               StringRef level,
                                               const CodegenOptions &options) {
  if (!isCpuLevel(level)) {
    kernels.emitError("no CPU level \"")
        << level << "\"; the levels are avx2 and avx512";
    return failure();
  }
  initializeTarget();
  std::vector<Kernel> work;
  for (auto function : kernels.getOps<func::FuncOp>()) {
    Kernel kernel;
    kernel.name = function.getName().str();
    OwningOpRef<ModuleOp> single =
        ModuleOp::create(UnknownLoc::get(kernels.getContext()));
    single->push_back(function.clone());
    llvm::raw_string_ostream stream(kernel.bytecode);
    if (failed(writeBytecodeToFile(*single, stream)))
      return failure();
    work.push_back(std::move(kernel));
  }

  std::vector<size_t> sizes;
  for (const Kernel &kernel : work)
    sizes.push_back(kernel.bytecode.size());
  runLargestFirst(sizes, options.threads, [&] {
    auto worker = std::make_shared<Worker>(level, options);
    return [&, worker](size_t i) { worker->compile(work[i]); };
  });

  CodeImage image;
  for (Kernel &kernel : work) {
    if (!kernel.error.empty()) {
      kernels.emitError(kernel.error);
      return failure();
    }
    image.bytes.resize(llvm::alignTo(image.bytes.size(), 64));
    image.entries.emplace_back(kernel.name, image.bytes.size() + kernel.entry);
    image.bytes.append(kernel.image.begin(), kernel.image.end());
  }
  return image;
}
