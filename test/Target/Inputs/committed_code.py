# ===- committed_code.py - Compares committed code with compiled one --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 committed_code.py [--write] CODE FILE.inc

Exits with 1 unless FILE.inc is what this writes for CODE: the words of SPIR-V
as the body of a C array, or PTX as a string of C++.
"""

import os
import struct
import sys

source, path = [a for a in sys.argv[1:] if a != "--write"]
with open(source, "rb") as file:
    code = file.read()
if source.endswith(".ptx"):
    kind, body = "PTX", 'R"ptx(' + code.decode() + ')ptx"\n'
else:
    words = ["0x%08x," % word for word, in struct.iter_unpack("<I", code)]
    kind, body = "words", "".join(" ".join(words[i:i + 6]) + "\n" for i in range(0, len(words), 6))
name = os.path.basename(path).replace(".inc", "")
text = """// The %s of %s, made by test/Target/Inputs/committed_code.py.
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
%s""" % (kind, name, body)
if "--write" in sys.argv:
    with open(path, "w") as file:
        file.write(text)
with open(path) as file:
    if file.read() != text:
        sys.exit("%s is not the code of %s; committed_code.py --write makes it anew" % (path, source))
