# ===- check_mpi_faults.py - What goes wrong on one of several ranks ------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Ranks that differ are refused, signals end a run with a checkpoint, and a rank
that hangs or cannot write ends it with one error.

  python3 check_mpi_faults.py FOLDER MPI

FOLDER is that of make_tiny.py.
"""

import os
import re
import signal
import subprocess
import sys
import time

import kill_resume
import ranks

folder, mpi = sys.argv[1:3]
HERE = os.path.dirname(os.path.realpath(__file__))
MARK = "rank-faults"
COMMON = ["--batch", "16", "--lr", "0.01", "--threads", "1", "--seed", "3"]


def train(out, *more):
    options = ["--data", folder + "/data", "--out", folder + "/" + out, *COMMON]
    return ["vit-run", "train", folder + "/model.mlir", *ranks.merge(options, more)]


def both(first, second):
    """A command line with another command for rank 1."""
    return ranks.launcher(mpi, 0) + ["-n", "1", *first, ":", "-n", "1", *second]


def expect_error(command, pattern, mark=""):
    errors = ranks.errors_of(ranks.run(command, status=1, mark=mark))
    assert len(errors) == 1 and re.search(pattern, errors[0]), (command, errors)
    print("refused:", re.sub(r"\(\S+\)", "(HOST)", errors[0]).replace(folder, "FOLDER"))


def refuse():
    out = folder + "/refused"
    ranks.remove(out)
    expect_error(both(train("refused"), train("refused", "--lr", "0.02")),
                 r"rank 1 \(.*\) does not do the same as rank 0: lr is 0.01 here and 0.02 there")
    expect_error(both(train("refused"), train("refused", "--range", "0..63")),
                 r"rank 1 .*: (data|range) is .* here and .* there")
    expect_error(both(train("refused", "--level", "avx2"), ["env", "VIT_CPU_LEVEL=none", *train("refused")]),
                 r"rank 1 .*: .*VIT_CPU_LEVEL")
    expect_error(both(train("refused"), train("refused", "--data", folder + "/none")), r"rank 1 .*none")
    # An error that all ranks have is said once.
    expect_error(ranks.launcher(mpi, 2) + train("refused", "--init", folder + "/none"), r"^error: [^(]*none")
    assert not os.path.exists(out + "/log.jsonl")
    # Without the plug-in: rank 0 says so.
    done = subprocess.run(ranks.launcher(mpi, 2) + train("refused"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=dict(ranks.environment(), VIT_MPI_LIBRARY=folder + "/none.so"))
    assert done.returncode != 0 and "has started 2 processes, but the plug-in for MPI cannot be opened" in done.stdout, \
        done.stdout


def start(out, *more):
    run = subprocess.Popen(ranks.launcher(mpi, 2) + train(out, "--epochs", "100000", *more), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", env=ranks.environment(MARK))
    log = folder + "/" + out + "/log.jsonl"
    until = time.monotonic() + 60
    while not (os.path.exists(log) and '"kind":"step","step":4' in open(log).read()):
        assert run.poll() is None and time.monotonic() < until, run.communicate()[0]
        time.sleep(0.02)
    found = ranks.processes(mpi, MARK)
    assert len(found) == 2, found
    return run, found


def interrupt():
    """A signal at one rank: all stop after the same step, with a checkpoint."""
    for number, target in [(signal.SIGTERM, 1), (signal.SIGINT, 0), (signal.SIGUSR1, 1)]:
        ranks.remove(folder + "/stopped")
        run, found = start("stopped")
        os.kill(found[target], number)
        output, _ = run.communicate(timeout=30)
        assert run.returncode != 0 and not ranks.errors_of(output), output
        assert "stopped after step" in output, output
        steps = kill_resume.check_whole(folder + "/stopped")
        assert steps >= 4 and steps % 2 == 0, steps
    ranks.run(ranks.launcher(mpi, 2) + train("stopped", "--epochs", "100000", "--resume", "--steps", str(steps + 4)))
    ranks.remove(folder + "/straight")
    ranks.run(ranks.launcher(mpi, 2) + train("straight", "--epochs", "100000", "--steps", str(steps + 4)))
    for file in kill_resume.FILES:
        assert kill_resume.read_file(folder + "/stopped/last/" + file)[1] == \
            kill_resume.read_file(folder + "/straight/last/" + file)[1], file
    print("SIGTERM, SIGINT, SIGUSR1: stopped with a checkpoint, resumed with the same bits")


def hang():
    """A rank that the system has stopped."""
    ranks.remove(folder + "/hung")
    run, found = start("hung", "--rank-timeout", "5", "--checkpoint-every", "2")
    os.kill(found[1], signal.SIGSTOP)
    begin = time.monotonic()
    output, _ = run.communicate(timeout=60)
    took = time.monotonic() - begin
    errors = ranks.errors_of(output)
    assert run.returncode != 0 and len(errors) == 1, output
    assert re.match(r"error: rank 1 \(.*\) has not answered for 5 seconds.*the last checkpoint, .*hung/last, is of step",
                    errors[0]), errors
    assert took < 20, took
    assert not ranks.processes(mpi, MARK), "ranks are left"
    kill_resume.check_whole(folder + "/hung")
    print("a stopped rank: named, and the run has ended")


def start_alone():
    """A rank that never calls MPI_Init."""
    alone = both(train("alone", "--rank-timeout", "1"), ["sleep", "60"])
    begin = time.monotonic()
    expect_error(alone, r"rank 0: MPI has not connected the ranks within 3 seconds: one of them has ended", MARK)
    assert time.monotonic() - begin < 15
    print("a rank that never starts: noticed")


def fill():
    """Rank 0 has no space for a checkpoint: the previous one is kept."""
    ranks.remove(folder + "/full")
    ranks.run(ranks.launcher(mpi, 2) + train("full", "--steps", "2"))
    size = os.path.getsize(folder + "/full/last/model.safetensors")
    limited = [sys.executable, HERE + "/limited.py", "file", str(size // 2)]
    resume = train("full", "--resume", "--steps", "6", "--eval-every", "0")
    expect_error(both(limited + resume, resume), r"rank 0 .*no checkpoint was written.*the previous one")
    assert kill_resume.check_whole(folder + "/full") == 2


try:
    refuse()
    interrupt()
    hang()
    start_alone()
    fill()
finally:
    ranks.end_all(mpi, MARK)
