//===- TestLaunch.h - Launches one kernel by options ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_TESTLAUNCH_H
#define VIT_SIMULATOR_TESTLAUNCH_H

#include "../Runtime/Counters.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vit::sim {

struct TestLaunch {
  std::string kernel;
  /// The number of threads is that of the kernel. 0: the kernel's units for the
  /// batch, or one if unknown.
  unsigned blocks = 0;
  /// random:COUNT (floats in [-1, 1)), bf16:COUNT and f16:COUNT (the same,
  /// rounded), fresh:COUNT (uninitialised floats), i32:VALUE,
  /// tensor:ARGUMENT,COLUMNS,ROWS,64,BOX-ROWS[,EACH] (a tensor map of elements
  /// of 16 bits). Empty: the arguments of its dispatch for `batch` images.
  std::vector<std::string> arguments;
  unsigned batch = 1;
  /// Bytes of shared memory for variables without a size; 0: what the kernel's
  /// launches ask for, if that is known.
  unsigned dynamicShared = 0;
  std::string schedules;
  /// If not empty, argument I is written to `folder`/I.f32 afterwards.
  std::string folder;
  /// If not null, receives counts; the kernel must be compiled for that.
  Counters *counters = nullptr;
};

/// Runs a kernel of the shared object `path`. Returns false if there is a
/// finding. `text` receives a summary or the finding, `memory` the contents of
/// all arguments afterwards, concatenated.
bool run(const TestLaunch &launch, const std::string &path, std::string &text,
         std::vector<uint32_t> &memory);

} // namespace vit::sim

#endif // VIT_SIMULATOR_TESTLAUNCH_H
