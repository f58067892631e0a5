//===- Threads.h - How many threads to use ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_THREADS_H
#define VIT_FORMAT_THREADS_H

namespace vit::format {

/// The most threads of a session.
inline constexpr int kMaxThreads = 1024;

/// The processors that this process may run on (its affinity); at least 1.
int availableCores();

/// The number of threads to use where the caller gives none, 1 to kMaxThreads:
/// that of the environment variable VIT_NUM_THREADS if it is set, otherwise the
/// least of availableCores() and the quota of the control group, rounded up.
/// 0 if VIT_NUM_THREADS is something else than a number from 1 to kMaxThreads.
/// `root` is as in ControlGroup.h.
int defaultThreads(const char *root = "");

} // namespace vit::format

#endif // VIT_FORMAT_THREADS_H
