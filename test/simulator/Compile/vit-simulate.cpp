//===- vit-simulate.cpp - Runs CUDA kernels on the host ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads kernels, writes the shared object that the simulator runs, and can
// launch one of them at once; see test/simulator/README.md.
//
//===----------------------------------------------------------------------===//

#include "NvvmToHost.h"
#include "Prepare.h"
#include "SharedObject.h"
#include "TestLaunch.h"

#include "../Runtime/Schedule.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("vit-simulate options");
static cl::opt<std::string> input(cl::Positional, cl::init("-"),
                                  cl::desc("KERNELS.mlir"), cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("The shared object"),
                                   cl::value_desc("FILE.so"),
                                   cl::cat(category));
static cl::opt<bool> printHost("print-host",
                               cl::desc("Print the host's LLVM dialect"),
                               cl::cat(category));
static cl::opt<std::string> launch("launch", cl::desc("Run this kernel"),
                                   cl::value_desc("KERNEL"), cl::cat(category));
static cl::opt<unsigned> blocks("blocks", cl::init(1), cl::desc("in how many"),
                                cl::cat(category));
static cl::list<std::string>
    arguments("argument",
              cl::desc("its arguments: random:COUNT, fresh:COUNT, i32:VALUE"),
              cl::value_desc("KIND:NUMBER"), cl::cat(category));
static cl::opt<std::string>
    save("save", cl::desc("Write argument I to FOLDER/I.f32 after the launch"),
         cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string>
    schedules("schedules", cl::init(vit::sim::defaultSchedules),
              cl::desc("in-order, reversed, shuffled:SEED; comma-separated"),
              cl::cat(category));

static int fail(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return 1;
}

static int run(MLIRContext &context) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &message);
  if (!file)
    return fail(message);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  auto module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 1;
  vit::sim::HostOptions options;
  if (failed(vit::sim::prepareKernels(*module, options)))
    return 1;
  OwningOpRef<ModuleOp> host = vit::sim::convertNvvmToHost(*module, options);
  if (!host)
    return 1;
  if (printHost)
    host->print(llvm::outs());
  if (output.empty() && launch.empty())
    return 0;

  llvm::SmallString<128> path(output);
  if (output.empty())
    if (std::error_code code =
            llvm::sys::fs::createTemporaryFile("vit-simulate", "so", path))
      return fail("cannot write a temporary file: " + code.message());
  llvm::scope_exit remove([&] {
    if (output.empty())
      llvm::sys::fs::remove(path);
  });
  if (failed(vit::sim::writeSharedObject(*host, path)))
    return 1;
  if (launch.empty())
    return 0;
  std::string text;
  if (!vit::sim::launchForTest(path.str().str(), launch, blocks, arguments,
                               schedules, save, text))
    return fail(text);
  llvm::outs() << text << "\n";
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv,
                              "Compiles CUDA kernels for the simulator\n");
  DialectRegistry registry;
  vit::sim::registerPreparation(registry);
  vit::sim::registerHostTranslation(registry);
  MLIRContext context(registry);
  return run(context);
}
