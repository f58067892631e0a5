//===- vit-compile-kernels.cpp - Compiles the GPU kernels of a text -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A test tool:
//   vit-compile-kernels FILE --level LEVEL [-o DIR] [--jobs N] [--time]
// compiles the gpu.module of FILE (-: standard input), prints a line per kernel
// and cubin, and writes the intermediate code to DIR.
//
//===----------------------------------------------------------------------===//

#include "format/Level.h"
#include "vit/Dialect/Registration.h"
#include "vit/Target/CUDA.h"
#include "vit/Target/Vulkan.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace mlir;
using namespace mlir::vit;
using llvm::errs;
using llvm::outs;
namespace cl = llvm::cl;

static cl::opt<std::string> file(cl::Positional, cl::Required,
                                 cl::desc("FILE"));
static cl::opt<std::string> level("level", cl::Required,
                                  cl::desc("A level of vulkan or cuda"));
static cl::opt<std::string> directory("o", cl::desc("Where code goes"));
static cl::opt<unsigned> jobs("jobs", cl::desc("Threads that compile"));
static cl::opt<bool> showTime("time", cl::desc("Print the milliseconds"));

static void print(ArrayRef<SimtKernel> kernels) {
  for (const SimtKernel &kernel : kernels) {
    outs() << kernel.name << ": " << kernel.threads << " threads, "
           << kernel.sharedBytes << " bytes shared";
    for (const std::string &feature : kernel.features)
      outs() << ", " << feature;
    if (!kernel.binary.empty())
      outs() << ", " << kernel.binary.size() << " bytes";
    outs() << "\n";
  }
}

static LogicalResult compile(gpu::GPUModuleOp kernels) {
  CodegenOptions options;
  options.dumpDirectory = directory;
  options.threads = jobs;
  options.verify = true;
  const ::vit::format::Level *known =
      ::vit::format::findLevel(level.getValue());
  if (!known || known->target != ::vit::format::Target::Cuda) {
    FailureOr<VulkanCode> code = compileVulkanKernels(kernels, level, options);
    if (failed(code))
      return failure();
    print(code->kernels);
    return success();
  }
  FailureOr<CudaCode> code = compileCudaKernels(kernels, level, options);
  if (failed(code))
    return failure();
  // LLVM's options are global and must have been restored.
  auto *option = static_cast<cl::opt<bool> *>(
      cl::getRegisteredOptions().lookup("nvptx-short-ptr"));
  if (!option || *option)
    return kernels.emitError("nvptx-short-ptr is still set");
  print(code->kernels);
  outs() << "ptx: " << code->ptx.size() << " bytes\n";
  for (const CudaImage &image : code->cubins)
    outs() << "cubin " << image.arch << ": " << image.bytes.size()
           << " bytes\n";
  return success();
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Compile a text's GPU kernels\n");
  DialectRegistry registry;
  registerVitDialects(registry);
  registerSimtCodegen(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(file, &error);
  if (!input) {
    errs() << "error: " << error << "\n";
    return 1;
  }
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(input), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 1;
  if (!directory.empty())
    if (std::error_code code = llvm::sys::fs::create_directories(directory)) {
      errs() << "error: cannot make " << directory << ": " << code.message()
             << "\n";
      return 1;
    }
  auto kernels = module->getOps<gpu::GPUModuleOp>();
  if (kernels.empty()) {
    errs() << "error: no gpu.module in " << file << "\n";
    return 1;
  }
  auto begin = std::chrono::steady_clock::now();
  if (failed(compile(*kernels.begin())))
    return 1;
  std::chrono::duration<double, std::milli> time =
      std::chrono::steady_clock::now() - begin;
  if (showTime)
    errs() << int(time.count()) << " ms\n";
  return 0;
}
