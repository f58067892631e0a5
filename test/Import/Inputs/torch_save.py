#!/usr/bin/env python3
# ===- torch_save.py - Writes files as torch.save does, without torch -------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""torch_save.py IN.safetensors OUT OPTION...

legacy (no zip archive)  protocol:N  folder:NAME (in the archive)
under:A.B (the state dict lies there)  beside:NAME (a copy of it lies there)
training (what training scripts save beside it)  parameters  attributes
transposed (views of transposed storages)  shared (all in one storage)
padded (views of part of a storage)  repeated (views of one element)
code:MODULE.NAME (a call of it, which unpickling would make)
model:MODULE.NAME (an object of this class instead of a state dict)
plain (a pickle, not of torch)  big (byteorder)  deflate  script (TorchScript)
short (storages cut)  outside (a view beyond its storage)
shards:N (OUT is a folder: pytorch_model.bin.index.json and its files)
"""

import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import types
import zipfile

from edit_safetensors import elements, read

WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4,
          "U8": 1, "I8": 1, "I16": 2, "BOOL": 1}
STORAGES = {"F32": "Float", "F16": "Half", "BF16": "BFloat16",
            "F64": "Double", "I64": "Long", "I32": "Int", "U8": "Byte",
            "I8": "Char", "I16": "Short", "BOOL": "Bool"}


def stand_in(name, is_class=False):
    """A global that the pickler finds under `name`."""
    module, _, member = name.rpartition(".")
    path = ""
    for part in module.split("."):
        path += ("." if path else "") + part
        if path not in sys.modules:
            sys.modules[path] = types.ModuleType(path)
    if hasattr(sys.modules[module], member):
        return getattr(sys.modules[module], member)
    if is_class:
        value = type(member, (), {})
    else:
        value = lambda *arguments: None
    value.__module__, value.__name__, value.__qualname__ = module, member, member
    setattr(sys.modules[module], member, value)
    return value


rebuild_tensor = stand_in("torch._utils._rebuild_tensor_v2")
rebuild_parameter = stand_in("torch._utils._rebuild_parameter")
rebuild_typed = stand_in("torch._tensor._rebuild_from_type_v2")
tensor_class = stand_in("torch.Tensor", is_class=True)
storage_classes = {dtype: stand_in("torch.%sStorage" % name, is_class=True)
                   for dtype, name in STORAGES.items()}


class Call:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce_ex__(self, protocol):
        return self.parts


class Storage:
    def __init__(self, dtype, data):
        self.dtype, self.data = dtype, data

    def count(self):
        return len(self.data) // WIDTHS[self.dtype]


def contiguous(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)


def tensor(storage, offset, shape, strides):
    return Call(rebuild_tensor, storage, offset, tuple(shape), tuple(strides),
                False, collections.OrderedDict())


def transpose(data, rows, columns, width):
    return b"".join(data[(i * columns + j) * width:][:width]
                    for j in range(columns) for i in range(rows))


class Pickler(pickle.Pickler):
    """Storages become persistent ids; `storages` collects them by key."""

    def __init__(self, file, protocol, legacy):
        super().__init__(file, protocol)
        self.legacy, self.storages, self.keys = legacy, {}, {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key = self.keys.setdefault(
            id(value), str((94000000000 if self.legacy else 0) + len(self.keys)))
        self.storages[key] = value
        identity = ("storage", storage_classes[value.dtype], key, "cpu",
                    value.count())
        return identity + ((None,) if self.legacy else ())


def make_tensors(source, options):
    result = collections.OrderedDict()
    whole = None
    if "shared" in options:
        whole = Storage("F32", b"".join(data for _, _, data in source.values()))
    position = 0
    for name, (dtype, shape, data) in source.items():
        width, offset, strides = WIDTHS[dtype], 0, contiguous(shape)
        storage = Storage(dtype, data)
        if whole:
            storage, offset = whole, position // 4
            position += len(data)
        elif "transposed" in options and len(shape) == 2:
            storage = Storage(dtype, transpose(data, *shape, width))
            strides = (1, shape[0])
        elif "padded" in options:
            storage, offset = Storage(dtype, bytes(3 * width) + data +
                                      bytes(5 * width)), 3
        elif "repeated" in options:
            storage, strides = Storage(dtype, data[:width]), (0,) * len(shape)
        elif "outside" in options:
            offset = 1
        value = tensor(storage, offset, shape, strides)
        if "parameters" in options:
            value = Call(rebuild_parameter, value, True,
                         collections.OrderedDict())
        if "attributes" in options:
            value = Call(rebuild_typed, rebuild_tensor, tensor_class,
                         value.parts[1], {"tag": 1})
        result[name] = value
    return result


def add_training(top):
    moment = tensor(Storage("F32", bytes(8)), 0, (2,), (1,))
    top["epoch"] = 3
    top["best"] = 0.125
    top["optimizer"] = {"state": {0: {"step": 7, "exp_avg": moment}},
                        "param_groups": [{"lr": 1e-3, "params": [0, 1],
                                          "betas": (0.9, 0.999)}]}
    top["args"] = argparse.Namespace(name="run", flag=True, nothing=None,
                                     path=pathlib.PurePosixPath("/x"),
                                     big=1 << 80, data=b"\x80\xff",
                                     names={"a", "b"})
    top["config"] = stand_in("project.Config", is_class=True)()
    top["rng_state"] = tensor(Storage("U8", bytes(16)), 0, (16,), (1,))


def make_object(source, options):
    state = make_tensors(source, options)
    top = state
    for name in reversed(options.get("under", "").split(".")):
        top = {name: top} if name else top
    if "beside" in options:
        top[options["beside"]] = make_tensors(source, options)
    if "training" in options:
        add_training(top)
    if "code" in options:
        top["code"] = Call(stand_in(options["code"]), "touch called")
    if "model" in options:
        top = stand_in(options["model"], is_class=True)()
        top._parameters = state
    return top


def dumps(value, options):
    file = io.BytesIO()
    pickler = Pickler(file, int(options.get("protocol", 2)),
                      "legacy" in options)
    pickler.dump(value)
    return file.getvalue(), pickler.storages


def save_legacy(path, value, options):
    body, storages = dumps(value, options)
    little = "big" not in options
    head = [0x1950a86a20f9469cfc6c, 1001,
            {"protocol_version": 1001, "little_endian": little,
             "type_sizes": {"short": 2, "int": 4, "long": 4}}]
    with open(path, "wb") as file:
        for part in head:
            file.write(dumps(part, options)[0])
        file.write(body)
        keys = sorted(storages)
        file.write(dumps(keys, options)[0])
        for key in keys:
            data = storages[key].data
            file.write(struct.pack("<q", storages[key].count()))
            file.write(data[:-1] if "short" in options else data)


def save_zip(path, value, options):
    body, storages = dumps(value, options)
    folder = options.get("folder", "archive")
    method = zipfile.ZIP_DEFLATED if "deflate" in options else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(folder + "/data.pkl", body)
        if "script" in options:
            archive.writestr(folder + "/constants.pkl", b"\x80\2).")
        archive.writestr(folder + "/byteorder",
                         "big" if "big" in options else "little")
        for key, storage in storages.items():
            data = storage.data
            archive.writestr(folder + "/data/" + key,
                             data[:-1] if "short" in options else data)
        archive.writestr(folder + "/version", "3\n")


def save(path, source, options):
    value = make_object(source, options)
    if "plain" in options:
        with open(path, "wb") as file:
            file.write(pickle.dumps({"a": [1.5, "text"]}, 2))
    elif "legacy" in options:
        save_legacy(path, value, options)
    else:
        save_zip(path, value, options)


def save_shards(folder, source, options):
    count, names = int(options["shards"]), list(source)
    weight_map = {}
    for part in range(count):
        file = "pytorch_model-%05d-of-%05d.bin" % (part + 1, count)
        mine = names[part::count]
        weight_map.update({name: file for name in mine})
        save(os.path.join(folder, file), {name: source[name] for name in mine},
             options)
    with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": weight_map}, file)


def main():
    options = dict(option.partition(":")[::2] for option in sys.argv[3:])
    source = read(sys.argv[1])
    (save_shards if "shards" in options else save)(sys.argv[2], source, options)


main()
