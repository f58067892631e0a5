# ===- gemm_bf16.py - A product of bf16 with tensor cores --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""gemm_bf16.py emit: prints the kernel gemm (NVVM dialect): C = A B^T in f32
for A [64, 128] and B [64, 128] in bf16; 4 blocks of 32 x 32 with 4 warps. The
depth is cut into 4 steps of 32; cp.async fills three stages in shared memory,
whose rows of 64 bytes are swizzled: piece p of 16 bytes of row r is at
p ^ (r / 2 % 4).
gemm_bf16.py check FOLDER: compares what vit-simulate --save wrote.
"""

import struct
import sys

from nvvm import Text

STEPS, STAGES, STAGE_BYTES, ROW = 4, 3, 2048, 256


def stage_address(t, base, stage, row, piece):
    swizzled = t.binary("xor", piece, t.binary("urem", t.binary("lshr", row, 1), 4))
    at = t.binary("add", t.binary("mul", stage, STAGE_BYTES), t.binary("mul", row, 64))
    at = t.binary("add", at, t.binary("mul", swizzled, 16))
    return t.op("llvm.getelementptr %s[%s] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8" % (base, at))


def copy_stage(t, stage, step):
    """Each of 128 threads copies a piece of both operands."""
    for memory, box, first in (("%gA", "%As", "%row0"), ("%gB", "%Bs", "%col0")):
        row, piece = t.binary("udiv", "%t", 4), t.binary("urem", "%t", 4)
        at = t.binary("add", t.binary("mul", t.binary("add", first, row), ROW), t.binary("mul", step, 64))
        at = t.binary("add", at, t.binary("mul", piece, 16))
        source = t.op("llvm.getelementptr %s[%s] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8" % (memory, at))
        t.copy_async(stage_address(t, box, stage, row, piece), source)


def multiply_stage(t, stage, sums):
    """A warp multiplies 16 rows of A with 16 of B."""
    lane16 = t.binary("urem", "%lane", 16)
    for k in range(2):
        piece = t.binary("add", t.binary("lshr", "%lane", 4), 2 * k)
        a = t.ldmatrix(stage_address(t, "%As", stage, t.binary("add", "%warpRow", lane16), piece), 4)
        # Both halves of the depth for 8 rows, then for the next 8.
        row = t.binary("add", t.binary("urem", "%lane", 8), t.binary("mul", t.binary("lshr", "%lane", 4), 8))
        piece = t.binary("add", t.binary("urem", t.binary("lshr", "%lane", 3), 2), 2 * k)
        b = t.ldmatrix(stage_address(t, "%Bs", stage, t.binary("add", "%warpCol", row), piece), 4)
        sums = t.mma(a, b[:2], sums[:4], "bf16", 16) + t.mma(a, b[2:], sums[4:], "bf16", 16)
    return sums


def emit():
    for name in ("As", "Bs"):
        print("llvm.mlir.global internal @%s() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<%d x i8>" %
              (name, STAGES * STAGE_BYTES))
    t = Text()

    def name(what, value):
        t.lines[-1] = t.lines[-1].replace(value + " =", what + " =")

    name("%As", t.op("llvm.mlir.addressof @As : !llvm.ptr<3>"))
    name("%Bs", t.op("llvm.mlir.addressof @Bs : !llvm.ptr<3>"))
    name("%gA", t.op("llvm.addrspacecast %A : !llvm.ptr to !llvm.ptr<1>"))
    name("%gB", t.op("llvm.addrspacecast %B : !llvm.ptr to !llvm.ptr<1>"))
    name("%t", t.op("nvvm.read.ptx.sreg.tid.x : i32"))
    block = t.op("nvvm.read.ptx.sreg.ctaid.x : i32")
    name("%row0", t.binary("mul", t.binary("lshr", block, 1), 32))
    name("%col0", t.binary("mul", t.binary("and", block, 1), 32))
    name("%lane", t.binary("urem", "%t", 32))
    warp = t.binary("lshr", "%t", 5)
    name("%warpRow", t.binary("mul", t.binary("lshr", warp, 1), 16))
    name("%warpCol", t.binary("mul", t.binary("and", warp, 1), 16))
    for step in range(STAGES - 1):
        copy_stage(t, t.const(step), t.const(step))
        t.do("nvvm.cp.async.commit.group")
    zero, first = t.op("llvm.mlir.constant(0.0 : f32) : f32"), t.const(0)
    t.do("llvm.br ^step(%s%s : i32%s)" % (first, (", " + zero) * 8, ", f32" * 8))
    sums = ["%%sum%d" % i for i in range(8)]
    t.lines.append("^step(%%step: i32%s):" % "".join(", %s: f32" % value for value in sums))
    t.do("nvvm.cp.async.wait.group %d" % (STAGES - 2))
    t.do("nvvm.barrier0")
    ahead = t.binary("add", "%step", STAGES - 1)
    more = t.op('llvm.icmp "ult" %s, %s : i32' % (ahead, t.const(STEPS)))
    t.do("llvm.cond_br %s, ^copy, ^multiply" % more)
    t.lines.append("^copy:")
    copy_stage(t, t.binary("urem", ahead, STAGES), ahead)
    t.do("llvm.br ^multiply")
    t.lines.append("^multiply:")
    t.do("nvvm.cp.async.commit.group")
    sums = multiply_stage(t, t.binary("urem", "%step", STAGES), sums)
    following = t.binary("add", "%step", 1)
    again = t.op('llvm.icmp "ult" %s, %s : i32' % (following, t.const(STEPS)))
    t.do("llvm.cond_br %s, ^step(%s%s : i32%s), ^store" %
         (again, following, "".join(", " + value for value in sums), ", f32" * 8))
    t.lines.append("^store:")
    for i, value in enumerate(sums):
        row = t.binary("add", t.binary("lshr", "%lane", 2), 8 * (i % 4 // 2))
        row = t.binary("add", t.binary("add", "%row0", "%warpRow"), row)
        column = t.binary("add", t.binary("mul", t.binary("urem", "%lane", 4), 2), i % 2 + 8 * (i // 4))
        column = t.binary("add", t.binary("add", "%col0", "%warpCol"), column)
        t.store(value, "%C", t.binary("add", t.binary("mul", row, 64), column), "f32")
    print("llvm.func @gemm(%A: !llvm.ptr, %B: !llvm.ptr, %C: !llvm.ptr) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 128, 1, 1>} {")
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def read(folder, number):
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        return file.read()


def check(folder):
    def rows(number):
        values = [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", read(folder, number))]
        return [values[i:i + 128] for i in range(0, len(values), 128)]

    b = rows(1)
    expected = [sum(x * y for x, y in zip(row, column)) for row in rows(0) for column in b]
    found = [value for value, in struct.iter_unpack("<f", read(folder, 2))]
    error = max(abs(x - y) for x, y in zip(found, expected))
    print("largest of %d errors %g" % (len(found), error))
    return len(found) == len(expected) == 4096 and error < 1e-5


if sys.argv[1] == "emit":
    emit()
else:
    sys.exit(not check(sys.argv[2]))
