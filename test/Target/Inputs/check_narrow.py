# ===- check_narrow.py - Models in f16 or bf16 at all levels ---------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_narrow.py FOLDER PRECISION COSINE ERROR MODEL...

Compiles each text with drawn weights in PRECISION, for each level that this
processor has and, in bf16 and int8, for level amx with plain code in place of tile
ops. The logits must be within ERROR of the largest of the interpreter's for the
narrowed text, and their cosine with the text's own at least COSINE. Plain code must
compute the same bits as tiles.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from narrow import EXPANDED, get_levels, infer, interpret, run

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Simt/Inputs"))
from levels import write_normal

SHAPE = (3, 3, 32, 32)


def cosine(a, b):
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


folder, precision, least, most, wrong = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), []
expanded = [] if precision == "f16" else [EXPANDED]  # there are no tiles of f16
os.makedirs(folder, exist_ok=True)
source, narrowed = folder + "/x.npy", folder + "/narrow.mlir"
write_normal(source, SHAPE)
for model in sys.argv[5:]:
    run("vit-opt", model, "--vit-narrow=precision=" + precision, "-o", narrowed)
    exact, expected = interpret(model, source, folder), interpret(narrowed, source, folder)
    results = {level: infer(model, precision, level, source, folder) for level in get_levels(precision) + expanded}
    for level, values in results.items():
        worst = max(abs(a - b) for a, b in zip(values, expected)) / max(map(abs, expected))
        alike = cosine(values, exact)
        print("%s in %s at %s: %g of the largest from the interpreter, cosine %.7f with f32"
              % (os.path.basename(model), precision, level, worst, alike))
        if not (worst <= most and alike >= least):
            wrong.append("%s at %s" % (model, level))
    if "amx" in results and results["amx"].tobytes() != results[EXPANDED].tobytes():
        wrong.append(model + ": tiles and plain code differ")
if wrong:
    sys.exit("\n".join(wrong))
