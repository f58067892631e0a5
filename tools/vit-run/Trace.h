//===- Trace.h - Writes traces of commands ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRACE_H
#define VIT_TOOLS_TRACE_H

#include "vit/vit.h"

#include <string>
#include <vector>

namespace vit::tools {

/// A vit_event that owns its strings.
struct Event {
  std::string name;
  std::string kernel;
  uint64_t begin = 0;
  uint64_t end = 0;
  double flop = 0;
};

/// The commands of the session, and the calls of the host around them.
struct EventLog {
  std::string device; ///< The device of the commands: "cpu", "vulkan:0".
  std::vector<Event> commands;
  std::vector<Event> calls;
  bool isOpen = true; ///< Whether commands are appended.
};

/// A vit_event_callback whose context is an EventLog: appends a command to it
/// if it is open.
void appendCommand(void *context, const vit_event *event);

/// Writes `log`, unless `path` is empty, in the Trace Event Format, which
/// ui.perfetto.dev and chrome://tracing open: a track for the host, one for
/// the device, and one for exchanges with other ranks.
void writeTrace(const std::string &path, const EventLog &log);

} // namespace vit::tools

#endif // VIT_TOOLS_TRACE_H
