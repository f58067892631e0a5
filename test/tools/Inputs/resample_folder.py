# ===- resample_folder.py - A checkpoint for pictures of another size ------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes the folder TO: the ViT of the folder FROM with a position table that
is resampled here to pictures of HEIGHT x WIDTH, as torch's interpolate does
(bicubic, a = -0.75, without antialiasing), and the input x.npy for it.

  python3 resample_folder.py FROM TO HEIGHT WIDTH
"""

import json
import math
import os
import random
import sys

import files


def kernel(x, a=-0.75):
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def taps(old, new):
    """For each new index the pairs (old index, weight)."""
    for i in range(new):
        center = (i + 0.5) * old / new - 0.5
        first = math.floor(center)
        yield [(min(max(j, 0), old - 1), kernel(center - j))
               for j in range(first - 1, first + 3)]


def resample(rows, old, new):
    """`rows` of an old grid (height, width), as those of the new one."""
    return [[sum(u * v * rows[y * old[1] + x][c]
                 for y, u in down for x, v in across)
             for c in range(len(rows[0]))]
            for down in taps(old[0], new[0]) for across in taps(old[1], new[1])]


source, target, height, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.makedirs(target)
with open(source + "/config.json") as file:
    config = json.load(file)
patch = config["patch_size"]
side = config["image_size"] // patch
grid = [height // patch, width // patch]
config["image_size"] = [height, width]
with open(target + "/config.json", "w") as file:
    json.dump(config, file)
tensors = files.read_safetensors(source + "/model.safetensors")
name = "vit.embeddings.position_embeddings"
shape, values = tensors[name]
size = shape[2]
table = [values[i:i + size] for i in range(0, len(values), size)]
table = table[:1] + resample(table[1:], [side, side], grid)
tensors[name] = ([1, len(table), size], [v for row in table for v in row])
files.write_safetensors(target + "/model.safetensors", tensors)
random.seed(2)
files.write_npy(target + "/x.npy", [2, 3, height, width],
                [random.gauss(0, 1) for _ in range(6 * height * width)])
