#!/usr/bin/env python3
#===- check_cache.py - The models that vit-run cache names -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===------------------------------------------------------------------------===#
#
# usage: check_cache.py MODEL COMMAND...
#
# Fails unless a line of what COMMAND prints names MODEL and a file; does nothing
# where files of the cache cannot have extended attributes.
#
#===------------------------------------------------------------------------===#

import os
import subprocess
import sys

model, command = sys.argv[1], sys.argv[2:]
probe = os.path.join(os.environ["XDG_CACHE_HOME"], "probe")
try:
    open(probe, "w").close()
    os.setxattr(probe, "user.vit.test", b"x")
except OSError:
    sys.exit(0)
finally:
    os.remove(probe)
lines = subprocess.run(command, capture_output=True, text=True,
                       check=True).stdout.splitlines()
assert any("  " + os.path.abspath(model) + "  " in line
           and line.endswith(".vitm") for line in lines), lines
