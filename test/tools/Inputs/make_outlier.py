# ===- make_outlier.py - A checkpoint with channels that int8 loses --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""make_outlier.py SOURCE TARGET FACTOR LAYER [LAYER ...]

Copies the ViT of transformers in SOURCE. In each LAYER, one channel of the norm
before the MLP is FACTOR times larger and its column of the first product as
many times smaller, which changes nothing in f32: int8 rounds the other channels
of a row to multiples of a scale that the large one determines.
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import files

source, target, factor = sys.argv[1], sys.argv[2], float(sys.argv[3])
shutil.copytree(source, target)
path = target + "/model.safetensors"
tensors = files.read_safetensors(path)
for layer in sys.argv[4:]:
    prefix = "vit.encoder.layer.%s." % layer
    rows, columns = tensors[prefix + "intermediate.dense.weight"][0]
    for name in ("weight", "bias"):
        tensors[prefix + "layernorm_after." + name][1][3] *= factor
    for row in range(rows):
        tensors[prefix + "intermediate.dense.weight"][1][row * columns + 3] /= factor
files.write_safetensors(path, tensors)
