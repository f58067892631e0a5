//===- CompilerLibrary.cpp - Opens libvit-compiler.so on demand -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerLibrary.h"

#include "Support.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vit::tools {

static constexpr const char *kLibrary = "libvit-compiler.so.0";

/// Set by useCompilerLibrary.
static std::string hostLibrary, hostRemedy = "install it";

void useCompilerLibrary(const std::string &path, const std::string &remedy) {
  hostLibrary = path;
  hostRemedy = remedy;
}

std::string besideRuntime(const std::string &file) {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void *>(&vit_version), &info) == 0 ||
      !info.dli_fname)
    throw Error("cannot find the folder of libvit-runtime.so");
  std::string path = info.dli_fname;
  size_t slash = path.rfind('/');
  return (slash == std::string::npos ? "./" : path.substr(0, slash + 1)) + file;
}

std::string findCompilerLibrary() {
  const char *named = std::getenv("VIT_COMPILER_LIBRARY");
  std::string path = named && *named        ? named
                     : !hostLibrary.empty() ? hostLibrary
                                            : besideRuntime(kLibrary);
  if (access(path.c_str(), R_OK) != 0)
    throw Error("this needs the compiler, but there is no " + path + "; " +
                    hostRemedy +
                    ", or compile the model elsewhere with vit-compile and "
                    "pass the .vitm file",
                VIT_NOT_FOUND);
  return path;
}

static vit_compiler_run_function openCompiler() {
  std::string path = findCompilerLibrary();
  // Never closed: LLVM registers destructors that must outlive its users.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw Error(std::string("cannot open the compiler: ") + dlerror());
  void *symbol = dlsym(library, "vit_compiler_run");
  if (!symbol)
    throw Error(path + " has no vit_compiler_run; reinstall vit");
  return reinterpret_cast<vit_compiler_run_function>(symbol);
}

void runCompiler(const vit_compiler_request &request, bool quiet) {
  static const vit_compiler_run_function run = openCompiler();
  // The request is copied so that its callbacks keep their own context.
  struct Forward {
    const vit_compiler_request &request;
    std::string message;
  } forward = {request, ""};
  vit_compiler_request asked = request;
  asked.context = &forward;
  if (request.on_output)
    asked.on_output = [](void *context, const vit_tensor *output) {
      const auto &inner = static_cast<Forward *>(context)->request;
      inner.on_output(inner.context, output);
    };
  asked.on_phase = nullptr;
  asked.on_note = nullptr;
  if (!quiet)
    asked.on_note = [](void *, vit_compiler_note about, const char *text) {
      // Model reports how pictures are prepared, where it matters.
      if (about == VIT_COMPILER_NOTE_MODEL)
        std::fprintf(stderr, "note: %s\n", text);
    };
  asked.on_error = [](void *context, const char *text) {
    static_cast<Forward *>(context)->message = text;
  };
  vit_error error = {};
  vit_status status = run(&asked, &error);
  if (status == VIT_OK)
    return;
  if (forward.message.empty())
    forward.message = error.message;
  if (status == VIT_IO_ERROR)
    throw CompilerFileError(forward.message);
  throw Error(forward.message, status);
}

/// Runs in the child process. Writes the status of an error, as one character,
/// and its message to `pipe`.
[[noreturn]] static void compileAndExit(const vit_compiler_request &request,
                                        bool quiet, int pipe) {
  // If vit-run is killed, nobody waits for the result.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A host may catch it to do something else first.
  std::signal(SIGINT, SIG_DFL);
  int status = 0;
  try {
    runCompiler(request, quiet);
  } catch (const std::exception &error) {
    status = 1;
    const auto *known = dynamic_cast<const Error *>(&error);
    std::string message(
        1, static_cast<char>(known ? known->status : VIT_INTERNAL));
    message += error.what();
    const char *text = message.c_str();
    for (size_t left = std::strlen(text); left > 0;) {
      ssize_t count = write(pipe, text, left);
      if (count <= 0)
        break;
      text += count;
      left -= static_cast<size_t>(count);
    }
  }
  std::fflush(nullptr);
  _exit(status);
}

void runCompilerApart(const vit_compiler_request &request, bool quiet) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(std::string("cannot make a pipe: ") + std::strerror(errno));
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0)
    compileAndExit(request, quiet, ends[1]);
  int reason = errno;
  close(ends[1]);
  std::string message;
  char part[4096];
  ssize_t count = 0;
  while (child > 0 && ((count = read(ends[0], part, sizeof(part))) > 0 ||
                       (count < 0 && errno == EINTR)))
    message.append(part, static_cast<size_t>(count > 0 ? count : 0));
  close(ends[0]);
  if (child < 0)
    throw Error(std::string("cannot start a process for the compiler: ") +
                std::strerror(reason));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    throw Error(std::string("the compiler was ended by signal ") +
                std::to_string(WTERMSIG(status)) + " (" +
                strsignal(WTERMSIG(status)) + ") on " + request.model);
  // If SIGCHLD is ignored there is no exit status: a message means failure.
  if (!message.empty() && message.front() == VIT_IO_ERROR)
    throw CompilerFileError(message.substr(1));
  if (!message.empty())
    throw Error(message.substr(1), static_cast<vit_status>(message.front()));
  if (WEXITSTATUS(status) != 0)
    throw Error(std::string("the compiler failed on ") + request.model +
                    " without a message",
                VIT_INTERNAL);
}

} // namespace vit::tools
