# ===- check_variables.py - Checks the layout of a module's variables ------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Checks what `vit-run inspect --json` says of a training module:

  python3 check_variables.py MODULE.json ARENA,... ENTRY,...

it has these arenas and entries, variables do not overlap, and each state has the
offset in its arena that its parameter has in `parameters`.
"""

import json
import sys

module = json.load(open(sys.argv[1]))
arenas = {arena["name"]: arena["bytes"] for arena in module["arenas"]}
assert sorted(arenas) == sorted(sys.argv[2].split(",")), arenas
entries = [entry["name"] for entry in module["entries"]]
assert sorted(entries) == sorted(sys.argv[3].split(",")), entries
for entry in module["entries"]:
    assert entry["training"] == (entry["name"] != "forward"), entry["name"]

places = {}
for variable in module["variables"]:
    size = 4
    for dim in variable["dims"]:
        size *= dim
    begin = variable["offset"]
    assert begin % 64 == 0 and begin + size <= arenas[variable["arena"]]
    for other in module["variables"]:
        if other is not variable and other["arena"] == variable["arena"]:
            assert other["offset"] >= begin + size or other["offset"] < begin, (
                variable["name"], other["name"])
    places[variable["name"]] = (variable["arena"], begin)

parameters = {p["name"] for p in module["parameters"]}
trained = {name for name, place in places.items() if place[0] == "parameters"}
assert trained and trained <= parameters, trained - parameters
for name, (arena, begin) in places.items():
    if arena != "parameters":
        assert name.startswith(arena + "."), name
        assert places[name[len(arena) + 1:]] == ("parameters", begin), name
for arena in arenas:
    count = sum(place[0] == arena for place in places.values())
    assert count == len(trained), (arena, count)
print(len(trained), "variables of", len(parameters), "parameters")
