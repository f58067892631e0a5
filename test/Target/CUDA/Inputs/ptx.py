# ===- ptx.py - Compares a committed PTX text with a compiled one ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 ptx.py [--write] KERNELS.ptx TEXT.inc

Exits with 1 unless TEXT.inc, a string of C++, is what this writes for KERNELS.ptx.
"""

import os
import sys

source, path = [a for a in sys.argv[1:] if a != "--write"]
with open(source) as file:
    ptx = file.read()
text = "// The PTX of %s, made by test/Target/CUDA/Inputs/ptx.py.\n" % os.path.basename(path).replace(".inc", ".mlir")
text += "//\n// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.\n"
text += "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
text += 'R"ptx(' + ptx + ')ptx"\n'
if "--write" in sys.argv:
    with open(path, "w") as file:
        file.write(text)
with open(path) as file:
    if file.read() != text:
        sys.exit("%s has another text than %s: see test/Target/CUDA/add-pieces.test" % (path, source))
