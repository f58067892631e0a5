# ===- in_group.py - Runs a command in a control group with a memory limit --===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""in_group.py BYTES STATUS COMMAND...: succeeds if the command exits with STATUS.
Prints "skipped", and succeeds, where no group can be made, which takes rights."""
import os
import subprocess
import sys


def memory_folder():
    """The group of this process in the hierarchy that limits memory, and the
    name of the file that holds the limit."""
    groups = [line.rstrip("\n").split(":", 2) for line in open("/proc/self/cgroup")]
    mounts = []
    for line in open("/proc/self/mountinfo"):
        first, second = line.split(" - ")
        mounts.append((second.split()[0], second.split()[-1], first.split()[3], first.split()[4]))
    for _, controllers, path in groups:
        for kind, options, root, point in mounts:
            below = "" if path == root else os.path.relpath(path, root)
            if kind == "cgroup" and "memory" in controllers.split(",") and "memory" in options.split(","):
                return os.path.join(point, below), "memory.limit_in_bytes"
            if kind == "cgroup2" and controllers == "":
                folder = os.path.join(point, below)
                if "memory" in open(os.path.join(folder, "cgroup.controllers")).read().split():
                    return folder, "memory.max"
    raise OSError("no hierarchy limits memory")


def main():
    try:
        parent, file = memory_folder()
        group = os.path.join(parent, f"vit-test-{os.getpid()}")
        if file == "memory.max":
            with open(os.path.join(parent, "cgroup.subtree_control"), "w") as control:
                control.write("+memory")
        os.mkdir(group)
    except OSError as error:
        print(f"skipped: no control group can be made: {error}")
        return 0
    try:
        with open(os.path.join(group, file), "w") as limit:
            limit.write(sys.argv[1])

        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w") as processes:
                processes.write(str(os.getpid()))

        return subprocess.run(sys.argv[3:], preexec_fn=enter).returncode != int(sys.argv[2])
    finally:
        os.rmdir(group)


sys.exit(main())
