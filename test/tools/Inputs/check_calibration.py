# ===- check_calibration.py - Scales recomputed from observed values --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_calibration.py FOLDER MODEL

Runs MODEL on the pictures of FOLDER/data with infer in f32, recomputes scales and
factors of alpha 0.5 from the inputs of some products and from the weights, and
compares them with the attributes in the texts of vit-compile --dump-ir
FOLDER/static, FOLDER/smooth and FOLDER/both.
"""

import glob
import math
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo_pictures
import files

folder, model = sys.argv[1:]
demo_pictures.prepare(folder + "/data", model, folder + "/x.npy")
LAYER = "vit.encoder.layer.1."
# The products that read one value, the first of which names it.
PRODUCTS = [[LAYER + "attention.attention." + name for name in ("query", "key", "value")],
            [LAYER + "attention.output.dense"], [LAYER + "intermediate.dense"], [LAYER + "output.dense"]]
weights = files.read_safetensors(model + "/model.safetensors")


def read_attributes(run):
    """Product -> (input_scale or None, factors or None)."""
    paths = glob.glob("%s/%s/**/*calibrate*.mlir" % (folder, run), recursive=True)
    assert len(paths) == 1, paths
    with open(paths[0]) as file:
        text = file.read()
    names = dict(re.findall(r'^(#loc\d*) = loc\("([^"]*)"', text, re.M))
    found = {}
    for line in re.findall(r"= vit\.linear .*precision int8.*", text):
        scale = re.search(r" input_scale (\S+)", line)
        factors = re.search(r' migration dense<(?:"0x([0-9A-F]*)"|\[([^\]]*)\])>', line)
        name = re.search(r'loc\((?:"([^"]*)"|(#loc\d*))\)$', line)
        values = None
        if factors:
            values = (struct.unpack("<%df" % (len(factors[1]) // 8), bytes.fromhex(factors[1])) if factors[1]
                      else [float(value) for value in factors[2].split(",")])
        found[name[1] or names[name[2]]] = (float(scale[1]) if scale else None, values)
    return found


def magnitudes(values, width):
    return [max(map(abs, values[column::width])) for column in range(width)]


def near(a, b):
    return abs(a - b) <= 1e-6 * b


runs = {run: read_attributes(run) for run in ("static", "smooth", "both")}
assert len({len(found) for found in runs.values()}) == 1
migrated = 0
for names in PRODUCTS:
    output = folder + "/input.npy"
    subprocess.run(["vit-run", "infer", model, "--input", folder + "/x.npy", "--output", "input:%s=%s" % (names[0], output)], check=True)
    shape, values = files.read_npy(output)
    x = magnitudes(values, shape[-1])
    w = [max(column) for column in zip(*(magnitudes(weights[name + ".weight"][1], shape[-1]) for name in names))]
    exponents = [0.5 * math.log2(a) - 0.5 * math.log2(b) for a, b in zip(x, w)]
    mean = sum(exponents) / len(exponents)
    for name in names:
        scale, factors = runs["static"][name]
        assert factors is None and near(scale, max(x) / 127), (name, scale, max(x) / 127)
        scale, factors = runs["smooth"][name]
        factors = factors or [1.0] * len(x)  # left out
        migrated += len(set(factors)) > 1
        assert scale is None and len(factors) == len(x), name
        for factor, exponent in zip(factors, exponents):
            # A power of two, the nearest one; halfway the rounding of logarithms decides.
            assert math.frexp(factor)[0] == 0.5 and abs(math.log2(factor) - (exponent - mean)) <= 0.5 + 1e-6, (name, factor)
        scale, both = runs["both"][name]
        assert list(both or [1.0] * len(x)) == list(factors) and near(scale, max(a / b for a, b in zip(x, factors)) / 127), (name, scale)
assert migrated, "no product has factors"
