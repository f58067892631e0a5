//===- Codegen.cpp - From vector code to a flat image ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kernel is compiled to an object of its own, in an MLIR context and an
// LLVM context of the thread that compiles it, so that threads share nothing.
//
//===----------------------------------------------------------------------===//

#include "../Codegen/Llvm.h"
#include "../Codegen/Parallel.h"
#include "Flatten.h"
#include "KernelBuilder.h"
#include "LowerToLLVM.h"

#include "vit/Target/CPU.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AsmState.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"

#include <mutex>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

void mlir::vit::registerCpuCodegen(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  vector::VectorDialect>();
}

//===----------------------------------------------------------------------===//
// LLVM IR to an object
//===----------------------------------------------------------------------===//

std::string mlir::vit::getTargetFeatures(const Level &level) {
  std::string features = level.llvm.flags;
  for (int i = 0; i < ::vit::format::kFeatures; ++i) {
    auto feature = static_cast<::vit::format::Feature>(i);
    if (level.features.has(feature))
      features += std::string(features.empty() ? "+" : ",+") +
                  ::vit::format::featureName(feature);
  }
  return features;
}

const Level &mlir::vit::getExpandedLevel() {
  return ::vit::format::levelsOf(::vit::format::Target::Cpu).back();
}

static void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const Level &level) {
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Only vector.fma is fused, never a separate multiplication and addition.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, level.llvm.cpu, getTargetFeatures(level), options,
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Aggressive));
}

//===----------------------------------------------------------------------===//
// One kernel
//===----------------------------------------------------------------------===//

namespace {
struct Kernel {
  std::string name;
  std::string symbol; ///< The name of the function in `bytecode`.
  std::string bytecode;
  SmallVector<char> image;
  uint64_t entry = 0;
  std::string error;
};

/// Leaves out loop strength reduction. The addresses of the innermost loops are
/// a base, an index and a constant, as the instructions take them; the pass
/// does not make them faster, and takes half of the time of kernels with many
/// loops.
class PassGate : public llvm::OptPassGate {
public:
  bool isEnabled() const override { return true; }
  bool shouldRunPass(StringRef name, StringRef) const override {
    return name != "Loop Strength Reduction";
  }
};

/// Compiles kernels on one thread.
class Worker {
public:
  Worker(const Level &level, const CodegenOptions &options)
      : options(options), level(level), machine(createMachine(level)),
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
  const Level &level;
  std::unique_ptr<llvm::TargetMachine> machine;
  MLIRContext context;
  PassGate gate;
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
  llvmContext.setOptPassGate(gate);
  std::unique_ptr<llvm::Module> code =
      lowerToLLVM(module, kernel.symbol, options.verify, llvmContext);
  if (!code)
    return fail("does not lower to LLVM");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *code)
    function.addFnAttr("tune-cpu", level.llvm.tuneCpu);
  if (options.verify && llvm::verifyModule(*code))
    return fail("is not valid LLVM IR");
  llvm::ModulePassManager first;
  first.addPass(llvm::AlwaysInlinerPass());
  optimize(*code, *machine, std::move(first));
  if (!options.dumpDirectory.empty()) {
    std::string text;
    llvm::raw_string_ostream(text) << *code;
    if (llvm::Error error = dump(kernel, ".ll", text))
      return error;
  }

  SmallVector<char, 0> object;
  if (!emitFile(*code, *machine, llvm::CodeGenFileType::ObjectFile,
                options.verify, object))
    return fail("cannot be emitted");
  StringRef bytes(object.data(), object.size());
  if (llvm::Error error = dump(kernel, ".o", bytes))
    return error;
  llvm::Expected<uint64_t> entry = flatten(
      llvm::MemoryBufferRef(bytes, kernel.name), kernel.symbol, kernel.image);
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

/// Writes a copy of `function` that is alone in a module, without locations, to
/// `kernel`. Dumped code has the kernel's own name.
static LogicalResult isolate(func::FuncOp function,
                             const CodegenOptions &options, Kernel &kernel) {
  kernel.symbol = options.dumpDirectory.empty() ? "kernel" : kernel.name;
  Location nowhere = UnknownLoc::get(function.getContext());
  OwningOpRef<ModuleOp> single = ModuleOp::create(nowhere);
  func::FuncOp copy = function.clone();
  single->push_back(copy);
  copy.setName(kernel.symbol);
  copy.walk([&](Operation *op) {
    op->setLoc(nowhere);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          argument.setLoc(nowhere);
  });
  llvm::raw_string_ostream stream(kernel.bytecode);
  return writeBytecodeToFile(*single, stream);
}

FailureOr<CodeImage> mlir::vit::compileKernels(ModuleOp kernels,
                                               StringRef level,
                                               const CodegenOptions &options) {
  const Level *found =
      getLevel(kernels.getLoc(), ::vit::format::Target::Cpu, level);
  if (!found)
    return failure();
  initializeTarget();
  std::vector<Kernel> work;
  // Of kernels that differ in their names alone, such as those of the forward
  // pass and of a training step, only the first is compiled.
  std::vector<std::pair<std::string, size_t>> names;
  llvm::StringMap<size_t> known;
  for (auto function : kernels.getOps<func::FuncOp>()) {
    Kernel kernel;
    kernel.name = function.getName().str();
    if (failed(isolate(function, options, kernel)))
      return failure();
    auto [place, isNew] = known.try_emplace(kernel.bytecode, work.size());
    names.emplace_back(kernel.name, place->second);
    if (isNew)
      work.push_back(std::move(kernel));
  }

  std::vector<size_t> sizes;
  for (const Kernel &kernel : work)
    sizes.push_back(kernel.bytecode.size());
  runLargestFirst(sizes, options.threads, [&] {
    auto worker = std::make_shared<Worker>(*found, options);
    return [&, worker](size_t i) { worker->compile(work[i]); };
  });

  CodeImage image;
  for (const auto &[name, index] : names) {
    const Kernel &kernel = work[index];
    if (!kernel.error.empty()) {
      kernels.emitError(kernel.error);
      return failure();
    }
    image.bytes.resize(llvm::alignTo(image.bytes.size(), 64));
    image.entries.emplace_back(name, image.bytes.size() + kernel.entry);
    image.bytes.append(kernel.image.begin(), kernel.image.end());
  }
  return image;
}
