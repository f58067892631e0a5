# ===- check_package.py - Builds applications with the installed package ---===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_package.py SOURCE BUILD WORK MODULE PICTURE BEST TRAIN DATA

Installs BUILD to WORK/prefix, moves it (packages must be relocatable), builds
SOURCE/examples with find_package and with pkg-config, and runs both on PICTURE:
they must print the first class in BEST, the JSON of vit-run classify. The
training example must fit DATA with the module TRAIN, and write the weights.
"""

import glob
import json
import os
import shutil
import subprocess
import sys

source, build, work, module, picture, best, train, data = sys.argv[1:9]
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


def check_label(program):
    """A line of CSV for each picture; one that cannot be read is reported."""
    folder = work + "/pictures"
    os.makedirs(folder)
    for name in "abcde":
        shutil.copy(picture, folder)
        os.rename(os.path.join(folder, os.path.basename(picture)), "%s/%s.png" % (folder, name))
    lines = run(program, module, folder, "3").splitlines()
    if [line.split(",")[:2] for line in lines] != [["%s/%s.png" % (folder, n), prediction["label"]] for n in "abcde"]:
        sys.exit("%s printed %s" % (program, lines))
    with open(folder + "/f.png", "w") as file:
        file.write("text")
    result = subprocess.run([program, module, folder], capture_output=True, text=True)
    if result.returncode != 1 or "f.png" not in result.stderr or result.stdout.splitlines() != lines:
        sys.exit("%s: %s" % (program, result))


def check_training(program):
    """The class of a picture is its folder."""
    for category in sorted(os.listdir(data)):
        example = glob.glob(os.path.join(data, category, "*"))[0]
        weights = work + "/" + category + ".safetensors"
        lines = run(program, train, data, "40", weights, example).splitlines()
        losses = [float(line.split("loss ")[1].split(",")[0])
                  for line in lines[:-1]]
        if len(losses) != 40 or losses[-1] > losses[0] / 4:
            sys.exit("losses of %s: %s" % (program, losses))
        if lines[-1] != category:
            sys.exit("%s took a %s for a %s" % (program, category, lines[-1]))
        with open(weights, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        if len(header) < 20:
            sys.exit("%s wrote only %s" % (program, sorted(header)))
        print("%s: loss %s to %s" % (category, losses[0], losses[-1]))


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
run("cmake", "--install", build, "--prefix", work + "/first")
prefix = work + "/moved"
os.rename(work + "/first", prefix)
compiler = os.environ.get("CC") or shutil.which("cc") or "clang-22"
cxx = os.environ.get("CXX") or shutil.which("c++") or "clang++-22"

run("cmake", "-G", "Ninja", "-S", source + "/examples", "-B", work + "/cmake",
    "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_C_COMPILER=" + compiler, "-DCMAKE_CXX_COMPILER=" + cxx)
run("cmake", "--build", work + "/cmake")
check(work + "/cmake/classify")
check_training(work + "/cmake/finetune")
check_label(work + "/cmake/label")

configs = glob.glob(prefix + "/lib*/**/pkgconfig", recursive=True)
environment = dict(os.environ, PKG_CONFIG_PATH=":".join(configs))
flags = run("pkg-config", "--cflags", "--libs", "vit-runtime", "vit-data",
            env=environment).split()
library = os.path.dirname(configs[0])
run(compiler, source + "/examples/classify.c", *flags, "-Wl,-rpath," + library,
    "-o", work + "/classify")
check(work + "/classify")

# The installed tools find their libraries, including the compiler.
run(prefix + "/bin/vit-run", "classify", module, picture)
if os.path.exists(prefix + "/bin/vit-compile"):
    run(prefix + "/bin/vit-compile", "--version")
