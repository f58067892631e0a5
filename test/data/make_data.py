#!/usr/bin/env python3
# ===- make_data.py - Small files for tests of the data library ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Writes images/: one small picture per format and kind, and
images/expected.safetensors with the results of Pillow: NAME is convert("RGB")
(but 16-bit grey scaled to 8 bits), NAME.exif the same after ImageOps.exif_transpose, and resize/FILTER/HxW the
resized picture rgb8.png.
Also writes cifar10-python3/test_batch, pickled by Python 3 (the official files
are pickled by Python 2).

The files are committed; run this only to add some. Needs numpy and Pillow.
"""

import io
import json
import os
import pickle
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEIGHT = 17, 13

random = np.random.default_rng(20)
expected = {}


def draw(channels, levels=256):
    """A smooth ramp with a noisy corner: exercises filters and prediction."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = []
    for c in range(channels):
        plane = (x * (c + 2) * 5 + y * (7 - c) * 3) % 256
        plane[8:, 12:] = random.integers(0, 256, plane[8:, 12:].shape)
        planes.append(plane * levels // 256)
    return np.stack(planes, -1)


#===----------------------------------------------------------------------===#
# PNG: Pillow cannot write interlaced files and some depths
#===----------------------------------------------------------------------===#


def png_chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def pack_rows(samples, depth):
    out = b""
    for row in samples:
        flat = row.reshape(-1)
        if depth == 16:
            data = flat.astype(">u2").tobytes()
        elif depth == 8:
            data = flat.astype(np.uint8).tobytes()
        else:
            bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1)
            data = np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()
        out += b"\0" + data
    return out


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
         (0, 1, 2, 2), (1, 0, 2, 1)]


def make_png(samples, depth, color_type, interlace=False, before=b"",
             after=b""):
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0,
                         int(interlace))
    passes = [samples]
    if interlace:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
    data = b"".join(pack_rows(p, depth) for p in passes if p.size)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before +
            png_chunk(b"IDAT", zlib.compress(data, 9)) + after +
            png_chunk(b"IEND", b""))


def save(name, data, grey=None):
    """`grey`: what the picture is, where Pillow clips it."""
    with open(os.path.join(HERE, "images", name), "wb") as file:
        file.write(data)
    image = Image.open(io.BytesIO(data))
    expected[name] = np.asarray(image.convert("RGB"))
    if grey is not None:
        expected[name] = np.repeat(grey.astype(np.uint8), 3, -1)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if turned.size != image.size or image.getexif().get(0x0112, 1) != 1:
        expected[name + ".exif"] = np.asarray(turned.convert("RGB"))


def save_pillow(name, image, **options):
    stream = io.BytesIO()
    image.save(stream, format=name.split(".")[-1].replace("jpg", "jpeg"),
               **options)
    save(name, stream.getvalue())


