//===- TestLaunch.h - One launch, from a command line ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_TESTLAUNCH_H
#define VIT_SIMULATOR_TESTLAUNCH_H

#include <cstdint>
#include <string>
#include <vector>

namespace vit::sim {

struct TestLaunch {
  std::string kernel;
  /// With as many threads as the kernel declares. 0: its units for the batch,
  /// or one where they are not known.
  unsigned blocks = 0;
  /// random:COUNT (floats in [-1, 1)), fresh:COUNT (floats that nothing has
  /// written), i32:VALUE. Empty: as its dispatch says, for `batch` images.
  std::vector<std::string> arguments;
  unsigned batch = 1;
  std::string schedules;
  /// Not empty: argument I is written to `folder`/I.f32 afterwards.
  std::string folder;
};

/// Runs a kernel of the shared object `path`. `text` becomes what is to be
/// printed: what was run, or what was found (false). `memory`: all arguments'
/// memory afterwards, one after the other.
bool run(const TestLaunch &launch, const std::string &path, std::string &text,
         std::vector<uint32_t> &memory);

} // namespace vit::sim

#endif // VIT_SIMULATOR_TESTLAUNCH_H
