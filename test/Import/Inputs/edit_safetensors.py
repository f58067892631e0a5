#!/usr/bin/env python3
# ===- edit_safetensors.py - Edits or damages a safetensors file -----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""edit_safetensors.py IN OUT EDIT...

drop:NAME  add:NAME=2x3 (zeros)  shape:NAME=2x3 (zeros unless the
number of elements stays the same)  rename:A=B (in all names)  prefix:A (before all names)  half (all to
f16)  bf16 (all to bf16, truncated)  double (all to
f64)  int (all I32)  shards:N (OUT is a folder)
"""

import json
import os
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size:]
    return {name: (entry["dtype"], entry["shape"],
                   body[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def write(path, tensors):
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def convert(tensors, dtype, pack):
    for name, (_, shape, data) in tensors.items():
        values = struct.unpack("<%df" % (len(data) // 4), data)
        tensors[name] = (dtype, shape, b"".join(map(pack, values)))


def main():
    tensors = read(sys.argv[1])
    out = sys.argv[2]
    for edit in sys.argv[3:]:
        kind, _, rest = edit.partition(":")
        left, _, right = rest.partition("=")
        if kind == "drop":
            del tensors[left]
        elif kind == "add":
            shape = [int(size) for size in right.split("x")]
            tensors[left] = ("F32", shape, bytes(4 * elements(shape)))
        elif kind == "shape":
            shape = [int(size) for size in right.split("x")]
            dtype, old, data = tensors[left]
            if elements(shape) != elements(old):
                data = bytes(4 * elements(shape))
            tensors[left] = (dtype, shape, data)
        elif kind == "rename":
            tensors = {name.replace(left, right): tensor
                       for name, tensor in tensors.items()}
        elif kind == "prefix":
            tensors = {rest + name: tensor for name, tensor in tensors.items()}
        elif kind == "half":
            convert(tensors, "F16", lambda x: struct.pack("<e", x))
        elif kind == "bf16":
            convert(tensors, "BF16", lambda x: struct.pack("<f", x)[2:])
        elif kind == "double":
            convert(tensors, "F64", lambda x: struct.pack("<d", x))
        elif kind == "int":
            convert(tensors, "I32", lambda x: struct.pack("<i", int(x)))
        elif kind == "shards":
            names, count = list(tensors), int(left)
            index = {}
            for i in range(count):
                shard = "model-%05d-of-%05d.safetensors" % (i + 1, count)
                part = names[i::count]
                write(os.path.join(out, shard), {n: tensors[n] for n in part})
                index.update((n, shard) for n in part)
            with open(os.path.join(out, "model.safetensors.index.json"), "w") as f:
                json.dump({"metadata": {}, "weight_map": index}, f)
            return
        else:
            sys.exit("no such edit: " + edit)
    write(out, tensors)


if __name__ == "__main__":
    main()
