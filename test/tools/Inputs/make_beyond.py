# ===- make_beyond.py - Checkpoints that leave the range of f16 ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 make_beyond.py FOLDER

Copies FOLDER/vit of make_model.py to FOLDER/weight, where a weight of a layer is
65520, and to FOLDER/value, where an input of a layer is about 100000.
"""

import shutil
import sys

import files

LAYER = "vit.encoder.layer.1.intermediate.dense."

folder = sys.argv[1]
for copy, name, index, value in [("weight", "weight", 40, 65520.0),
                                 ("value", "bias", 3, 1e5)]:
    shutil.copytree(folder + "/vit", folder + "/" + copy)
    path = folder + "/" + copy + "/model.safetensors"
    tensors = files.read_safetensors(path)
    tensors[LAYER + name][1][index] = value
    files.write_safetensors(path, tensors)
