#!/usr/bin/env python3
# ===- draw.py - Draws labelled pictures of shapes -------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Draws pictures of one shape each, in ten classes, and writes them as PNG.

Colour, size, position, tilt and background are random, but determined by class
and seed, so the same call gives the same pictures. Needs only Python.

  draw.py --out DIR --count 2           DIR/heart-0.png, ... two of each class
  draw.py --out DIR --count 20 --folders    DIR/heart/0.png, ...
"""
import argparse
import math
import os
import random
import struct
import sys
import zlib

TAU = 2 * math.pi


def polygon(corners):
    """Returns a test for being inside the polygon (even-odd rule)."""
    edges = list(zip(corners, corners[1:] + corners[:1]))

    def inside(x, y):
        odd = False
        for (x0, y0), (x1, y1) in edges:
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                odd = not odd
        return odd

    return inside


def around(radii, start=-TAU / 4):
    """Corners at equal angles, with these distances from the centre."""
    step = TAU / len(radii)
    return [(r * math.cos(start + i * step), r * math.sin(start + i * step)) for i, r in enumerate(radii)]


def heart(x, y):
    x, y = 1.2 * x, 0.1 - 1.2 * y
    a = x * x + y * y - 1
    return a * a * a < x * x * y * y * y


def spiral(x, y):
    r = math.hypot(x, y)
    return r < 1 and (2.2 * r - math.atan2(y, x) / TAU) % 1 < 0.5


# Whether a point is inside, in coordinates of the shape: centre 0, radius about 1.
# In alphabetical order, like the classes of image folders.
SHAPES = {
    "arrow": polygon([(-1, -0.25), (0.15, -0.25), (0.15, -0.7), (1, 0), (0.15, 0.7), (0.15, 0.25), (-1, 0.25)]),
    "circle": lambda x, y: x * x + y * y < 0.9,
    "crescent": lambda x, y: x * x + y * y < 1 and (x - 0.5) ** 2 + y * y > 0.72,
    "cross": lambda x, y: min(abs(x), abs(y)) < 0.28 and max(abs(x), abs(y)) < 1,
    "heart": heart,
    "ring": lambda x, y: 0.35 < x * x + y * y < 1,
    "spiral": spiral,
    "square": lambda x, y: max(abs(x), abs(y)) < 0.8,
    "star": polygon(around([1, 0.42] * 5)),
    "triangle": polygon(around([1, 1, 1])),
}


def texture(rng):
    """Returns a function from positions (u, v) to [0, 1]."""
    kind = int(rng.random() * 4)
    angle, phase = rng.random() * TAU, rng.random() * TAU
    c, s = math.cos(angle), math.sin(angle)
    if kind == 0:  # from one side to the other
        return lambda u, v: min(1.0, max(0.0, 0.5 + c * (u - 0.5) + s * (v - 0.5)))
    f = TAU * (3 + 5 * rng.random())
    if kind == 1:  # stripes
        return lambda u, v: 0.5 + 0.5 * math.sin(f * (c * u + s * v) + phase)
    if kind == 2:  # checks
        return lambda u, v: float((math.sin(f * (c * u + s * v) + phase) > 0) != (math.sin(f * (s * u - c * v)) > 0))
    waves = [(f * (rng.random() - 0.5), f * (rng.random() - 0.5), rng.random() * TAU) for _ in range(4)]
    return lambda u, v: 0.5 + sum(math.sin(a * u + b * v + p) for a, b, p in waves) / 8  # clouds


def colours(rng):
    """Two similar colours for the background, and a different one for the shape."""
    ground = [30 + 195 * rng.random() for _ in range(3)]
    other = [min(255, max(0, g + 90 * (rng.random() - 0.5))) for g in ground]
    while True:
        shape = [255 * rng.random() for _ in range(3)]
        if all(sum(abs(a - b) for a, b in zip(shape, g)) > 190 for g in (ground, other)):
            return ground, other, shape


def draw(name, seed, size):
    """Picture number `seed` of class `name`: size x size pixels as RGB bytes."""
    rng = random.Random(zlib.crc32(f"{name} {seed}".encode()))
    inside = SHAPES[name]
    ground, other, colour = colours(rng)
    place = texture(rng)
    radius = 0.26 + 0.18 * rng.random()
    cx, cy = (radius + (1 - 2 * radius) * rng.random() for _ in range(2))
    angle = 0.7 * (rng.random() - 0.5)  # nearly upright
    c, s = math.cos(angle) / radius, math.sin(angle) / radius
    grain = 24 * rng.random()

    pixels = bytearray()
    for row in range(size):
        for column in range(size):
            u, v = (column + 0.5) / size, (row + 0.5) / size
            t = place(u, v)
            cover = 0
            if abs(u - cx) < 1.1 * radius and abs(v - cy) < 1.1 * radius:
                for du in (-0.25, 0.25):  # four samples per pixel: soft edges
                    for dv in (-0.25, 0.25):
                        x, y = u + du / size - cx, v + dv / size - cy
                        cover += inside(c * x + s * y, c * y - s * x)
            noise = grain * (rng.random() - 0.5)
            for g, o, p in zip(ground, other, colour):
                value = g + t * (o - g)
                value += cover / 4 * (p - value) + noise
                pixels.append(min(255, max(0, round(value))))
    return bytes(pixels)


def write_png(path, pixels, size):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[i : i + 3 * size] for i in range(0, len(pixels), 3 * size))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        f.write(chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)))
        f.write(chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--count", type=int, default=1, help="pictures of each class (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first picture (default 0)")
    parser.add_argument("--size", type=int, default=192, help="width and height in pixels (default 192)")
    parser.add_argument("--folders", action="store_true", help="one folder per class")
    parser.add_argument("--classes", help="only these, separated by commas")
    a = parser.parse_args()
    names = a.classes.split(",") if a.classes else list(SHAPES)
    for name in names:
        if name not in SHAPES:
            raise SystemExit(f"error: no class {name!r}; there are {', '.join(SHAPES)}")
    print(f"note: drawing {len(names) * a.count} pictures in {a.out}", file=sys.stderr)
    for name in names:
        os.makedirs(os.path.join(a.out, name) if a.folders else a.out, exist_ok=True)
        for i in range(a.count):
            file = f"{name}/{i}.png" if a.folders else f"{name}-{i}.png"
            write_png(os.path.join(a.out, file), draw(name, a.seed + i, a.size), a.size)


if __name__ == "__main__":
    main()