def make_pngs():
    grey, la, rgb, rgba = 0, 4, 2, 6
    for depth in (1, 2, 4, 8):
        save(f"grey{depth}.png", make_png(draw(1, 1 << depth), depth, grey))
    deep = draw(1, 700) * 93
    save("grey16.png", make_png(deep, 16, grey), grey=np.rint(deep / 257))
    for depth in (8, 16):
        levels = 1 << depth
        save(f"la{depth}.png", make_png(draw(2, levels), depth, la))
        save(f"rgb{depth}.png", make_png(draw(3, levels), depth, rgb))
        save(f"rgba{depth}.png", make_png(draw(4, levels), depth, rgba))
    save("rgb8-interlaced.png", make_png(draw(3), 8, rgb, interlace=True))
    save("grey2-interlaced.png", make_png(draw(1, 4), 2, grey, interlace=True))
    save("rgb8-trns.png",
         make_png(draw(3), 8, rgb,
                  before=png_chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0))))
    for depth in (1, 2, 4, 8):
        colors = random.integers(0, 256, (1 << depth) * 3).astype(np.uint8)
        palette = png_chunk(b"PLTE", colors.tobytes())
        alpha = png_chunk(b"tRNS", bytes([0, 128]))
        save(f"palette{depth}.png",
             make_png(draw(1, 1 << depth), depth, 3, before=palette + alpha))
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    save("exif8.png",
         make_png(draw(3), 8, rgb, before=png_chunk(b"eXIf", exif)))
    # An animation whose first frame is the picture itself.
    control = struct.pack(">II", 2, 0)
    frame = struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    second = struct.pack(">IIIIIHHBB", 1, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    data = zlib.compress(pack_rows(draw(3) // 2, 8), 9)
    save("animated.png",
         make_png(draw(3), 8, rgb,
                  before=png_chunk(b"acTL", control) +
                  png_chunk(b"fcTL", frame),
                  after=png_chunk(b"fcTL", second) +
                  png_chunk(b"fdAT", struct.pack(">I", 2) + data)))


#===----------------------------------------------------------------------===#
# JPEG, BMP, PNM
#===----------------------------------------------------------------------===#


def make_jpegs():
    picture = Image.fromarray(draw(3).astype(np.uint8))
    save_pillow("420.jpg", picture, quality=80, subsampling=2)
    save_pillow("422.jpg", picture, quality=90, subsampling=1)
    save_pillow("444-progressive.jpg", picture, quality=90, subsampling=0,
                progressive=True)
    save_pillow("grey.jpg", picture.convert("L"), quality=85)
    save_pillow("cmyk.jpg", picture.convert("CMYK"), quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    save_pillow("exif6.jpg", picture, quality=90, exif=exif)


def make_bmp(bits, rows, compression=0, palette=b"", masks=b"",
             top_down=False):
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    offset = 54 + len(masks) + len(palette)
    return (b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) +
            struct.pack("<IiiHHIIiiII", 40, WIDTH,
                        -HEIGHT if top_down else HEIGHT, 1, bits, compression,
                        len(body), 0, 0, len(palette) // 4, 0) + masks +
            palette + body)


def make_bitmaps():
    pixels = draw(3).astype(np.uint8)
    save_pillow("rgb24.bmp", Image.fromarray(pixels))
    save_pillow("grey8.bmp", Image.fromarray(pixels[..., 0]))
    save("rgb24-top-down.bmp",
         make_bmp(24, [row.tobytes() for row in pixels], top_down=True))
    save("rgb32.bmp", make_bmp(32, [random.bytes(WIDTH * 4)
                                    for _ in range(HEIGHT)]))
    words = [random.bytes(WIDTH * 2) for _ in range(HEIGHT)]
    save("rgb555.bmp", make_bmp(16, words))
    save("rgb565.bmp",
         make_bmp(16, words, compression=3,
                  masks=struct.pack("<III", 0xf800, 0x7e0, 0x1f)))
    save("palette4.bmp",
         make_bmp(4, [random.bytes((WIDTH + 1) // 2) for _ in range(HEIGHT)],
                  palette=random.bytes(64)))
    save("palette1.bmp",
         make_bmp(1, [random.bytes((WIDTH + 7) // 8) for _ in range(HEIGHT)],
                  palette=random.bytes(8)))
    save_pillow("rgb.ppm", Image.fromarray(pixels))
    save("grey-15.pgm", b"P5 # a comment\n%d\t%d\n15\n" % (WIDTH, HEIGHT) +
         draw(1, 16).astype(np.uint8).tobytes())
    # Drawn by their own numbers: the random ones are those of other pictures.
    for name, planes, largest in (("grey-4095.pgm", 1, 4095),
                                  ("rgb-65535.ppm", 3, 65535)):
        values = np.arange(HEIGHT * WIDTH * planes) * 7919 % (largest + 1)
        values = values.reshape(HEIGHT, WIDTH, planes)
        save(name, b"P%d %d %d %d\n" % (5 if planes == 1 else 6, WIDTH, HEIGHT,
                                        largest) +
             values.astype(">u2").tobytes(),
             grey=np.rint(values / largest * 255) if planes == 1 else None)


def make_resized():
    source = Image.open(os.path.join(HERE, "images", "rgb8.png"))
    filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3,
               "box": 4, "hamming": 5}
    for name, code in filters.items():
        for height, width in ((5, 9), (13, 30), (20, 17), (3, 40)):
            resized = source.resize((width, height), resample=code)
            expected[f"resize/{name}/{height}x{width}"] = np.asarray(resized)


#===----------------------------------------------------------------------===#


def write_expected():
    header, offset = {}, 0
    for name, array in expected.items():
        header[name] = {"dtype": "U8", "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(HERE, "images", "expected.safetensors")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in expected.values():
            file.write(np.ascontiguousarray(array).tobytes())


def make_pickle():
    data = (np.arange(2 * 3072) % 251).astype(np.uint8).reshape(2, 3072)
    folder = os.path.join(HERE, "cifar10-python3")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "test_batch"), "wb") as file:
        pickle.dump({"labels": [3, 9], "data": data}, file, protocol=2)


if __name__ == "__main__":
    os.makedirs(os.path.join(HERE, "images"), exist_ok=True)
    make_pngs()
    make_jpegs()
    make_bitmaps()
    make_resized()
    write_expected()
    make_pickle()
