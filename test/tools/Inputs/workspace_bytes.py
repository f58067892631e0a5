# ===- workspace_bytes.py - Prints the workspace size of an entry ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Prints the size of an entry's slots, computed from `vit-run inspect --json`, and
fails if it is out of bounds:

  python3 workspace_bytes.py MODULE.json ENTRY BATCH LEAST MOST
"""

import json
import sys

module = json.load(open(sys.argv[1]))
entry = next(e for e in module["entries"] if e["name"] == sys.argv[2])
batch = int(sys.argv[3])


def evaluate(extent):
    if extent["of"] == 0:
        return extent["times"]
    return extent["times"] * -(-batch * extent["of"] // extent["per"])


total = 0
for slot in entry["schedules"][0]["slots"]:
    total += -(-max(evaluate(value) for value in slot["values"]) // 64) * 64
print(total)
least, most = int(sys.argv[4]), int(sys.argv[5])
assert least <= total <= most, (least, total, most)
