# ===- check_attention.py - Checks attention that vit-simulate has computed --===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_attention.py FOLDER QUERIES KEYS HEADS DIM OFFSETS SCALE RESULT [bias] [backward] [half]:
compares what vit-simulate --save wrote of a kernel.attention with softmax(scale
q k^T + bias) v in double, or of a kernel.attention_backward with its gradients. Operands are bf16, with `half` f16; OFFSETS are three
channels (0,64,128), RESULT (f32, bf16, f16) is the type of the results. With `bias`, the operand after the values is one
of f32, [HEADS, QUERIES, KEYS]."""

import math
import operator
import struct
import sys

folder = sys.argv[1]
queries, keys, heads, dim = map(int, sys.argv[2:6])
offsets, scale = [int(o) for o in sys.argv[6].split(",")], float(sys.argv[7])
result, has_bias, is_backward = sys.argv[8], "bias" in sys.argv, "backward" in sys.argv
operand = "f16" if "half" in sys.argv else "bf16"
images = 2


def read(number, type, tokens, images=images):
    """Images of rows, one per token."""
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        data = file.read()
    if type == "f32":
        values = [x for x, in struct.iter_unpack("<f", data)]
    elif type == "f16":
        values = [x for x, in struct.iter_unpack("<e", data)]
    else:
        values = [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", data)]
    width = len(values) // (images * tokens)
    return [[values[(i * tokens + t) * width:(i * tokens + t + 1) * width] for t in range(tokens)]
            for i in range(images)]


def dot(x, y):
    return sum(map(operator.mul, x, y))


def sample(count):
    """A part of the tokens, the first and the last among them, as this is slow."""
    return sorted({*range(0, count, 5), count - 1})


def get_probabilities(query, key, head, row):
    scores = [scale * dot(query, other) for other in key]
    if has_bias:
        scores = [s + b for s, b in zip(scores, bias[head * queries + row])]
    powers = [math.exp(s - max(scores)) for s in scores]
    total = sum(powers)
    return [p / total for p in powers]


def compare(found, expected, limit):
    return sum(not abs(x - y) <= limit for x, y in zip(found, expected))


def check_forward(image, head, q, k, v):
    columns = list(zip(*v))
    for row in sample(queries):
        p = get_probabilities(q[row], k, head, row)
        expected = [dot(p, column) for column in columns]
        yield compare(results[0][image][row][head * dim:(head + 1) * dim], expected, 0.01 if operand == "bf16" else 0.001)


def check_backward(image, head, q, k, v):
    dy = [row[head * dim:(head + 1) * dim] for row in gradient[image]]
    p = [get_probabilities(q[row], k, head, row) for row in range(queries)]
    ds = []
    for row in range(queries):
        dp = [dot(dy[row], value) for value in v]
        delta = dot(dp, p[row])
        ds.append([scale * x * (y - delta) for x, y in zip(p[row], dp)])
    for number, factors, others in ((0, ds, k), (1, list(zip(*ds)), q), (2, list(zip(*p)), dy)):
        columns = list(zip(*others))
        expected = {row: [dot(factors[row], column) for column in columns] for row in sample(len(factors))}
        limit = 0.01 * max(abs(x) for values in expected.values() for x in values)
        for row, values in expected.items():
            yield compare(results[number][image][row][head * dim:(head + 1) * dim], values, limit)


at = int(is_backward)
if is_backward:
    gradient = read(0, operand, queries)
operands = [read(at, operand, queries), read(at + 1, operand, keys), read(at + 2, operand, keys)]
if has_bias:
    bias, = read(at + 3, "f32", heads * queries, images=1)
at += 3 + has_bias
results = [read(at, result, queries)]
if is_backward:
    results += [read(at + 1, result, keys), read(at + 2, result, keys)]
wrong = 0
for image in range(images):
    for head in range(heads):
        # Two gradients of different images and heads.
        if is_backward and image % heads != head:
            continue
        parts = [[row[o + head * dim:o + (head + 1) * dim] for row in rows[image]] for rows, o in zip(operands, offsets)]
        wrong += sum((check_backward if is_backward else check_forward)(image, head, *parts))
print("%d elements differ" % wrong)
sys.exit(wrong != 0)
