//===- CompilerProcessTest.cpp - The compiler never ends the host ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module/CompilerProcess.h"

#include "llvm/Support/ErrorHandling.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace mlir::vit;

namespace {

/// The arguments that the callbacks of a request received.
struct Heard {
  std::vector<std::string> phases, outputs;
  std::vector<std::vector<double>> values;
  std::string error;
  bool isOwnProcess = true;
};

vit_compiler_request createRequest(Heard &heard) {
  static pid_t host;
  host = getpid();
  vit_compiler_request request = {};
  request.struct_size = sizeof(request);
  request.context = &heard;
  request.on_phase = [](void *context, const char *phase, double) {
    auto *heard = static_cast<Heard *>(context);
    heard->phases.push_back(phase);
    heard->isOwnProcess &= getpid() == host;
  };
  request.on_output = [](void *context, const vit_tensor *output) {
    auto *heard = static_cast<Heard *>(context);
    const auto *data = static_cast<const double *>(output->data);
    heard->outputs.push_back(output->name);
    heard->values.emplace_back(data, data + output->size / sizeof(double));
    heard->isOwnProcess &= getpid() == host;
  };
  request.on_error = [](void *context, const char *text) {
    static_cast<Heard *>(context)->error = text;
  };
  return request;
}

/// The outcome of a request that runs `body` on a thread of the child process,
/// as code generation does.
template <typename Body> Outcome serveOnThread(Body body) {
  Heard heard;
  return serveInChild(createRequest(heard), [&](const vit_compiler_request &) {
    std::thread(body).join();
    return Outcome();
  });
}

/// During its lifetime, limits the memory of this process to its current size
/// plus `bytes`.
class MemoryLimit {
public:
  explicit MemoryLimit(rlim_t bytes) {
    getrlimit(RLIMIT_AS, &before);
    long pages = 0;
    FILE *file = std::fopen("/proc/self/statm", "r");
    EXPECT_EQ(std::fscanf(file, "%ld", &pages), 1);
    std::fclose(file);
    rlimit limit = before;
    limit.rlim_cur = static_cast<rlim_t>(pages) * sysconf(_SC_PAGESIZE) + bytes;
    setrlimit(RLIMIT_AS, &limit);
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &before); }

private:
  rlimit before = {};
};

// The whole compiler: running out of memory is an error, and the next request
// succeeds. This must be the first test: threads of other tests leave malloc
// arenas, whose memory the limit does not count.
TEST(CompilerRun, TooLittleMemory) {
  mallopt(M_ARENA_MAX, 1);
  Heard heard;
  std::string path = testing::TempDir() + "vit-compiler-tests.vitm";
  vit_compiler_request request = createRequest(heard);
  request.model = VIT_TEST_MODEL;
  request.output_path = path.c_str();
  request.levels = "avx2";
  vit_error error = {};
  {
    MemoryLimit limit(1 << 20);
    // VIT_OUT_OF_MEMORY, or VIT_INTERNAL if the stack cannot grow.
    EXPECT_NE(vit_compiler_run(&request, &error), VIT_OK);
  }
  EXPECT_STRNE(error.message, "");
  EXPECT_EQ(heard.error, error.message);
  EXPECT_NE(access(path.c_str(), F_OK), 0);

  EXPECT_EQ(vit_compiler_run(&request, &error), VIT_OK) << error.message;
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  EXPECT_TRUE(heard.isOwnProcess);
  std::remove(path.c_str());
}

