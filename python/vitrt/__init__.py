# ===- __init__.py - Vision Transformers, compiled -------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs Vision Transformers, compiled to native code.

>>> import vitrt
>>> model = vitrt.load("facebook/dinov2-small")     # a folder, a name in the hub's cache, a .vitm
>>> model.classify("cat.jpg", top=5)                # [(label, probability), ...]
>>> model.embed(["a.jpg", "b.jpg"], normalize=True) # float32 [2, width]
>>> model(x, outputs=["hidden_3"])["hidden_3"]      # NumPy, from anything with __dlpack__
"""

from ._compile import compile
from ._core import version as _version
from ._errors import Error
from ._model import AttentionMap, Model, load
from ._train import Trainer

__version__ = _version()
__all__ = ["AttentionMap", "Error", "Model", "Trainer", "compile", "load"]
