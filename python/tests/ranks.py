# ===- ranks.py - Trains the same on one rank or on several ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python ranks.py DATA OUT ACCUMULATE: run by mpirun, each rank trains on its share; two batches
per update in all. Rank 0 prints the losses."""

import os
import sys

import numpy
import support
import vitrt

data, out, accumulate = sys.argv[1], sys.argv[2], int(sys.argv[3])
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))
size = int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1"))
records = []
model = vitrt.load(support.SHAPES, quiet=True, threads=1)
trainer = model.finetune(data, test=data, epochs=2, batch=4, lr=1e-4, flip=True, accumulate=accumulate,
                         callback=records.append)
trainer.save(out)
losses = [record["loss"] for record in records if record["kind"] == "step"]
assert len(losses) == trainer.steps and len(trainer.history) == 2, (len(losses), trainer.steps)

# The host's own loop: each rank brings its batch.
own = model.finetune(classes=["a", "b"], lr=1e-4, accumulate=accumulate)
images = support.batch(4)
for step in range(4):
    if step % size == rank:
        mine = images[step:step + 1], numpy.array([step % 2])
    if step % size == size - 1:
        own.step(*mine, lr=1e-3)
own.save(out + "-own")

# What fails on one rank is an exception on all.
try:
    model.finetune(data if rank == 0 else data + "-none", epochs=1, batch=4, lr=1e-4)
    raise AssertionError("no data, and no error")
except vitrt.Error as error:
    assert size == 1 or "-none" in str(error), error
except AssertionError:
    assert size == 1
if rank == 0:
    print("%d losses, the last is %.9g" % (len(losses), losses[-1]))
