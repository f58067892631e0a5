//===- SimtCodegen.cpp - Compile GPU kernels side by side -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kernel is passed as bytecode to the context of the thread that compiles
// it, so that threads share nothing.
//
//===----------------------------------------------------------------------===//

#include "SimtCodegen.h"

#include "../CUDA/LowerToNvvm.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"

#include "llvm/Support/MemoryBufferRef.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

void mlir::vit::registerSimtCodegen(DialectRegistry &registry) {
  cuda::registerLowering(registry);
  registry.insert<spirv::SPIRVDialect>();
}

const ::vit::format::MatrixKind *
mlir::vit::simt::getMatrixKind(gpu::GPUFuncOp kernel) {
  auto name = kernel->getAttrOfType<StringAttr>(kMatricesAttr);
  return name ? ::vit::format::findMatrixKind(name.getValue()) : nullptr;
}

Worker::Worker(const CodegenOptions &options)
    : options(options), context(MLIRContext::Threading::DISABLED) {
  DialectRegistry registry;
  registerSimtCodegen(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

Worker::~Worker() = default;

namespace {
struct Task {
  CompiledKernel result;
  Location location;
  std::string bytecode;
  std::string error;
};
} // namespace

static FailureOr<Task> createTask(gpu::GPUFuncOp function) {
  Task task{{}, function.getLoc(), {}, {}};
  SimtKernel &kernel = task.result.kernel;
  kernel.name = function.getName().str();
  kernel.threads = (*function.getKnownBlockSize())[0];
  kernel.sharedBytes = getSharedBytes(function);
  kernel.isResident = function->hasAttr(kResidentAttr);
  if (auto cluster =
          function->getAttrOfType<DenseI32ArrayAttr>(kClusterDimAttr))
    kernel.cluster = cluster[0];
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto map =
            function.getArgAttrOfType<DenseI64ArrayAttr>(i, kTensorMapAttr))
      kernel.maps.push_back({map[0], map[1], map[2], map[3]});
  OpBuilder b(function.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(function.getLoc());
  b.setInsertionPointToStart(module->getBody());
  auto single = gpu::GPUModuleOp::create(b, function.getLoc(), "kernels");
  single.push_back(function.clone());
  llvm::raw_string_ostream stream(task.bytecode);
  if (failed(writeBytecodeToFile(*module, stream)))
    return failure();
  return task;
}

static llvm::Error run(Worker &worker, Task &task, bool verify) {
  std::string messages;
  ScopedDiagnosticHandler handler(
      &worker.getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
          messages += (messages.empty() ? "" : "; ") + diagnostic.str();
        return success();
      });
  Block block;
  ParserConfig config(&worker.getContext(), verify);
  if (failed(readBytecodeFile(
          llvm::MemoryBufferRef(task.bytecode, task.result.kernel.name), &block,
          config)))
    return llvm::createStringError("cannot be read back: " + messages);
  llvm::Error error = worker.compile(cast<ModuleOp>(block.front()),
                                     task.result.kernel, task.result.text);
  if (error && !messages.empty())
    return llvm::createStringError(llvm::toString(std::move(error)) + ": " +
                                   messages);
  return error;
}

FailureOr<std::vector<CompiledKernel>> mlir::vit::simt::compileKernels(
    gpu::GPUModuleOp kernels, const CodegenOptions &options,
    std::function<std::unique_ptr<Worker>()> createWorker) {
  std::vector<Task> tasks;
  for (auto function : kernels.getOps<gpu::GPUFuncOp>()) {
    FailureOr<Task> task = createTask(function);
    if (failed(task))
      return failure();
    tasks.push_back(std::move(*task));
  }

  std::vector<size_t> sizes;
  for (const Task &task : tasks)
    sizes.push_back(task.bytecode.size());
  runLargestFirst(sizes, options.threads, [&] {
    std::shared_ptr<Worker> worker = createWorker();
    return [&, worker](size_t i) {
      if (llvm::Error error = run(*worker, tasks[i], options.verify))
        tasks[i].error = llvm::toString(std::move(error));
    };
  });

  std::vector<CompiledKernel> results;
  for (Task &task : tasks) {
    if (!task.error.empty()) {
      emitError(task.location, "kernel ")
          << task.result.kernel.name << " " << task.error;
      return failure();
    }
    results.push_back(std::move(task.result));
  }
  return results;
}
