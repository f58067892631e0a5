//===- vit-simulate.cpp - Runs CUDA kernels on the host -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles kernels to a shared object for the simulator, and can launch one of
// them; see test/simulator/README.md.
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include "NvvmToHost.h"
#include "Occupancy.h"
#include "Prepare.h"
#include "SharedObject.h"
#include "TestLaunch.h"

#include "../Runtime/Schedule.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

namespace sim = vit::sim; // mlir::vit is another
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
static cl::opt<std::string>
    level("level", cl::init("sm_80"),
          cl::desc("The level that INPUT is for, or is to be compiled for"),
          cl::cat(category));
static cl::opt<std::string> launch("launch", cl::desc("Run this kernel"),
                                   cl::value_desc("KERNEL"), cl::cat(category));
static cl::opt<unsigned> blocks("blocks", cl::init(0),
                                cl::desc("in how many; default: its units"),
                                cl::cat(category));
static cl::list<std::string> arguments(
    "argument",
    cl::desc("its arguments: random:COUNT, bf16:COUNT, f16:COUNT, "
             "fresh:COUNT, i32:VALUE; default: what its dispatch says"),
    cl::value_desc("KIND:NUMBER"), cl::cat(category));
static cl::opt<unsigned>
    sharedBytes("shared-bytes", cl::init(0),
                cl::desc("bytes of shared memory that the launch asks for"),
                cl::cat(category));
static cl::opt<std::string>
    save("save", cl::desc("Write argument I to FOLDER/I.f32 after the launch"),
         cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string>
    schedules("schedules", cl::init(sim::defaultSchedules),
              cl::desc("in-order, reversed, shuffled:SEED; comma-separated"),
              cl::cat(category));

static cl::opt<unsigned> batch("batch", cl::init(1),
                               cl::desc("Images, where nothing else is said"),
                               cl::cat(category));
static cl::list<std::string>
    mutations("mutate",
              cl::desc("Launch also with things broken one by one: barrier, "
                       "shared-read, ... (see Mutate.h)"),
              cl::value_desc("KIND"), cl::CommaSeparated, cl::cat(category));
static cl::opt<unsigned>
    most("most", cl::init(6),
         cl::desc("of each kind break at most this many, evenly spaced"),
         cl::cat(category));

static cl::opt<unsigned>
    stageBytes("stage-bytes", cl::init(0),
               cl::desc("the size of a stage in shared memory, for stage"),
               cl::cat(category));

static cl::opt<bool> wantsCounters("counters",
                                   cl::desc("Print what the launch costs"),
                                   cl::cat(category));
static cl::opt<std::string>
    gpuName("gpu", cl::init("a100"),
            cl::desc("whose occupancy to print; a name as in vit-run inspect "
                     "--estimate"),
            cl::cat(category));
static cl::opt<std::string> countersFile("counters-json",
                                         cl::desc("The same as JSON"),
                                         cl::value_desc("FILE"),
                                         cl::cat(category));

static int fail(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return 1;
}

/// Compiles the NVVM dialect in `module` to `path`.
static LogicalResult compile(ModuleOp module, const sim::HostOptions &options,
                             StringRef path) {
  OwningOpRef<ModuleOp> host = sim::convertNvvmToHost(module, options);
  if (!host)
    return failure();
  if (printHost)
    host->print(llvm::outs());
  return path.empty() ? success() : sim::writeSharedObject(*host, path);
}

namespace {
/// A temporary shared object, removed by the destructor.
struct Temporary {
  llvm::SmallString<128> path;
  Temporary() {
    if (llvm::sys::fs::createTemporaryFile("vit-simulate", "so", path))
      path.clear();
  }
  ~Temporary() {
    if (!path.empty())
      llvm::sys::fs::remove(path);
  }
};
} // namespace

/// Introduces each requested kind of bug into the kernel. Each must cause a
/// finding or results other than `expected`.
static int mutateAll(ModuleOp module, const sim::HostOptions &options,
                     const sim::TestLaunch &test,
                     const std::vector<uint32_t> &expected) {
  unsigned missed = 0;
  sim::MutateOptions how;
  how.stageBytes = static_cast<int32_t>(stageBytes);
  for (StringRef kind : mutations) {
    OwningOpRef<ModuleOp> single = module.clone();
    sim::keepOnly(*single, launch); // `module` has all if they are written
    std::optional<unsigned> places = sim::countPlaces(*single, kind);
    if (!places)
      return fail("no mutation \"" + kind + "\"; there are " +
                  sim::listMutations());
    unsigned count = std::min<unsigned>(*places, most);
    for (unsigned i = 0; i < count; ++i) {
      OwningOpRef<ModuleOp> broken = single->clone();
      std::string what =
          sim::mutate(*broken, kind, i * uint64_t(*places) / count, how);
      Temporary object;
      if (failed(compile(*broken, options, object.path)))
        return 1;
      std::string text;
      std::vector<uint32_t> memory;
      bool isRight = sim::run(test, object.path.str().str(), text, memory);
      bool isMissed = isRight && memory == expected;
      missed += isMissed;
      llvm::outs() << kind << ", " << what << ": "
                   << (!isRight   ? "found: " + text
                       : isMissed ? std::string("NOT FOUND")
                                  : std::string("other numbers"))
                   << "\n";
    }
  }
  if (missed)
    return fail(llvm::Twine(missed) + " broken kernels seem right");
  return 0;
}

static bool printCounters(const sim::Counters &counters,
                          const sim::HostOptions &options) {
  sim::Occupancy occupancy;
  std::string error;
  if (!sim::computeOccupancy(gpuName, counters.threads, counters.shared,
                             options.registers, occupancy, error)) {
    fail(error);
    return false;
  }
  if (wantsCounters)
    llvm::outs() << counters.getTable() << occupancy.getText();
  if (countersFile.empty())
    return true;
  std::error_code code;
  llvm::raw_fd_ostream file(countersFile, code);
  if (!code) {
    file << "{\"kernel\": \"" << launch << "\", " << counters.getJson() << ", "
         << occupancy.getJson() << "}\n";
    file.close();
    code = file.error();
  }
  if (code)
    fail("cannot write " + countersFile + ": " + code.message());
  return !code;
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
  sim::HostOptions options;
  options.counters = wantsCounters || !countersFile.empty();
  options.counted = launch;
  if (failed(sim::prepareKernels(*module, level, options)))
    return 1;
  Temporary object;
  std::string path = output;
  if (path.empty() && !launch.empty()) {
    path = object.path.str().str();
    sim::keepOnly(*module, launch);
  }
  if (failed(compile(*module, options, path)))
    return 1;
  if (launch.empty())
    return 0;

  sim::TestLaunch test;
  test.kernel = launch;
  test.blocks = blocks;
  test.arguments = arguments;
  test.batch = batch;
  test.dynamicShared = sharedBytes;
  test.schedules = schedules;
  test.folder = save;
  sim::Counters counters;
  if (options.counters)
    test.counters = &counters;
  std::vector<uint32_t> memory;
  if (!sim::run(test, path, message, memory))
    return fail(message);
  llvm::outs() << message << "\n";
  if (options.counters && !printCounters(counters, options))
    return 1;
  test.counters = nullptr;
  test.folder.clear();
  return mutateAll(*module, options, test, memory);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv,
                              "Compiles CUDA kernels for the simulator\n");
  DialectRegistry registry;
  sim::registerPreparation(registry);
  sim::registerHostTranslation(registry);
  MLIRContext context(registry);
  return run(context);
}
