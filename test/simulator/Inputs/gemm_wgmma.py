# ===- gemm_wgmma.py - A product of bf16 by warpgroups ----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""gemm_wgmma.py emit: prints the kernel gemm (NVVM dialect, sm_90a): C = A B^T
in bf16 for A [256, 256], B [64, 256], C [256, 64]; 2 blocks of 128 rows. One
thread copies steps of 64 of the depth by TMA into three stages in shared
memory; two warpgroups multiply 64 rows each by wgmma, write their part of C
into shared memory, and store it by TMA.
gemm_wgmma.py check FOLDER: compares what vit-simulate --save wrote.
"""

import struct
import sys

from nvvm import Text

STEPS, STAGES, A_BYTES, B_BYTES, C_BYTES = 4, 3, 16384, 8192, 8192
SHARED = STAGES * (A_BYTES + B_BYTES) + 2 * C_BYTES
SHARED_POINTER = "!llvm.ptr<3>"
# Rows of 128 bytes with the swizzle of 128 bytes, eight of them 1024 bytes apart.
DESCRIPTOR = 1 << 62 | (1024 >> 4) << 32 | 1 << 16
SUMS = "!llvm.struct<(%s)>" % ", ".join(["f32"] * 32)


def name(t, what, value):
    t.lines[-1] = t.lines[-1].replace(value + " =", what + " =")


def at_byte(t, base, offset):
    return t.op("llvm.getelementptr %s[%s] : (%s, i32) -> %s, i8" % (base, offset, SHARED_POINTER, SHARED_POINTER))


def mbarrier(t, which, stage):
    return t.op("llvm.getelementptr %%%s[%s] : (%s, i32) -> %s, i64" % (which, stage, SHARED_POINTER, SHARED_POINTER))


def constant64(t, value):
    return t.op("llvm.mlir.constant(%d : i64) : i64" % value)


def wait(t, barrier, parity):
    t.do("nvvm.mbarrier.try_wait.parity %s, %s, %s : !llvm.ptr<3>, i32, i32" % (barrier, parity, t.const(1000000)))


def descriptor(t, address):
    bits = t.op("llvm.ptrtoint %s : !llvm.ptr<3> to i64" % address)
    bits = t.op("llvm.lshr %s, %s : i64" % (bits, constant64(t, 4)))
    bits = t.op("llvm.and %s, %s : i64" % (bits, constant64(t, 0x3fff)))
    return t.op("llvm.or %s, %s : i64" % (bits, constant64(t, DESCRIPTOR)))


def emit_setup(t):
    for array in ("all", "full", "empty"):
        name(t, "%" + array, t.op("llvm.mlir.addressof @%s : !llvm.ptr<3>" % array))
    name(t, "%t", t.op("nvvm.read.ptx.sreg.tid.x : i32"))
    block = t.op("nvvm.read.ptx.sreg.ctaid.x : i32")
    name(t, "%row0", t.binary("mul", block, 128))
    name(t, "%group", t.binary("udiv", "%t", 128))
    name(t, "%inGroup", t.binary("urem", "%t", 128))
    name(t, "%first", t.op('llvm.icmp "eq" %%inGroup, %s : i32' % t.const(0)))
    zero = t.op('llvm.icmp "eq" %%t, %s : i32' % t.const(0))
    t.do("llvm.cond_br %s, ^init, ^ready" % zero)
    t.lines.append("^init:")
    for stage in range(STAGES):
        t.do("nvvm.mbarrier.init %s, %s : !llvm.ptr<3>, i32" % (mbarrier(t, "full", t.const(stage)), t.const(1)))
        t.do("nvvm.mbarrier.init %s, %s : !llvm.ptr<3>, i32" % (mbarrier(t, "empty", t.const(stage)), t.const(2)))
    t.do("nvvm.fence.mbarrier.init")
    t.do("llvm.br ^ready")
    t.lines.append("^ready:")
    t.do("nvvm.barrier0")
    copies = t.op('llvm.icmp "eq" %%group, %s : i32' % t.const(2))
    t.do("llvm.cond_br %s, ^copies, ^multiplies" % copies)


def stage_and_parity(t, step):
    stage = t.binary("urem", step, STAGES)
    return stage, t.binary("and", t.binary("udiv", step, STAGES), 1)


def emit_copies(t):
    t.lines.append("^copies:")
    t.do("nvvm.setmaxregister decrease 40")
    t.do("llvm.cond_br %%first, ^copy(%s : i32), ^end" % t.const(0))
    t.lines.append("^copy(%k: i32):")
    stage, parity = stage_and_parity(t, "%k")
    wait(t, mbarrier(t, "empty", stage), t.binary("xor", parity, 1))
    full = mbarrier(t, "full", stage)
    t.do("nvvm.mbarrier.arrive.expect_tx %s, %s : !llvm.ptr<3>, i32" % (full, t.const(A_BYTES + B_BYTES)))
    depth = t.binary("mul", "%k", 64)
    for map, to, row in (("%mapA", t.binary("mul", stage, A_BYTES), "%row0"),
                         ("%mapB", t.binary("add", t.binary("mul", stage, B_BYTES), STAGES * A_BYTES), t.const(0))):
        to = t.op("llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>" % at_byte(t, "%all", to))
        t.do("nvvm.cp.async.bulk.tensor.shared.cluster.global %s, %s, %s, box[%s, %s] : !llvm.ptr<7>, !llvm.ptr" %
             (to, map, full, depth, row))
    following = t.binary("add", "%k", 1)
    more = t.op('llvm.icmp "ult" %s, %s : i32' % (following, t.const(STEPS)))
    t.do("llvm.cond_br %s, ^copy(%s : i32), ^end" % (more, following))


def emit_multiplies(t):
    t.lines.append("^multiplies:")
    t.do("nvvm.setmaxregister increase 232")
    zero = t.op("llvm.mlir.constant(0.0 : f32) : f32")
    sums = t.op("llvm.mlir.undef : " + SUMS)
    for i in range(32):
        sums = t.op("llvm.insertvalue %s, %s[%d] : %s" % (zero, sums, i, SUMS))
    start = t.const(0)
    t.do("llvm.br ^step(%s, %s : i32, %s)" % (start, sums, SUMS))
    t.lines.append("^step(%%s: i32, %%sums: %s):" % SUMS)
    stage, parity = stage_and_parity(t, "%s")
    wait(t, mbarrier(t, "full", stage), parity)
    rows = t.binary("add", t.binary("mul", stage, A_BYTES), t.binary("mul", "%group", A_BYTES // 2))
    a = descriptor(t, at_byte(t, "%all", rows))
    b = descriptor(t, at_byte(t, "%all", t.binary("add", t.binary("mul", stage, B_BYTES), STAGES * A_BYTES)))
    t.do("nvvm.wgmma.fence.aligned")
    sums = "%sums"
    for k in range(4):
        offset = constant64(t, 2 * k)
        sums = t.op("nvvm.wgmma.mma_async %s, %s, %s, <m = 64, n = 64, k = 16>, D[<f32>, <one>], "
                    "A[<bf16>, <one>, <row>], B[<bf16>, <one>, <col>] : %s -> %s" %
                    (t.op("llvm.add %s, %s : i64" % (a, offset)), t.op("llvm.add %s, %s : i64" % (b, offset)), sums,
                     SUMS, SUMS))
    t.do("nvvm.wgmma.commit.group.sync.aligned")
    t.do("nvvm.wgmma.wait.group.sync.aligned 1 // product wait")
    # The step before is finished: its stage is free.
    later = t.op('llvm.icmp "ne" %%s, %s : i32' % t.const(0))
    release = t.op("llvm.and %s, %%first : i1" % later)
    t.do("llvm.cond_br %s, ^release, ^next" % release)
    t.lines.append("^release:")
    before = t.binary("urem", t.binary("add", "%s", STAGES - 1), STAGES)
    t.op("nvvm.mbarrier.arrive %s : !llvm.ptr<3> -> i64" % mbarrier(t, "empty", before))
    t.do("llvm.br ^next")
    t.lines.append("^next:")
    following = t.binary("add", "%s", 1)
    more = t.op('llvm.icmp "ult" %s, %s : i32' % (following, t.const(STEPS)))
    t.do("llvm.cond_br %s, ^step(%s, %s : i32, %s), ^store" % (more, following, sums, SUMS))
    return sums


def emit_store(t, sums):
    t.lines.append("^store:")
    t.do("nvvm.wgmma.wait.group.sync.aligned 0")
    tile = at_byte(t, "%all", t.binary("add", t.binary("mul", "%group", C_BYTES), STAGES * (A_BYTES + B_BYTES)))
    lane = t.binary("urem", "%t", 32)
    warp = t.binary("udiv", "%inGroup", 32)
    for i in range(0, 32, 2):
        row = t.binary("add", t.binary("mul", warp, 16), t.binary("add", t.binary("udiv", lane, 4), 8 * (i // 2 % 2)))
        column = t.binary("add", t.binary("mul", t.binary("urem", lane, 4), 2), 8 * (i // 4))
        at = t.binary("add", t.binary("mul", row, 128), t.binary("mul", column, 2))
        at = t.binary("xor", at, t.binary("mul", t.binary("urem", row, 8), 16))
        low, high = [t.op("llvm.extractvalue %s[%d] : %s" % (sums, j, SUMS)) for j in (i, i + 1)]
        pair = t.op("nvvm.convert.f32x2.to.bf16x2 %s, %s {rnd = #nvvm.fp_rnd_mode<rn>} : vector<2xbf16>" % (high, low))
        t.do("llvm.store %s, %s {alignment = 4 : i64} : vector<2xbf16>, !llvm.ptr<3>" % (pair, at_byte(t, tile, at)))
    t.do("nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}")
    t.do("nvvm.barrier id = %s number_of_threads = %s" % (t.binary("add", "%group", 1), t.const(128)))
    t.do("llvm.cond_br %first, ^write, ^end")
    t.lines.append("^write:")
    row = t.binary("add", "%row0", t.binary("mul", "%group", 64))
    t.do("nvvm.cp.async.bulk.tensor.global.shared.cta %%mapC, %s, box[%s, %s] : !llvm.ptr, !llvm.ptr<3>" %
         (tile, t.const(0), row))
    t.do("nvvm.cp.async.bulk.commit.group")
    t.do("nvvm.cp.async.bulk.wait_group 0 // store wait")
    t.do("llvm.br ^end")


def emit():
    print("llvm.mlir.global external @all() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>")
    for array in ("full", "empty"):
        print("llvm.mlir.global internal @%s() {addr_space = 3 : i32, alignment = 8 : i64} : !llvm.array<%d x i64>" %
              (array, STAGES))
    t = Text()
    emit_setup(t)
    emit_copies(t)
    emit_store(t, emit_multiplies(t))
    maps = ", ".join("%%map%s: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64}" % m for m in "ABC")
    print("llvm.func @gemm(%%A: !llvm.ptr, %%B: !llvm.ptr, %%C: !llvm.ptr, %s) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 384, 1, 1>} {" % maps)
    print("\n".join(t.lines + ["^end:", "  llvm.return", "}"]))


def check(folder):
    def rows(number, columns):
        with open("%s/%d.f32" % (folder, number), "rb") as file:
            values = [struct.unpack("<f", b"\0\0" + half)[0] for half, in struct.iter_unpack("2s", file.read())]
        return [values[i:i + columns] for i in range(0, len(values), columns)]

    b = rows(1, 256)
    wrong = 0
    for found, row in zip(rows(2, 64), rows(0, 256)):
        for x, column in zip(found, b):
            y = sum(p * q for p, q in zip(row, column))
            wrong += not abs(x - y) <= abs(y) / 256 + 1e-5
    print("%d elements differ" % wrong)
    return wrong == 0


if sys.argv[1] == "emit":
    emit()
elif sys.argv[1] == "bytes":
    print(SHARED)
else:
    sys.exit(not check(sys.argv[2]))
