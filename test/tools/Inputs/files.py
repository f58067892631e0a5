# ===- files.py - npy, safetensors and PNG in plain Python -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Readers and writers that share no code with vit, for its tests."""

import array
import json
import struct
import zlib


def read_npy(path):
    """Returns shape and elements (a list of floats) of a '<f4' or '<f8' file."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY", path
    wide = data[6] > 1
    length = struct.unpack("<I" if wide else "<H", data[8:12 if wide else 10])[0]
    begin = (12 if wide else 10) + length
    header = eval(data[begin - length : begin].decode("latin1"), {}, {})
    assert not header["fortran_order"], path
    values = array.array({"<f4": "f", "<f8": "d"}[header["descr"]])
    values.frombytes(data[begin:])
    return list(header["shape"]), values


def write_npy(path, shape, values, descr="<f4"):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (
        descr, "".join("%d, " % size for size in shape))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    code = {"<f4": "f", "<f8": "d", "<i4": "i"}
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
        file.write(header.encode())
        if descr == "<f2":
            file.write(struct.pack("<%de" % len(values), *values))
        else:
            file.write(array.array(code[descr], values).tobytes())


def read_safetensors(path):
    """Returns name -> (shape, floats); f32 and f16 tensors only."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        assert info["dtype"] in ("F32", "F16"), (path, name)
        begin, end = (8 + length + offset for offset in info["data_offsets"])
        values = array.array("f")
        if info["dtype"] == "F32":
            values.frombytes(data[begin:end])
        else:
            values.extend(struct.unpack("<%de" % ((end - begin) // 2), data[begin:end]))
        tensors[name] = (info["shape"], values)
    return tensors


def write_safetensors(path, tensors):
    """`tensors`: name -> (shape, floats)."""
    header, blobs, offset = {}, [], 0
    for name, (shape, values) in tensors.items():
        blob = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_png(path, width, height, pixel):
    """`pixel(x, y)` returns three numbers from 0 to 255."""
    rows = b"".join(
        b"\0" + bytes(c for x in range(width) for c in pixel(x, y))
        for y in range(height))

    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body +
                struct.pack(">I", zlib.crc32(kind + body)))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" +
                   chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def read_png(path):
    """Returns width, height and rows of samples of an 8-bit RGB file that is
    not interlaced."""
    with open(path, "rb") as file:
        data = file.read()
    at, stored = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, color, interlace) == (8, 2, 0), path
        elif kind == b"IDAT":
            stored += body
        at += size + 12
    stored = zlib.decompress(stored)
    stride, above, rows = 3 * width, [0] * (3 * width), []
    for y in range(height):
        begin = y * (stride + 1)
        kind, row = stored[begin], list(stored[begin + 1 : begin + 1 + stride])
        for x in range(stride):
            left = row[x - 3] if x >= 3 else 0
            corner = above[x - 3] if x >= 3 else 0
            guess = left + above[x] - corner
            paeth = min((left, above[x], corner), key=lambda v: abs(guess - v))
            row[x] = (row[x] + (0, left, above[x], (left + above[x]) // 2,
                                paeth)[kind]) % 256
        rows.append(row)
        above = row
    return width, height, rows
