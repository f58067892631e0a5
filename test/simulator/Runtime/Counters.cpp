//===- Counters.cpp - What a launch costs ---------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Counters.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <set>

using namespace vit::sim;

static constexpr uint32_t bankBytes = 4, banks = 32, sectorBytes = 32;
/// The most that one access of a lane transfers.
static constexpr uint32_t widest = 16;

const char *const vit::sim::opClassNames[opClasses] = {
    "fma",      "float", "special", "integer", "mma",     "ldmatrix",
    "cp.async", "load",  "store",   "shuffle", "barrier", "branch"};

void RequestCounts::add(const RequestCounts &other) {
  requests += other.requests;
  bytes += other.bytes;
  units += other.units;
  ideal += other.ideal;
}

void Counters::begin(const Library &from, const Kernel &what,
                     uint32_t threadsOfBlock, uint32_t dynamicShared) {
  places = from.sites;
  kernel = &what;
  threads = threadsOfBlock;
  shared = dynamicShared;
  for (uint32_t variable : what.shared)
    shared += from.shared[variable].bytes;
  basicBlocks = static_cast<uint32_t>(what.basicBlocks.size());
  executions.assign(size_t(threads) * what.cluster * basicBlocks, 0);
  sites.clear();
  ops = {};
  reached.clear();
  open.clear();
}

void Counters::endBlock() {
  for (auto &[key, request] : open)
    finish(key[0] / 2, static_cast<Space>(key[0] % 2), request);
  open.clear();
  reached.clear();
  uint32_t all = threads * kernel->cluster;
  for (uint32_t warp = 0; warp < all; warp += 32)
    for (uint32_t i = 0; i < basicBlocks; ++i) {
      uint32_t most = 0;
      for (uint32_t t = warp; t < std::min(warp + 32, all); ++t)
        most = std::max(most, executions[size_t(t) * basicBlocks + i]);
      for (uint32_t c = 0; c < opClasses; ++c)
        ops[c] += uint64_t(most) * kernel->basicBlocks[i][c];
    }
  std::fill(executions.begin(), executions.end(), 0);
}

/// The units of `unit` bytes that are accessed by lanes, in order.
static std::vector<uintptr_t> getUnits(const uintptr_t *addresses,
                                       uint32_t lanes, uint32_t bytes,
                                       uint32_t unit) {
  std::vector<uintptr_t> units;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    for (uintptr_t at = addresses[lane] / unit;
         at <= (addresses[lane] + bytes - 1) / unit; ++at)
      units.push_back(at);
  }
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  return units;
}

static uint64_t getWavefronts(const uintptr_t *addresses, uint32_t lanes,
                              uint32_t bytes) {
  uint32_t words[banks] = {};
  for (uintptr_t word : getUnits(addresses, lanes, bytes, bankBytes))
    ++words[word % banks];
  return *std::max_element(std::begin(words), std::end(words));
}

void Counters::finish(uint32_t site, Space space, const Request &request) {
  RequestCounts counts;
  counts.requests = 1;
  const uintptr_t *all = request.addresses;
  counts.bytes = getUnits(all, request.lanes, request.bytes, 1).size();
  if (space == Space::Global) {
    counts.units =
        getUnits(all, request.lanes, request.bytes, sectorBytes).size();
    counts.ideal = (counts.bytes + sectorBytes - 1) / sectorBytes;
  } else {
    uint32_t together = banks * bankBytes / std::max(request.bytes, bankBytes);
    uint32_t first = together == 32 ? ~0u : (1u << together) - 1;
    for (uint32_t lane = 0; lane < 32; lane += together) {
      uint32_t lanes = request.lanes & first << lane;
      if (!lanes)
        continue;
      counts.units += getWavefronts(all, lanes, request.bytes);
      ++counts.ideal;
    }
  }
  RequestCounts &total = sites[{site, space}];
  total.write = request.write;
  total.add(counts);
}

