# ===- _objects.py - Models of other libraries in memory -------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from typing import Any, Optional

from . import _core


class Folder:
    """A temporary folder that lives as long as this object."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="vitrt-")
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _write_json(folder: Folder, name: str, content: Any) -> None:
    with open(os.path.join(folder.path, name), "w") as file:
        json.dump(content, file)


def _write_tensors(folder: Folder, tensors: "Mapping[str, Any]") -> None:
    names, arrays = [], []
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"a state dict has names, not {type(name).__name__}")
        if not hasattr(tensor, "__dlpack__"):
            raise TypeError(f"{name} is a {type(tensor).__name__}, not an array")
        # Of torch: without its gradient, and in CPU memory.
        if hasattr(tensor, "detach"):
            tensor = tensor.detach().cpu()
        names.append(name)
        arrays.append(tensor)
    _core.write_weights(os.fsencode(os.path.join(folder.path, "model.safetensors")), names, arrays)


def folder_of(source: Any, config: "Optional[Mapping[str, Any]]", preprocessing: "Optional[Mapping[str, Any]]") -> Folder:
    """Writes `source`, as vitrt.load describes it, to a folder."""
    folder = Folder()
    if isinstance(source, Mapping):
        if config is None:
            raise TypeError("a state dict says nothing of its model: give config=, what its config.json holds")
        _write_tensors(folder, source)
    elif config is not None:
        raise TypeError("config= goes with a state dict, such as module.state_dict()")
    elif hasattr(source, "save_pretrained"):  # transformers
        source.save_pretrained(folder.path)
    elif hasattr(source, "pretrained_cfg"):  # timm
        from timm.models import save_for_hf

        save_for_hf(source, folder.path, safe_serialization=True)
    else:
        raise TypeError(
            f"source is a {type(source).__name__}: give a path, a name, a model of transformers or timm, or a "
            "state dict with config="
        )
    if config is not None:
        _write_json(folder, "config.json", config)
    if preprocessing is not None:
        _write_json(folder, "preprocessor_config.json", preprocessing)
    return folder
