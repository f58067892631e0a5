//===- Traffic.cpp - Bytes between a GPU's memory and L2 ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Traffic.h"

#include <map>
#include <optional>

namespace vit::tools {

/// The accesses cut a buffer into pieces, each of which is used as a whole. The
/// key is where a piece begins; the value, the bytes that had been used in all
/// when it was last used. The last key is the end of the buffer.
using Pieces = std::map<uint64_t, std::optional<uint64_t>>;

std::vector<uint64_t>
countMemoryBytes(const std::vector<std::vector<Access>> &commands,
                 uint64_t cacheBytes) {
  std::map<std::string, Pieces> buffers;
  for (const std::vector<Access> &accesses : commands)
    for (const Access &access : accesses) {
      Pieces &pieces = buffers[access.buffer];
      pieces[access.begin];
      pieces[access.begin + access.bytes];
    }
  std::vector<uint64_t> result;
  uint64_t used = 0;
  // The second run begins with the cache as a run leaves it.
  for (int run = 0; run < 2; ++run) {
    result.assign(commands.size(), 0);
    for (size_t i = 0; i < commands.size(); ++i)
      for (const Access &access : commands[i]) {
        Pieces &pieces = buffers[access.buffer];
        auto end = pieces.find(access.begin + access.bytes);
        for (auto piece = pieces.find(access.begin); piece != end;) {
          uint64_t begin = piece->first;
          std::optional<uint64_t> &last = piece->second;
          uint64_t bytes = (++piece)->first - begin;
          if (!last || used - *last + bytes > cacheBytes)
            result[i] += bytes;
          used += bytes;
          last = used;
        }
      }
  }
  return result;
}

} // namespace vit::tools
