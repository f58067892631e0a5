//===- Trace.h - What ran when ----------------------------------*- C++ -*-===//
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

/// A vit_event with its strings.
struct Event {
  std::string name;
  std::string kernel;
  uint64_t begin = 0;
  uint64_t end = 0;
  double flop = 0;
};

/// A vit_event_callback whose context is a std::vector<Event>.
void appendEvent(void *events, const vit_event *event);

/// Writes `events` in the Trace Event Format, which ui.perfetto.dev and
/// chrome://tracing open.
void writeTrace(const std::string &path, const std::vector<Event> &events);

} // namespace vit::tools

#endif // VIT_TOOLS_TRACE_H
