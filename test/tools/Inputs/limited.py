# ===- limited.py - Runs a command with limited disk space -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs a command with limited disk space; returns its exit status.

  python3 limited.py file BYTES COMMAND...
      limits the size of each file to BYTES
  python3 limited.py disk BYTES FOLDER COMMAND...
      copies FOLDER to a disk of BYTES (a tmpfs in a new mount namespace) for
      the command and back afterwards; if this is not possible, prints the
      reason and limits file sizes instead
"""

import os
import resource
import shutil
import subprocess
import sys


def run_limited(size, command):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return subprocess.run(command, restore_signals=False).returncode


def run_inside(size, folder, command):
    kept = folder + ".kept"
    shutil.copytree(folder, kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", folder],
                   check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    status = subprocess.run(command).returncode
    shutil.rmtree(kept)
    shutil.copytree(folder, kept)
    return status


def run_on_disk(size, folder, command):
    unshare = ["unshare", "--map-root-user", "--mount"]
    probe = folder + ".probe"
    os.makedirs(probe, exist_ok=True)
    try:
        able = subprocess.run(unshare + ["mount", "-t", "tmpfs", "none", probe],
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        able = False
    os.rmdir(probe)
    if not able:
        print("no small disk: this machine lets no one mount a tmpfs in a namespace", flush=True)
        return run_limited(min(size // 8, 65536), command)
    status = subprocess.run(unshare + [sys.executable, __file__, "inside", str(size), folder] +
                            command).returncode
    shutil.rmtree(folder)
    os.rename(folder + ".kept", folder)
    return status


kind, size = sys.argv[1], int(sys.argv[2])
if kind == "file":
    sys.exit(run_limited(size, sys.argv[3:]))
elif kind == "inside":
    sys.exit(run_inside(size, sys.argv[3], sys.argv[4:]))
else:
    sys.exit(run_on_disk(size, sys.argv[3], sys.argv[4:]))
