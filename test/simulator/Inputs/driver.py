# ===- driver.py - Calls the fake driver directly ---------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""driver.py DRIVER KERNEL BYTES ALLOWED: launches KERNEL (no arguments, 32
threads) of VIT_SIM_KERNELS with BYTES of shared memory, after allowing it
ALLOWED bytes (none: does not ask). Prints each result."""

import ctypes
import sys

path, kernel, size, allowed = sys.argv[1:]
cuda = ctypes.CDLL(path)


def call(name, *arguments):
    result = getattr(cuda, name)(*arguments)
    print(name, result, flush=True)
    return result


limit = ctypes.c_int()
context, module, function, stream = [ctypes.c_void_p() for i in range(4)]
call("cuInit", 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
call("cuCtxPushCurrent_v2", context)
call("cuDeviceGetAttribute", ctypes.byref(limit), 97, 0)
print("largest", limit.value)
call("cuStreamCreate", ctypes.byref(stream), 1)
call("cuModuleLoadDataEx", ctypes.byref(module), b"", 0, None, None)
call("cuModuleGetFunction", ctypes.byref(function), module, kernel.encode())
if allowed != "none":
    call("cuFuncSetAttribute", function, 8, int(allowed))
if not call("cuLaunchKernel", function, 1, 1, 1, 32, 1, 1, int(size), stream, None, None):
    call("cuStreamSynchronize", stream)
