# ===- counters.py - Counters of known patterns of accesses -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""counters.py patterns FOLDER: one warp accesses memory in patterns whose
counts are known; compares them with vit-simulate's.
counters.py ideal FILE [OP...]: fails unless every request in FILE (from
vit-simulate --counters-json) takes the ideal number of wavefronts and sectors;
OPs are parts of the places of ops that need not.
"""

import json
import subprocess
import sys

from nvvm import Text

# Lane i accesses WORDS words at word i * STRIDE + OFFSET. Of shared memory
# the wavefronts are counted, of global memory the sectors.
PATTERNS = [
    # memory, words, stride, offset: bytes, units, ideal
    ("shared", 1, 1, 0, 128, 1, 1),
    ("shared", 1, 2, 0, 128, 2, 1),
    ("shared", 1, 32, 0, 128, 32, 1),
    ("shared", 1, 33, 0, 128, 1, 1),
    ("shared", 1, 0, 0, 4, 1, 1),
    ("shared", 2, 2, 0, 256, 2, 2),
    ("shared", 2, 4, 0, 256, 4, 2),
    ("shared", 4, 4, 0, 512, 4, 4),
    ("shared", 4, 8, 0, 512, 8, 4),
    ("shared", 4, 32, 0, 512, 32, 4),
    ("global", 1, 1, 0, 128, 4, 4),
    ("global", 1, 1, 1, 128, 5, 4),
    ("global", 1, 8, 0, 128, 32, 4),
    ("global", 1, 0, 0, 4, 1, 1),
    ("global", 4, 4, 0, 512, 16, 16),
    ("global", 4, 8, 0, 512, 32, 16),
]
# ldmatrix x4: lane i names the row of 16 bytes at i * STRIDE bytes.
MATRICES = [(16, 512, 4, 4), (32, 512, 8, 4), (128, 512, 32, 4), (144, 512, 4, 4)]


def name(pattern):
    return "%s, %d words, stride %d, offset %d" % pattern[:4]


def emit():
    t = Text()
    lane = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    box = t.op("llvm.mlir.addressof @box : !llvm.ptr<3>")
    for pattern in PATTERNS:
        memory, words, stride, offset = pattern[:4]
        index = t.binary("add", t.binary("mul", lane, stride), offset)
        type = "i32" if words == 1 else "vector<%dxi32>" % words
        base, pointer = (box, "!llvm.ptr<3>") if memory == "shared" else ("%in", "!llvm.ptr")
        # Reads, but of shared memory without a value: writes.
        write = memory == "shared" and stride
        at = t.address(base, index, pointer)
        if write:
            zero = t.op("llvm.mlir.zero : " + type)
            t.do('llvm.store %s, %s {alignment = %d : i64} : %s, %s loc("%s")' %
                 (zero, at, 4 * words, type, pointer, name(pattern)))
        else:
            t.op('llvm.load %s {alignment = %d : i64} : %s -> %s loc("%s")' %
                 (at, 4 * words, pointer, type, name(pattern)))
        t.do("nvvm.barrier0")
    # All of the box, so that ldmatrix may read it.
    zero = t.op("llvm.mlir.zero : i32")
    for i in range(36):
        t.do("llvm.store %s, %s : i32, !llvm.ptr<3>" %
             (zero, t.address(box, t.binary("add", lane, 32 * i), "!llvm.ptr<3>")))
    t.do("nvvm.barrier0")
    for matrix in MATRICES:
        at = t.address(box, t.binary("mul", lane, matrix[0] // 4), "!llvm.ptr<3>")
        t.ldmatrix(at, 4)
        t.lines = [line + ' loc("ldmatrix, stride %d")' % matrix[0] if "ldmatrix" in line and "loc" not in line else line
                   for line in t.lines]
    print("llvm.mlir.global internal @box() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<4608 x i8>")
    print("llvm.func @patterns(%in: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {")
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def patterns(folder):
    with open(folder + "/patterns.mlir", "w") as sys.stdout:
        emit()
    sys.stdout = sys.__stdout__
    subprocess.run(["vit-simulate", folder + "/patterns.mlir", "--launch", "patterns", "--blocks", "1",
                    "--argument=random:4096", "--schedules", "shuffled:5", "--counters-json", folder + "/counters.json"],
                   check=True)
    with open(folder + "/counters.json") as file:
        counters = json.load(file)
    found = {op["op"].split('"')[1]: op for memory in ("shared", "global") for op in counters[memory] if '"' in op["op"]}
    expected = {name(pattern): pattern[4:] for pattern in PATTERNS}
    expected.update({"ldmatrix, stride %d" % matrix[0]: matrix[1:] for matrix in MATRICES})
    wrong = 0
    for what, counts in expected.items():
        op = found[what]
        actual = (op["bytes"], op.get("wavefronts", op.get("sectors")), op["ideal"])
        if actual != counts or op["requests"] != 1:
            print("%s: %s, expected %s" % (what, op, counts))
            wrong += 1
    assert counters["ops"]["ldmatrix"] == len(MATRICES) and counters["ops"]["barrier"] == len(PATTERNS) + 1, counters["ops"]
    print("%d of %d as expected" % (len(expected) - wrong, len(expected)))
    return wrong == 0


def ideal(path, *others):
    with open(path) as file:
        counters = json.load(file)
    right = True
    for memory, unit in (("shared", "wavefronts"), ("global", "sectors")):
        for op in counters[memory]:
            if op[unit] != op["ideal"] and not any(other in op["op"] for other in others):
                print("%s memory: %s takes %d %s instead of %d" % (memory, op["op"], op[unit], unit, op["ideal"]))
                right = False
    return right


sys.exit(not globals()[sys.argv[1]](*sys.argv[2:]))
