# ===- make_training.py - Writes small training sets, some damaged ---------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes reproducible files to a folder:

  cifar/    CIFAR-10's binary format, 50 + 20 pictures of 3 classes that differ
            in colour
  label/ cut/ small/   the same with a label of 10, truncated within a record,
            MNIST with 28 x 28 pixels
  folder/   train/{a,b}, val/{a,b}: PNGs of 20 x 24 pixels; bad/: the same with
            a damaged one
  order.npy, wrong.npy, float.npy   i32 [2, 50]; with a picture 50; f32

  python3 make_training.py FOLDER
"""

import os
import random
import shutil
import struct
import sys

import files

folder = sys.argv[1]
random.seed(3)
COLORS = [(200, 60, 40), (50, 190, 70), (60, 50, 210)]


def record(label):
    body = bytes([label])
    for channel in range(3):
        body += bytes(min(255, max(0, int(random.gauss(COLORS[label][channel], 40))))
                      for _ in range(1024))
    return body


def write(name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


train = [record(i % 3) for i in range(50)]
test = [record(i % 3) for i in range(20)]
write("cifar/data_batch_1.bin", b"".join(train))
write("cifar/test_batch.bin", b"".join(test))
write("label/data_batch_1.bin", b"".join(train) + b"\x0a" + train[0][1:])
write("cut/data_batch_1.bin", b"".join(train)[:-100])
write("small/train-images-idx3-ubyte", struct.pack(">IIII", 2051, 2, 28, 28) + bytes(2 * 784))
write("small/train-labels-idx1-ubyte", struct.pack(">II", 2049, 2) + bytes([1, 2]))

for part, count in [("train", 6), ("val", 3)]:
    for kind, label in enumerate("ab"):
        os.makedirs("%s/folder/%s/%s" % (folder, part, label), exist_ok=True)
        for i in range(count):
            files.write_png("%s/folder/%s/%s/%d.png" % (folder, part, label, i), 20, 24,
                            lambda x, y: (x * i % 256, y * 9 % 256, 200 * kind))
shutil.copytree(folder + "/folder", folder + "/bad")
with open(folder + "/bad/train/a/2.png", "r+b") as file:
    file.truncate(60)

order = list(range(50))
rows = []
for _ in range(2):
    random.shuffle(order)
    rows += order
files.write_npy(folder + "/order.npy", [2, 50], rows, "<i4")
files.write_npy(folder + "/wrong.npy", [2, 50], rows[:-1] + [50], "<i4")
files.write_npy(folder + "/float.npy", [2, 50], rows)
