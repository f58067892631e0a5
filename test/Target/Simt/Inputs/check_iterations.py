# ===- check_iterations.py - Kernels with long loops on lavapipe -----------===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_iterations.py FOLDER COMMAND...

lavapipe silently ends a thread after 65,535 iterations of all its loops. Each
kernel whose loops depend on the batch or the tokens must be correct up to this
limit and be refused above it.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../tools/Inputs"))
import files

folder, command = sys.argv[1], sys.argv[2:]
os.makedirs(folder, exist_ok=True)
WIDTH = 16
REFUSED = re.compile(r"error: a batch of \d+ needs (\d+) loop iterations of one thread in kernel (\w+) and the "
                     r"Vulkan device '.*' allows 65535: (?:a batch of (\d+) fits|even a batch of 1 needs more)"
                     r"; GPUs and the CPU have no such limit")


def run(body, argument, result, level, shape):
    """Runs on an input of ones: returns the output, or the match of an error."""
    model, source, target = (os.path.join(folder, name) for name in ["a.mlir", "x.npy", "y.npy"])
    with open(model, "w") as file:
        file.write('func.func @forward(%%x: %s) -> (%s {vit.name = "y"}) {\n%s  return %%y : %s\n}\n' % (
            argument, result, body, result))
    size = 1
    for extent in shape:
        size *= extent
    files.write_npy(source, shape, [1.0] * size)
    done = subprocess.run(command + [model, "--level", level, "--input", source, "--output", "y=" + target],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return files.read_npy(target)[1]
    refused = REFUSED.search(done.stderr)
    if not refused:
        sys.exit("%s, %s at level %s: %s" % (body, shape, level, done.stderr))
    return refused


def check(what, body, argument, result, level, tokens, few, many, wanted):
    """Correct for a batch of `few`; refused for `many`, and correct for the batch
    that the error suggests."""
    def values(batch):
        return run(body, argument, result, level, [batch, *tokens, WIDTH])

    got = values(few)
    if isinstance(got, re.Match):
        sys.exit("%s at %s: refused for a batch of %d: %s" % (what, level, few, got.group()))
    assert set(got) == {wanted(few)}, (what, level, few, set(got))
    got = values(many)
    if not isinstance(got, re.Match):
        sys.exit("%s at %s: not refused for a batch of %d" % (what, level, many))
    assert int(got.group(1)) > 65535 and got.group(2).startswith(what), got.group()
    if got.group(3):
        most = int(got.group(3))
        assert few <= most < many, got.group()
        assert set(values(most)) == {wanted(most)}, (what, level, most)


for level, few, many in [("direct", 70000, 270000), ("tiled", 20000, 70000)]:
    rows = "tensor<?x%dxf32>" % WIDTH
    square = "tensor<%dx%dxf32>" % (WIDTH, WIDTH)
    check("weight_gradient", "  %%y = vit.linear_weight_gradient %%x, %%x : (%s, %s) -> %s\n" % (rows, rows, square),
          rows, square, level, [], few, many, float)
row = "tensor<%dxf32>" % WIDTH
check("sum", "  %%y = vit.sum_to %%x : (%s) -> %s\n" % (rows, row), rows, row, "direct", [], 200000, 300000, float)
# If all tokens are equal, the gradient of the values is that of the result, one row each.
for level, few, many in [("direct", 128, 1500), ("tiled", 128, 1500)]:
    for tokens in [few, many]:
        type = "tensor<?x%dx%dxf32>" % (tokens, WIDTH)
        got = run("  %%a, %%b, %%y = vit.attention_backward %%x, %%x, %%x, %%x heads 1 scale 0.25 : (%s) -> (%s)\n" %
                  (", ".join([type] * 4), ", ".join([type] * 3)), type, type, level, [1, tokens, WIDTH])
        if tokens == many:
            assert isinstance(got, re.Match) and got.group(2).startswith("attention_backward"), got
        else:
            assert not isinstance(got, re.Match) and max(abs(value - 1) for value in got) < 1e-5, level
