# ===- check_trace.py - Checks a trace of a device's commands --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_trace.py TRACE.json DEVICE: one call on the host's track, and the
commands on DEVICE's track in order and within the call (up to 1 ms, the accuracy
of mapping one clock to the other)."""

import json
import sys

events = json.load(open(sys.argv[1]))["traceEvents"]
tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
device = [tid for tid, name in tracks.items() if name.startswith(sys.argv[2])]
host = [tid for tid, name in tracks.items() if name == "host"]
assert len(device) == 1 and len(host) == 1 and device != host, tracks
calls = [e for e in events if e["ph"] == "X" and e["tid"] == host[0]]
commands = [e for e in events if e["ph"] == "X" and e["tid"] == device[0]]
assert len(calls) == 1 and len(commands) > 10, (calls, commands)
begin, end = calls[0]["ts"], calls[0]["ts"] + calls[0]["dur"]
last = begin - 1000
for command in commands:
    assert command["dur"] >= 0 and command["ts"] >= last, (command, last)
    assert command["ts"] + command["dur"] <= end + 1000, (command, end)
    last = command["ts"]
assert any("layer" in c["name"] for c in commands), commands
assert any(c["args"].get("gflop_per_s", 0) > 0 for c in commands), commands
