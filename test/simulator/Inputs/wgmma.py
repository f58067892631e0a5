# ===- wgmma.py - Products of one warpgroup ---------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""wgmma.py FOLDER: for each layout of the operands of wgmma, runs a kernel by
vit-simulate and compares its results with plain arithmetic, bit for bit:
D [64, 128] = +- A B for A [64, 64] and B [64, 128] in bf16 or f16, each contiguous
along the depth or, transposed, along the other dimension.
"""

import struct
import subprocess
import sys

from nvvm import Text

A_BYTES, B_BYTES = 8192, 16384
SUMS = "!llvm.struct<(%s)>" % ", ".join(["f32"] * 64)
POINTER = "!llvm.ptr<3>"


def constant64(t, value):
    return t.op("llvm.mlir.constant(%d : i64) : i64" % value)


def descriptor(t, base, transposed, k):
    """Rows of 128 bytes, eight of them 1024 bytes apart; transposed, a row has 64
    of the other dimension, and the next 64 are 8192 bytes further."""
    bits = t.op("llvm.ptrtoint %s : !llvm.ptr<3> to i64" % base)
    bits = t.op("llvm.lshr %s, %s : i64" % (bits, constant64(t, 4)))
    bits = t.op("llvm.and %s, %s : i64" % (bits, constant64(t, 0x3fff)))
    fields = 1 << 62 | (1024 >> 4) << 32 | (8192 >> 4 if transposed else 1) << 16
    offset = (16 * 128 if transposed else 32) * k >> 4
    return t.op("llvm.add %s, %s : i64" % (bits, constant64(t, fields + offset)))


def emit(type, transposed_a, transposed_b, negative):
    t = Text()
    all = t.op("llvm.mlir.addressof @all : " + POINTER)
    full = t.op("llvm.mlir.addressof @full : " + POINTER)
    b = t.op("llvm.getelementptr %s[%d] : (%s) -> %s, i8" % (all, A_BYTES, POINTER, POINTER))
    thread = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    zero = t.const(0)
    t.do("llvm.cond_br %s, ^copy, ^wait" % t.op('llvm.icmp "eq" %s, %s : i32' % (thread, zero)))
    t.lines.append("^copy:")
    t.do("nvvm.mbarrier.init %s, %s : !llvm.ptr<3>, i32" % (full, t.const(1)))
    t.do("nvvm.fence.mbarrier.init")
    t.do("nvvm.mbarrier.arrive.expect_tx %s, %s : !llvm.ptr<3>, i32" % (full, t.const(A_BYTES + B_BYTES)))
    copies = [("%mapA", all, 0)] + [("%mapB", b, 0)]
    if transposed_b:
        second = t.op("llvm.getelementptr %s[8192] : (%s) -> %s, i8" % (b, POINTER, POINTER))
        copies.append(("%mapB", second, 64))
    for map, to, column in copies:
        to = t.op("llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>" % to)
        t.do("nvvm.cp.async.bulk.tensor.shared.cluster.global %s, %s, %s, box[%s, %s] : !llvm.ptr<7>, !llvm.ptr" %
             (to, map, full, t.const(column), zero))
    t.do("llvm.br ^wait")
    t.lines.append("^wait:")
    t.do("nvvm.barrier0")
    t.do("nvvm.mbarrier.try_wait.parity %s, %s, %s : !llvm.ptr<3>, i32, i32" % (full, zero, t.const(1000)))
    t.do("nvvm.wgmma.fence.aligned")
    sums = t.op("llvm.mlir.undef : " + SUMS)
    for k in range(4):
        sums = t.op("nvvm.wgmma.mma_async %s, %s, %s, <m = 64, n = 128, k = 16>, D[<f32>, <%s>], "
                    "A[<%s>, <%s>, <%s>], B[<%s>, <one>, <%s>] : %s -> %s" %
                    (descriptor(t, all, transposed_a, k), descriptor(t, b, transposed_b, k), sums,
                     "one" if k else "zero", type, "neg" if negative else "one", "col" if transposed_a else "row",
                     type, "row" if transposed_b else "col", SUMS, SUMS))
    t.do("nvvm.wgmma.commit.group.sync.aligned")
    t.do("nvvm.wgmma.wait.group.sync.aligned 0")
    lane, warp = t.binary("urem", thread, 32), t.binary("udiv", thread, 32)
    first = t.binary("add", t.binary("mul", warp, 16), t.binary("udiv", lane, 4))
    for i, value in enumerate(t.split(sums, ["f32"] * 64)):
        row = t.binary("add", first, 8 * (i // 2 % 2))
        column = t.binary("add", t.binary("mul", t.binary("urem", lane, 4), 2), 8 * (i // 4) + i % 2)
        t.store(value, "%D", t.binary("add", t.binary("mul", row, 128), column), "f32")
    maps = ", ".join("%%map%s: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64}" % m for m in "AB")
    return "\n".join([
        "llvm.mlir.global external @all() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>",
        "llvm.mlir.global internal @full() {addr_space = 3 : i32, alignment = 8 : i64} : !llvm.array<1 x i64>",
        "llvm.func @product(%%A: !llvm.ptr, %%B: !llvm.ptr, %%D: !llvm.ptr, %s) "
        "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 128, 1, 1>} {" % maps, *t.lines, "  llvm.return", "}", ""])


def check(folder, type, transposed_a, transposed_b, negative):
    def read(number, columns):
        with open("%s/%d.f32" % (folder, number), "rb") as file:
            if type == "f16":
                values = [x for x, in struct.iter_unpack("<e", file.read())]
            else:
                values = [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", file.read())]
        return [values[i:i + columns] for i in range(0, len(values), columns)]

    rows = read(0, 64)
    columns = read(1, 128 if transposed_b else 64)
    if transposed_a:
        rows = list(zip(*rows))
    if transposed_b:
        columns = list(zip(*columns))
    expected = []
    for row in rows:
        for column in columns:
            total = 0.0
            for step in range(0, 64, 16):
                for k in range(step, step + 16):
                    total += (-row[k] if negative else row[k]) * column[k]
                total = struct.unpack("<f", struct.pack("<f", total))[0]
            expected.append(total)
    with open(folder + "/2.f32", "rb") as file:
        return file.read() == struct.pack("<%df" % len(expected), *expected) and len(expected) == 64 * 128


folder = sys.argv[1]
for variant in [("bf16", False, False, False), ("bf16", True, False, False), ("bf16", False, True, False),
                ("bf16", True, True, True), ("f16", False, True, False)]:
    type = variant[0]
    with open(folder + "/product.mlir", "w") as file:
        file.write(emit(*variant))
    subprocess.run(["vit-simulate", folder + "/product.mlir", "--launch", "product", "--blocks", "1", "--save", folder,
                    "--shared-bytes", str(A_BYTES + B_BYTES), "--argument=%s:4096" % type,
                    "--argument=%s:8192" % type, "--argument=fresh:8192", "--argument=tensor:0,64,64,64,64",
                    "--argument=tensor:1," + ("128,64,64,64" if variant[2] else "64,128,64,128")], check=True)
    if not check(folder, *variant):
        sys.exit("differs: %s, transposed A %s, transposed B %s, negative %s" % variant)
