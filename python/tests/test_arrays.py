# ===- test_arrays.py - Arrays in and out ----------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import gc
import unittest

import numpy
import support
import vitrt


class Exchange:
    """An array of another library: nothing but the DLPack protocol."""

    def __init__(self, array):
        self.array, self.calls = array, 0

    def __dlpack__(self, **keywords):
        self.calls += 1
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Arrays(unittest.TestCase):
    def setUp(self):
        self.model = support.shapes()
        self.x = support.batch(2)
        self.expected = self.model(self.x)["logits"]

    def check(self, x):
        numpy.testing.assert_array_equal(self.model(x)["logits"], self.expected)

    def test_dlpack(self):
        x = Exchange(self.x)
        self.check(x)
        self.assertGreater(x.calls, 0)

    def test_reads_in_place(self):
        self.assertEqual(vitrt._core.address_of(self.x), self.x.ctypes.data)
        self.assertEqual(vitrt._core.address_of(Exchange(self.x)), self.x.ctypes.data)
        part = support.batch(5)[1:3]
        self.assertEqual(vitrt._core.address_of(part), part.ctypes.data)

    def test_layouts(self):
        self.check(self.x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2))
        self.check(numpy.stack([self.x, self.x], axis=1)[:, 0])
        wide = numpy.zeros((2, 3, support.SIZE, 2 * support.SIZE), numpy.float32)
        wide[..., ::2] = self.x
        self.check(wide[..., ::2])
        self.check(self.x[::-1].copy()[::-1])

    def test_read_only(self):
        x = self.x.copy()
        x.flags.writeable = False
        self.check(x)
        self.check(numpy.frombuffer(self.x.tobytes(), numpy.float32).reshape(self.x.shape))

    def test_results_own_their_memory(self):
        first = self.model(self.x)["logits"]
        second = self.model(support.batch(2, seed=1))["logits"]
        gc.collect()
        numpy.testing.assert_array_equal(first, self.expected)
        self.assertNotEqual(first.ctypes.data, second.ctypes.data)
        self.assertTrue(first.flags.writeable)
        self.assertEqual(numpy.from_dlpack(first).ctypes.data, first.ctypes.data)

    @unittest.skipUnless(support.has("torch"), "no torch")
    def test_torch(self):
        import torch

        x = torch.from_numpy(self.x)
        self.assertEqual(vitrt._core.address_of(x), x.data_ptr())
        self.check(x)
        self.check(x.to(memory_format=torch.channels_last))
        y = self.model(x)["logits"]
        self.assertEqual(torch.from_dlpack(y).data_ptr(), y.ctypes.data)
        with self.assertRaisesRegex(vitrt.Error, "float16"):
            self.model(x.half())
        pixels = torch.randint(0, 255, (support.SIZE, support.SIZE, 3), dtype=torch.uint8)
        numpy.testing.assert_array_equal(self.model.embed(pixels), self.model.embed(pixels.numpy()))


if __name__ == "__main__":
    unittest.main()
