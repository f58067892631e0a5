//===- TestDriver.h - A CUDA driver for tests -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The interface between tests and TestDriver.cpp. The driver has one device,
// in host memory, and runs the kernels of the test module (kernels.h). Work is
// done when it is submitted. Ranks are threads that use it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_TEST_DRIVER_H
#define VIT_TEST_TEST_DRIVER_H

#include <cstdint>
#include <set>

namespace vit::test {

struct TestDriver {
  // Set by tests.
  const char *failingFunction = ""; ///< "cuGraphLaunch"
  int failure = 0;                  ///< the result of failing calls
  int failAfter = 0;                ///< number of calls that succeed first
  int failTimes = 1 << 30;          ///< number of calls that then fail
  int version = 12040;
  int capability = 90;
  int deviceCount = 1;
  int mostShared = 99 << 10;           ///< bytes that a launch may ask for
  uint64_t memory = uint64_t(1) << 33; ///< of each device
  int notReady = 0;                    ///< calls of cuStreamQuery that say so
  const char *log = ""; ///< the log of a failing cuModuleLoadDataEx

  // Read by tests.
  int liveObjects = 0; ///< contexts, modules, memory, streams, graphs, events
  int graphLaunches = 0;
  int graphs = 0;       ///< made
  int edges = 0;        ///< of all graphs
  int changedNodes = 0; ///< of executables
  int copies = 0;       ///< within and between devices, outside of graphs
  /// What kernels have had as arguments.
  std::set<const void *> kernelArguments;
  int kernelLaunches = 0; ///< outside of graphs
  int sharedBytes = 0;    ///< the most that a launch asked for
  int workgroups = 0;     ///< the most of a launch
  int uploads = 0;
  int waits = 0; ///< of a stream for an event
  int cubinsLoaded = 0, ptxLoaded = 0;
  int mapsEncoded = 0;
  /// Of the last tensor map.
  uint64_t mapColumns = 0, mapRows = 0, mapMatrices = 0;
  uint32_t mapBoxRows = 0;
  /// The first forbidden action of the runtime.
  const char *misuse = nullptr;
};

} // namespace vit::test

#endif // VIT_TEST_TEST_DRIVER_H
