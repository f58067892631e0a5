//===- CompilerProcess.cpp - A request in a process of its own ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM ends the process after a fatal error, on whichever thread it happens,
// and its frames cannot be unwound. So requests are served in a child, which
// reports to its parent through a pipe.
//
// The child of a multithreaded process has the calling thread only, and the
// locks as they were. It uses those of the C library, which fork() leaves in
// order, and LLVM's, which are free because the parent never runs LLVM.
//
//===----------------------------------------------------------------------===//

#include "CompilerProcess.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/ErrorHandling.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace mlir::vit;

namespace {

/// The unit of the pipe: this, then `textSize` bytes of text without a
/// terminator, then `dataSize` bytes of a tensor's elements.
struct Record {
  enum class Kind { Phase, Output, Note, Done };
  Kind kind = Kind::Done;
  vit_status status = VIT_OK;                        ///< Done
  double seconds = 0;                                ///< Phase
  vit_compiler_note about = VIT_COMPILER_NOTE_MODEL; ///< Note
  vit_tensor tensor = {}; ///< Output; its pointers are the child's own.
  size_t textSize = 0, dataSize = 0;
};

/// Moves `size` bytes with `read` or `write`. False at the end of the pipe.
template <typename Function, typename Byte>
bool transfer(Function function, int pipe, Byte *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = function(pipe, bytes, size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    bytes += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The child
//===----------------------------------------------------------------------===//

/// Set in the child only. Global because a new_handler has no argument.
int pipeToParent = -1;
std::mutex pipeMutex;

/// Does not allocate. Ends the child if the parent no longer reads.
void sendLocked(Record record, const char *text, const void *data = nullptr) {
  record.textSize = std::strlen(text);
  if (!transfer(write, pipeToParent, reinterpret_cast<const char *>(&record),
                sizeof(record)) ||
      !transfer(write, pipeToParent, text, record.textSize) ||
      !transfer(write, pipeToParent, static_cast<const char *>(data),
                record.dataSize))
    _exit(1);
}

/// Ends the child, without running the exit handlers or writing the buffered
/// output that it inherited from the parent. If several threads call this, the
/// first one reports.
[[noreturn]] void finish(vit_status status, const char *message) {
  std::lock_guard<std::mutex> lock(pipeMutex);
  Record record;
  record.status = status;
  sendLocked(record, message);
  _exit(0);
}

[[noreturn]] void onOutOfMemory() {
  finish(VIT_OUT_OF_MEMORY, "the compiler ran out of memory");
}

void installHandlers() {
  llvm::remove_fatal_error_handler();
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    char message[512];
    std::snprintf(message, sizeof(message), "the code generator gave up: %s",
                  reason);
    finish(VIT_INTERNAL, message);
  });
  // For LLVM's own allocations, and for all others.
  llvm::remove_bad_alloc_error_handler();
  llvm::install_bad_alloc_error_handler(
      [](void *, const char *, bool) { onOutOfMemory(); });
  std::set_new_handler(onOutOfMemory);
}

[[noreturn]] void
runChild(const vit_compiler_request &request, pid_t parent,
         llvm::function_ref<Outcome(const vit_compiler_request &)> serve) {
  // If the parent is killed, nobody waits for the result.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  installHandlers();
  vit_compiler_request forwarded = request;
  if (request.on_phase)
    forwarded.on_phase = [](void *, const char *phase, double seconds) {
      std::lock_guard<std::mutex> lock(pipeMutex);
      Record record;
      record.kind = Record::Kind::Phase;
      record.seconds = seconds;
      sendLocked(record, phase);
    };
  if (request.on_output)
    forwarded.on_output = [](void *, const vit_tensor *output) {
      std::lock_guard<std::mutex> lock(pipeMutex);
      Record record;
      record.kind = Record::Kind::Output;
      record.tensor = *output;
      record.dataSize = output->size;
      sendLocked(record, output->name ? output->name : "", output->data);
    };
  if (request.on_note)
    forwarded.on_note = [](void *, vit_compiler_note about, const char *text) {
      std::lock_guard<std::mutex> lock(pipeMutex);
      Record record;
      record.kind = Record::Kind::Note;
      record.about = about;
      sendLocked(record, text);
    };
  forwarded.on_error = nullptr;
  try {
    Outcome outcome = serve(forwarded);
    finish(outcome.status, outcome.message.c_str());
  } catch (const std::exception &error) {
    finish(VIT_INTERNAL, error.what());
  }
}

//===----------------------------------------------------------------------===//
// The parent
//===----------------------------------------------------------------------===//

/// Passes what the child reports to the callbacks. False if the child ended
/// without a result.
bool listen(int pipe, const vit_compiler_request &request, Outcome &outcome) {
  Record record;
  std::string text;
  std::vector<char> data;
  while (
      transfer(read, pipe, reinterpret_cast<char *>(&record), sizeof(record))) {
    text.resize(record.textSize);
    data.resize(record.dataSize);
    if (!transfer(read, pipe, text.data(), text.size()) ||
        !transfer(read, pipe, data.data(), data.size()))
      return false;
    switch (record.kind) {
    case Record::Kind::Phase:
      request.on_phase(request.context, text.c_str(), record.seconds);
      break;
    case Record::Kind::Output:
      record.tensor.name = text.c_str();
      record.tensor.data = data.data();
      request.on_output(request.context, &record.tensor);
      break;
    case Record::Kind::Note:
      request.on_note(request.context, record.about, text.c_str());
      break;
    case Record::Kind::Done:
      outcome.status = record.status;
      outcome.message = text;
      return true;
    }
  }
  return false;
}

} // namespace

Outcome mlir::vit::serveInChild(
    const vit_compiler_request &request,
    llvm::function_ref<Outcome(const vit_compiler_request &)> serve) {
  Outcome outcome;
  int ends[2];
  pid_t parent = getpid(), child = -1;
  {
    // No child of another request may inherit the writing end: it would keep
    // the pipe open after this child has ended.
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    if (pipe2(ends, O_CLOEXEC) == 0) {
      child = fork();
      if (child == 0) {
        pipeToParent = ends[1];
        runChild(request, parent, serve);
      }
      int reason = errno;
      close(ends[1]);
      if (child < 0)
        close(ends[0]);
      errno = reason;
    }
  }
  if (child < 0) {
    (void)outcome.fail(VIT_INTERNAL,
                       Twine("cannot start a process for the compiler: ") +
                           std::strerror(errno));
    return outcome;
  }
  int status = 0;
  bool isDone = false;
  {
    // Also if a callback throws: the child then ends at its next report.
    llvm::scope_exit reap([&] {
      close(ends[0]);
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
    });
    isDone = listen(ends[0], request, outcome);
  }
  if (isDone)
    return outcome;
  // If the host ignores SIGCHLD, there is no status to ask for.
  if (WIFSIGNALED(status))
    (void)outcome.fail(VIT_INTERNAL, "the compiler was ended by signal " +
                                         Twine(WTERMSIG(status)) + " (" +
                                         strsignal(WTERMSIG(status)) + ")");
  else
    (void)outcome.fail(VIT_INTERNAL, "the compiler ended without a message");
  return outcome;
}
