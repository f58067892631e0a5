# ===- make_text.py - Writes weights for the model of text.test ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes x.npy, weights.safetensors, four invalid variants of it, and the expected
result, computed here, to a folder."""

import random
import sys

import files

folder = sys.argv[1]
random.seed(5)
x = [random.gauss(0, 1) for _ in range(2 * 12)]
weight = [random.gauss(0, 1) for _ in range(3 * 12)]
bias = [random.gauss(0, 1) for _ in range(3)]
files.write_npy(folder + "/x.npy", [2, 3, 2, 2], x)
files.write_npy(folder + "/expected.npy", [2, 3], [
    bias[o] + sum(x[12 * b + i] * weight[12 * o + i] for i in range(12))
    for b in range(2) for o in range(3)])
good = {"head.weight": ([3, 12], weight), "head.bias": ([3], bias)}
files.write_safetensors(folder + "/weights.safetensors", good)
files.write_safetensors(folder + "/extra.safetensors",
                        {**good, "nobody.asked": ([2], [1.0, 2.0])})
files.write_safetensors(folder + "/wrong.safetensors",
                        {"head.weight": ([12, 3], weight)})
files.write_safetensors(folder + "/nan.safetensors",
                        {**good, "head.weight": ([3, 12], [float("nan")] + weight[1:])})
