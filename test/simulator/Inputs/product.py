# ===- product.py - Checks a product that vit-simulate has computed ---------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""product.py FOLDER DEPTH COLUMNS RESULT [FACTOR]: compares what vit-simulate
--save wrote of a kernel whose operands are X [rows, DEPTH] and W [COLUMNS, DEPTH] in
bf16, a bias and perhaps a residual in bf16, with FACTOR X W^T + bias + residual.
RESULT (f32, bf16, f16) is the type of the last argument; with f16 all is in f16 that
otherwise is in bf16, and what is beyond its range must be a NaN.
product.py FOLDER DEPTH COLUMNS RESULT transposed: the same of a kernel whose operands
are X and W [DEPTH, COLUMNS], without a bias.
product.py FOLDER OUT IN gradient: the same of a kernel whose operands are dY
[rows, OUT] and X [rows, IN] in bf16, and whose results are dY^T X and the sum
of the rows of dY, perhaps of parts of the rows: the sum of the parts."""

import struct
import sys

folder, (depth, columns), type = sys.argv[1], map(int, sys.argv[2:4]), sys.argv[4]
transposed = sys.argv[5:] == ["transposed"]
factor = float(sys.argv[5]) if len(sys.argv) > 5 and not transposed else 1
narrow = "f16" if type == "f16" else "bf16"
BEYOND = 65520  # the least number that f16 rounds to an infinity


def read(number, type):
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        data = file.read()
    if type == "f32":
        return [x for x, in struct.iter_unpack("<f", data)]
    if type == "f16":
        return [x for x, in struct.iter_unpack("<e", data)]
    return [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", data)]


def check_product():
    x, w, next = read(0, narrow), read(1, narrow), 2
    bias = [0] * columns
    if not transposed:
        bias, next = read(next, "f32"), next + 1
    residual = read(next, narrow) if type != "f32" else None
    found = read(next + 1 if residual else next, type)
    w = [w[i::columns] if transposed else w[i * depth:(i + 1) * depth] for i in range(columns)]
    wrong, rows, beyond, near = 0, len(x) // depth, 0, 1 / (200 if narrow == "bf16" else 1600)
    # A part of the rows, the first and the last among them, as this is slow.
    for row in [*range(0, rows, 7), rows - 1]:
        left = x[row * depth:(row + 1) * depth]
        for column in range(columns):
            at = row * columns + column
            y = factor * sum(p * q for p, q in zip(left, w[column])) + bias[column] + (residual[at] if residual else 0)
            if type == "f16" and found[at] != found[at]:
                beyond += 1
                wrong += not abs(y) >= BEYOND * (1 - near)
            else:
                wrong += not abs(found[at] - y) <= (abs(y) * near if residual else 1e-4) + 1e-4
    if type == "f16":
        print("%d are beyond the range" % beyond)
    return wrong


def check_gradient():
    outs, ins = depth, columns
    dy, x, found, bias = read(0, "bf16"), read(1, "bf16"), read(2, "f32"), read(3, "f32")
    x = [x[i::ins] for i in range(ins)]
    wrong, size = 0, outs * ins
    for row in [*range(0, outs, 11), outs - 1]:
        left = dy[row::outs]
        wrong += not abs(sum(bias[row::outs]) - sum(left)) <= 1e-3
        for column in range(ins):
            y = sum(p * q for p, q in zip(left, x[column]))
            wrong += not abs(sum(found[row * ins + column::size]) - y) <= 1e-3
    return wrong


wrong = check_gradient() if type == "gradient" else check_product()
print("%d elements differ" % wrong)
sys.exit(wrong != 0)
