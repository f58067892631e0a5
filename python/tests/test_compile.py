# ===- test_compile.py - Compiling from Python -----------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import os
import subprocess
import sys
import unittest

import numpy
import support
import vitrt


class Compile(unittest.TestCase):
    def test_as_vit_compile(self):
        path = os.path.join(support.work_folder(), "python.vitm")
        vitrt.compile(support.SHAPES, path, outputs=["logits", "features", "attention_*"], level="avx2", quiet=True)
        with open(path, "rb") as found, open(support.module(), "rb") as expected:
            self.assertEqual(found.read(), expected.read())

    def test_precisions(self):
        path = os.path.join(support.work_folder(), "two.vitm")
        vitrt.compile(support.SHAPES, path, precision=["f32", "bf16"], quiet=True)
        x = support.batch(2)
        exact, narrow = (vitrt.load(path, precision=name, threads=1) for name in ("f32", "bf16"))
        self.assertEqual((exact.precision, narrow.precision), ("f32", "bf16"))
        numpy.testing.assert_array_equal(exact(x)["logits"], support.shapes()(x)["logits"])
        numpy.testing.assert_allclose(narrow(x)["logits"], exact(x)["logits"], atol=0.3)

    def test_vit_run(self):
        """The console script says what the program does."""
        words = ["classify", support.SHAPES, *support.pictures()[:2], "--json"]
        script = [sys.executable, "-c", "from vitrt._tools import vit_run; vit_run()"]
        self.assertEqual(support.run(script + words), support.run(["vit-run"] + words))
        found = subprocess.run(script + ["infer", "no.vitm"], capture_output=True, text=True)
        self.assertEqual(found.returncode, 1)
        self.assertRegex(found.stderr, "^error: [^\n]+\n$")

    def test_missing_compiler(self):
        code = (
            "import vitrt\n"
            "for call in (lambda: vitrt.load('%s', cache=False), lambda: vitrt.compile('%s', 'x.vitm')):\n"
            "    try:\n"
            "        call()\n"
            "    except vitrt.Error as error:\n"
            "        print(error.status, error)\n" % (support.SHAPES, support.SHAPES)
        )
        environment = dict(os.environ, VIT_COMPILER_LIBRARY="/no/libvit-compiler.so.0")
        lines = support.run([sys.executable, "-c", code], env=environment).splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^VIT_NOT_FOUND .*pip install vitrt\[compile\]")


if __name__ == "__main__":
    unittest.main()
