# ===- driver_tensor.py - Tensor maps through the fake driver ---------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""driver_tensor.py DRIVER FOLDER: makes maps that cuTensorMapEncodeTiled must
refuse; then runs the kernel of gemm_wgmma.py in VIT_SIM_KERNELS and writes its
operands and results into FOLDER, as vit-simulate --save does."""

import ctypes
import random
import struct
import sys

path, folder = sys.argv[1:]
cuda = ctypes.CDLL(path)
BF16, SWIZZLE_128 = 9, 3


def call(name, *arguments):
    result = getattr(cuda, name)(*arguments)
    if result:
        sys.exit("%s: %d" % (name, result))


def encode(map, address, columns, rows, box, type=BF16, swizzle=SWIZZLE_128, strides=None):
    return cuda.cuTensorMapEncodeTiled(
        ctypes.c_void_p(map), type, 2, ctypes.c_void_p(address), (ctypes.c_uint64 * 2)(columns, rows),
        (ctypes.c_uint64 * 1)(strides or 2 * columns), (ctypes.c_uint32 * 2)(*box), (ctypes.c_uint32 * 2)(1, 1), 0,
        swizzle, 2, 0)


context, module, function, stream = [ctypes.c_void_p() for i in range(4)]
call("cuInit", 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
call("cuCtxPushCurrent_v2", context)
call("cuStreamCreate", ctypes.byref(stream), 1)
call("cuModuleLoadDataEx", ctypes.byref(module), b"", 0, None, None)
call("cuModuleGetFunction", ctypes.byref(function), module, b"gemm")
call("cuFuncSetAttribute", function, 8, 90112)

generator = random.Random(1)
sizes = [256 * 256 * 2, 64 * 256 * 2, 256 * 64 * 2]
hosts = [b"".join(struct.pack("<f", generator.uniform(-1, 1))[2:] for i in range(size // 2)) for size in sizes[:2]]
devices = []
for size in sizes:
    device = ctypes.c_uint64()
    call("cuMemAlloc_v2", ctypes.byref(device), ctypes.c_size_t(size))
    devices.append(device)
for host, device in zip(hosts, devices):
    call("cuMemcpyHtoDAsync_v2", device, host, ctypes.c_size_t(len(host)), stream)

buffer = ctypes.create_string_buffer(4 * 128)
first = (ctypes.addressof(buffer) + 63) // 64 * 64
maps = [first, first + 128, first + 256]
a = devices[0].value
refused = [encode(maps[0] + 8, a, 256, 256, (64, 128)), encode(maps[0], a + 8, 256, 256, (64, 128)),
           encode(maps[0], a, 256, 256, (128, 128)), encode(maps[0], a, 256, 256, (64, 512)),
           encode(maps[0], a, 256, 0, (64, 128)), encode(maps[0], a, 256, 256, (64, 128), type=14),
           encode(maps[0], a, 256, 256, (64, 128), swizzle=4), encode(maps[0], a, 256, 256, (64, 128), strides=520)]
print("refused", *refused)
for map, device, shape in zip(maps, devices, [(256, 256, (64, 128)), (256, 64, (64, 64)), (64, 256, (64, 64))]):
    if encode(map, device.value, *shape):
        sys.exit("a map is refused")
pointers = [ctypes.addressof(device) for device in devices] + maps
call("cuLaunchKernel", function, 2, 1, 1, 384, 1, 1, 90112, stream, (ctypes.c_void_p * 6)(*pointers), None)
result = ctypes.create_string_buffer(sizes[2])
call("cuMemcpyDtoHAsync_v2", result, devices[2], ctypes.c_size_t(sizes[2]), stream)
call("cuStreamSynchronize", stream)
for i, data in enumerate(hosts + [result.raw]):
    with open("%s/%d.f32" % (folder, i), "wb") as file:
        file.write(data)
