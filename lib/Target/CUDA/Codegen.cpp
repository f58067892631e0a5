//===- Codegen.cpp - From GPU kernels to PTX and cubins -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Codegen/Llvm.h"
#include "../Codegen/SimtCodegen.h"
#include "LowerToNvvm.h"
#include "Ptxas.h"

#include "vit/Target/CUDA.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Scalar/SROA.h"

#include <mutex>
#include <thread>

using namespace mlir;
using namespace mlir::vit;

//===----------------------------------------------------------------------===//
// LLVM IR to PTX
//===----------------------------------------------------------------------===//

namespace {
/// While this lives, LLVM creates machines whose addresses in workgroup memory
/// take one register instead of two. That is an option of the whole process,
/// which LLVM reads when it creates a machine, and there is no other way to set
/// it; so it is set for as short as possible, by one thread at a time.
class ShortPointers {
public:
  ShortPointers() : lock(mutex) {
    auto &options = llvm::cl::getRegisteredOptions();
    auto found = options.find("nvptx-short-ptr");
    if (found == options.end())
      return;
    option = static_cast<llvm::cl::opt<bool> *>(found->second);
    saved = *option;
    option->setValue(true);
  }
  ShortPointers(const ShortPointers &) = delete;
  ShortPointers &operator=(const ShortPointers &) = delete;
  ~ShortPointers() {
    if (option)
      option->setValue(saved);
  }

private:
  static inline std::mutex mutex;
  std::lock_guard<std::mutex> lock;
  llvm::cl::opt<bool> *option = nullptr;
  bool saved = false;
};
} // namespace

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(const Level &level) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError("this LLVM was built without NVPTX");
  llvm::TargetOptions options;
  // Only math.fma is fused: other products and sums are rounded separately.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine;
  {
    ShortPointers shortPointers;
    machine.reset(target->createTargetMachine(
        triple, level.llvm.cpu, level.llvm.flags, options, std::nullopt,
        std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  }
  constexpr unsigned shared = 3;
  if (machine->createDataLayout().getPointerSize(shared) != 4)
    return llvm::createStringError(
        "this LLVM does not follow its option nvptx-short-ptr");
  return machine;
}

namespace {
class CudaWorker : public simt::Worker {
public:
  CudaWorker(const Level &level, const CodegenOptions &options)
      : Worker(options), level(level) {}
  llvm::Error compile(ModuleOp module, SimtKernel &kernel,
                      std::string &ptx) override;

private:
  llvm::Error dumpText(const SimtKernel &kernel, StringRef suffix,
                       llvm::function_ref<void(llvm::raw_ostream &)> print);

  const Level &level;
  std::unique_ptr<llvm::TargetMachine> machine;
};
} // namespace

llvm::Error
CudaWorker::dumpText(const SimtKernel &kernel, StringRef suffix,
                     llvm::function_ref<void(llvm::raw_ostream &)> print) {
  if (options.dumpDirectory.empty())
    return llvm::Error::success();
  std::string text;
  llvm::raw_string_ostream stream(text);
  print(stream);
  return dump(kernel.name + suffix.str(), text);
}

llvm::Error CudaWorker::compile(ModuleOp module, SimtKernel &kernel,
                                std::string &ptx) {
  if (!machine) {
    auto created = createMachine(level);
    if (!created)
      return created.takeError();
    machine = std::move(*created);
  }
  FailureOr<ModuleOp> lowered =
      cuda::lowerToNvvm(cast<gpu::GPUModuleOp>(module.getBody()->front()));
  if (failed(lowered) || (options.verify && failed(mlir::verify(*lowered))))
    return llvm::createStringError("does not lower to NVVM");
  if (llvm::Error error =
          dumpText(kernel, ".nvvm.mlir",
                   [&](llvm::raw_ostream &stream) { stream << *lowered; }))
    return error;

  if (failed(cuda::expandPtx(*lowered)))
    return llvm::createStringError("does not expand to PTX");
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(
      *lowered, llvmContext, "kernel", /*disableVerification=*/true);
  if (!code)
    return llvm::createStringError("does not translate to LLVM IR");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  for (const llvm::Function &function : *code)
    if (function.isDeclaration() && !function.isIntrinsic())
      return llvm::createStringError("calls " + function.getName().str() +
                                     ", which no device has");
  if (options.verify && llvm::verifyModule(*code))
    return llvm::createStringError("is not valid LLVM IR");
  llvm::ModulePassManager first;
  first.addPass(llvm::createModuleToFunctionPassAdaptor(
      llvm::SROAPass(llvm::SROAOptions::ModifyCFG)));
  optimize(*code, *machine, std::move(first));
  if (llvm::Error error = dumpText(
          kernel, ".ll", [&](llvm::raw_ostream &stream) { stream << *code; }))
    return error;

  SmallVector<char, 0> text;
  if (!emitFile(*code, *machine, llvm::CodeGenFileType::AssemblyFile,
                options.verify, text))
    return llvm::createStringError("cannot be emitted");
  ptx.assign(text.begin(), text.end());
  return dump(kernel.name + ".ptx", ptx);
}

//===----------------------------------------------------------------------===//
// All kernels
//===----------------------------------------------------------------------===//

/// Joins the PTX of single kernels, all of which have the same header.
static std::string merge(ArrayRef<simt::CompiledKernel> kernels) {
  constexpr StringLiteral lastDirective = ".address_size 64\n";
  std::string ptx;
  for (const simt::CompiledKernel &kernel : kernels) {
    StringRef text = kernel.text;
    if (!ptx.empty())
      text = text.split(lastDirective).second;
    ptx += text;
  }
  return ptx;
}

static FailureOr<std::vector<CudaImage>>
assembleAll(gpu::GPUModuleOp kernels, const Level &level, StringRef ptx) {
  std::vector<CudaImage> images;
  std::string ptxas = findPtxas();
  if (ptxas.empty())
    return images;
  auto architectures = level.llvm.architectures;
  SmallVector<std::optional<llvm::Expected<SmallVector<char>>>> results(
      architectures.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, i] {
      results[i].emplace(cuda::assemble(ptxas, ptx, architectures[i]));
    });
  for (std::thread &thread : threads)
    thread.join();

  bool hasFailed = false;
  for (size_t i = 0; i < results.size(); ++i) {
    llvm::Expected<SmallVector<char>> &bytes = *results[i];
    if (!bytes) {
      std::string message = llvm::toString(bytes.takeError());
      if (!hasFailed)
        emitError(kernels.getLoc(), message);
      hasFailed = true;
    } else if (!bytes->empty()) {
      images.push_back({architectures[i], std::move(*bytes)});
    }
  }
  if (hasFailed)
    return failure();
  return images;
}

