//===- Ptxas.cpp - NVIDIA's assembler as a child process ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ptxas.h"

#include "../Codegen/Parallel.h"

#include "vit/Target/CUDA.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace mlir;

std::string mlir::vit::findPtxas() {
  if (const char *path = std::getenv("VIT_PTXAS"))
    return path;
  llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName("ptxas");
  return path ? *path : std::string();
}

namespace {
/// A temporary file that is deleted with this object.
struct TemporaryFile {
  explicit TemporaryFile(StringRef suffix) {
    code = llvm::sys::fs::createTemporaryFile("vit", suffix, path);
    if (!code)
      remover.setFile(path);
  }

  std::error_code code;
  SmallString<128> path;
  llvm::FileRemover remover;
};
} // namespace

/// The part of `text` between `before` and `after`; empty if there is none.
static StringRef between(StringRef text, StringRef before, StringRef after) {
  size_t begin = text.find(before);
  if (begin == StringRef::npos)
    return {};
  return text.drop_front(begin + before.size()).split(after).first;
}

std::string vit::cuda::findSpills(StringRef output, uint64_t allowed) {
  // ptxas info    : Compiling entry function 'NAME' for 'sm_80'
  //     0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads
  StringRef kernel;
  for (StringRef line : llvm::split(output, '\n')) {
    StringRef name = between(line, "Compiling entry function '", "'");
    if (!name.empty())
      kernel = name;
    if (!line.contains("bytes spill"))
      continue;
    SmallVector<StringRef> parts;
    line.split(parts, ',');
    for (StringRef part : parts) {
      uint64_t bytes = 0;
      StringRef number = part.trim().split(' ').first;
      if (part.contains("bytes spill") && !number.getAsInteger(10, bytes) &&
          bytes > allowed)
        return ("kernel " + kernel + " spills registers: " + line.trim()).str();
    }
  }
  return "";
}

/// The kernel that line `number` of `ptx` belongs to.
static StringRef getKernelAt(StringRef ptx, unsigned number) {
  StringRef kernel;
  for (StringRef line : llvm::split(ptx, '\n')) {
    StringRef name = between(line, ".entry ", "(");
    if (!name.empty())
      kernel = name.trim();
    if (number-- <= 1)
      break;
  }
  return kernel;
}

/// The first error in ptxas's output, with the kernel's name if its line can be
/// attributed to one.
static std::string describeFailure(StringRef ptx, StringRef output) {
  // ptxas FILE, line 12; error   : Unknown symbol 'x'
  for (StringRef line : llvm::split(output, '\n')) {
    if (!line.contains("error") && !line.contains("fatal"))
      continue;
    unsigned number = 0;
    StringRef kernel;
    if (!between(line, ", line ", ";").getAsInteger(10, number))
      kernel = getKernelAt(ptx, number);
    StringRef message = line.split(": ").second;
    return ((kernel.empty() ? Twine() : "kernel " + kernel + ": ") +
            (message.empty() ? line : message))
        .str();
  }
  return output.empty() ? "it failed without a message"
                        : output.split('\n').first.str();
}

static std::string read(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  return file ? (*file)->getBuffer().str() : std::string();
}

namespace {
/// The result of one run of ptxas.
struct Result {
  int status; ///< -1: it could not be run, -2: it was killed
  std::string error, messages, cubin;
};
} // namespace

static llvm::Expected<Result> run(StringRef ptxas, StringRef ptx,
                                  StringRef arch, ArrayRef<StringRef> extra) {
  TemporaryFile input("ptx"), output("cubin"), messages("txt");
  for (const TemporaryFile *file : {&input, &output, &messages})
    if (file->code)
      return llvm::createStringError(
          file->code, "cannot make a temporary file: " + file->code.message());
  if (llvm::Error error = vit::writeFile(input.path.str().str(), ptx))
    return std::move(error);
  std::string target = ("-arch=" + arch).str();
  SmallVector<StringRef> arguments = {ptxas, "-v",        target,
                                      "-o",  output.path, input.path};
  arguments.append(extra.begin(), extra.end());
  std::optional<StringRef> redirects[] = {StringRef(), messages.path.str(),
                                          messages.path.str()};
  Result result;
  result.status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt,
                                            redirects, /*SecondsToWait=*/0,
                                            /*MemoryLimit=*/0, &result.error);
  result.messages = read(messages.path);
  result.cubin = read(output.path);
  return result;
}

/// A few values outside of the main loops cost less than a kernel that the
/// driver would have to compile. More says that the tile is wrong.
static constexpr uint64_t kFewBytes = 32;

llvm::Expected<SmallVector<char>>
vit::cuda::assemble(StringRef ptxas, StringRef ptx, StringRef arch) {
  llvm::Expected<Result> result = run(ptxas, ptx, arch, {});
  if (!result)
    return result.takeError();
  if (result->status == -1)
    return llvm::createStringError("cannot run " + ptxas.str() + ": " +
                                   result->error);
  if (result->status != 0) {
    if (StringRef(result->messages)
            .contains("is not defined for option 'gpu-name'"))
      return SmallVector<char>();
    return llvm::createStringError(
        "ptxas cannot assemble for " + arch.str() + ": " +
        (result->status < 0 ? result->error
                            : describeFailure(ptx, result->messages)));
  }
  // By default ptxas limits registers so that more workgroups run at once, and
  // may spill a value or two for that. Try other limits, and if none avoids it,
  // take the default if it spills only a few.
  std::string spills = findSpills(result->messages);
  for (StringRef usage :
       {"--register-usage-level=10", "--register-usage-level=0"}) {
    if (findSpills(result->messages).empty())
      break;
    llvm::Expected<Result> other = run(ptxas, ptx, arch, usage);
    if (!other)
      return other.takeError();
    if (other->status == 0 && findSpills(other->messages).empty())
      result = std::move(other);
  }
  if (!findSpills(result->messages, kFewBytes).empty())
    return llvm::createStringError(
        "on " + arch.str() + " " + spills +
        " (with VIT_PTXAS empty, PTX alone is made)");
  if (result->cubin.empty())
    return llvm::createStringError("ptxas wrote nothing for " + arch.str());
  return SmallVector<char>(result->cubin.begin(), result->cubin.end());
}
