# ===- test_model.py - What models give ------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import os
import pathlib
import pickle
import unittest

import numpy
import support
import vitrt


class Pictures(unittest.TestCase):
    def test_classify_as_vit_run(self):
        paths = support.pictures()
        found = support.shapes().classify(paths, top=3)
        expected = [
            [(one["label"], one["probability"]) for one in entry["predictions"]]
            for entry in support.classify_json(paths, "--top", "3")
        ]
        self.assertEqual([[label for label, _ in one] for one in found], [[label for label, _ in one] for one in expected])
        numpy.testing.assert_allclose(
            [[p for _, p in one] for one in found], [[p for _, p in one] for one in expected], atol=1e-6
        )

    def test_one_picture(self):
        path = support.pictures()[0]
        one = support.shapes().classify(pathlib.Path(path), top=2)
        self.assertEqual(one, support.shapes().classify([path], top=2)[0])
        self.assertEqual(len(one), 2)

    def test_threshold(self):
        sure = support.shapes().classify(support.pictures()[0], top=100, threshold=0.9)
        self.assertTrue(all(p >= 0.9 for _, p in sure))
        self.assertLess(len(sure), len(support.shapes().labels))

    def test_embed_as_vit_run(self):
        paths = support.pictures()
        out = os.path.join(support.work_folder(), "e.npy")
        support.run(["vit-run", "embed", support.SHAPES, *paths, "--output", out, "--normalize"])
        found = support.shapes().embed(paths, normalize=True)
        numpy.testing.assert_array_equal(found, numpy.load(out))
        self.assertEqual(found.dtype, numpy.float32)
        numpy.testing.assert_allclose(numpy.linalg.norm(found, axis=1), 1, atol=1e-6)
        # Neither the batch nor what is beside a picture changes its bits.
        numpy.testing.assert_array_equal(support.shapes().embed(paths[3:5], normalize=True, batch=1), found[3:5])

    @unittest.skipUnless(support.has("PIL"), "no PIL")
    def test_kinds_of_pictures(self):
        from PIL import Image

        path = support.pictures()[1]
        image = Image.open(path)
        array = numpy.asarray(image.convert("RGB"))
        kinds = [path, pathlib.Path(path), image, array, array[:, ::-1][:, ::-1]]
        rows = support.shapes().embed(kinds)
        for row in rows[1:]:
            numpy.testing.assert_array_equal(row, rows[0])
        grey = support.shapes().embed([image.convert("L"), numpy.asarray(image.convert("L"))])
        numpy.testing.assert_array_equal(grey[0], grey[1])
        # An array of four dimensions is a sequence.
        self.assertEqual(support.shapes().embed(numpy.stack([array, array])).shape[0], 2)

    def test_attention_as_vit_run(self):
        path = support.pictures()[0]
        for options, keywords in (
            ([], {}),
            (["--layer", "0", "--head", "1"], {"layer": 0, "head": 1}),
            (["--rollout"], {"rollout": True}),
        ):
            expected = os.path.join(support.work_folder(), "expected.png")
            found = os.path.join(support.work_folder(), "found.png")
            support.run(["vit-run", "classify", support.SHAPES, path, "--attention", expected, *options])
            attention = support.shapes().attention_map(path, **keywords)
            attention.save(found)
            self.assertEqual(pathlib.Path(found).read_bytes(), pathlib.Path(expected).read_bytes())
            self.assertEqual(numpy.asarray(attention).shape, attention.shape)
            self.assertTrue((attention.weights >= 0).all())

    def test_progress(self):
        done = []
        support.shapes().embed(support.pictures(), batch=5, progress=done.append)
        self.assertEqual(done, [5, 10, 12])
        with self.assertRaises(ZeroDivisionError):
            support.shapes().embed(support.pictures(), progress=lambda count: 1 // 0)


class Calls(unittest.TestCase):
    def test_call_as_vit_run(self):
        x = support.batch()
        source, target = (os.path.join(support.work_folder(), name) for name in ("x.npy", "y.npy"))
        numpy.save(source, x)
        support.run(["vit-run", "infer", support.SHAPES, "--input", source, "--output", target])
        result = support.shapes()(x)
        numpy.testing.assert_array_equal(result["logits"], numpy.load(target))
        self.assertEqual(list(result), list(support.shapes().outputs))

    def test_outputs(self):
        x = support.batch(1)
        model = support.shapes()
        found = model(x, outputs=["hidden_0", "attention_1", "logits"])
        self.assertEqual(sorted(found), ["attention_1", "hidden_0", "logits"])
        numpy.testing.assert_allclose(found["attention_1"].sum(axis=-1), 1, atol=1e-5)
        numpy.testing.assert_array_equal(found["logits"], model(x)["logits"])

    def test_module(self):
        model = vitrt.load(support.module(), threads=1)
        x = support.batch(3)
        everything = model(x)
        self.assertIn("attention_0", everything)
        only = model(x, outputs=["features"])
        self.assertEqual(list(only), ["features"])
        numpy.testing.assert_array_equal(only["features"], everything["features"])
        self.assertEqual(model.precision, "f32")
        self.assertIn("entries", model.describe())
        self.assertEqual(model.attention_map(support.pictures()[0], rollout=True).shape[0], model.attention_map(
            support.pictures()[0]).shape[0])

    def test_state_dict(self):
        tensors, config, preprocessing = support.state_dict()
        model = vitrt.load(tensors, config=config, preprocessing=preprocessing, quiet=True, threads=1)
        x = support.batch(1)
        numpy.testing.assert_array_equal(model(x)["logits"], support.shapes()(x)["logits"])
        path = support.pictures()[0]
        self.assertEqual(model.classify(path), support.shapes().classify(path))
        with self.assertRaisesRegex(TypeError, "pickled"):
            pickle.dumps(model)

    @unittest.skipUnless(support.has("transformers") and support.has("torch"), "no transformers")
    def test_transformers(self):
        import torch
        import transformers

        module = transformers.ViTForImageClassification.from_pretrained(support.SHAPES).float().eval()
        x = support.batch(2)
        found = vitrt.load(module, quiet=True)(x)["logits"]
        with torch.no_grad():
            numpy.testing.assert_allclose(found, module(torch.from_numpy(x)).logits.numpy(), atol=1e-4)
        again = vitrt.load(module.state_dict(), config=module.config.to_dict(), quiet=True)
        numpy.testing.assert_array_equal(again(x)["logits"], found)

    @unittest.skipUnless(support.has("timm"), "no timm")
    def test_timm(self):
        import timm
        import torch

        module = timm.create_model("vit_tiny_patch16_224", num_classes=7).eval()
        x = numpy.random.default_rng(0).standard_normal((1, 3, 224, 224), dtype=numpy.float32)
        found = vitrt.load(module, quiet=True)(x)["logits"]
        with torch.no_grad():
            numpy.testing.assert_allclose(found, module(torch.from_numpy(x)).numpy(), atol=1e-4)

    def test_description(self):
        model = support.shapes()
        self.assertEqual(model.input[1], (None, 3, support.SIZE, support.SIZE))
        self.assertEqual(model.outputs["logits"], (None, len(model.labels)))
        self.assertIn("star", model.labels)
        self.assertIn("shapes-vit", repr(model))
        self.assertRegex(vitrt.__version__, r"^\d+\.\d+\.\d+$")

    def test_pickle(self):
        copy = pickle.loads(pickle.dumps(support.shapes()))
        x = support.batch(1)
        numpy.testing.assert_array_equal(copy(x)["logits"], support.shapes()(x)["logits"])
        error = pickle.loads(pickle.dumps(vitrt.Error("no", "VIT_CORRUPT")))
        self.assertEqual((str(error), error.status), ("no", "VIT_CORRUPT"))

    def test_memory(self):
        model = vitrt.load(support.SHAPES, quiet=True, memory=1000)
        with self.assertRaises(vitrt.Error) as raised:
            model(support.batch(1))
        self.assertEqual(raised.exception.status, "VIT_OVER_BUDGET")


if __name__ == "__main__":
    unittest.main()
