//===- Trace.cpp - What ran when ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include "Support.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace vit::tools {

void appendEvent(void *events, const vit_event *event) {
  static_cast<std::vector<Event> *>(events)->push_back(
      {event->name ? event->name : "", event->kernel ? event->kernel : "",
       event->begin_ns, event->end_ns, event->flop});
}

void writeTrace(const std::string &path, const std::vector<Event> &events) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  int process = static_cast<int>(getpid());
  list.push_back({{"name", "process_name"},
                  {"ph", "M"},
                  {"pid", process},
                  {"tid", 0},
                  {"args", {{"name", "vit-run"}}}});
  uint64_t origin = events.empty() ? 0 : events.front().begin;
  for (const Event &event : events) {
    double seconds = (event.end - event.begin) * 1e-9;
    nlohmann::ordered_json arguments = {{"kernel", event.kernel}};
    if (event.flop > 0 && seconds > 0)
      arguments["gflop_per_s"] = event.flop / seconds * 1e-9;
    // Microseconds, as the format wants them.
    list.push_back({{"name", event.name.empty() ? event.kernel : event.name},
                    {"cat", event.kernel},
                    {"ph", "X"},
                    {"ts", (event.begin - origin) * 1e-3},
                    {"dur", (event.end - event.begin) * 1e-3},
                    {"pid", process},
                    {"tid", 0},
                    {"args", arguments}});
  }
  nlohmann::ordered_json trace = {{"displayTimeUnit", "ms"},
                                  {"traceEvents", std::move(list)}};
  writeFile(path, trace.dump(1, ' ', false,
                             nlohmann::json::error_handler_t::replace) +
                      "\n");
}

} // namespace vit::tools
