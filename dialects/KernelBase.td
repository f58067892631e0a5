//===- KernelBase.td - The kernel dialect and its enumerations -*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_BASE_TD
#define KERNEL_BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::mlir::vit::kernel";
  let summary = "Fused kernels: one op, one launch";
  let description = [{
    Values are the tensors of the vit dialect; the encoding of a tensor's type
    says how it lies in memory (none: row-major). The region of an op is scalar
    f32 code: its first argument is the element that the family computes (the
    accumulator of a product, the normalised value, ...), then one argument per
    extra operand. It holds `arith` and `math` ops and ends in `kernel.yield`.

    An extra operand's type says how it is broadcast against the result
    ([batch, tokens, width] or [batch, width]): the result's own shape is
    element by element, [tokens, width] is per token, [width] per channel.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::vit::VitDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::func::FuncDialect"];
}

def Kernel_RowsKind : I32EnumAttr<"RowsKind", "what a row becomes", [
  I32EnumAttrCase<"normalize", 0>, // (x - mean) / sqrt(variance + epsilon)
  I32EnumAttrCase<"softmax", 1>    // exp(x - max) / sum
]> {
  let cppNamespace = "::mlir::vit::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_RowsKindAttr : EnumAttr<Kernel_Dialect, Kernel_RowsKind, "rows_kind">;

#endif // KERNEL_BASE_TD
