# ===- check_int8.py - Integer sums at all levels --------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_int8.py FOLDER CHAIN [LEVEL... -- COMMAND...]

Products of int8 that read the argument, with scales and factors that are powers
of two, so that code rounds as the interpreter does: by COMMAND at each LEVEL, or,
without them, at each level that this processor has, and at level amx with plain
code in place of tile ops. The results must have the bits of the interpreter's: all
multiples and sums are the same. Some of the inputs are far beyond what the scale
can hold, some are halfway between two multiples. In another product of 3072 depths
the sums of all products up to the middle need 25 bits, those of all do not.
The text CHAIN, from [batch, 7, 4], has such products behind other kernels, which
may round their operands to the neighbouring multiple: its results must be within
1e-2 of the largest.
"""

import array
import os
import random
import sys

sys.path.insert(0, os.path.dirname(__file__))
import narrow
from narrow import files

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../Simt/Inputs"))
import levels

ROWS, IN, OUT = 2 * 7, 70, 40  # neither depth nor columns are whole lines
LONG = 3072
TEXT = """
vit.parameter @w : tensor<{out}x{in}xf32> init<{init}>
func.func @forward(%x: tensor<?x7x{in}xf32>) -> (tensor<?x7x{out}xf32> {{vit.name = "y"}}) {{
  %w = vit.read @w : tensor<{out}x{in}xf32>
  %y = vit.linear %x, %w precision int8 {attributes} : (tensor<?x7x{in}xf32>, tensor<{out}x{in}xf32>) -> tensor<?x7x{out}xf32>
  return %y : tensor<?x7x{out}xf32>
}}
"""

arguments, _, command = " ".join(sys.argv[1:]).partition(" -- ")
folder, chain, *names = arguments.split()
os.makedirs(folder, exist_ok=True)
wrong, source, text = [], folder + "/x.npy", folder + "/m.mlir"


def infer(level):
    if not command:
        return narrow.infer(text, "int8", level, source, folder)
    narrow.run(*command.split(), text, "--level", level.split(",")[0], "--seed", "1", "--input", source,
               "--output", folder + "/found.npy", **narrow.expansion(level))
    return files.read_npy(folder + "/found.npy")[1]


def check_bits(name, attributes, init, depth, values):
    """Returns the results."""
    files.write_npy(source, (2, 7, depth), values)
    with open(text, "w") as file:
        file.write(TEXT.format(attributes=attributes, init=init, out=OUT, **{"in": depth}))
    expected = array.array("f", narrow.interpret(text, source, folder))
    for level in names:
        found = infer(level)
        print("%s at %s: %s" % (name, level, "equal" if found.tobytes() == expected.tobytes() else "DIFFERENT"))
        if found.tobytes() != expected.tobytes():
            wrong.append("%s at %s: %s, expected %s" % (name, level, list(found[:4]), list(expected[:4])))
    return expected.tobytes()


names = names or narrow.get_levels("int8") + [narrow.EXPANDED]
draw = random.Random(3)
factors = [2.0 ** draw.randint(-3, 3) for _ in range(IN)]
migration = "migration dense<[%s]> : tensor<%dxf32>" % (", ".join("%e" % factor for factor in factors), IN)
# Multiples of 1/2 of the scale times the factor, up to twice what fits.
scale = 2.0**-4
values = [draw.randint(-4 * 127, 4 * 127) / 2 * scale * factor for _ in range(ROWS) for factor in factors]
results = [check_bits(name, ("input_scale %e " % scale) + added, "normal, 1.0", IN, values)
           for name, added in [("scale", ""), ("migration", migration)]]
if results[0] == results[1]:
    wrong.append("the migration has no effect")
values = [draw.randint(64, 127) * scale * sign for _ in range(ROWS) for sign in [1] * (LONG // 2) + [-1] * (LONG // 2)]
check_bits("long sums", "input_scale %e" % scale, "constant, 127.0", LONG, values)
levels.write_normal(source, (3, 7, 4))
narrow.run("vit-opt", chain, "--vit-narrow=precision=int8", "-o", text)  # its attention is bf16
expected = narrow.interpret(text, source, folder)
for level in names:
    found = infer(level)
    worst = max(abs(a - b) for a, b in zip(found, expected)) / max(map(abs, expected))
    print("chain at %s: %g of the largest from the interpreter" % (level, worst))
    if not worst <= 1e-2:
        wrong.append("chain at %s: %g" % (level, worst))
if wrong:
    sys.exit("\n".join(wrong))
