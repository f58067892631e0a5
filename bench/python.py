# ===- python.py - What the Python package costs ---------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""PYTHONPATH=BUILD/python python bench/python.py LIBVIT_RUNTIME MODULE [--rounds N]

Times model(x) of a .vitm beside vit_session_run of the same library by ctypes, in turn, with one
thread, and prints the medians, the median of the differences, and the time of `import vitrt`."""

import argparse
import ctypes
import statistics
import subprocess
import sys
import time

import numpy
import vitrt


class Tensor(ctypes.Structure):
    """vit_tensor of vit.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("dims", ctypes.c_int64 * 8),
        ("memory", ctypes.c_int),
    ]


class Options(ctypes.Structure):
    """The first fields of vit_session_options; the others are defaults."""

    _fields_ = [("struct_size", ctypes.c_size_t), ("parameters", ctypes.c_void_p), ("threads", ctypes.c_int32)]


def session_call(library, module, x, outputs):
    """A function that calls vit_session_run on `x` and writes `outputs`."""
    c = ctypes.CDLL(library)
    handle, session = ctypes.c_void_p(), ctypes.c_void_p()
    assert c.vit_module_load(module.encode(), None, ctypes.byref(handle), None) == 0
    options = Options(ctypes.sizeof(Options), None, 1)
    assert c.vit_session_create(handle, ctypes.byref(options), ctypes.byref(session), None) == 0

    def tensor(array, name):
        return Tensor(name, array.ctypes.data, array.nbytes, 0, array.ndim, tuple(array.shape) + (0,) * (8 - array.ndim))

    given = tensor(x, None)
    written = (Tensor * len(outputs))(*[tensor(array, name.encode()) for name, array in outputs.items()])

    def call():
        assert c.vit_session_run(session, None, ctypes.byref(given), 1, written, len(outputs), None) == 0

    return call


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("module")
    parser.add_argument("--rounds", type=int, default=2000)
    options = parser.parse_args()
    model = vitrt.load(options.module, threads=1)
    x = numpy.zeros([size or 1 for size in model.input[1]], numpy.float32)
    outputs = model(x)
    call = session_call(options.library, options.module, x, outputs)
    times = [(seconds(lambda: model(x)), seconds(call)) for _ in range(options.rounds)][options.rounds // 10 :]
    python, c = ([1e6 * pair[i] for pair in times] for i in range(2))
    print("model(x) %.1f us, vit_session_run %.1f us, difference %.1f us" % (
        statistics.median(python), statistics.median(c), statistics.median(a - b for a, b in zip(python, c))))
    plain, package = (
        min(seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(10))
        for code in ("", "import vitrt")
    )
    print("python %.1f ms, with import vitrt %.1f ms" % (1e3 * plain, 1e3 * package))


main()
