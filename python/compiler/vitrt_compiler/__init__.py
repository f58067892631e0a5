# ===- __init__.py - Where the compiler is ---------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Holds vit-compile and vit-opt (bin) and their libraries (lib) for the package vitrt."""

from ._version import __version__
