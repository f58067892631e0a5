//===- Parallel.cpp - Compile kernels side by side ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parallel.h"

#include "format/Threads.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

using namespace mlir;

void mlir::vit::runLargestFirst(
    ArrayRef<size_t> sizes, unsigned threads,
    function_ref<std::function<void(size_t)>()> createWorker) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t i, size_t j) {
    return std::make_pair(sizes[j], i) < std::make_pair(sizes[i], j);
  });
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  auto work = [&] {
    try {
      std::function<void(size_t)> worker = createWorker();
      for (size_t i = next++; i < order.size(); i = next++)
        worker(order[i]);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (!thrown)
        thrown = std::current_exception();
      next = order.size(); // The other threads stop after their present task.
    }
  };
  size_t count = threads ? threads : size_t(::vit::format::defaultThreads());
  count = std::max<size_t>(1, std::min(count, sizes.size()));
  std::vector<std::thread> others;
  try {
    others.reserve(count - 1);
    for (size_t i = 1; i < count; ++i)
      others.emplace_back(work);
  } catch (const std::exception &) {
    // No more threads to be had: those that there are do the work.
  }
  work();
  for (std::thread &thread : others)
    thread.join();
  if (thrown)
    std::rethrow_exception(thrown);
}

llvm::Error mlir::vit::dumpCode(const CodegenOptions &options, StringRef file,
                                StringRef contents) {
  if (options.dumpDirectory.empty())
    return llvm::Error::success();
  return writeFile(options.dumpDirectory + "/" + file.str(), contents);
}

llvm::Error mlir::vit::writeFile(const std::string &path, StringRef contents) {
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
