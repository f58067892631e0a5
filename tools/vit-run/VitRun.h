//===- VitRun.h - The command line of vit-run -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_VITRUN_H
#define VIT_TOOLS_VITRUN_H

namespace vit::tools {

/// vit-run, for its program and for the console script of the Python package.
/// Returns the exit status; sets how signals are handled.
int runVitRun(int argc, char **argv);

} // namespace vit::tools

#endif // VIT_TOOLS_VITRUN_H
