# ===- test_threads.py - Threads, processes, memory ------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import numpy
import support
import vitrt


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def logits_of(x):
    return support.shapes()(x)["logits"]


class Threads(unittest.TestCase):
    def test_same_bits(self):
        inputs = [support.batch(1 + seed % 3, seed) for seed in range(24)]
        expected = [logits_of(x) for x in inputs]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                for found, right in zip(pool.map(logits_of, inputs), expected):
                    numpy.testing.assert_array_equal(found, right)

    def test_releases_the_gil(self):
        x = support.batch(64)
        thread = threading.Thread(target=lambda: [logits_of(x) for _ in range(5)])
        counted = 0
        thread.start()
        while thread.is_alive():
            counted += 1
            time.sleep(0)
        self.assertGreater(counted, 100)

    def test_variants_are_made_once(self):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: support.shapes()(support.batch(1), outputs=["hidden_1"]), range(4)))
        for one in found[1:]:
            numpy.testing.assert_array_equal(one["hidden_1"], found[0]["hidden_1"])

    def test_no_leak(self):
        x = support.batch(1)

        def use(count):
            for _ in range(count):
                vitrt.load(support.module(), threads=1)(x, outputs=["logits"])

        use(50)
        before = resident()
        use(1000)
        self.assertLess(resident() - before, 8 << 20)


class Processes(unittest.TestCase):
    def test_fork(self):
        x = support.batch(2)
        expected = logits_of(x)
        running = threading.Thread(target=lambda: [logits_of(support.batch(16)) for _ in range(20)])
        running.start()
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if (logits_of(x) == expected).all() else 1)
            children.append(child)
        for child in children:
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        running.join()
        numpy.testing.assert_array_equal(logits_of(x), expected)

    def test_multiprocessing(self):
        x = support.batch(2)
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                for found in pool.map(vitrt.load(support.module(), threads=1), [x, x]):
                    numpy.testing.assert_array_equal(found["logits"], logits_of(x))

    def test_interrupt(self):
        code = (
            "import signal, support\n"
            # A shell's background job starts with it ignored.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "model = support.shapes()\n"
            "print('ready', flush=True)\n"
            "model.embed(support.pictures() * 100000)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=os.path.dirname(__file__),
        )
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        self.assertIn("KeyboardInterrupt", errors)

    def test_import(self):
        code = "import sys, vitrt; print([name for name in ('numpy', 'torch', 'PIL', 'tqdm') if name in sys.modules])"
        self.assertEqual(support.run([sys.executable, "-c", code]), "[]\n")


if __name__ == "__main__":
    unittest.main()
