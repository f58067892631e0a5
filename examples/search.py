# ===- search.py - Searches a folder for pictures like another -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""search.py MODEL FOLDER PICTURE [--top N] [--index FILE]

Prints the pictures under FOLDER that are most like PICTURE, with the cosine of their vectors. The
vectors are kept in FILE (default: FOLDER/vectors.npz); the next search embeds only what is new or
has changed since."""

import argparse
import os

import numpy
import vitrt

KINDS = (".bmp", ".jpeg", ".jpg", ".png", ".ppm")


def find_pictures(folder):
    """{path: (bytes, time of change)}, in the order of the paths."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(KINDS):
                path = os.path.join(parent, name)
                state = os.stat(path)
                found[path] = (state.st_size, state.st_mtime_ns)
    return dict(sorted(found.items()))


def read_index(path, model):
    """{(path, state): vector} of an earlier search with the same model."""
    if not os.path.exists(path):
        return {}
    with numpy.load(path) as index:
        if str(index["model"]) != model.source:
            return {}
        return {(str(p), tuple(s)): v for p, s, v in zip(index["paths"], index["states"].tolist(), index["vectors"])}


def write_index(path, model, states, vectors):
    with open(path + ".new", "wb") as file:
        numpy.savez(file, model=model.source, paths=list(states), states=list(states.values()), vectors=vectors)
    os.replace(path + ".new", path)


def embed_folder(model, folder, index):
    """The pictures, and float32 [pictures, width] of length 1."""
    states = find_pictures(folder)
    if not states:
        raise SystemExit(f"error: {folder} holds no pictures")
    known = read_index(index, model)
    new = [path for path, state in states.items() if (path, state) not in known]
    if new:
        for path, vector in zip(new, model.embed(new, normalize=True, progress=True)):
            known[path, states[path]] = vector
        print(f"embedded {len(new)} of {len(states)} pictures")
    vectors = numpy.stack([known[item] for item in states.items()])
    write_index(index, model, states, vectors)
    return list(states), vectors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("picture")
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--index")
    options = parser.parse_args()
    model = vitrt.load(options.model)
    index = options.index or os.path.join(options.folder, "vectors.npz")
    paths, vectors = embed_folder(model, options.folder, index)
    cosines = vectors @ model.embed(options.picture, normalize=True)[0]
    for i in numpy.argsort(-cosines, kind="stable")[: options.top]:
        print(f"{cosines[i]:.3f} {paths[i]}")


if __name__ == "__main__":
    try:
        main()
    except vitrt.Error as error:
        raise SystemExit(f"error: {error}")
