# ===- matrix.py - Kernels of one matrix operation, and their results -------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""matrix.py emit: prints kernels (NVVM dialect) of one warp and one operation.
matrix.py run FOLDER: runs each by vit-simulate and compares the results with
plain arithmetic, bit for bit.

mma_TYPE_DEPTH(A [16, DEPTH], B [8, DEPTH], C [16, 8], D [16, 8]): D = A B^T + C.
ldmatrix_NUMBER[_transposed](rows [32, 8 x 16 bits], words [NUMBER, 32]).
stmatrix_NUMBER[_transposed](words [NUMBER, 32], rows [32, 8 x 16 bits]).
convert(words [7, 1024]): bf16 by each op, and tf32 in each mode, of floats of
all exponents with ties.
convert_f16(words [6, threads]): f16 of FLOATS, and the same with infinities
turned into NaNs (fma by zero); each as such and as a float; both as pairs.
"""

import contextlib
import os
import struct
import subprocess
import sys

from nvvm import Text

PRODUCTS = [("bf16", 16), ("bf16", 8), ("f16", 16), ("f16", 8), ("tf32", 8), ("tf32", 4)]
STEP = 0x00809000  # between the floats that are converted
LOADS = [(number, transposed) for number in (1, 2, 4) for transposed in (False, True)]


def to_float(word):
    return struct.unpack("<f", struct.pack("<I", word))[0]


def to_word(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def to_half(bits):
    return struct.unpack("<e", struct.pack("<H", bits))[0]


def get_floats():
    """The words of floats of both signs: halves (zero, the smallest ones, those around the smallest normal one and around 1, and the
    largest), ties above them, and the neighbours of these; numbers that are no halves."""
    words = [0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc12345, 1, 0x00800000]
    for half in (0, 1, 2, 3, 0x1ff, 0x3fe, 0x3ff, 0x400, 0x401, 0x3c00, 0x3c01, 0x7bfe, 0x7bff):
        above = to_half(half + 1) if half != 0x7bff else 65536.0
        for x in (to_half(half), (to_half(half) + above) / 2):
            word = to_word(x)
            words += [max(word - 1, 0), word, word + 1]
    return [word | sign for sign in (0, 1 << 31) for word in words]


FLOATS = get_floats()


def words_of_row(type, depth):
    return depth if type == "tf32" else depth // 2


def emit_product(type, depth):
    t = Text()
    row = words_of_row(type, depth)
    lane = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    group, quarter = t.binary("udiv", lane, 4), t.binary("urem", lane, 4)

    def get(base, r, quads):
        at = t.binary("mul", t.binary("add", group, r), row)
        return t.load(base, t.binary("add", t.binary("add", at, quarter), 4 * quads))

    b = [get("%B", 0, i) for i in range(row // 4)]
    a = [get("%A", 8 * (i % 2), i // 2) for i in range(2 * len(b))]
    places = []
    for i in range(4):
        at = t.binary("mul", t.binary("add", group, 8 * (i // 2)), 8)
        at = t.binary("add", at, t.binary("mul", quarter, 2))
        places.append(t.binary("add", at, i % 2))
    c = [t.load("%C", at, "f32") for at in places]
    for value, at in zip(t.mma(a, b, c, type, depth), places):
        t.store(value, "%D", at, "f32")
    print("llvm.func @mma_%s_%d(%%A: !llvm.ptr, %%B: !llvm.ptr, %%C: !llvm.ptr, %%D: !llvm.ptr) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {" % (type, depth))
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def emit_load(number, transposed):
    t = Text()
    lane = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    box = t.op("llvm.mlir.addressof @rows : !llvm.ptr<3>")
    mine = t.binary("mul", lane, 4)
    for i in range(4):
        at = t.binary("add", mine, i)
        t.do("llvm.store %s, %s : i32, !llvm.ptr<3>" %
             (t.load("%rows", at), t.address(box, at, "!llvm.ptr<3>")))
    t.do("nvvm.bar.warp.sync %s : i32" % t.const(-1))
    row = t.binary("mul", t.binary("urem", t.binary("mul", lane, 5), 32), 4)
    for i, word in enumerate(t.ldmatrix(t.address(box, row, "!llvm.ptr<3>"), number, transposed)):
        t.store(word, "%words", t.binary("add", lane, 32 * i))
    print("llvm.func @ldmatrix_%d%s(%%rows: !llvm.ptr, %%words: !llvm.ptr) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {" %
          (number, "_transposed" if transposed else ""))
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def emit_store(number, transposed):
    """Rows of zeros, the words of each lane stored into some, then all rows."""
    t = Text()
    lane = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    box = t.op("llvm.mlir.addressof @rows : !llvm.ptr<3>")
    zero, all = t.const(0), t.const(-1)
    places = [t.binary("add", t.binary("mul", lane, 4), i) for i in range(4)]
    for at in places:
        t.do("llvm.store %s, %s : i32, !llvm.ptr<3>" % (zero, t.address(box, at, "!llvm.ptr<3>")))
    t.do("nvvm.bar.warp.sync %s : i32" % all)
    row = t.binary("mul", t.binary("urem", t.binary("mul", lane, 5), 32), 4)
    words = [t.load("%words", t.binary("add", lane, 32 * i)) for i in range(number)]
    t.do("nvvm.stmatrix %s, %s {layout = #nvvm.mma_layout<%s>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, "
         "eltType = #nvvm.ld_st_matrix_elt_type<b16>} : !llvm.ptr<3>, %s" %
         (t.address(box, row, "!llvm.ptr<3>"), ", ".join(words), "col" if transposed else "row",
          ", ".join(["i32"] * number)))
    t.do("nvvm.bar.warp.sync %s : i32 // stored" % all)
    for at in places:
        t.store(t.op("llvm.load %s : !llvm.ptr<3> -> i32" % t.address(box, at, "!llvm.ptr<3>")), "%rows", at)
    print("llvm.func @stmatrix_%d%s(%%words: !llvm.ptr, %%rows: !llvm.ptr) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {" %
          (number, "_transposed" if transposed else ""))
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def emit_conversions():
    t = Text()
    thread = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    word = t.binary("mul", t.binary("urem", t.binary("lshr", thread, 1), 256), STEP)
    word = t.binary("or", t.binary("add", word, t.binary("and", thread, 1)),
                    t.binary("shl", t.binary("lshr", thread, 9), 31))
    x = t.op("llvm.bitcast %s : i32 to f32" % word)
    nothing = t.op("llvm.mlir.constant(1.0 : f32) : f32")
    half = t.op("llvm.bitcast %s : bf16 to i16" % t.op("llvm.fptrunc %s : f32 to bf16" % x))
    results = [t.op("llvm.zext %s : i16 to i32" % half)]
    pair = t.op("llvm.mlir.undef : vector<2xf32>")
    for i, value in enumerate([x, nothing]):
        pair = t.op("llvm.insertelement %s, %s[%s : i32] : vector<2xf32>" % (value, pair, t.const(i)))
    halves = [t.op("llvm.fptrunc %s : vector<2xf32> to vector<2xbf16>" % pair)]
    for mode in ("rn", "rz"):
        halves.append(t.op("nvvm.convert.f32x2.to.bf16x2 %s, %s {rnd = #nvvm.fp_rnd_mode<%s>} : vector<2xbf16>" %
                           (nothing, x, mode)))
    results += [t.op("llvm.bitcast %s : vector<2xbf16> to i32" % pair) for pair in halves]
    for mode in ("rna", "rn", "rz"):
        results.append(t.op("nvvm.convert.float.to.tf32 %s {rnd = #nvvm.fp_rnd_mode<%s>}" % (x, mode)))
    for i, result in enumerate(results):
        t.store(result, "%words", t.binary("add", thread, 1024 * i))
    print("llvm.func @convert(%words: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 1024, 1, 1>} {")
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def emit_conversions_to_f16():
    t = Text()
    thread = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    word = t.const(0)
    for i, value in enumerate(FLOATS):
        isOwn = t.op('llvm.icmp "eq" %s, %s : i32' % (thread, t.const(i)))
        word = t.op("llvm.select %s, %s, %s : i1, i32" % (isOwn, t.const(value), word))
    x = t.op("llvm.bitcast %s : i32 to f32" % word)
    results = []

    def add(half):
        """The bits of an f16, and those of the float that it is."""
        wide = t.op("llvm.fpext %s : f16 to f32" % half)
        results.append(t.op("llvm.zext %s : i16 to i32" % t.op("llvm.bitcast %s : f16 to i16" % half)))
        results.append(t.op("llvm.bitcast %s : f32 to i32" % wide))

    half = t.op("llvm.fptrunc %s : f32 to f16" % x)
    add(half)
    zero = t.op("llvm.mlir.constant(0.0 : f16) : f16")
    add(t.op("llvm.intr.fma(%s, %s, %s) : (f16, f16, f16) -> f16" % (half, zero, half)))
    pair = t.op("llvm.mlir.undef : vector<2xf32>")
    for i in range(2):
        pair = t.op("llvm.insertelement %s, %s[%s : i32] : vector<2xf32>" % (x, pair, t.const(i)))
    pair = t.op("llvm.fptrunc %s : vector<2xf32> to vector<2xf16>" % pair)
    results.append(t.op("llvm.bitcast %s : vector<2xf16> to i32" % pair))
    zero = t.op("llvm.mlir.constant(dense<0.0> : vector<2xf16>) : vector<2xf16>")
    pair = t.op("llvm.intr.fma(%s, %s, %s) : (%s) -> vector<2xf16>" %
                (pair, zero, pair, ", ".join(["vector<2xf16>"] * 3)))
    results.append(t.op("llvm.bitcast %s : vector<2xf16> to i32" % pair))
    for i, result in enumerate(results):
        t.store(result, "%words", t.binary("add", thread, len(FLOATS) * i))
    print("llvm.func @convert_f16(%%words: !llvm.ptr) "
          "attributes {nvvm.kernel, nvvm.maxntid = array<i32: %d, 1, 1>} {" % len(FLOATS))
    print("\n".join(t.lines + ["  llvm.return", "}"]))


def emit():
    print("llvm.mlir.global internal @rows() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<512 x i8>")
    for product in PRODUCTS:
        emit_product(*product)
    for load in LOADS:
        emit_load(*load)
        emit_store(*load)
    emit_conversions()
    emit_conversions_to_f16()


def read(folder, number):
    with open("%s/%d.f32" % (folder, number), "rb") as file:
        return file.read()


def operand(data, type, columns):
    if type == "tf32":
        values = [to_float(word & ~0x1fff) for word, in struct.iter_unpack("<I", data)]
    elif type == "f16":
        values = [value for value, in struct.iter_unpack("<e", data)]
    else:
        values = [to_float(half << 16) for half, in struct.iter_unpack("<H", data)]
    return [values[i:i + columns] for i in range(0, len(values), columns)]


def check_product(folder, type, depth):
    a, b = [operand(read(folder, i), type, depth) for i in range(2)]
    assert (len(a), len(b)) == (16, 8), "the operands have other sizes"
    c = [value for value, in struct.iter_unpack("<f", read(folder, 2))]
    expected = []
    for row in range(16):
        for column in range(8):
            total = c[8 * row + column]
            for x, y in zip(a[row], b[column]):
                total += x * y
            expected.append(total)
    return struct.pack("<128f", *expected) == read(folder, 3)


def check_load(folder, number, transposed):
    rows = [struct.unpack("<8H", read(folder, 0)[16 * i:16 * i + 16]) for i in range(32)]
    matrices = [[rows[(8 * i + r) * 5 % 32] for r in range(8)] for i in range(number)]
    if transposed:
        matrices = [list(zip(*matrix)) for matrix in matrices]
    expected = b"".join(struct.pack("<HH", *matrix[lane // 4][lane % 4 * 2:lane % 4 * 2 + 2])
                        for matrix in matrices for lane in range(32))
    return expected == read(folder, 1)


def check_store(folder, number, transposed):
    words = [struct.unpack("<HH", read(folder, 0)[4 * i:4 * i + 4]) for i in range(32 * number)]
    rows = [[0] * 8 for i in range(32)]
    for i in range(number):
        for lane in range(32):
            for half in range(2):
                r, column = lane // 4, lane % 4 * 2 + half
                if transposed:
                    r, column = column, r
                rows[(8 * i + r) * 5 % 32][column] = words[32 * i + lane][half]
    return b"".join(struct.pack("<8H", *row) for row in rows) == read(folder, 1)


def round_bits(word, unit, mode):
    if word & 0x7fffffff > 0x7f800000:
        return 0x7fffffff // unit * unit if unit > 1 << 13 else 0x7fffffff
    down, rest = word // unit, word % unit
    up = 2 * rest > unit or 2 * rest == unit and (mode == "rna" or mode == "rn" and down % 2)
    return (down + (up and mode != "rz")) * unit


def check_conversions(folder):
    found = struct.unpack("<7168I", read(folder, 0))
    for thread in range(1024):
        word = thread // 2 % 256 * STEP + thread % 2 | thread >> 9 << 31
        near, cut = [round_bits(word, 1 << 16, mode) >> 16 for mode in ("rn", "rz")]
        one = 0x3f800000
        expected = [near, one | near, one | near, one | cut]
        expected += [round_bits(word, 1 << 13, mode) for mode in ("rna", "rn", "rz")]
        if expected != list(found[thread::1024]):
            print("%08x: %s" % (word, ", ".join("%08x (expected %08x)" % pair
                                                for pair in zip(found[thread::1024], expected))))
            return False
    return True


def round_to_half(word):
    """The bits of the nearest f16, the even one of two; a NaN is 0x7fff."""
    x = to_float(word)
    if x != x:
        return 0x7fff
    if abs(x) >= 65520:
        return 0x7c00 | word >> 16 & 0x8000
    return struct.unpack("<H", struct.pack("<e", x))[0]


def check_conversions_to_f16(folder):
    count = len(FLOATS)
    found = struct.unpack("<%dI" % (6 * count), read(folder, 0))
    for thread, word in enumerate(FLOATS):
        rounded = round_to_half(word)
        checked = 0x7fff if rounded & 0x7c00 == 0x7c00 else rounded
        # A NaN keeps its bits.
        wide = [0x7fffe000 if half == 0x7fff else to_word(to_half(half)) for half in (rounded, checked)]
        expected = [rounded, wide[0], checked, wide[1], rounded * 0x10001, checked * 0x10001]
        if expected != list(found[thread::count]):
            print("%08x: %s" % (word, ", ".join("%08x (expected %08x)" % pair
                                                for pair in zip(found[thread::count], expected))))
            return False
    return True


def run(kernel, folder, check, *arguments):
    subprocess.run(["vit-simulate", folder + "/kernels.mlir", "--launch", kernel, "--blocks", "1", "--save", folder,
                    *["--argument=" + argument for argument in arguments]], check=True)
    if not check():
        sys.exit(kernel + " differs")


if sys.argv[1] == "emit":
    emit()
    sys.exit()
folder = sys.argv[2]
os.makedirs(folder, exist_ok=True)
with open(folder + "/kernels.mlir", "w") as text, contextlib.redirect_stdout(text):
    emit()
for type, depth in PRODUCTS:
    kind = "random" if type == "tf32" else type
    run("mma_%s_%d" % (type, depth), folder, lambda: check_product(folder, type, depth), "%s:%d" % (kind, 16 * depth),
        "%s:%d" % (kind, 8 * depth), "random:128", "fresh:128")
for number, transposed in LOADS:
    run("ldmatrix_%d%s" % (number, "_transposed" if transposed else ""), folder,
        lambda: check_load(folder, number, transposed), "random:128", "fresh:%d" % (32 * number))
    run("stmatrix_%d%s" % (number, "_transposed" if transposed else ""), folder,
        lambda: check_store(folder, number, transposed), "random:%d" % (32 * number), "fresh:128")
run("convert", folder, lambda: check_conversions(folder), "fresh:7168")
run("convert_f16", folder, lambda: check_conversions_to_f16(folder), "fresh:%d" % (6 * len(FLOATS)))
