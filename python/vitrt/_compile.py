# ===- _compile.py - vitrt.compile -----------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import os
from typing import Any, List, Sequence, Union

from . import _core
from ._errors import Error
from ._tools import find_compiler

Path = Union[str, "os.PathLike[str]"]


def arguments_of(keywords: "dict[str, Any]") -> List[str]:
    """The options of a command line for keywords: max_drop=0.3 becomes --max-drop=0.3, a list is
    separated by commas, True is a flag; None and False are left out."""
    arguments = []
    for name, value in keywords.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            arguments.append(option)
            continue
        if isinstance(value, (list, tuple)):
            value = ",".join(str(part) for part in value)
        elif isinstance(value, os.PathLike):
            value = os.fspath(value)
        arguments.append(f"{option}={value}")
    return arguments


def compile(
    source: Path,
    output: Path,
    *,
    target: Union[str, Sequence[str]] = "cpu",
    precision: Union[str, Sequence[str]] = "f32",
    quiet: bool = False,
    **options: Any,
) -> None:
    """Compiles a folder or a text to the module `output`, as vit-compile does. Needs vitrt-compiler
    (pip install vitrt[compile]).

    source: a folder of transformers, timm, open_clip, torchvision or vit-pytorch, a name in the
        Hugging Face hub's cache, or a .mlir text.
    output: the .vitm file, written whole or not at all.
    target: any of "cpu", "vulkan" and "cuda".
    precision: any of "f32", "tf32", "f16", "bf16" and "int8", the first being the module's default.
    quiet: no notes on standard error.
    options: every option of `vit-compile --help` with underscores, such as
        outputs=["logits", "attention_*"], level="avx2", image_size=[224, 384],
        parameters="reference", train=True or train="optimizer=sgd momentum=0.9", batch=8,
        and for narrow precisions data="val/", images=300, max_drop=0.3, min_cosine=0.999,
        smooth_quant=0.5, static_scales=True, keep=["blocks.0.mlp.fc1=bf16"].

    Raises vitrt.Error with the compiler's message and status.
    """
    import subprocess
    import sys

    program = find_compiler()
    keywords = dict(target=target, precision=precision, **options)
    command = [program, "--print-status", "-o", os.fspath(output)] + arguments_of(keywords) + ["--", os.fspath(source)]
    status, message = "VIT_INTERNAL", f"the compiler failed on {source}"
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            # As they come: some compilations take minutes.
            for line in map(os.fsdecode, process.stderr):
                kind, _, text = line.rstrip("\n").partition(": ")
                if kind == "status":
                    status = text
                elif kind == "error":
                    message = _core.with_keywords(text)
                elif not quiet:
                    print(line, end="", file=sys.stderr, flush=True)
        except BaseException:  # Ctrl-C
            process.kill()
            raise
    if process.returncode < 0:
        raise Error(f"the compiler was ended by signal {-process.returncode} on {source}", "VIT_INTERNAL")
    if process.returncode != 0:
        raise Error(message, status)
