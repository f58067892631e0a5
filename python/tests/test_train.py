# ===- test_train.py - Training --------------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import functools
import os
import pickle
import subprocess
import sys
import threading
import unittest

import numpy
import support
import vitrt


@functools.lru_cache(maxsize=None)
def data():
    """Drawn pictures, a folder per class."""
    folder = os.path.join(support.work_folder(), "data")
    draw = os.path.join(support.SOURCE, "test/data/demo/draw.py")
    support.run([sys.executable, draw, "--out", folder, "--seed", "9", "--count", "3", "--folders", "--size", "64"])
    return folder


def weights_of(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        return file.read()


class Folders(unittest.TestCase):
    def test_as_vit_run(self):
        records = []
        trainer = support.shapes().finetune(
            data(), test=data(), epochs=2, batch=10, lr=1e-4, flip=True, weight_decay=0.05, callback=records.append
        )
        out = os.path.join(support.work_folder(), "as-vit-run")
        support.run(
            ["vit-run", "train", support.SHAPES, "--data", data(), "--test", data(), "--epochs", "2", "--batch", "10",
             "--lr", "1e-4", "--flip", "--weight-decay", "0.05", "--threads", "1", "--out", out],
            stderr=subprocess.DEVNULL,
        )
        saved = os.path.join(support.work_folder(), "tuned")
        trainer.save(saved)
        self.assertEqual(weights_of(saved), weights_of(os.path.join(out, "last")))
        self.assertEqual([record["kind"] for record in records].count("step"), trainer.steps)
        self.assertEqual([record["epoch"] for record in trainer.history], [1, 2])
        self.assertIn("test_accuracy", trainer.history[-1])
        # The model itself is as it was; the saved one is another.
        x = support.batch(1)
        tuned = vitrt.load(saved, quiet=True, threads=1)
        self.assertEqual(tuned.labels, trainer.classes)
        self.assertFalse((tuned(x)["logits"] == support.shapes()(x)["logits"]).all())

    def test_interrupted(self):
        out = os.path.join(support.work_folder(), "interrupted")

        def stop(record):
            if record.get("step") == 2:
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            support.shapes().finetune(data(), epochs=1, batch=10, lr=1e-4, out=out, callback=stop)
        resumed = support.shapes().finetune(data(), epochs=1, batch=10, lr=1e-4, out=out, resume=True)
        whole = support.shapes().finetune(data(), epochs=1, batch=10, lr=1e-4)
        folders = [os.path.join(support.work_folder(), name) for name in ("resumed", "whole")]
        for trainer, folder in zip((resumed, whole), folders):
            trainer.save(folder)
        self.assertEqual(weights_of(folders[0]), weights_of(folders[1]))


class Steps(unittest.TestCase):
    def setUp(self):
        self.images = support.batch(4)
        self.labels = numpy.array([0, 1, 1, 0])

    def test_learns(self):
        trainer = support.shapes().finetune(classes=["day", "night"], seed=3)
        losses = [trainer.step(self.images, self.labels, lr=1e-3) for _ in range(8)]
        self.assertLess(losses[-1], 0.5 * losses[0])
        self.assertEqual(trainer.steps, 8)
        folder = os.path.join(support.work_folder(), "day-night")
        trainer.save(folder)
        model = vitrt.load(folder, quiet=True, threads=1)
        self.assertEqual(model.labels, ["day", "night"])
        numpy.testing.assert_array_equal(model(self.images)["logits"].argmax(axis=1), self.labels)

    def test_labels(self):
        trainer = support.shapes().finetune(classes=2)
        kinds = (self.labels, self.labels.astype("int32"), self.labels.astype("uint8"), [0, 1, 1, 0], self.labels[::-1].copy()[::-1])
        self.assertEqual(len({trainer.step(self.images, labels, lr=0) for labels in kinds}), 1)

    @unittest.skipUnless(support.has("torch"), "no torch")
    def test_data_loader(self):
        import torch

        trainer = support.shapes().finetune(classes=2)
        pairs = torch.utils.data.TensorDataset(torch.from_numpy(self.images), torch.from_numpy(self.labels))
        for images, labels in torch.utils.data.DataLoader(pairs, batch_size=2):
            self.assertGreater(trainer.step(images, labels, lr=1e-4), 0)

    def test_bad_input(self):
        trainer = support.shapes().finetune(classes=2)
        before = trainer.step(self.images, self.labels, lr=0)
        bad = [
            (self.images, [0, 1, 2, 0], "2"),
            (self.images, [0, 1, -1, 0], "-1"),
            (self.images, [0, 1, 1], "labels"),
            (self.images, [0, 1, 1 << 40, 0], "no class"),
            (self.images, ["a", "b", "c", "d"], "labels"),
            (self.images, numpy.zeros((4, 1, 1)), "dimensions"),
            (self.images, self.labels.astype("float64"), "labels"),
            (self.images, None, "labels"),
            (self.images[:, :2], self.labels, ""),
            (self.images.astype("float64"), self.labels, "float32"),
            (None, self.labels, "images"),
            (numpy.full_like(self.images, numpy.nan), self.labels, "not a number"),
        ]
        for images, labels, text in bad:
            with self.subTest(text=text), self.assertRaisesRegex(vitrt.Error, text):
                trainer.step(images, labels, lr=1e-3)
        self.assertEqual(trainer.step(self.images, self.labels, lr=0), before)
        for keywords in (
            {"train": "no/such/folder"},
            {"train": support.SHAPES},
            {"train": data(), "epochs": 0},
            {"train": data(), "optimizer": "lamb"},
            {"train": data(), "no_such_option": 1},
            {"train": data(), "precision": "int8"},
            {"classes": ["one"] * 2, "momentum": 0.5},
        ):
            with self.subTest(**keywords), self.assertRaises(vitrt.Error):
                support.shapes().finetune(**keywords)
        with self.assertRaisesRegex(TypeError, "pickle"):
            pickle.dumps(trainer)
        with self.assertRaises(vitrt.Error):
            trainer.save("/no/such/folder/at/all")

    def test_one_thread_at_a_time(self):
        trainer = support.shapes().finetune(classes=2)
        images, labels = support.batch(64), numpy.zeros(64, int)
        failures = []

        def steps():
            try:
                for _ in range(5):
                    trainer.step(images, labels, lr=1e-4)
            except vitrt.Error as error:
                failures.append(str(error))

        threads = [threading.Thread(target=steps) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(failures)
        self.assertIn("another thread", failures[0])


if __name__ == "__main__":
    unittest.main()
