# ===- check_drop.py - Checks that a module holds its bound ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_drop.py MODEL DATA POINTS OUT.vitm

Compiles MODEL for f32 and int8 with --max-drop POINTS, and measures the
accuracy of both with eval.
"""

import json
import subprocess
import sys

model, data, points, out = sys.argv[1:]
subprocess.run(["vit-compile", model, "-o", out, "--precision", "f32,int8", "--parameters", "reference",
                "--data", data, "--max-drop", points], check=True)
right = {}
for precision in ("f32", "int8"):
    report = json.loads(subprocess.run(
        ["vit-run", "eval", out, "--precision", precision, "--data", data, "--json"],
        check=True, stdout=subprocess.PIPE).stdout)
    assert report["images"] == 10000, report
    right[precision] = report["top1_correct"]
print(right)
assert 100 * (right["f32"] - right["int8"]) <= float(points) * 10000, right
assert right["f32"] > 9000, right
