# ===- check_module_size.py - The weights of a narrow ViT-Ti/16 ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_module_size.py MODULE BYTES

MODULE, of models/vit-ti16.mlir with stored weights, takes BYTES for each weight of
a layer's products, 2 for those of the patches and the head, 4 for all other
parameters, 8 for each channel of a product in int8 (its scale and the sum of its
weights), and at most 5 % more: alignment, code of one level and metadata.
"""
import os
import sys

width, depth, hidden, patches, classes = 192, 12, 768, 3 * 16 * 16, 1000
bytes_of_weight = int(sys.argv[2])
channels = depth * (3 * width + width + hidden + width)
products = depth * (4 * width * width + 2 * width * hidden)
ends = (patches + classes) * width
others = channels + depth * 4 * width + 2 * width + width + classes + (197 + 1) * width
expected = products * bytes_of_weight + 2 * ends + 4 * others + (8 * channels if bytes_of_weight == 1 else 0)
found = os.path.getsize(sys.argv[1])
print(f"{found} bytes, {found / expected:.3f} of the parameters")
if not expected <= found <= 1.05 * expected:
    sys.exit(f"{found} bytes, expected {expected} to {1.05 * expected:.0f}")
