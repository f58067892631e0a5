//===- Traffic.h - Bytes between a GPU's memory and L2 ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAFFIC_H
#define VIT_TOOLS_TRAFFIC_H

#include <cstdint>
#include <string>
#include <vector>

namespace vit::tools {

/// A range of a buffer that a command reads or writes, once.
struct Access {
  std::string buffer;
  uint64_t begin = 0;
  uint64_t bytes = 0;

  friend bool operator==(const Access &a, const Access &b) {
    return a.buffer == b.buffer && a.begin == b.begin && a.bytes == b.bytes;
  }
};

/// For each of the commands, which run one after the other and over and over,
/// the bytes of its accesses that are not in a cache of `cacheBytes`. The cache
/// is a model: it keeps the bytes that were used last, wherever they lie. A
/// range counts if it and all accesses since its last use have more bytes than
/// the cache, whether it is read then or written. The sum of all bytes must be
/// below 2^62.
std::vector<uint64_t>
countMemoryBytes(const std::vector<std::vector<Access>> &commands,
                 uint64_t cacheBytes);

} // namespace vit::tools

#endif // VIT_TOOLS_TRAFFIC_H
