# ===- parts.py - Compares the sum of parts with the whole ------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""parts.py WHOLE PARTS NUMBER...: argument NUMBER in the folder WHOLE must be
the sum of equal parts of that in PARTS (both by vit-simulate --save), and no
part zero.
"""

import array
import sys


def read(folder, number):
    with open("%s/%s.f32" % (folder, number), "rb") as file:
        return array.array("f", file.read())


for number in sys.argv[3:]:
    whole, parts = read(sys.argv[1], number), read(sys.argv[2], number)
    size, count = len(whole), len(parts) // len(whole)
    split = [parts[i * size:(i + 1) * size] for i in range(count)]
    assert count > 1 and len(parts) == count * size and all(any(part) for part in split)
    error = max(abs(a - sum(terms)) for a, *terms in zip(whole, *split))
    print("argument %s: %d parts, largest error %g" % (number, count, error))
    if not error <= 1e-4:
        sys.exit(1)
