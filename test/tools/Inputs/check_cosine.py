# ===- check_cosine.py - Compares the directions of embeddings --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_cosine.py A.npy B.npy LEAST PICTURES: arrays of vit-run embed with the same
pictures, at least PICTURES, whose rows have a cosine of at least LEAST. Prints the
least one."""

import math
import sys

import files

(shape, a), (other, b) = (files.read_npy(path) for path in sys.argv[1:3])
least, pictures = float(sys.argv[3]), int(sys.argv[4])
names = [open(path[:-4] + ".txt").read().splitlines() for path in sys.argv[1:3]]
if shape != other or names[0] != names[1] or shape[0] < pictures:
    sys.exit("%s of %d pictures and %s of %d are not the same pictures, at least %d" %
             (shape, len(names[0]), other, len(names[1]), pictures))
dot = lambda x, y: sum(p * q for p, q in zip(x, y))
rows = [range(i * shape[1], (i + 1) * shape[1]) for i in range(shape[0])]
found = []
for row, name in zip(rows, names[0]):
    x, y = [a[i] for i in row], [b[i] for i in row]
    found.append((dot(x, y) / math.sqrt(dot(x, x) * dot(y, y)), name))
print("least cosine of %d pictures: %.6f (%s)" % (len(found), *min(found)))
sys.exit(not min(found)[0] >= least)
