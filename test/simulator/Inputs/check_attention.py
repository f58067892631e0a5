# ===- check_attention.py - Checks attention that vit-simulate has computed --===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_attention.py FOLDER QUERIES KEYS HEADS DIM OFFSETS SCALE RESULT [bias]:
compares what vit-simulate --save wrote of a kernel.attention with softmax(scale
q k^T + bias) v in double. Operands are bf16; OFFSETS are three channels (0,64,128), RESULT
(f32, bf16) is the type of the result. With `bias`, the fourth operand is one of f32, [HEADS, QUERIES, KEYS]."""

import math
import struct
import sys

folder = sys.argv[1]
queries, keys, heads, dim = map(int, sys.argv[2:6])
offsets, scale = [int(o) for o in sys.argv[6].split(",")], float(sys.argv[7])
has_bias = "bias" in sys.argv


def read(number, type, tokens):
    """Images of rows, one per token."""
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        data = file.read()
    if type == "f32":
        values = [x for x, in struct.iter_unpack("<f", data)]
    else:
        values = [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", data)]
    width = len(values) // (images * tokens)
    return [[values[(i * tokens + t) * width:(i * tokens + t + 1) * width] for t in range(tokens)]
            for i in range(images)]


images = 2
q, k, v = read(0, "bf16", queries), read(1, "bf16", keys), read(2, "bf16", keys)
found = read(3 + has_bias, sys.argv[8], queries)
if has_bias:
    images = 1
    bias, = read(3, "f32", heads * queries)
wrong = 0
# A part of the queries, the first and the last among them, as this is slow.
for image in range(len(q)):
    for head in range(heads):
        at = [offset + head * dim for offset in offsets]
        part = lambda rows, i: [row[at[i]:at[i] + dim] for row in rows[image]]
        key, value = part(k, 1), list(zip(*part(v, 2)))
        for row in {*range(image, queries, 5), queries - 1}:
            query = q[image][row][at[0]:at[0] + dim]
            scores = [scale * sum(x * y for x, y in zip(query, other)) for other in key]
            if has_bias:
                scores = [s + b for s, b in zip(scores, bias[head * queries + row])]
            powers = [math.exp(s - max(scores)) for s in scores]
            total = sum(powers)
            for channel in range(dim):
                expected = sum(p * x for p, x in zip(powers, value[channel])) / total
                wrong += not abs(found[image][row][head * dim + channel] - expected) <= 0.01
print("%d elements differ" % wrong)
sys.exit(wrong != 0)
