//===- vit-opt.cpp - Run passes on model text -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/OptMain.h"

#include <csignal>

int main(int argc, char **argv) {
  // The reader of a pipe that ends first, such as `head`, is no error to
  // report.
  std::signal(SIGPIPE, SIG_DFL);
  return vit_opt_main(argc, argv);
}
