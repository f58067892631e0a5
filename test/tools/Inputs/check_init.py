# ===- check_init.py - Checks the initial values of a training run ---------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Compares a checkpoint after a step with learning rate 0 with the one that the run
started from: all tensors have the same bits except heads, which have another
shape, and the position table, which is resampled like torch's
interpolate(mode="bicubic"), computed here.

  python3 check_init.py FROM.safetensors TO.safetensors [antialias]
"""

import math
import sys

import files


def cubic(x, a):
    """Keys's kernel (1981): 1 at 0, 0 at other integers."""
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def taps(i, size, target, antialias):
    """The inputs of output `i` as (index, weight)."""
    scale = size / target
    center = (i + 0.5) * scale
    if not antialias:  # a = -0.75, indices clamped to the table
        first = math.floor(center - 0.5) - 1
        return [(min(max(j, 0), size - 1), cubic(center - 0.5 - j, -0.75))
                for j in range(first, first + 4)]
    # a = -0.5, kernel stretched when shrinking, cut off at the borders, normalised.
    stretch = max(scale, 1.0)
    weights = [cubic((j + 0.5 - center) / stretch, -0.5) for j in range(size)]
    return [(j, weight / sum(weights)) for j, weight in enumerate(weights)]


def resample(table, width, side, target, antialias):
    prefix = len(table) // width - side * side
    result = list(table[: prefix * width])
    grid = table[prefix * width :]
    for y in range(target):
        for x in range(target):
            for c in range(width):
                result.append(sum(
                    wy * wx * grid[(iy * side + ix) * width + c]
                    for iy, wy in taps(y, side, target, antialias)
                    for ix, wx in taps(x, side, target, antialias)))
    return result


start, end = sys.argv[1:3]
antialias = "antialias" in sys.argv[3:]
before, after = files.read_safetensors(start), files.read_safetensors(end)
assert set(before) == set(after), set(before) ^ set(after)
same = heads = resampled = 0
for name, (shape, values) in after.items():
    old_shape, old_values = before[name]
    if shape == old_shape:
        assert bytes(values) == bytes(old_values), name
        same += 1
    elif name.rsplit(".", 1)[0] in ("head", "classifier"):
        assert shape[1:] == old_shape[1:], (name, shape, old_shape)
        assert name.endswith("bias") or max(map(abs, values)) > 0.001, name
        heads += 1
    else:
        side, target = (math.isqrt(rows - 1) for rows in (old_shape[1], shape[1]))
        expected = resample(old_values, shape[2], side, target, antialias)
        assert len(expected) == len(values)
        error = max(abs(a - b) for a, b in zip(values, expected))
        assert error < 1e-6, (name, error)
        resampled += 1
print("%d same, %d heads, %d resampled" % (same, heads, resampled))
