# ===- check.py - Checks the results of the test kernels -------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# check.py gemm|attention|copy|sizes FOLDER: compares the files of
# vit-simulate --save in FOLDER with results computed in double.

import array
import sys


def read(folder, number, columns):
    data = array.array("f")
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        data.frombytes(file.read())
    return [data[i:i + columns] for i in range(0, len(data), columns)]


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def gemm(folder):
    return read(folder, 2, 128), multiply(read(folder, 0, 64), read(folder, 1, 128))


def attention(folder):
    query, key, value, result = [read(folder, i, 32) for i in range(4)]
    weights = []
    for row in multiply(query, zip(*key)):
        powers = [(1 + (score - max(row)) / 1024) ** 1024 for score in row]
        weights.append([power / sum(powers) for power in powers])
    return result, multiply(weights, value)


def copy(folder):
    rows = read(folder, 0, 4)
    return read(folder, 1, 4), [rows[i ^ 32] for i in range(128)]


def sizes(folder):
    rows = [[x if i >= 4 or i < thread % 5 else 0 for i, x in enumerate(row[:7])] + [0]
            for thread, row in enumerate(read(folder, 0, 8))]
    return read(folder, 1, 8), rows


actual, expected = globals()[sys.argv[1]](sys.argv[2])
pairs = [pair for rows in zip(actual, expected) for pair in zip(*rows)]
error = max(abs(a - b) for a, b in pairs)
limit = 1e-4 * max(1, max(abs(b) for a, b in pairs) / 10)
print("largest of %d errors %g, allowed %g" % (len(pairs), error, limit))
sys.exit(not error <= limit)
