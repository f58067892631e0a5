# ===- tensor_copy.py - TMA of boxes of tensors ------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""tensor_copy.py emit: prints kernels copyN that copy a box at a place given by
N arguments into shared memory, write its raw bytes, and store it at the same
place of another tensor.
tensor_copy.py run DRIVER: launches them in VIT_SIM_KERNELS by the fake driver,
with boxes inside and partly outside of tensors, with each swizzle, and compares
all bytes.
"""

import ctypes
import itertools
import struct
import sys

from nvvm import Text

BOX_BYTES = 2048
POINTER = "!llvm.ptr<3>"


def emit(rank):
    t = Text()
    box = t.op("llvm.mlir.addressof @box : " + POINTER)
    full = t.op("llvm.mlir.addressof @full : " + POINTER)
    thread = t.op("nvvm.read.ptx.sreg.tid.x : i32")
    zero = t.const(0)
    first = t.op('llvm.icmp "eq" %s, %s : i32' % (thread, zero))
    place = ", ".join("%%c%d" % i for i in range(rank))
    t.do("llvm.cond_br %s, ^load, ^wait" % first)
    t.lines.append("^load:")
    t.do("nvvm.mbarrier.init %s, %s : !llvm.ptr<3>, i32" % (full, t.const(1)))
    t.do("nvvm.fence.mbarrier.init")
    t.do("nvvm.mbarrier.arrive.expect_tx %s, %s : !llvm.ptr<3>, i32" % (full, t.const(BOX_BYTES)))
    to = t.op("llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>" % box)
    t.do("nvvm.cp.async.bulk.tensor.shared.cluster.global %s, %%from, %s, box[%s] : !llvm.ptr<7>, !llvm.ptr" %
         (to, full, place))
    t.do("llvm.br ^wait")
    t.lines.append("^wait:")
    t.do("nvvm.barrier0")
    t.do("nvvm.mbarrier.try_wait.parity %s, %s, %s : !llvm.ptr<3>, i32, i32" % (full, zero, t.const(1000)))
    for i in range(BOX_BYTES // 4 // 32):
        at = t.binary("add", thread, 32 * i)
        t.store(t.op("llvm.load %s : !llvm.ptr<3> -> i32" % t.address(box, at, POINTER)), "%raw", at)
    t.do("llvm.cond_br %s, ^store, ^end" % first)
    t.lines.append("^store:")
    t.do("nvvm.cp.async.bulk.tensor.global.shared.cta %%to, %s, box[%s] : !llvm.ptr, !llvm.ptr<3>" % (box, place))
    t.do("nvvm.cp.async.bulk.commit.group")
    t.do("nvvm.cp.async.bulk.wait_group 0")
    t.do("llvm.br ^end")
    maps = ", ".join("%%%s: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64}" % m
                     for m in ("from", "to"))
    places = "".join(", %%c%d: i32" % i for i in range(rank))
    print("llvm.func @copy%d(%%raw: !llvm.ptr, %s%s) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {" %
          (rank, maps, places))
    print("\n".join(t.lines + ["^end:", "  llvm.return", "}"]))


def call(name, *arguments):
    result = getattr(cuda, name)(*arguments)
    if result:
        sys.exit("%s: %d" % (name, result))


def allocate(data):
    device = ctypes.c_uint64()
    call("cuMemAlloc_v2", ctypes.byref(device), ctypes.c_size_t(len(data)))
    call("cuMemcpyHtoDAsync_v2", device, data, ctypes.c_size_t(len(data)), stream)
    return device


def read(device, size):
    data = ctypes.create_string_buffer(size)
    call("cuMemcpyDtoHAsync_v2", data, device, ctypes.c_size_t(size), stream)
    call("cuStreamSynchronize", stream)
    return data.raw


def run(extents, box, swizzle, place):
    """Floats; dimensions from the innermost."""
    rank = len(extents)
    strides = [4]
    for extent in extents:
        strides.append(strides[-1] * extent)
    count = strides[-1] // 4
    source, target, raw = [allocate(struct.pack("<%dI" % n, *range(start, start + n)))
                           for n, start in ((count, 1), (count, 1000000), (BOX_BYTES // 4, 0))]
    buffer = ctypes.create_string_buffer(3 * 128)
    maps = [(ctypes.addressof(buffer) + 63) // 64 * 64 + 128 * i for i in range(2)]
    for map, device in zip(maps, (source, target)):
        call("cuTensorMapEncodeTiled", ctypes.c_void_p(map), 7, rank, device, (ctypes.c_uint64 * rank)(*extents),
             (ctypes.c_uint64 * rank)(*strides[1:rank]), (ctypes.c_uint32 * rank)(*box),
             (ctypes.c_uint32 * rank)(*[1] * rank), 0, {0: 0, 32: 1, 64: 2, 128: 3}[swizzle], 0, 0)
    function = ctypes.c_void_p()
    call("cuModuleGetFunction", ctypes.byref(function), module, b"copy%d" % rank)
    values = [raw] + [ctypes.c_int32(c) for c in place]
    pointers = [ctypes.addressof(raw)] + maps + [ctypes.addressof(value) for value in values[1:]]
    call("cuLaunchKernel", function, 1, 1, 1, 32, 1, 1, 0, stream, (ctypes.c_void_p * len(pointers))(*pointers), None)
    expected_raw, expected = [0] * (BOX_BYTES // 4), list(range(1000000, 1000000 + count))
    for number, offsets in enumerate(itertools.product(*[range(n) for n in reversed(box)])):
        at = [c + o for c, o in zip(place, reversed(offsets))]
        inside = all(0 <= a < extent for a, extent in zip(at, extents))
        index = sum(a * s for a, s in zip(at, strides)) // 4
        # The piece of 16 bytes is exchanged by the number of the row of 128 bytes.
        byte = 4 * number
        if swizzle:
            byte = byte // 128 * 128 + (byte % 128 // 16 ^ byte // 128 % (swizzle // 16)) * 16 + byte % 16
        expected_raw[byte // 4] = index + 1 if inside else 0
        if inside:
            expected[index] = index + 1
    right = read(raw, BOX_BYTES) == struct.pack("<%dI" % len(expected_raw), *expected_raw)
    right = right and read(target, 4 * count) == struct.pack("<%dI" % count, *expected)
    print(extents, box, "swizzle", swizzle, "at", place, "as expected" if right else "differs")
    return right


if sys.argv[1] == "emit":
    print("llvm.mlir.global internal @box() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<%d x i8>" %
          BOX_BYTES)
    print("llvm.mlir.global internal @full() {addr_space = 3 : i32, alignment = 8 : i64} : !llvm.array<1 x i64>")
    for rank in (2, 3):
        emit(rank)
    sys.exit()
cuda = ctypes.CDLL(sys.argv[2])
context, module, stream = [ctypes.c_void_p() for i in range(3)]
call("cuInit", 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
call("cuCtxPushCurrent_v2", context)
call("cuStreamCreate", ctypes.byref(stream), 1)
call("cuModuleLoadDataEx", ctypes.byref(module), b"", 0, None, None)
results = [run((40, 32), (32, 16), 128, place) for place in ((0, 0), (8, 16), (20, 24), (-4, -3))]
results += [run((40, 64), (16, 32), 64, (8, 3)), run((40, 96), (8, 64), 32, (4, 5)), run((64, 40), (32, 16), 0, (1, 30))]
results += [run((36, 6, 12), (32, 4, 4), 128, place) for place in ((0, 0, 0), (4, 2, 8), (8, 4, -2))]
sys.exit(not all(results))
