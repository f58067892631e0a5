# ===- check_package.py - An application against the installed package -----=== #
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------=== #
"""python3 check_package.py SOURCE BUILD WORK MODULE PICTURE BEST

Installs BUILD into WORK/prefix, moves it (a package must not know where it was
made), builds SOURCE/examples against it through find_package and through
pkg-config, and runs both on PICTURE: they must print what BEST, the JSON of
vit-run classify, names first.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

source, build, work, module, picture, best = sys.argv[1:7]
with open(best) as file:
    prediction = json.load(file)[0]["predictions"][0]
label = "class %d (%s)" % (prediction["index"], prediction["label"])


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit("%s\n%s%s" % (" ".join(command), result.stdout, result.stderr))
    return result.stdout


def check(program):
    output = run(program, module, picture)
    if label not in output:
        sys.exit("%s printed %r, not %s" % (program, output, label))
    print(output.strip())


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
run("cmake", "--install", build, "--prefix", work + "/first")
prefix = work + "/moved"
os.rename(work + "/first", prefix)
compiler = os.environ.get("CC") or shutil.which("cc") or "clang-22"

run("cmake", "-G", "Ninja", "-S", source + "/examples", "-B", work + "/cmake",
    "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_C_COMPILER=" + compiler)
run("cmake", "--build", work + "/cmake")
check(work + "/cmake/classify")

configs = glob.glob(prefix + "/lib*/**/pkgconfig", recursive=True)
environment = dict(os.environ, PKG_CONFIG_PATH=":".join(configs))
flags = run("pkg-config", "--cflags", "--libs", "vit-runtime", "vit-data",
            env=environment).split()
library = os.path.dirname(configs[0])
run(compiler, source + "/examples/classify.c", *flags, "-Wl,-rpath," + library,
    "-o", work + "/classify")
check(work + "/classify")

# The installed tools find their libraries, the compiler included.
run(prefix + "/bin/vit-run", "classify", module, picture)
if os.path.exists(prefix + "/bin/vit-compile"):
    run(prefix + "/bin/vit-compile", "--version")
