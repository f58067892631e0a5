//===- KernelBase.td - The kernel dialect, its enums -------*- tablegen -*-===//
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


class Kernel_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::vit::kernel";
  let genSpecializedAttr = 0;
}

def Kernel_SumKind : Kernel_Enum<"SumKind", "what is summed over", [
  I32EnumAttrCase<"tokens", 0>, // [batch, tokens, width] to [batch, width]
  I32EnumAttrCase<"batch", 1>,  // [batch, ...] to [...]
  I32EnumAttrCase<"all", 2>,    // any to one element
  I32EnumAttrCase<"groups", 3>  // [groups * width] to [width]
]>;
def Kernel_SumKindAttr : EnumAttr<Kernel_Dialect, Kernel_SumKind, "sum_kind">;

def Kernel_LossKind : Kernel_Enum<"LossKind", "what is measured", [
  I32EnumAttrCase<"cross_entropy", 0>,
  I32EnumAttrCase<"mse", 1>,
  I32EnumAttrCase<"accuracy", 2>
]>;
def Kernel_LossKindAttr : EnumAttr<Kernel_Dialect, Kernel_LossKind, "loss_kind">;

def Kernel_RandomUnit : Kernel_Enum<"RandomUnit", "what is dropped as one", [
  I32EnumAttrCase<"element", 0>, // vit.dropout
  I32EnumAttrCase<"image", 1>    // vit.drop_path
]>;
def Kernel_RandomUnitAttr : EnumAttr<Kernel_Dialect, Kernel_RandomUnit, "random_unit">;

#endif // KERNEL_BASE_TD
