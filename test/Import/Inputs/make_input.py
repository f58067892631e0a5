#!/usr/bin/env python3
# ===- make_input.py - Writes an input as .npy ------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""make_input.py OUT.npy DIM...   a reproducible float array of this shape"""

import math
import struct
import sys

dims = [int(size) for size in sys.argv[2:]]
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,)}" % (
    ", ".join(map(str, dims)))
header += " " * (-(11 + len(header)) % 64) + "\n"
count = math.prod(dims)
with open(sys.argv[1], "wb") as file:
    file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) +
               header.encode())
    file.write(struct.pack("<%df" % count,
                           *(math.sin(i) for i in range(count))))
