# ===- levels.py - Compares a model's outputs at levels of a device --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs a text by the interpreter and on a device, and compares all outputs."""

import hashlib
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../tools/Inputs"))
import files

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../Inputs"))
from narrow import EXPANDED, expansion, get_levels


def precision():
    """Returns the precision that COMMAND asks for, "f32" without one."""
    return sys.argv[sys.argv.index("--precision") + 1] if "--precision" in sys.argv else "f32"


def arguments():
    """Parses the command line: FOLDER TOLERANCE [--few] LEVEL... -- COMMAND... LEVEL "cpu": those of
    this processor, and plain code in place of tile ops; "best": the best of them.
    --few: only the cases for another driver that runs the same SPIR-V."""
    separator = sys.argv.index("--")
    folder, tolerance, names = sys.argv[1], float(sys.argv[2]), sys.argv[3:separator]
    few = "--few" in names
    names = [name for name in names if name != "--few"]
    os.makedirs(folder, exist_ok=True)
    if names == ["cpu"]:
        names = get_levels(precision()) + [EXPANDED]
    if names == ["best"]:
        names = get_levels(precision())[:1]
    return folder, tolerance, few, names, sys.argv[separator + 1 :]


def write_entry(path, argument, head, body, results):
    """Writes a text whose @forward takes `argument` ("%x: type") and returns
    `results`, pairs of name and type, which `body` computes."""
    with open(path, "w") as file:
        file.write(head + "func.func @forward(%s) -> (\n" % argument)
        file.write(",\n".join('    %s {vit.name = "%s"}' % (type, name) for name, type in results))
        file.write(") {\n" + body)
        file.write("  return %s\n" % ", ".join("%" + name for name, _ in results))
        file.write("    : %s\n}\n" % ", ".join(type for _, type in results))


def write_normal(path, shape):
    """Writes normally distributed numbers from a fixed seed."""
    random.seed(7)
    size = 1
    for extent in shape:
        size *= extent
    files.write_npy(path, list(shape), [random.gauss(0, 1) for _ in range(size)])


def run(command, model, folder, names, options, **variables):
    outputs = []
    for name in names:
        outputs += ["--output", "%s=%s/%s.npy" % (name, folder, name)]
    os.makedirs(folder, exist_ok=True)
    environment = dict(os.environ, **variables)
    if subprocess.run(command + [model] + options + outputs, env=environment).returncode != 0:
        sys.exit("the run failed")


def interpret(model, source, folder, names):
    """Returns the folder with the interpreter's outputs, beside FOLDER: the commands of a test that
    have the same text and input share them. The text is narrowed to the precision of COMMAND."""
    if precision() != "f32":
        narrow = os.path.join(folder, "narrow.mlir")
        subprocess.run(["vit-opt", model, "--vit-narrow=precision=" + precision(), "-o", narrow], check=True)
        model = narrow
    digest = hashlib.sha256()
    for path in [model, source]:
        with open(path, "rb") as file:
            digest.update(file.read())
    expected = os.path.join(os.path.dirname(folder), "expected-" + digest.hexdigest()[:16])
    if not os.path.exists(expected):
        run(["vit-run", "infer"], model, expected, names,
            ["--input", source, "--device", "reference"])
    return expected


def compare(model, source, names, folder, tolerance, levels, command, batch=None):
    """Exits with a list of outputs that differ by more than TOLERANCE x max(1,
    largest/10). BATCH: Vulkan's code is compiled for this batch; the input may have another one."""
    expected = interpret(model, source, folder, names)
    wrong = []
    for level in levels:
        here, code = os.path.join(folder, level), model
        if batch:
            code = os.path.join(folder, level + ".vitm")
            subprocess.run(["vit-compile", model, "--target", "vulkan", "--level", level.split(",")[0], "--precision",
                            precision(), "--batch", str(batch), "-o", code],
                           env=dict(os.environ, **expansion(level)), check=True)
        # The cache of models tells plain code and tile ops apart.
        run(command, code, here, names, ["--input", source, "--level", level.split(",")[0]], **expansion(level))
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
