# ===- probe.py - A linear probe of a model's vectors ----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""probe.py MODEL TRAIN TEST [--save FILE.npz]

Fits a linear classifier to the vectors that a frozen model gives for the pictures of TRAIN, a
folder with one folder per class, and prints its accuracy on TEST. The classifier is ridge
regression to one column per class; its penalty is the one with the least error when each picture
in turn is left out, which has a closed form."""

import argparse
import os

import numpy
import vitrt


def read_folder(folder, classes=None):
    """The classes, the pictures, and the number of the class of each."""
    found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    classes = classes or found
    unknown = [name for name in found if name not in classes]
    if unknown or not found:
        raise SystemExit(f"error: {folder}: " + (f"class {unknown[0]} is not in TRAIN" if unknown else "no folder in it"))
    paths, labels = [], []
    for name in found:
        names = sorted(os.listdir(os.path.join(folder, name)))
        paths += [os.path.join(folder, name, one) for one in names]
        labels += [classes.index(name)] * len(names)
    return classes, paths, numpy.array(labels)


def fit(x, labels, classes, penalties=10.0 ** numpy.arange(-6, 4)):
    """Weights [width, classes], bias [classes], and the penalty."""
    mean = x.mean(0)
    y = 2.0 * numpy.eye(classes)[labels] - 1
    u, s, vt = numpy.linalg.svd((x - mean).astype(numpy.float64), full_matrices=False)
    projected = u.T @ (y - y.mean(0))

    def error_left_out(penalty):
        shrink = s**2 / (s**2 + penalty)
        hat = (u**2) @ shrink + 1 / len(x)
        residual = y - y.mean(0) - u @ (shrink[:, None] * projected)
        # With as many directions as pictures a penalty of almost 0 leaves nothing to judge by.
        return ((residual / numpy.maximum(1 - hat, 1e-12)[:, None]) ** 2).mean()

    penalty = min(penalties * s[0] ** 2, key=error_left_out)
    weights = vt.T @ ((s / (s**2 + penalty))[:, None] * projected)
    return weights, y.mean(0) - mean @ weights, penalty


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--save")
    options = parser.parse_args()
    model = vitrt.load(options.model)
    classes, paths, labels = read_folder(options.train)
    _, test_paths, test_labels = read_folder(options.test, classes)
    x = model.embed(paths, normalize=True, progress=True)
    weights, bias, penalty = fit(x, labels, len(classes))
    print(f"{len(paths)} pictures of {len(classes)} classes, vectors of {x.shape[1]}, penalty {penalty:.2g}")
    found = (model.embed(test_paths, normalize=True, progress=True) @ weights + bias).argmax(1)
    print(f"accuracy {100 * (found == test_labels).mean():.1f} % of {len(test_paths)} pictures")
    for label, name in enumerate(classes):
        of_class = test_labels == label
        if of_class.any():
            print(f"  {100 * (found[of_class] == label).mean():5.1f} % {name}")
    if options.save:
        numpy.savez(options.save, weights=weights, bias=bias, classes=classes)


if __name__ == "__main__":
    try:
        main()
    except vitrt.Error as error:
        raise SystemExit(f"error: {error}")
