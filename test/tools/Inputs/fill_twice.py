# ===- fill_twice.py - Vulkan commands with and without a barrier ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 fill_twice.py barrier|hazard

Records two fills of one buffer with a barrier between them, or without, which
the validation layer must detect."""

import ctypes
import os
import struct
import sys

vulkan = ctypes.CDLL(os.environ.get("VIT_VULKAN_LIBRARY", "libvulkan.so.1"))
keep = []  # keeps the targets of pointers alive


def block(layout, *values):
    """A structure in C layout ('P': a pointer, 0x: explicit padding)."""
    data = struct.pack("=" + layout.replace("P", "Q"), *values)
    buffer = ctypes.create_string_buffer(data, len(data))
    keep.append(buffer)
    return ctypes.addressof(buffer)


def call(function, *arguments):
    """Calls a function that returns a VkResult or nothing; integers have 64 bits."""
    status = getattr(vulkan, function)(*[
        ctypes.c_uint64(a) if isinstance(a, int) else a for a in arguments])
    if function not in VOID and status != 0:
        sys.exit("%s: %d" % (function, status))


VOID = ["vkGetDeviceQueue", "vkGetBufferMemoryRequirements", "vkCmdFillBuffer",
        "vkCmdPipelineBarrier", "vkDestroyCommandPool", "vkDestroyBuffer", "vkFreeMemory",
        "vkDestroyDevice", "vkDestroyInstance"]


def create(function, *arguments):
    handle = ctypes.c_uint64()
    call(function, *arguments, ctypes.byref(handle))
    return handle.value


application = block("i4xPPi4xPii", 0, 0, 0, 0, 0, 0, 1 << 22 | 1 << 12)
instance = create("vkCreateInstance", block("i4xPi4xPi4xPi4xP", 1, 0, 0, application, 0, 0, 0, 0), 0)
count, device = ctypes.c_uint32(1), ctypes.c_uint64()
call("vkEnumeratePhysicalDevices", instance, ctypes.byref(count), ctypes.byref(device))
physical = device.value
queue = block("i4xPiii4xP", 2, 0, 0, 0, 1, block("f", 1.0))
device = create("vkCreateDevice", physical,
                block("i4xPiiPi4xPi4xPP", 3, 0, 0, 1, queue, 0, 0, 0, 0, 0), 0)
buffer = create("vkCreateBuffer", device, block("i4xPi4xQiii4xP", 12, 0, 0, 1024, 2, 0, 0, 0), 0)
needs = ctypes.create_string_buffer(24)
call("vkGetBufferMemoryRequirements", device, buffer, needs)
size, _, types = struct.unpack("=QQI4x", needs.raw)
memory = create("vkAllocateMemory", device,
                block("i4xPQi4x", 5, 0, size, (types & -types).bit_length() - 1), 0)
call("vkBindBufferMemory", device, buffer, memory, 0)
pool = create("vkCreateCommandPool", device, block("i4xPii", 39, 0, 0, 0), 0)
commands = create("vkAllocateCommandBuffers", device, block("i4xPQii", 40, 0, pool, 0, 1))
call("vkBeginCommandBuffer", commands, block("i4xPi4xP", 42, 0, 1, 0))
call("vkCmdFillBuffer", commands, buffer, 0, 1024, 1)
if sys.argv[1] == "barrier":
    TRANSFER, WRITE = 0x1000, 0x1000
    barrier = block("i4xPii", 46, 0, WRITE, WRITE)
    call("vkCmdPipelineBarrier", commands, TRANSFER, TRANSFER, 0, 1, barrier, 0, 0, 0, 0)
call("vkCmdFillBuffer", commands, buffer, 0, 1024, 2)
call("vkEndCommandBuffer", commands)
call("vkDestroyCommandPool", device, pool, 0)
call("vkDestroyBuffer", device, buffer, 0)
call("vkFreeMemory", device, memory, 0)
call("vkDestroyDevice", device, 0)
call("vkDestroyInstance", instance, 0)
