# ===- check_outputs.py - Compares two arrays ------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_outputs.py A.npy B.npy [TOLERANCE]

Exits with 1 and a message unless the arrays have the same shape and differ by at
most TOLERANCE x max(1, largest/10), or, with "equal", have the same bits.
"""

import sys

import files

first_shape, first = files.read_npy(sys.argv[1])
second_shape, second = files.read_npy(sys.argv[2])
tolerance = sys.argv[3] if len(sys.argv) > 3 else "1e-5"
if first_shape != second_shape:
    sys.exit("shapes %s and %s" % (first_shape, second_shape))
if tolerance == "equal":
    if first.tobytes() != second.tobytes():
        sys.exit("the arrays are not equal")
else:
    worst = max(abs(a - b) for a, b in zip(first, second))
    allowed = float(tolerance) * max(1, max(map(abs, second)) / 10)
    if not worst <= allowed:
        sys.exit("they differ by %g, more than %g" % (worst, allowed))
