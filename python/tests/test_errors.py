# ===- test_errors.py - Bad input ------------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Calls that cannot be right: each raises an exception that says what is wrong, and leaves the
model as it was."""

import os
import unittest

import numpy
import support
import vitrt
from support import SIZE

F32 = numpy.float32


def zeros(*shape, dtype=F32):
    return numpy.zeros(shape, dtype)


def path_of(name, data):
    path = os.path.join(support.work_folder(), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def truncated():
    with open(support.pictures()[0], "rb") as file:
        return path_of("cut.png", file.read()[:300])


def cut_module():
    with open(support.module(), "rb") as file:
        return path_of("cut.vitm", file.read()[:5000])


def cut_weights():
    path = folder()
    for name in os.listdir(support.SHAPES):
        with open(os.path.join(support.SHAPES, name), "rb") as whole, open(os.path.join(path, name), "wb") as cut:
            cut.write(whole.read(9000))
    return path


def folder(**files):
    path = os.path.join(support.work_folder(), "folder-%d" % len(os.listdir(support.work_folder())))
    os.mkdir(path)
    for name, text in files.items():
        with open(os.path.join(path, name.replace("_json", ".json")), "w") as file:
            file.write(text)
    return path


class Broken:
    def __dlpack__(self, **keywords):
        raise BufferError("no")

    def __dlpack_device__(self):
        return (1, 0)


class Elsewhere:
    """Says that it is in a GPU's memory."""

    def __dlpack__(self, **keywords):
        raise BufferError("not on the CPU")

    def __dlpack_device__(self):
        return (2, 0)


# (what is called, the exception, its status or None, a part of its message)
BAD_LOADS = [
    (lambda: vitrt.load("no/such/folder"), vitrt.Error, None, "there is no no/such/folder"),
    (lambda: vitrt.load(""), vitrt.Error, None, ""),
    (lambda: vitrt.load(7), TypeError, None, "source is a int"),
    (lambda: vitrt.load(None), TypeError, None, "source is a NoneType"),
    (lambda: vitrt.load({}), TypeError, None, "config="),
    (lambda: vitrt.load({}, config={}, quiet=True), vitrt.Error, None, ""),
    (lambda: vitrt.load({"a": 1}, config={}), TypeError, None, "a is a int"),
    (lambda: vitrt.load({1: numpy.zeros(1)}, config={}), TypeError, None, "names"),
    (lambda: vitrt.load({"a": numpy.zeros(1, "complex64")}, config={}), vitrt.Error, "VIT_UNSUPPORTED", "a is complex64"),
    (lambda: vitrt.load(support.SHAPES, config={}), TypeError, None, "config="),
    (lambda: vitrt.load(b"bytes"), TypeError, None, "bytes"),
    (lambda: vitrt.load("a\0b"), TypeError, None, "not a path"),
    (lambda: vitrt.load(cut_module()), vitrt.Error, "VIT_CORRUPT", "cut.vitm"),
    (lambda: vitrt.load(path_of("empty.vitm", b"")), vitrt.Error, "VIT_CORRUPT", "empty.vitm"),
    (lambda: vitrt.load(path_of("noise.vitm", os.urandom(4096))), vitrt.Error, "VIT_CORRUPT", "noise.vitm"),
    (lambda: vitrt.load(path_of("bad.mlir", b"func.func @"), quiet=True), vitrt.Error, None, "bad.mlir"),
    (lambda: vitrt.load(os.path.join(support.SHAPES, "model.safetensors")), vitrt.Error, None, "weights alone"),
    (lambda: vitrt.load(folder(), quiet=True), vitrt.Error, None, "config.json"),
    (lambda: vitrt.load(folder(config_json="{"), quiet=True), vitrt.Error, None, "config.json"),
    (lambda: vitrt.load(folder(config_json='{"model_type": "bert"}'), quiet=True), vitrt.Error, None, "bert"),
    (lambda: vitrt.load(support.SHAPES, device="tpu"), vitrt.Error, None, "device tpu is unknown"),
    (lambda: vitrt.load(support.SHAPES, device="cpu:1"), vitrt.Error, None, "device cpu:1"),
    (lambda: vitrt.load(support.SHAPES, device="reference"), vitrt.Error, "VIT_UNSUPPORTED", "reference"),
    (lambda: vitrt.load(support.SHAPES, device=0), vitrt.Error, None, "device 0"),
    (lambda: vitrt.load(support.SHAPES, precision="int4"), vitrt.Error, None, "precision int4 is unknown"),
    (lambda: vitrt.load(support.SHAPES, level="sse"), vitrt.Error, None, "level sse is unknown"),
    (lambda: vitrt.load(support.SHAPES, threads=-1), vitrt.Error, None, "threads"),
    (lambda: vitrt.load(support.SHAPES, threads=10**6), vitrt.Error, None, "threads"),
    (lambda: vitrt.load(support.SHAPES, threads="two"), vitrt.Error, None, "threads"),
    (lambda: vitrt.load(support.SHAPES, memory=-5), vitrt.Error, None, "memory"),
    (lambda: vitrt.load(support.SHAPES, image_size=-1, quiet=True), vitrt.Error, None, "-1"),
    (lambda: vitrt.load(support.SHAPES, image_size=(64,) * 3, quiet=True), vitrt.Error, None, "64x64x64"),
    (lambda: vitrt.load(support.SHAPES, image_size="big"), vitrt.Error, None, "big"),
    (lambda: vitrt.load(support.module(), image_size=128), vitrt.Error, None, "128"),
    (lambda: vitrt.load(support.module(), precision="bf16"), vitrt.Error, "VIT_UNSUPPORTED", "bf16"),
    (lambda: vitrt.load(support.module(), weights="w.safetensors"), vitrt.Error, None, "weights"),
    (lambda: vitrt.load(support.SHAPES, speed="fast"), TypeError, None, "speed"),
    (lambda: vitrt.Model(None, "", {}).labels, AttributeError, None, ""),
]

