# ===- check_families.py - Kernels of all widths against the interpreter --=== #
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------=== #
"""python3 check_families.py FOLDER TOLERANCE LEVEL... -- COMMAND...

Writes a text whose entry cuts a picture into patches of many widths and sends
each through layer norm, softmax, tokens in front, a mean and element-wise code,
runs it by the interpreter and by COMMAND (such as vit-run infer; the text and
options of infer are added to it) at each level, and compares all outputs: within
TOLERANCE x max(1, largest/10).
"""

import os
import random
import string
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../tools/Inputs"))
import files

BATCH, CHANNELS, HEIGHT, WIDTH = 3, 3, 20, 24
# Patch, pixel order, groups of the norm. The width is 3 * height * width.
CASES = [
    ((1, 1), "chw", 1),
    ((2, 1), "hwc", 1),
    ((1, 3), "chw", 3),
    ((2, 2), "hwc", 2),
    ((5, 1), "chw", 5),
    ((4, 4), "chw", 2),
    ((5, 8), "hwc", 5),
    ((20, 12), "chw", 1),
]

PICTURE = "tensor<?x%dx%dx%dxf32>" % (CHANNELS, HEIGHT, WIDTH)

CODE = string.Template("""
  %$n.patches = vit.patchify %image patch [$patch_height, $patch_width] order $order : ($picture) -> $cut
  %$n.all = vit.prepend_tokens %$n.patches, %$n.class : ($cut, $tokens) -> $all
  %$n.placed = vit.add %$n.all, %$n.table : ($all, $table) -> $all
  %$n.norm = vit.layer_norm %$n.placed scale %$n.scale bias %$n.bias epsilon 1.0e-05 : ($all, $vector, $vector) -> $all
  %$n.parts = vit.layer_norm %$n.all epsilon 1.0e-06 groups $groups : ($all) -> $all
  %$n.gelu = vit.gelu erf %$n.parts : $all
  %$n.sum = vit.add %$n.gelu, %$n.norm : ($all, $all) -> $all
  %$n.soft = vit.softmax %$n.norm : $all
  %$n.one = vit.take_tokens %$n.sum from 1 : ($all) -> $image
  %$n.some = vit.take_tokens %$n.norm from 2 count $count : ($all) -> $cut
  %$n.mean = vit.mean_tokens %$n.sum from 1 : ($all) -> $image
  %$n.images = vit.softmax %$n.mean : $image
""")


def make_case(number, patch, order, groups):
    """Parameters, code and named results of one case."""
    width = CHANNELS * patch[0] * patch[1]
    tokens = (HEIGHT // patch[0]) * (WIDTH // patch[1])

    def t(*sizes):
        return "tensor<%sxf32>" % "x".join(map(str, sizes))

    n = "c%d" % number
    read = "  %%%s.%s = vit.read @%s.%s : %s\n"
    parameters = {
        "class": t(2, width),
        "table": t(tokens + 2, width),
        "scale": t(width),
        "bias": t(width),
    }
    head = "".join(
        "vit.parameter @%s.%s : %s init<normal, 5.0e-01>\n" % (n, name, type)
        for name, type in parameters.items()
    )
    body = "".join(read % (n, name, n, name, type) for name, type in parameters.items())
    cut, all_tokens, image = t("?", tokens, width), t("?", tokens + 2, width), t("?", width)
    body += CODE.substitute(n=n, patch_height=patch[0], patch_width=patch[1], order=order,
                            groups=groups, count=tokens, picture=PICTURE, cut=cut, all=all_tokens,
                            image=image, tokens=parameters["class"], table=parameters["table"],
                            vector=parameters["scale"])
    results = [(n + "." + name, type) for name, type in
               [("sum", all_tokens), ("soft", all_tokens), ("one", image), ("some", cut),
                ("mean", image), ("images", image), ("parts", all_tokens)]]
    return head, body, results


def run(command, model, folder, names, options):
    outputs = []
    for name in names:
        outputs += ["--output", "%s=%s/%s.npy" % (name, folder, name)]
    os.makedirs(folder, exist_ok=True)
    if subprocess.run(command + [model] + options + outputs).returncode != 0:
        sys.exit("the run failed")


folder, tolerance = sys.argv[1], float(sys.argv[2])
separator = sys.argv.index("--")
levels, command = sys.argv[3:separator], sys.argv[separator + 1 :]
os.makedirs(folder, exist_ok=True)
cases = [make_case(number, *case) for number, case in enumerate(CASES)]
results = [result for case in cases for result in case[2]]
model = os.path.join(folder, "families.mlir")
with open(model, "w") as file:
    file.write("".join(case[0] for case in cases))
    file.write("func.func @forward(%%image: %s) -> (\n" % PICTURE)
    file.write(",\n".join('    %s {vit.name = "%s"}' % (type, name) for name, type in results))
    file.write(") {\n" + "".join(case[1] for case in cases))
    file.write("  return %s\n" % ", ".join("%" + name for name, _ in results))
    file.write("    : %s\n}\n" % ", ".join(type for _, type in results))
source = os.path.join(folder, "x.npy")
random.seed(7)
size = BATCH * CHANNELS * HEIGHT * WIDTH
files.write_npy(source, [BATCH, CHANNELS, HEIGHT, WIDTH],
                [random.gauss(0, 1) for _ in range(size)])

names = [name for name, _ in results]
expected = os.path.join(folder, "expected")
run(["vit-run", "infer"], model, expected, names, ["--input", source, "--device", "reference"])
wrong = []
for level in levels:
    here = os.path.join(folder, level)
    run(command, model, here, names, ["--input", source, "--level", level])
    for name in names:
        shape, want = files.read_npy(os.path.join(expected, name + ".npy"))
        got_shape, got = files.read_npy(os.path.join(here, name + ".npy"))
        worst = max(abs(a - b) for a, b in zip(want, got)) if shape == got_shape else None
        if shape != got_shape:
            wrong.append("%s of %s: shape %s, not %s" % (name, level, got_shape, shape))
        elif not worst <= tolerance * max(1, max(map(abs, want)) / 10):
            wrong.append("%s of %s differs by %g" % (name, level, worst))
if wrong:
    sys.exit("\n".join(wrong))
