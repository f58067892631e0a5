//===- TestLaunch.h - One launch, from a command line ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_TESTLAUNCH_H
#define VIT_SIMULATOR_TESTLAUNCH_H

#include <string>
#include <vector>

namespace vit::sim {

/// Runs `blocks` blocks of a kernel of the shared object `path`, with as many
/// threads as it declares. `arguments`: random:COUNT (floats in [-1, 1)),
/// fresh:COUNT (floats that nothing has written), i32:VALUE. `text` becomes
/// what is to be printed: what was run, or what was found (false). Where
/// `folder` is not empty, argument I is written to `folder`/I.f32 afterwards.
bool launchForTest(const std::string &path, const std::string &kernel,
                   unsigned blocks, const std::vector<std::string> &arguments,
                   const std::string &schedules, const std::string &folder,
                   std::string &text);

} // namespace vit::sim

#endif // VIT_SIMULATOR_TESTLAUNCH_H
