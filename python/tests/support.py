# ===- support.py - What the tests of the Python package share -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Models and pictures to test with. The tests run where vit-run is on the PATH."""

import atexit
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

import vitrt

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
SHAPES = os.path.join(SOURCE, "test/data/demo/shapes-vit")
SIZE = 64


def has(module):
    return importlib.util.find_spec(module) is not None


@functools.lru_cache(maxsize=None)
def work_folder():
    folder = tempfile.mkdtemp(prefix="vitrt-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.lru_cache(maxsize=None)
def pictures():
    """Twelve drawn PNG files."""
    folder = os.path.join(work_folder(), "pictures")
    draw = os.path.join(SOURCE, "test/data/demo/draw.py")
    subprocess.run([sys.executable, draw, "--out", folder, "--seed", "5", "--count", "2"], check=True,
                   stdout=subprocess.DEVNULL)
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))[:12]


@functools.lru_cache(maxsize=None)
def shapes():
    """A model, compiled on first use."""
    return vitrt.load(SHAPES, quiet=True, threads=1)


@functools.lru_cache(maxsize=None)
def module():
    """The path of the same model as a module."""
    path = os.path.join(work_folder(), "shapes.vitm")
    run(["vit-compile", SHAPES, "-o", path, "--outputs", "logits,features,attention_*", "--level", "avx2"])
    return path


def run(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def classify_json(paths, *options):
    return json.loads(run(["vit-run", "classify", SHAPES, *paths, "--json", *options]))


def state_dict():
    """The tensors of SHAPES by name, and its two configurations."""
    import numpy

    with open(os.path.join(SHAPES, "model.safetensors"), "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    kinds = {"F16": numpy.float16, "F32": numpy.float32}
    tensors = {
        name: numpy.frombuffer(data[slice(*one["data_offsets"])], kinds[one["dtype"]]).reshape(one["shape"])
        for name, one in header.items()
    }
    configs = []
    for name in ("config.json", "preprocessor_config.json"):
        with open(os.path.join(SHAPES, name)) as file:
            configs.append(json.load(file))
    return tensors, *configs


def batch(count=2, seed=0):
    import numpy

    return numpy.random.default_rng(seed).standard_normal((count, 3, SIZE, SIZE), dtype=numpy.float32)
