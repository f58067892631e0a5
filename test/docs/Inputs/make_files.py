# ===- make_files.py - Small files in place of downloads -------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 make_files.py npy FILE DIMENSION...    an f32 array
   python3 make_files.py cifar FOLDER             CIFAR-10's binary files with few pictures
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/Inputs"))
import files

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def write_array(path, *dimensions):
    count = 1
    for size in dimensions:
        count *= int(size)
    files.write_npy(path, [int(size) for size in dimensions],
                    [random.random() for _ in range(count)])


def write_cifar(folder):
    os.makedirs(folder)
    names = ["data_batch_%d.bin" % i for i in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            for label in range(len(CLASSES)):
                file.write(bytes([label]) + random.randbytes(3072))
    with open(os.path.join(folder, "batches.meta.txt"), "w") as file:
        file.write("\n".join(CLASSES) + "\n")


random.seed(1)
{"npy": write_array, "cifar": write_cifar}[sys.argv[1]](*sys.argv[2:])