TEST(CompilerProcess, CallbacksAreCalledHere) {
  Heard heard;
  std::vector<double> large(100000, 0.5);
  Outcome outcome = serveInChild(
      createRequest(heard), [&](const vit_compiler_request &request) {
        request.on_phase(request.context, "first", 1.0);
        vit_tensor tensor = {};
        tensor.name = "logits";
        tensor.data = large.data();
        tensor.size = large.size() * sizeof(double);
        request.on_output(request.context, &tensor);
        request.on_phase(request.context, "second", 2.0);
        large[0] = 7; // Memory of the child process.
        return Outcome();
      });
  EXPECT_EQ(outcome.status, VIT_OK);
  EXPECT_EQ(heard.phases, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(heard.outputs, std::vector<std::string>{"logits"});
  ASSERT_EQ(heard.values.size(), 1u);
  EXPECT_EQ(heard.values[0], large);
  EXPECT_TRUE(heard.isOwnProcess);
}

TEST(CompilerProcess, ReturnsTheErrorWhole) {
  Heard heard;
  std::string text(70000, 'x');
  Outcome outcome =
      serveInChild(createRequest(heard), [&](const vit_compiler_request &) {
        Outcome failed;
        (void)failed.fail(VIT_NOT_FOUND, text);
        return failed;
      });
  EXPECT_EQ(outcome.status, VIT_NOT_FOUND);
  EXPECT_EQ(outcome.message, text);
}

TEST(CompilerProcess, FatalErrorOfLlvmOnAThread) {
  Outcome outcome = serveOnThread([] {
    llvm::report_fatal_error("cannot select", /*gen_crash_diag=*/false);
  });
  EXPECT_EQ(outcome.status, VIT_INTERNAL);
  EXPECT_EQ(outcome.message, "the code generator gave up: cannot select");
}

TEST(CompilerProcess, FailedAllocationOnAThread) {
  Outcome outcome = serveOnThread([] {
    // A direct call: the optimizer may remove a new-expression.
    volatile size_t size = size_t(1) << 60;
    ::operator delete(::operator new(size));
  });
  EXPECT_EQ(outcome.status, VIT_OUT_OF_MEMORY);
  EXPECT_EQ(outcome.message, "the compiler ran out of memory");
}

TEST(CompilerProcess, FailedAllocationOfLlvmOnAThread) {
  Outcome outcome =
      serveOnThread([] { llvm::report_bad_alloc_error("no memory"); });
  EXPECT_EQ(outcome.status, VIT_OUT_OF_MEMORY);
}

TEST(CompilerProcess, ExceptionAndSignal) {
  Heard heard;
  Outcome thrown = serveInChild(createRequest(heard),
                                [](const vit_compiler_request &) -> Outcome {
                                  throw std::runtime_error("thrown");
                                });
  EXPECT_EQ(thrown.status, VIT_INTERNAL);
  EXPECT_EQ(thrown.message, "thrown");

  Outcome crashed = serveOnThread([] {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
  });
  EXPECT_EQ(crashed.status, VIT_INTERNAL);
  EXPECT_NE(crashed.message.find("signal 11"), std::string::npos)
      << crashed.message;

  Outcome silent = serveOnThread([] { _exit(0); });
  EXPECT_EQ(silent.status, VIT_INTERNAL);
  EXPECT_EQ(silent.message, "the compiler ended without a message");
}

TEST(CompilerProcess, HostThatIgnoresItsChildren) {
  auto before = std::signal(SIGCHLD, SIG_IGN);
  Outcome good = serveOnThread([] {});
  Outcome silent = serveOnThread([] { _exit(0); });
  std::signal(SIGCHLD, before);
  EXPECT_EQ(good.status, VIT_OK);
  EXPECT_EQ(silent.status, VIT_INTERNAL);
}

TEST(CompilerProcess, RequestsSideBySide) {
  std::vector<std::thread> threads;
  std::vector<Outcome> outcomes(8);
  for (size_t i = 0; i < outcomes.size(); ++i)
    threads.emplace_back([&outcomes, i] {
      outcomes[i] = serveOnThread([i] {
        if (i % 2)
          llvm::report_fatal_error("odd", /*gen_crash_diag=*/false);
      });
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].status, i % 2 ? VIT_INTERNAL : VIT_OK);
}

} // namespace
