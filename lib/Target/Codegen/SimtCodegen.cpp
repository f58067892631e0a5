//===- SimtCodegen.cpp - Compile GPU kernels side by side -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kernel goes its own way, as bytecode, into the context of the thread
// that compiles it, so that threads share nothing.
//
//===----------------------------------------------------------------------===//

#include "SimtCodegen.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBufferRef.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <numeric>
#include <thread>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

Worker::Worker(const CodegenOptions &options)
    : options(options), context(MLIRContext::Threading::DISABLED) {
  DialectRegistry registry;
  registerSimtCodegen(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

Worker::~Worker() = default;

llvm::Error mlir::vit::simt::dump(const CodegenOptions &options, StringRef file,
                                  StringRef contents) {
  if (options.dumpDirectory.empty())
    return llvm::Error::success();
  std::string path = options.dumpDirectory + "/" + file.str();
  std::error_code code;
  llvm::raw_fd_ostream stream(path, code);
  stream << contents;
  stream.close();
  if (!code)
    code = stream.error();
  stream.clear_error();
  if (code)
    return llvm::createStringError(code, "cannot write " + path + ": " +
                                             code.message());
  return llvm::Error::success();
}

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

  // The largest first, so that no thread is left with it at the end.
  std::vector<size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t i, size_t j) {
    return std::make_pair(tasks[j].bytecode.size(), i) <
           std::make_pair(tasks[i].bytecode.size(), j);
  });
  std::atomic<size_t> next{0};
  auto work = [&] {
    std::unique_ptr<Worker> worker = createWorker();
    for (size_t i = next++; i < order.size(); i = next++) {
      Task &task = tasks[order[i]];
      if (llvm::Error error = run(*worker, task, options.verify))
        task.error = llvm::toString(std::move(error));
    }
  };
  size_t count =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  count = std::max<size_t>(1, std::min(count, tasks.size()));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();

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
