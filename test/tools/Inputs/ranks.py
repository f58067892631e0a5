# ===- ranks.py - Starts and finds ranks -----------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""What the tests of training on several ranks share. Ranks are processes of one
machine; they may be more than its cores."""

import json
import os
import shutil
import signal
import subprocess

# By the name of the plug-in: the launcher, and the variable with a rank's number.
LAUNCHERS = {"openmpi": (["mpirun.openmpi", "--oversubscribe", "--allow-run-as-root"],
                         "OMPI_COMM_WORLD_RANK"),
             "mpich": (["mpirun.mpich"], "PMI_RANK")}
MARK = "VIT_TEST_RUN"
SECONDS = 200  # A launcher that takes longer hangs.


def launcher(mpi, ranks):
    return LAUNCHERS[mpi][0] + (["-n", str(ranks)] if ranks else [])


def environment(mark=""):
    # Open MPI writes to the home and refuses root without these.
    return dict(os.environ, **{MARK: mark, "OMPI_MCA_btl_vader_single_copy_mechanism": "none"})


def run(command, status=0, mark=""):
    """Runs a command; returns what it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=SECONDS, env=environment(mark))
    assert (done.returncode == 0) == (status == 0), \
        "%s\nended with %d\n%s" % (" ".join(command), done.returncode, done.stdout)
    return done.stdout


def merge(options, more):
    """Both, where of an option in both the second counts."""
    merged = {}
    for word in [*options, *more]:
        if word.startswith("--"):
            name = word
            merged[name] = []
        else:
            merged[name].append(word)
    return [word for name, values in merged.items() for word in [name, *values]]


def errors_of(output):
    return [line for line in output.splitlines() if line.startswith("error: ")]


def processes(mpi, mark):
    """The pids of the ranks of a run, by rank."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                values = dict(part.split(b"=", 1) for part in file.read().split(b"\0") if b"=" in part)
            with open("/proc/%s/comm" % pid) as file:
                name = file.read().strip()
            with open("/proc/%s/stat" % pid) as file:
                state = file.read().rsplit(")")[1].split()[0]
        except OSError:
            continue
        rank = values.get(LAUNCHERS[mpi][1].encode())
        if name == "vit-run" and state != "Z" and rank and values.get(MARK.encode()) == mark.encode():
            found[int(rank)] = int(pid)
    return found


def end_all(mpi, mark):
    for pid in processes(mpi, mark).values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def add_dropout(source, target):
    """Copies the text of a model and adds dropout to its layers."""
    with open(source) as file:
        text = file.read()
    before = "%next = vit.add %fc2, %attended"
    assert text.count(before) == 1
    text = text.replace(before, '%dropped = vit.dropout %fc2 probability 0.1 : !tokens loc("blocks.{}.mlp.fc2")\n'
                                "      %next = vit.add %dropped, %attended")
    with open(target, "w") as file:
        file.write(text)


def log_of(out):
    """The log without what differs between equal runs."""
    lines = []
    with open(out + "/log.jsonl") as file:
        for line in map(json.loads, file):
            if line["kind"] in ("step", "epoch"):
                for name in ("seconds", "images_per_second"):
                    line.pop(name, None)
                lines.append(line)
    return lines


def remove(*folders):
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
