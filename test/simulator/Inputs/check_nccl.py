# ===- check_nccl.py - Processes whose GPUs exchange gradients -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""vit-run train on two ranks with a simulated GPU each: gradients that NCCL
exchanges are those that go through the host, where NCCL cannot be used they do,
and what fails on one rank ends the run with one error.

  python3 check_nccl.py FOLDER MPI LIBRARIES SOURCE

FOLDER is that of make_tiny.py, LIBRARIES has those of the simulator.
"""

import glob
import os
import re
import signal
import subprocess
import sys
import time

folder, mpi, libraries, source = sys.argv[1:5]
sys.path.insert(0, source + "/test/tools/Inputs")
import ranks  # noqa: E402

MARK = "nccl"
NCCL = libraries + "/libvit-fake-nccl.so"
os.environ.update(VIT_CUDA_LIBRARY=libraries + "/libvit-fake-cuda.so", VIT_NCCL_LIBRARY=NCCL, VIT_SIM_DEVICES="2",
                  VIT_SIM_SCHEDULES="in-order", VIT_PTXAS="", XDG_CACHE_HOME=folder + "/cache")
COMMON = ["--device", "cuda", "--level", "sm_80", "--data", folder + "/data", "--batch", "4", "--lr", "0.01",
          "--seed", "3", "--eval-every", "0", "--epochs", "100000"]


def train(out, *more, **environment):
    """A rank's command. None as a value: the variable is not set."""
    settings = [name + "=" + value for name, value in environment.items()]
    return ["env", *settings, "vit-run", "train", folder + "/model.mlir", "--out", folder + "/" + out, *COMMON, *more]


def both(first, second):
    return ranks.launcher(mpi, 0) + ["-n", "1", *first, ":", "-n", "1", *second]


def compile_kernels():
    """What the simulator runs instead of the PTX of the module, which a first run compiles."""
    command = train("compiled", "--steps", "2", "--dump-ir", folder + "/ir")
    subprocess.run(both(["env", "VIT_SIM_KERNELS=none", *command], ["env", "VIT_SIM_KERNELS=none", *command]),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ranks.environment())
    names = []
    for text in [*glob.glob(folder + "/ir/sm_80*/*-vit-emit-simt.mlir"),
                 source + "/runtime/src/devices/cuda/add_pieces.mlir"]:
        names.append("%s/%d.so" % (folder, len(names)))
        subprocess.run(["vit-simulate", text, "-o", names[-1]], check=True)
    assert len(names) > 1
    os.environ["VIT_SIM_KERNELS"] = ":".join(names)


def read(out):
    with open(folder + "/" + out + "/last/model.safetensors", "rb") as file:
        return file.read()


def compare():
    steps = ["--steps", "4"]
    output = ranks.run(both(train("nccl", *steps), train("nccl", *steps)))
    assert "gradients go from GPU to GPU by NCCL 2.28.9" in output, output
    reasons = [({"VIT_NCCL_LIBRARY": ""}, {"VIT_NCCL_LIBRARY": ""}, r"rank 0 \(.*\): VIT_NCCL_LIBRARY is empty"),
               ({}, {"VIT_NCCL_LIBRARY": folder + "/none.so"}, r"rank 1 \(.*\): there is no NCCL: .*none.so"),
               ({}, {"VIT_SIM_NCCL_VERSION": "21900"}, r"rank 1 \(.*\): another version of NCCL than that of rank 0"),
               ({"VIT_SIM_NCCL_VERSION": "21000"}, {}, r"rank 0 \(.*\): NCCL 2.10.0 is too old: 2.14 or newer"),
               ({"VIT_SIM_DEVICES": "1"}, {"VIT_SIM_DEVICES": "1"}, r"rank 1 \(.*\): its GPU is that of rank 0")]
    for number, (first, second, reason) in enumerate(reasons):
        # The first one in full: the bits. Of the others, what is said.
        out, count = ("host", steps) if number == 0 else ("noted", ["--steps", "2"])
        ranks.remove(folder + "/" + out)
        output = ranks.run(both(train(out, *count, **first), train(out, *count, **second)))
        assert re.search("^gradients go through the host: " + reason, output, re.M), output
    assert ranks.log_of(folder + "/nccl") == ranks.log_of(folder + "/host")
    assert read("nccl") == read("host")
    print("through the host: the same bits")


def fail():
    for failing, what in [("ncclGetUniqueId:1", "make an identity"), ("ncclCommInitRankConfig:1", "connect the GPUs"),
                          ("ncclGroupEnd:9", "(send gradients|gather sums)")]:
        for first, second, who in [(failing, failing, ""), ("", failing, r"rank 1 \(.*\): ")]:
            if not first and "UniqueId" in failing:
                continue  # rank 0 makes it
            ranks.remove(folder + "/failed")
            output = ranks.run(both(train("failed", VIT_SIM_NCCL_FAIL=first), train("failed", VIT_SIM_NCCL_FAIL=second)),
                               status=1)
            errors = ranks.errors_of(output)
            assert len(errors) == 1 and re.match("error: %sNCCL could not %s.*: unhandled system error;.*VIT_NCCL_LIBRARY="
                                                 % (who, what), errors[0]), output
    print("errors of NCCL: one error each")


def end(number, pattern, most, *more):
    """A signal at rank 1 in the middle of a run."""
    ranks.remove(folder + "/ended")
    command = train("ended", *more)
    run = subprocess.Popen(both(command, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", env=ranks.environment(MARK))
    log = folder + "/ended/log.jsonl"
    until = time.monotonic() + 60
    while not (os.path.exists(log) and '"kind":"step","step":4' in open(log).read()):
        assert run.poll() is None and time.monotonic() < until, run.communicate()[0]
        time.sleep(0.02)
    os.kill(ranks.processes(mpi, MARK)[1], number)
    begin = time.monotonic()
    output, _ = run.communicate(timeout=60)
    took = time.monotonic() - begin
    errors = ranks.errors_of(output)
    # Open MPI continues a stopped rank before it ends it, which may then see that its own time is over.
    own = [e for e in errors[1:] if number == signal.SIGSTOP and "rank 1 (" in e and "did not send gradients" in e]
    assert run.returncode != 0 and len(errors) == 1 + len(own) and re.match(r"error: rank 1 \(.*\) " + pattern, errors[0]), output
    assert took < most, took
    assert not ranks.processes(mpi, MARK), "ranks are left"


try:
    compile_kernels()
    compare()
    fail()
    end(signal.SIGKILL, "has died", 10)
    end(signal.SIGSTOP, "has not answered for 3 seconds", 20, "--rank-timeout", "3")
    print("a rank that is killed, and one that is stopped: the run has ended")
finally:
    ranks.end_all(mpi, MARK)
