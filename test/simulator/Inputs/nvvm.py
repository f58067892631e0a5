# ===- nvvm.py - Writes kernels in the NVVM dialect -------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#


class Text:
    def __init__(self):
        self.lines, self.names = [], 0

    def op(self, text):
        self.names += 1
        name = "%v" + str(self.names)
        self.lines.append("  %s = %s" % (name, text))
        return name

    def do(self, text):
        self.lines.append("  " + text)

    def const(self, value):
        return self.op("llvm.mlir.constant(%d : i32) : i32" % value)

    def binary(self, what, a, b):
        return self.op("llvm.%s %s, %s : i32" % (what, a, self.const(b) if isinstance(b, int) else b))

    def address(self, base, index, pointer="!llvm.ptr"):
        return self.op("llvm.getelementptr %s[%s] : (%s, i32) -> %s, i32" % (base, index, pointer, pointer))

    def load(self, base, index, type="i32"):
        return self.op("llvm.load %s : !llvm.ptr -> %s" % (self.address(base, index), type))

    def store(self, value, base, index, type="i32"):
        self.do("llvm.store %s, %s : %s, !llvm.ptr" % (value, self.address(base, index), type))

    def split(self, struct, types):
        all = "!llvm.struct<(%s)>" % ", ".join(types)
        return [self.op("llvm.extractvalue %s[%d] : %s" % (struct, i, all)) for i in range(len(types))]

    def ldmatrix(self, row, number, transposed=False):
        types = ["i32"] * number
        result = "i32" if number == 1 else "!llvm.struct<(%s)>" % ", ".join(types)
        words = self.op("nvvm.ldmatrix %s {num = %d : i32, layout = #nvvm.mma_layout<%s>, "
                        "shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, "
                        "eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> %s" %
                        (row, number, "col" if transposed else "row", result))
        return [words] if number == 1 else self.split(words, types)

    def mma(self, a, b, c, type, depth):
        word = "vector<2xf16>" if type == "f16" else "i32"
        if type == "f16":
            a, b = [[self.op("llvm.bitcast %s : i32 to %s" % (x, word)) for x in words] for words in (a, b)]
        sums = self.op("nvvm.mma.sync A[%s] B[%s] C[%s] {layoutA = #nvvm.mma_layout<row>, "
                       "layoutB = #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<%s>, "
                       "multiplicandBPtxType = #nvvm.mma_type<%s>, shape = #nvvm.shape<m = 16, n = 8, k = %d>} "
                       ": (%s, %s, f32) -> !llvm.struct<(f32, f32, f32, f32)>" %
                       (", ".join(a), ", ".join(b), ", ".join(c), type, type, depth, word, word))
        return self.split(sums, ["f32"] * 4)

    def copy_async(self, to, source):
        self.do("nvvm.cp.async.shared.global %s, %s, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>" % (to, source))
