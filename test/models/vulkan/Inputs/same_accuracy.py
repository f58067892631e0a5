# ===- same_accuracy.py - Compares two reports of vit-run eval -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 same_accuracy.py A.json B.json: the same accuracy, nearly the same loss,
and better than random, so that the comparison is meaningful."""

import json
import sys

a, b = (json.load(open(path)) for path in sys.argv[1:3])
assert a["images"] == b["images"] >= 20, (a, b)
assert a["top1_correct"] == b["top1_correct"] > a["images"] / 2, (a, b)
assert abs(a["loss"] - b["loss"]) < 1e-5, (a, b)
