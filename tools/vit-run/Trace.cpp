//===- Trace.cpp - Writes traces of commands ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include "JsonText.h"
#include "Support.h"

#include <algorithm>
#include <unistd.h>

namespace vit::tools {

void appendCommand(void *context, const vit_event *event) {
  auto *log = static_cast<EventLog *>(context);
  if (!log->isOpen)
    return;
  log->commands.push_back({event->name ? event->name : "",
                           event->kernel ? event->kernel : "", event->begin_ns,
                           event->end_ns, event->flop});
}

namespace {

using Json = nlohmann::ordered_json;

/// One process with one track per thread; times are relative to `origin`.
class TraceWriter {
public:
  explicit TraceWriter(uint64_t origin) : origin(origin) {
    name("process_name", /*track=*/0, "vit-run");
  }

  void nameTrack(int track, const std::string &text) {
    name("thread_name", track, text);
  }

  void add(int track, const Event &event) {
    double seconds = (event.end - event.begin) * 1e-9;
    Json arguments = Json::object();
    if (!event.kernel.empty())
      arguments["kernel"] = event.kernel;
    if (event.flop > 0 && seconds > 0)
      arguments["gflop_per_s"] = event.flop / seconds * 1e-9;
    // Microseconds, the unit of the format.
    list.push_back({{"name", event.name.empty() ? event.kernel : event.name},
                    {"cat", event.kernel.empty() ? "call" : event.kernel},
                    {"ph", "X"},
                    {"ts", (event.begin - origin) * 1e-3},
                    {"dur", (event.end - event.begin) * 1e-3},
                    {"pid", process},
                    {"tid", track},
                    {"args", arguments}});
  }

  std::string take() {
    Json trace = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(list)}};
    return jsonText(trace, 1) + "\n";
  }

private:
  void name(const char *what, int track, const std::string &text) {
    list.push_back({{"name", what},
                    {"ph", "M"},
                    {"pid", process},
                    {"tid", track},
                    {"args", {{"name", text}}}});
  }

  int process = static_cast<int>(getpid());
  uint64_t origin;
  Json list = Json::array();
};

} // namespace

void writeTrace(const std::string &path, const EventLog &log) {
  if (path.empty())
    return;
  uint64_t origin = ~uint64_t(0);
  for (const std::vector<Event> *events : {&log.commands, &log.calls})
    for (const Event &event : *events)
      origin = std::min(origin, event.begin);
  constexpr int kHost = 0, kDevice = 1, kRanks = 2;
  TraceWriter writer(origin);
  writer.nameTrack(kHost, "host");
  writer.nameTrack(kDevice, log.device);
  for (const Event &event : log.calls)
    writer.add(kHost, event);
  bool hasRanks = false;
  for (const Event &event : log.commands) {
    bool isExchange = event.kernel == "all_reduce";
    if (isExchange && !hasRanks)
      writer.nameTrack(kRanks, "other ranks");
    hasRanks |= isExchange;
    writer.add(isExchange ? kRanks : kDevice, event);
  }
  writeFile(path, writer.take());
}

} // namespace vit::tools
