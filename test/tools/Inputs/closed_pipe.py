# ===- closed_pipe.py - Runs a command whose output nobody reads -----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""closed_pipe.py COMMAND...: standard output is a pipe that was closed on the
other side. Succeeds if the command does so without an error message."""
import os
import subprocess
import sys

read, write = os.pipe()
os.close(read)
result = subprocess.run(sys.argv[1:], stdout=write, stderr=subprocess.PIPE, text=True)
messages = [line for line in result.stderr.splitlines() if "error" in line or "roken pipe" in line]
if result.returncode != 0 or messages:
    sys.exit(f"exit status {result.returncode}: {result.stderr}")