FailureOr<CudaCode>
mlir::vit::compileCudaKernels(gpu::GPUModuleOp kernels, StringRef level,
                              const CodegenOptions &options) {
  const Level *found =
      getLevel(kernels.getLoc(), ::vit::format::Target::Cuda, level);
  if (!found || failed(simt::verifyLimits(kernels, *found)))
    return failure();
  auto compiled = simt::compileKernels(kernels, options, [&] {
    return std::make_unique<CudaWorker>(*found, options);
  });
  if (failed(compiled))
    return failure();
  CudaCode code;
  code.ptx = merge(*compiled);
  for (simt::CompiledKernel &kernel : *compiled)
    code.kernels.push_back(std::move(kernel.kernel));
  FailureOr<std::vector<CudaImage>> cubins =
      assembleAll(kernels, *found, code.ptx);
  if (failed(cubins))
    return failure();
  code.cubins = std::move(*cubins);

  auto dump = [&](StringRef file, StringRef contents) -> LogicalResult {
    if (llvm::Error error = dumpCode(options, file, contents))
      return emitError(kernels.getLoc(), llvm::toString(std::move(error)));
    return success();
  };
  if (failed(dump("kernels.ptx", code.ptx)))
    return failure();
  for (const CudaImage &image : code.cubins)
    if (failed(dump("kernels." + image.arch + ".cubin",
                    StringRef(image.bytes.data(), image.bytes.size()))))
      return failure();
  return code;
}
