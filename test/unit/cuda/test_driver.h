//===- test_driver.h - A CUDA driver for tests ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What tests see of the driver that test_driver.cpp makes. It has one device,
// in the host's memory, and runs the kernels of the test module (kernels.h).
// Work is done when it is submitted, but for that of a captured stream.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_TEST_DRIVER_H
#define VIT_TEST_TEST_DRIVER_H

#include <cstdint>

namespace vit::test {

struct TestDriver {
  // To be set by tests.
  const char *failingFunction = ""; ///< "cuGraphLaunch"
  int failure = 0;                  ///< what it returns
  int failAfter = 0;                ///< calls of it that succeed first
  int failTimes = 1 << 30;          ///< and then fail
  int version = 12040;
  int capability = 90;
  int deviceCount = 1;
  const char *log = ""; ///< written by a failing cuModuleLoadDataEx

  // To be read by tests.
  int liveObjects = 0; ///< contexts, modules, memory, streams, graphs, events
  int graphLaunches = 0;
  int captures = 0;
  int kernelLaunches = 0; ///< outside of graphs
  int uploads = 0;
  int cubinsLoaded = 0, ptxLoaded = 0;
  /// The first thing that the runtime did which a driver does not allow.
  const char *misuse = nullptr;
};

} // namespace vit::test

#endif // VIT_TEST_TEST_DRIVER_H