void Counters::access(uint32_t thread, uint32_t site, Space space, bool write,
                      uintptr_t address, uint32_t bytes, uint32_t alignment) {
  // Wider or less aligned accesses are several instructions.
  uint32_t part = std::min({bytes, alignment, widest});
  uint32_t key = site * 2 + static_cast<uint32_t>(space);
  for (uint32_t done = 0; done < bytes; done += part) {
    uint32_t times = reached[uint64_t(key) << 32 | thread]++;
    std::array<uint32_t, 3> which = {key, thread / 32, times};
    Request &request = open[which];
    request.write = write;
    request.bytes = part;
    request.addresses[thread % 32] = address + done;
    request.lanes |= 1u << thread % 32;
    if (request.lanes == ~0u) {
      finish(site, space, request);
      open.erase(which);
    }
  }
}

void Counters::matrices(uint32_t site, bool write, const uintptr_t *rows,
                        uint32_t count) {
  Request request;
  request.write = write;
  request.bytes = 16;
  for (uint32_t i = 0; i < count; ++i) {
    request.addresses[i] = rows[i];
    request.lanes |= 1u << i;
  }
  finish(site, Space::Shared, request);
}

void Counters::copyTensor(uint32_t site, bool write,
                          const std::vector<uintptr_t> &addresses,
                          uint32_t bytes) {
  RequestCounts counts;
  counts.requests = 1;
  counts.bytes = addresses.size() * bytes;
  std::set<uintptr_t> sectors;
  for (uintptr_t address : addresses)
    sectors.insert(address / sectorBytes);
  counts.units = sectors.size();
  counts.ideal = (counts.bytes + sectorBytes - 1) / sectorBytes;
  RequestCounts &total = sites[{site, Space::Global}];
  total.write = write;
  total.add(counts);
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

RequestCounts Counters::getTotal(Space space) const {
  RequestCounts total;
  for (auto &[key, counts] : sites)
    if (key.second == space)
      total.add(counts);
  return total;
}

static std::string format(const char *pattern, ...)
    __attribute__((format(printf, 1, 2)));
static std::string format(const char *pattern, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

static unsigned long long print(uint64_t number) { return number; }

std::string Counters::getTable() const {
  std::string text = "ops of warps:";
  for (uint32_t i = 0; i < opClasses; ++i)
    if (ops[i])
      text += format(" %s %llu", opClassNames[i], print(ops[i]));
  text += "\n";
  for (Space space : {Space::Shared, Space::Global}) {
    bool isShared = space == Space::Shared;
    text += format("%-6s %-5s %10s %12s %10s %10s %10s  %s\n",
                   isShared ? "shared" : "global", "", "requests", "bytes",
                   isShared ? "wavefronts" : "sectors", "ideal", "extra", "op");
    auto add = [&](const RequestCounts &counts, const std::string &what,
                   const char *kind) {
      text += format("%-6s %-5s %10llu %12llu %10llu %10llu %10llu  ", "", kind,
                     print(counts.requests), print(counts.bytes),
                     print(counts.units), print(counts.ideal),
                     print(counts.units - counts.ideal)) +
              what + "\n";
    };
    for (auto &[key, counts] : sites)
      if (key.second == space)
        add(counts, places[key.first], counts.write ? "write" : "read");
    add(getTotal(space), "all", "");
  }
  return text;
}

/// A string of JSON.
static std::string quote(const std::string &text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      quoted += format("\\u%04x", c);
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string Counters::getJson() const {
  std::string text = "\"ops\": {";
  for (uint32_t i = 0; i < opClasses; ++i)
    text +=
        format("%s\"%s\": %llu", i ? ", " : "", opClassNames[i], print(ops[i]));
  text += "}";
  for (Space space : {Space::Shared, Space::Global}) {
    bool isShared = space == Space::Shared;
    text += format(", \"%s\": [", isShared ? "shared" : "global");
    bool first = true;
    for (auto &[key, counts] : sites) {
      if (key.second != space)
        continue;
      text += format("%s{\"write\": %s, \"requests\": %llu, \"bytes\": %llu, "
                     "\"%s\": %llu, \"ideal\": %llu, \"op\": ",
                     first ? "" : ", ", counts.write ? "true" : "false",
                     print(counts.requests), print(counts.bytes),
                     isShared ? "wavefronts" : "sectors", print(counts.units),
                     print(counts.ideal)) +
              quote(places[key.first]) + "}";
      first = false;
    }
    text += "]";
  }
  return text;
}
