//===- Split.h - The parts in which a call is submitted ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A driver resets a GPU that works on one submission for some seconds, and a
// device limits the workgroups of one dispatch. So a call's commands are
// divided into pieces, and those into a few submissions. Work units are
// independent, so that the result does not depend on the division.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_SPLIT_H
#define VIT_RUNTIME_DEVICES_VULKAN_SPLIT_H

#include "Plan.h"
#include "Verify.h"
#include "format/Extent.h"

#include <algorithm>

namespace vit::runtime::vulkan {

/// A command, or a part of a dispatch that was split.
struct Piece {
  uint32_t submission; ///< counted from 0
  uint32_t command;    ///< of the schedule
  uint64_t firstUnit;  ///< Dispatch
  uint64_t units;      ///< Dispatch: at least 1
};

struct SplitLimits {
  uint64_t units; ///< workgroups of one launch
  double work;    ///< of one submission, in flop; 0: no limit
  bool separate;  ///< a submission for each command
};

/// The cost of a command in flop. Memory counts too: slow devices move about
/// four bytes in the time of one operation with eight.
inline double workOf(const schema::Command &command, int64_t batch) {
  uint64_t flop = 0, bytes = 0;
  if (command.flop())
    evaluate(*command.flop(), batch, flop);
  for (uint32_t i = 0; i < count(command.arguments()); ++i) {
    const schema::Argument &argument = *command.arguments()->Get(i);
    uint64_t some = 0;
    argumentBytes(argument, batch, some);
    bytes += some;
  }
  return double(flop) + 2.0 * double(bytes);
}

/// Calls visit(piece) for each piece of a call in order.
template <typename Visit>
void forEachPiece(const schema::Schedule &schedule, int64_t batch,
                  const SplitLimits &limits, Visit visit) {
  uint32_t submission = 0;
  double spent = 0;
  auto isOver = [&](double more) {
    return limits.work > 0 && spent > 0 && spent + more > limits.work;
  };
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    double work = workOf(command, batch);
    // The host reduces gradients before what follows a Wait is submitted.
    bool isWait = command.kind() == schema::CommandKind::Wait;
    if ((limits.separate && spent > 0) || (isWait && i > 0)) {
      ++submission;
      spent = 0;
    }
    if (command.kind() != schema::CommandKind::Dispatch) {
      visit(Piece{submission, i, 0, 0});
      spent += work;
      continue;
    }
    uint64_t units = 0;
    evaluate(*command.units(), batch, units);
    double each = work / double(std::max<uint64_t>(units, 1));
    for (uint64_t first = 0; first < units;) {
      uint64_t now = std::min(units - first, limits.units);
      if (isOver(each * double(now))) {
        ++submission;
        spent = 0;
      }
      if (limits.work > 0 && each * double(now) > limits.work)
        now = std::max<uint64_t>(1, uint64_t(limits.work / each));
      visit(Piece{submission, i, first, now});
      spent += each * double(now);
      first += now;
    }
  }
}

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_SPLIT_H
