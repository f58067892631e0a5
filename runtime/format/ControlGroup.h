//===- ControlGroup.h - Limits of Linux control groups ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads what a container or service may use of the machine: version 2
// (cpu.max, memory.max) and version 1 (cpu.cfs_quota_us, cpu.cfs_period_us,
// memory.limit_in_bytes), whichever are mounted. See cgroups(7) and the
// kernel's admin-guide/cgroup-v2.rst.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_CONTROLGROUP_H
#define VIT_FORMAT_CONTROLGROUP_H

#include <cstdint>
#include <optional>

namespace vit::format {

/// Returns the processor time that this process may use, in processors (1.5 is
/// 150 ms in each 100 ms): the least quota of its control group and the groups
/// above it. No value if there is no quota, or if the files cannot be read.
/// `root` is put before every path that is read; tests pass a folder.
std::optional<double> cpuQuota(const char *root = "");

/// Returns the bytes of memory that this process and the others of its control
/// group may use together: the least limit of the group and those above it.
/// No value if there is no limit, or if the files cannot be read.
std::optional<uint64_t> memoryLimit(const char *root = "");

/// Returns the bytes of memory that this process may use at most: those of the
/// machine, or the limit of its control group if that is less.
uint64_t usableMemory(const char *root = "");

} // namespace vit::format

#endif // VIT_FORMAT_CONTROLGROUP_H
