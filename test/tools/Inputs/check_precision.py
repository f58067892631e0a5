# ===- check_precision.py - Checks the report of compare --precision -------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_precision.py FOLDER MODEL PRECISION

Runs MODEL on the pictures of FOLDER/data with infer in f32 and in PRECISION,
recomputes the numbers of FOLDER/report.json from its outputs, and reads the
picture FOLDER/ops.svg.
"""

import array
import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo_pictures
import files

folder, model, precision = sys.argv[1:]
with open(folder + "/report.json") as file:
    report = json.load(file)
PRODUCTS = ["vit.encoder.layer.0.intermediate.dense", "vit.encoder.layer.3.attention.attention"]


def near(a, b, tolerance):
    assert abs(a - b) <= tolerance * max(1, abs(b)), (a, b)


def by_name(results, name):
    found = [result for result in results if result["name"] == name]
    assert len(found) == 1, (name, [result["name"] for result in results])
    return found[0]


labels = demo_pictures.prepare(folder + "/data", model, folder + "/x.npy")
results = {}
for run in ("f32", precision):
    command = ["vit-run", "infer", model, "--input", folder + "/x.npy", "--precision", run]
    names = ["logits"] + ["product:" + name for name in PRODUCTS]
    for number, name in enumerate(names):
        command += ["--output", "%s=%s/%s-%d.npy" % (name, folder, run, number)]
    subprocess.run(command, check=True)
    results[run] = [files.read_npy("%s/%s-%d.npy" % (folder, run, number)) for number in range(len(names))]

for number, (exact, other) in enumerate(zip(results["f32"], results[precision])):
    shape, x = exact
    y = other[1]
    signal, noise = sum(a * a for a in x), sum((a - b) ** 2 for a, b in zip(x, y))
    dot, norm = sum(a * b for a, b in zip(x, y)), sum(b * b for b in y)
    result = by_name(report["products"], PRODUCTS[number - 1]) if number else by_name(report["outputs"], "logits")
    near(result["snr_db"], 10 * math.log10(signal / noise), 1e-9)
    assert result["snr_db"] > 20, result
    if number:
        near(result["cosine"], dot / math.sqrt(signal * norm), 1e-9)
        continue
    near(result["max_abs"], max(abs(a - b) for a, b in zip(x, y)), 1e-2)
    near(result["mean_abs"], sum(abs(a - b) for a, b in zip(x, y)) / len(x), 1e-2)
    count = shape[1]
    tops = [[max(range(count), key=lambda c: v[i * count + c]) for i in range(shape[0])] for v in (x, y)]
    near(report["top1_agreement"], sum(a == b for a, b in zip(*tops)) / shape[0], 0)
    for run, top in zip(("f32", precision), tops):
        near(report["accuracy"][run], sum(a == b for a, b in zip(top, labels)) / shape[0], 0)
assert report["images"] == len(labels) and report["unreadable"] == 0
assert [code["precision"] for code in report["code"]] == ["f32", precision]

# The patches, six products and one attention per layer, and the head, in order.
names = [result["name"] for result in report["products"]]
assert len(names) == 1 + 4 * 7 + 1 and names[-1] == "classifier", names
assert [name for name in names if name in PRODUCTS] == PRODUCTS
texts = [e.text for e in xml.etree.ElementTree.parse(folder + "/ops.svg").getroot().iter() if e.tag.endswith("}text")]
for result in report["products"]:
    assert result["name"] in texts and "%.1f" % result["snr_db"] in texts, result
