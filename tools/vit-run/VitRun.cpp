//===- VitRun.cpp - The command line of vit-run ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VitRun.h"

#include "Options.h"
#include "Ranks.h"
#include "Suggestions.h"
#include "Support.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <new>
#include <poll.h>
#include <unistd.h>

using namespace vit::tools;

namespace {

/// Prints one line: messages may quote the contents of files.
int fail(std::string message) {
  for (char &c : message)
    if (c == '\n' || c == '\r')
      c = ' ';
  while (!message.empty() && (message.back() == ' ' || message.back() == '.'))
    message.pop_back();
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

/// Whether standard output is a pipe that nobody reads any more, as in
/// `vit-run inspect x.vitm | head`.
bool readerIsGone() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

} // namespace

int vit::tools::runVitRun(int argc, char **argv) {
  // Writing to a closed pipe, or beyond the limit on file sizes, must not end
  // the process: a training run goes on.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  printFirstPictureWarning();
  CLI::App app("Runs Vision Transformers: compiled modules, texts and "
               "checkpoint folders",
               "vit-run");
  app.set_version_flag("--version", std::string("vit-run ") + vit_version());
  app.require_subcommand(1);
  addInfer(app);
  addClassify(app);
  addEmbed(app);
  addEval(app);
  addTrain(app);
  addBench(app);
  addCompare(app);
  addInspect(app);
  addReport(app);
  addDevices(app);
  addCache(app);
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      if (!readerIsGone())
        return fail("cannot write to standard output");
  } catch (const CLI::Success &done) {
    return app.exit(done);
  } catch (const CLI::ParseError &error) {
    return fail(describeParseError(app, error));
  } catch (const ExitStatus &done) {
    return done.status;
  } catch (const PeerError &) {
    return 1; // Another rank has said why.
  } catch (const std::bad_alloc &) {
    return fail("not enough memory");
  } catch (const std::exception &error) {
    return fail(error.what());
  }
  return 0;
}
