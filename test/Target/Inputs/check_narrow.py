# ===- check_narrow.py - Models in bf16 at all levels ----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_narrow.py FOLDER PRECISION COSINE MODEL...

Compiles each text with drawn weights in PRECISION, for each level that this
processor has and for level amx with plain code in place of tile ops. The logits
must be within 1e-2 of the largest of the interpreter's for the narrowed text, and
their cosine with the text's own at least COSINE. Plain code must compute the same
bits as tiles.
"""

import json
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/Inputs"))
import files

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Simt/Inputs"))
from levels import write_normal

SHAPE, EXPANDED = (3, 3, 32, 32), "amx, expanded"


def run(*command, **variables):
    result = subprocess.run(command, env=dict(os.environ, **variables), capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command), result.stderr))
    return result.stdout


def get_levels():
    cpu = [device for device in json.loads(run("vit-run", "devices", "--json")) if device["device"] == "cpu"]
    return [level["name"] for level in cpu[0]["levels"] if precision in level["precisions"]]


def interpret(text, source, folder):
    run("vit-run", "infer", text, "--seed", "1", "--input", source, "--output", folder + "/y.npy", "--device", "reference")
    return files.read_npy(folder + "/y.npy")[1]


def infer(text, level, source, folder):
    variables = {"VIT_EXPAND_TILES": "1"} if level == EXPANDED else {}
    name = level.split(",")[0]
    run("vit-compile", text, "--precision", precision, "--level", name, "-o", folder + "/m.vitm", **variables)
    run("vit-run", "infer", folder + "/m.vitm", "--seed", "1", "--input", source, "--output", folder + "/y.npy")
    return files.read_npy(folder + "/y.npy")[1]


def cosine(a, b):
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


folder, precision, least, wrong = sys.argv[1], sys.argv[2], float(sys.argv[3]), []
os.makedirs(folder, exist_ok=True)
source, narrowed = folder + "/x.npy", folder + "/narrow.mlir"
write_normal(source, SHAPE)
for model in sys.argv[4:]:
    run("vit-opt", model, "--vit-narrow=precision=" + precision, "-o", narrowed)
    exact, expected = interpret(model, source, folder), interpret(narrowed, source, folder)
    results = {level: infer(model, level, source, folder) for level in get_levels() + [EXPANDED]}
    for level, values in results.items():
        worst = max(abs(a - b) for a, b in zip(values, expected)) / max(map(abs, expected))
        alike = cosine(values, exact)
        print("%s in %s at %s: %g of the largest from the interpreter, cosine %.7f with f32"
              % (os.path.basename(model), precision, level, worst, alike))
        if not (worst <= 1e-2 and alike >= least):
            wrong.append("%s at %s" % (model, level))
    if "amx" in results and results["amx"].tobytes() != results[EXPANDED].tobytes():
        wrong.append(model + ": tiles and plain code differ")
if wrong:
    sys.exit("\n".join(wrong))
