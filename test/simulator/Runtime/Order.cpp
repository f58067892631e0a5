//===- Order.cpp - Which accesses are before others -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Order.h"

#include <algorithm>

using namespace vit::sim;

void Order::begin(uint32_t threads, bool isNeeded) {
  active = isNeeded;
  if (!active)
    return;
  count = threads;
  units = 0;
  clocks.assign(count, 1);
  known.assign(count, {});
}

void Order::forget() {
  for (Clocks &row : known)
    row.clear();
}

void Order::synchronize(uint32_t first, uint32_t number,
                        const std::vector<uint32_t> &warpEpochs) {
  Clocks all;
  for (uint32_t thread = first; thread < first + number; ++thread)
    release(thread, warpEpochs[thread / 32], all);
  for (uint32_t thread = first; thread < first + number; ++thread)
    acquire(thread, all);
}

uint16_t Order::addUnit() { return static_cast<uint16_t>(firstUnit + units++); }

Order::Clocks &Order::getRow(uint32_t thread) {
  Clocks &row = known[thread];
  if (row.empty())
    row.assign(size(), 0);
  return row;
}

void Order::join(Clocks &to, const Clocks &from) {
  if (to.empty())
    to = from;
  else
    for (size_t i = 0; i < from.size(); ++i)
      to[i] = std::max(to[i], from[i]);
}

void Order::release(uint32_t thread, uint32_t warpEpoch, Clocks &to) {
  Clocks &row = getRow(thread);
  row[thread] = clocks[thread]++;
  uint32_t &warp = row[count + thread / 32];
  warp = std::max(warp, warpEpoch);
  join(to, row);
}

void Order::acquire(uint32_t thread, const Clocks &from) {
  if (!from.empty())
    join(getRow(thread), from);
}

void Order::finish(uint16_t unit, uint32_t clock, Clocks &to) const {
  if (to.empty())
    to.assign(size(), 0);
  uint32_t &known = to[getIndex(unit)];
  known = std::max(known, clock);
}

void Order::acquireUnit(uint32_t thread, uint16_t unit, uint32_t clock) {
  finish(unit, clock, getRow(thread));
}

bool Order::knows(uint32_t thread, const Access &access) const {
  if (!active || known[thread].empty())
    return false;
  const Clocks &row = known[thread];
  if (access.thread >= firstUnit)
    return row[getIndex(access.thread)] >= access.clock;
  return row[access.thread] >= access.clock ||
         row[count + access.thread / 32] > access.warpEpoch;
}
