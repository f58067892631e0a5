# ===- check_embed.py - Checks what vit-run embed wrote --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_embed.py E.npy E.jsonl UNIT.npy: the array and the lines hold the same
numbers, UNIT.npy the same rows scaled to length 1, and the lists the same
pictures, which are printed."""

import json
import math
import sys

import files

array, lines, unit = sys.argv[1:]
shape, values = files.read_npy(array)
rows = [values[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]
with open(lines) as file:
    records = [json.loads(line) for line in file]
with open(array[:-4] + ".txt") as file:
    names = file.read().splitlines()
assert [record["image"] for record in records] == names
assert len(rows) == len(names) > 1
for row, record in zip(rows, records):
    assert all(abs(a - b) <= 1e-6 * abs(a) for a, b in zip(row, record["embedding"]))
    assert len(row) == len(record["embedding"])
assert rows[0] != rows[1]
unit_shape, unit_values = files.read_npy(unit)
assert unit_shape == shape
for i, row in enumerate(rows):
    length = math.sqrt(sum(v * v for v in row))
    scaled = unit_values[i * shape[1]:(i + 1) * shape[1]]
    assert all(abs(a / length - b) < 1e-6 for a, b in zip(row, scaled))
for name in names:
    print(name)
