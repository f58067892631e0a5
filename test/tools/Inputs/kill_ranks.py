# ===- kill_ranks.py - Ranks that are killed or stopped --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Trains the tiny model of make_tiny.py on 3 ranks with a checkpoint after each
update and kills a random rank (SIGKILL) at KILLS random moments. Each time the run
must end within 30 s with one error that names the rank, leave no process and a
complete checkpoint, and resume; at the end weights, optimizer states and losses
have the bits of an uninterrupted run on one rank.

  python3 kill_ranks.py FOLDER MPI KILLS [SEED]
"""

import os
import random
import re
import signal
import subprocess
import sys
import time

import kill_resume
import ranks

RANKS, LIMIT, MARK = 3, 30, "kill-ranks"
folder, mpi, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])


def command(out, count, *more):
    options = ["--batch", "16", "--epochs", "100000", "--seed", "3", "--lr", "0.01", "--eval-every", "10",
               "--checkpoint-every", "3", "--threads", "1", "--accumulate", str(RANKS // count)]
    return (ranks.launcher(mpi, count) if count > 1 else []) + [
        "vit-run", "train", folder + "/model.mlir", "--data", folder + "/data", "--out", folder + "/" + out,
        *options, *more]


def kill_one(generator, seconds):
    """Starts a run, kills one rank after some seconds; returns how long the others lived, and what
    they said."""
    run = subprocess.Popen(command("killed", RANKS, "--resume"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", env=ranks.environment(MARK))
    time.sleep(seconds)
    found = ranks.processes(mpi, MARK)
    if len(found) < RANKS:  # Not all have started: the launcher's own business.
        time.sleep(1)
        found = ranks.processes(mpi, MARK)
    assert len(found) == RANKS, (found, run.poll())
    victim = generator.randrange(RANKS)
    os.kill(found[victim], signal.SIGKILL)
    begin = time.monotonic()
    output, _ = run.communicate(timeout=2 * LIMIT)
    took = time.monotonic() - begin
    assert run.returncode != 0 and took < LIMIT, (took, run.returncode, output)
    assert not ranks.processes(mpi, MARK), "ranks are left"
    errors = ranks.errors_of(output)
    assert len(errors) <= 1, output
    # Before MPI is open only the launcher knows, and at the start not what --out holds.
    if errors:
        assert re.match(r"error: rank %d \(.*\) has died.*out of memory\)($|; the last checkpoint, .*, is of step \d+|; no checkpoint)" %
                        victim, errors[0]), errors
    return took, len(errors)


def main():
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    print("seed %d" % seed, flush=True)
    generator = random.Random(seed)
    for out in ["whole", "killed"]:
        ranks.remove(folder + "/" + out)
    begin = time.monotonic()
    ranks.run(command("whole", RANKS, "--steps", "3"))  # Compiles the model into the cache.
    ranks.remove(folder + "/whole")
    begin = time.monotonic()
    ranks.run(command("whole", RANKS, "--steps", "3"))
    start = time.monotonic() - begin
    ranks.remove(folder + "/whole")
    reached, longest, named = [], 0, 0
    try:
        for _ in range(kills):
            took, errors = kill_one(generator, generator.uniform(0.3 * start, 2 * start))
            longest, named = max(longest, took), named + errors
            reached.append(kill_resume.check_whole(folder + "/killed"))
            assert reached == sorted(reached), "steps were lost: %s" % reached
    finally:
        ranks.end_all(mpi, MARK)
    steps = reached[-1] + 6
    ranks.run(command("killed", RANKS, "--resume", "--steps", str(steps)))
    ranks.run(command("whole", 1, "--steps", str(steps)))
    for file in kill_resume.FILES:
        _, killed = kill_resume.read_file(folder + "/killed/last/" + file)
        _, whole = kill_resume.read_file(folder + "/whole/last/" + file)
        assert killed == whole, file + " differs"
    losses = [[line["loss"] for line in ranks.log_of(folder + "/" + out) if line["kind"] == "step"]
              for out in ["killed", "whole"]]
    assert losses[0] == losses[1], "the losses differ"
    print("%d ranks killed in %d steps, %d named by another rank, ended within %.1f s: the same bits" %
          (kills, steps, named, longest))


if __name__ == "__main__":
    main()
