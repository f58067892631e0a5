# ===- words.py - Compares committed words with compiled SPIR-V ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 words.py [--write] KERNEL.spv WORDS.inc

Exits with 1 unless WORDS.inc, the body of a C array, is what this writes for KERNEL.spv.
"""

import os
import struct
import sys

arguments = [a for a in sys.argv[1:] if a != "--write"]
source, path = arguments
with open(source, "rb") as file:
    data = file.read()
words = ["0x%08x," % word for word in struct.unpack("<%dI" % (len(data) // 4), data)]
text = "// The words of %s, made by test/Target/Vulkan/Inputs/words.py.\n" % os.path.basename(path).replace(".inc", "")
text += "//\n// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.\n"
text += "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
for i in range(0, len(words), 6):
    text += " ".join(words[i : i + 6]) + "\n"
if "--write" in sys.argv:
    with open(path, "w") as file:
        file.write(text)
with open(path) as file:
    if file.read() != text:
        sys.exit("%s has other words than %s: see the test in test/Target/Vulkan that compares them" % (path, source))