BAD_CALLS = [
    (lambda model: model(), TypeError, None, "x"),
    (lambda model: model(None), vitrt.Error, None, "x is a NoneType"),
    (lambda model: model("cat.jpg"), vitrt.Error, None, "x is a str"),
    (lambda model: model([[1.0, 2.0]]), vitrt.Error, None, "x is a list"),
    (lambda model: model(object()), vitrt.Error, None, "x is a object"),
    (lambda model: model(Broken()), vitrt.Error, None, "__dlpack__"),
    (lambda model: model(Elsewhere()), vitrt.Error, None, "CPU"),
    (lambda model: model(numpy.float32(1)), vitrt.Error, None, "shape"),
    (lambda model: model(zeros(3, SIZE, SIZE)), vitrt.Error, None, "has shape 3x64x64"),
    (lambda model: model(zeros(0, 3, SIZE, SIZE)), vitrt.Error, None, "has shape 0x3x64x64"),
    (lambda model: model(zeros(1, SIZE, SIZE, 3)), vitrt.Error, None, "has shape 1x64x64x3"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE + 1)), vitrt.Error, None, "64x65"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, 1)), vitrt.Error, None, "has shape"),
    (lambda model: model(zeros(*[1] * 12)), vitrt.Error, None, "has shape"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, dtype="float64")), vitrt.Error, None, "x is float64"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, dtype="float16")), vitrt.Error, None, "x is float16"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, dtype="uint8")), vitrt.Error, None, "x is uint8"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, dtype="complex64")), vitrt.Error, None, "x is complex64"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE, dtype=">f4")), vitrt.Error, None, ""),
    (lambda model: model(numpy.array([None])), vitrt.Error, None, ""),
    (lambda model: model(numpy.full((1, 3, SIZE, SIZE), numpy.nan, F32)), vitrt.Error, None, "NaN"),
    (lambda model: model(numpy.full((1, 3, SIZE, SIZE), numpy.inf, F32)), vitrt.Error, None, "the input holds one"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE), outputs="logits"), TypeError, None, "list of names"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE), outputs=[7]), TypeError, None, ""),
    (lambda model: model(zeros(1, 3, SIZE, SIZE), outputs=["no_such"]), vitrt.Error, None, "no_such"),
    (lambda model: model(zeros(1, 3, SIZE, SIZE), outputs=["hidden_99"]), vitrt.Error, None, "hidden_99"),
    (lambda model: model.classify([]), vitrt.Error, None, "no pictures"),
    (lambda model: model.classify("no.jpg"), vitrt.Error, "VIT_NOT_FOUND", "no.jpg"),
    (lambda model: model.classify(truncated()), vitrt.Error, "VIT_CORRUPT", "cut.png"),
    (lambda model: model.classify(path_of("text.jpg", b"hello")), vitrt.Error, "VIT_UNSUPPORTED", "text.jpg"),
    (lambda model: model.classify(path_of("none.png", b"")), vitrt.Error, None, "none.png"),
    (lambda model: model.classify(support.work_folder()), vitrt.Error, None, ""),
    (lambda model: model.classify([support.pictures()[0], "gone.png"]), vitrt.Error, "VIT_NOT_FOUND", "gone.png"),
    (lambda model: model.classify(""), ValueError, None, "empty"),
    (lambda model: model.classify("a\0b"), ValueError, None, "zero byte"),
    (lambda model: model.classify(None), TypeError, None, ""),
    (lambda model: model.classify(7), TypeError, None, ""),
    (lambda model: model.classify([7]), TypeError, None, "picture 0 is a int"),
    (lambda model: model.classify([None]), TypeError, None, "picture 0 is a NoneType"),
    (lambda model: model.classify(support.pictures()[0], top=0), vitrt.Error, None, "best 0"),
    (lambda model: model.classify(support.pictures()[0], top=-3), vitrt.Error, None, "best -3"),
    (lambda model: model.classify(support.pictures()[0], top="all"), TypeError, None, ""),
    (lambda model: model.classify(support.pictures()[0], batch=0), vitrt.Error, None, "batch of 0"),
    (lambda model: model.embed(zeros(SIZE, SIZE, 3)), TypeError, None, "uint8"),
    (lambda model: model.embed(zeros(SIZE, SIZE, 4, dtype="uint8")), TypeError, None, "has shape"),
    (lambda model: model.embed(zeros(3, SIZE, SIZE, dtype="uint8")), TypeError, None, "has shape"),
    (lambda model: model.embed(zeros(0, 0, 3, dtype="uint8")), vitrt.Error, None, "picture 0"),
    (lambda model: model.embed(zeros(5, dtype="uint8")), TypeError, None, "has shape"),
    (lambda model: model.embed([zeros(2, 8, 8, 3, dtype="uint8")]), TypeError, None, "has shape"),
    (lambda model: model.embed([Broken()]), TypeError, None, "Broken"),
    (lambda model: model.embed(support.pictures()[0], output="no_such"), vitrt.Error, None, "no_such"),
    (lambda model: model.embed(support.pictures()[0], output="hidden_0"), vitrt.Error, None, "[batch, width]"),
    (lambda model: model.embed(support.pictures()[0], batch=-1), vitrt.Error, None, "batch of -1"),
    (lambda model: model.embed(path for path in []), vitrt.Error, None, "no pictures"),
    (lambda model: model.attention_map([]), TypeError, None, "one picture"),
    (lambda model: model.attention_map(support.pictures()), TypeError, None, "one picture"),
    (lambda model: model.attention_map(support.pictures()[0], layer=99), vitrt.Error, None, "attention_99"),
    (lambda model: model.attention_map(support.pictures()[0], layer=-1), ValueError, None, "layer"),
    (lambda model: model.attention_map(support.pictures()[0], head=99), vitrt.Error, None, "head 99"),
    (lambda model: model.attention_map(support.pictures()[0], head=0, rollout=True), ValueError, None, "rollout"),
    (lambda model: model.attention_map("no.png"), vitrt.Error, "VIT_NOT_FOUND", "no.png"),
    (lambda model: model.attention_map(support.pictures()[0]).save("/no/folder/map.png"), vitrt.Error, None, "/no/folder"),
    (lambda model: vitrt.compile("no/such", "out.vitm", quiet=True), vitrt.Error, "VIT_NOT_FOUND", "no/such"),
    (lambda model: vitrt.compile(support.SHAPES, "out.vitm", target="tpu"), vitrt.Error, "VIT_INVALID_ARGUMENT", "tpu"),
    (lambda model: vitrt.compile(support.SHAPES, "out.vitm", max_drop=0.3), vitrt.Error, "VIT_INVALID_ARGUMENT", "data"),
    (lambda model: vitrt.compile(support.SHAPES, "out.vitm", no_such_option=1), vitrt.Error, "VIT_INVALID_ARGUMENT", "no"),
    (lambda model: vitrt.compile(support.SHAPES, support.SHAPES, quiet=True), vitrt.Error, "VIT_IO_ERROR", support.SHAPES),
    (lambda model: vitrt.compile(folder(config_json="{"), "out.vitm", quiet=True), vitrt.Error, "VIT_CORRUPT", "config.json"),
    (lambda model: vitrt.compile(cut_weights(), "out.vitm", quiet=True), vitrt.Error, "VIT_CORRUPT", "model.safetensors"),
]


class BadInput(unittest.TestCase):
    def check(self, call, expected, status, text):
        with self.assertRaises(expected) as raised:
            call()
        message = str(raised.exception)
        self.assertIn(text, message)
        self.assertNotRegex(message, r"(^|\s)--\w")
        self.assertTrue(message)
        if status is not None:
            self.assertEqual(raised.exception.status, status)

    def test_load(self):
        for number, (call, *expected) in enumerate(BAD_LOADS):
            with self.subTest(number=number):
                self.check(call, *expected)

    def test_call(self):
        x = support.batch(1)
        model = support.shapes()
        before = model(x)["logits"]
        for number, (call, *expected) in enumerate(BAD_CALLS):
            with self.subTest(number=number):
                self.check(lambda: call(model), *expected)
        numpy.testing.assert_array_equal(model(x)["logits"], before)

    def test_enough(self):
        self.assertGreaterEqual(len(BAD_LOADS) + len(BAD_CALLS), 60)


if __name__ == "__main__":
    unittest.main()
