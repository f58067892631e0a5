# ===- _tools.py - The command line tools and the compiler -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Finds the compiler. The console scripts vit-compile and vit-opt become its programs; vit-run is in
the extension."""

import os
import sys
from typing import NoReturn, Optional

from . import _core
from ._errors import Error

_REMEDY = "install it with: pip install vitrt[compile]"


def compiler_folder() -> Optional[str]:
    """The folder of vitrt-compiler, None where it is not installed."""
    from importlib.util import find_spec

    spec = find_spec("vitrt_compiler")
    if spec is None or not spec.submodule_search_locations:
        return None
    return spec.submodule_search_locations[0]


def use_compiler() -> None:
    """Tells the extension where the compiler is. Does so once."""
    if use_compiler.done:
        return
    folder = compiler_folder()
    if folder:
        import vitrt_compiler

        if vitrt_compiler.__version__ != _core.version():
            raise Error(
                f"vitrt-compiler is {vitrt_compiler.__version__} and vitrt is {_core.version()}: "
                "install the same version of both",
                "VIT_UNSUPPORTED",
            )
    library = os.path.join(folder, "lib", "libvit-compiler.so.0") if folder else ""
    _core.use_compiler(library, _REMEDY)
    use_compiler.done = True


use_compiler.done = False


def find_compiler() -> str:
    """The path of vit-compile. Raises Error where it is not installed."""
    use_compiler()
    library = _core.find_compiler()
    return os.path.join(os.path.dirname(os.path.dirname(library)), "bin", "vit-compile")


def vit_run() -> NoReturn:
    import signal

    # It runs to its end without the interpreter, which would only note Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        use_compiler()
    except Error as error:
        sys.exit(f"error: {error}")
    sys.exit(_core.vit_run([os.fsencode(word) for word in ["vit-run"] + sys.argv[1:]]))


def _become_compiler(name: str) -> NoReturn:
    folder = compiler_folder()
    if folder is None:
        sys.exit(f"error: {name} is part of vitrt-compiler; {_REMEDY}")
    path = os.path.join(folder, "bin", name)
    os.execv(path, [path] + sys.argv[1:])


def vit_compile() -> NoReturn:
    _become_compiler("vit-compile")


def vit_opt() -> NoReturn:
    _become_compiler("vit-opt")
