# ===- check_families.py - Kernels of all widths against the interpreter ---===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_families.py FOLDER TOLERANCE [--few] LEVEL... -- COMMAND...

Writes a text whose entry divides a picture into patches of many widths and
applies norms, softmax, prefix tokens, a mean, concatenation and element-wise
code to each.
Runs it by the interpreter and by COMMAND (such as vit-run infer; the text and
options of infer are added) at each level, and compares all outputs: within
TOLERANCE x max(1, largest/10).
"""

import os
import string

import levels

BATCH, CHANNELS, HEIGHT, WIDTH = 3, 3, 20, 24
# Patch, pixel order, groups of the norm, which are heads, too. The width is 3 * height * width. Some
# patches do not divide the picture. (SwiftShader takes 4 s to compile one attention with a head of 720.)
CASES = [
    ((1, 1), "chw", 1),
    ((2, 1), "hwc", 1),
    ((1, 3), "chw", 3),
    ((2, 2), "hwc", 2),
    ((5, 1), "chw", 5),
    ((4, 4), "chw", 2),
    ((5, 8), "hwc", 5),
    ((20, 12), "chw", 3),
    ((7, 5), "hwc", 3),
    ((3, 4), "chw", 2),
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
  %$n.rms = vit.rms_norm %$n.placed scale %$n.part epsilon 1.0e-05 groups $groups : ($all, $part) -> $all
  %$n.unit = vit.l2_normalize %$n.one epsilon 1.0e-12 : ($image) -> $image
  %$n.pair = vit.concat_channels %$n.one, %$n.mean, %$n.unit : ($image, $image, $image) -> $three
  %$n.wide = vit.concat_channels %$n.parts, %$n.parts : ($all, $all) -> $double
  %$n.middle = vit.take_channels %$n.wide from $start count $length : ($double) -> $middle
  %$n.query = vit.repeat_tokens %$n.class for %$n.one : ($tokens, $image) -> $two
  %$n.pooled = vit.attention %$n.query, %$n.parts, %$n.all heads $groups scale 0.25 : ($two, $all, $all) -> $two
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
        "part": t(width // groups),
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
                            vector=parameters["scale"], part=parameters["part"],
                            three=t("?", 3 * width), double=t("?", tokens + 2, 2 * width),
                            start=width - 1, length=width // 2 + 1,
                            middle=t("?", tokens + 2, width // 2 + 1), two=t("?", 2, width))
    results = [(n + "." + name, type) for name, type in
               [("sum", all_tokens), ("soft", all_tokens), ("one", image), ("some", cut),
                ("mean", image), ("images", image), ("parts", all_tokens), ("rms", all_tokens),
                ("unit", image), ("pair", t("?", 3 * width)),
                ("wide", t("?", tokens + 2, 2 * width)),
                ("middle", t("?", tokens + 2, width // 2 + 1)), ("pooled", t("?", 2, width))]]
    return head, body, results


folder, tolerance, few, names, command = levels.arguments()
cases = [make_case(number, *case) for number, case in enumerate(CASES[8:9] if few else CASES)]
results = [result for case in cases for result in case[2]]
model = os.path.join(folder, "families.mlir")
levels.write_entry(model, "%image: " + PICTURE, "".join(case[0] for case in cases),
                    "".join(case[1] for case in cases), results)
source = os.path.join(folder, "x.npy")
levels.write_normal(source, [BATCH, CHANNELS, HEIGHT, WIDTH])
levels.compare(model, source, [name for name, _ in results], folder, tolerance, names, command)
