//===- Threads.cpp - How many threads to use ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Threads.h"

#include "format/ControlGroup.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sched.h>
#include <unistd.h>

namespace vit::format {

int availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? int(online) : 1;
}

int defaultThreads(const char *root) {
  const char *given = std::getenv("VIT_NUM_THREADS");
  if (given && *given) {
    char *end = nullptr;
    long number = std::strtol(given, &end, 10);
    return !*end && number >= 1 && number <= kMaxThreads ? int(number) : 0;
  }
  double threads = std::min(availableCores(), kMaxThreads);
  if (std::optional<double> quota = cpuQuota(root))
    threads = std::min(threads, std::ceil(*quota));
  return std::max(int(threads), 1);
}

} // namespace vit::format
