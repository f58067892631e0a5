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
  let summary = "Fused kernels, one launch per op";
  let description = [{
    Values are the tensors of the vit dialect; the encoding of a tensor type is
    its memory layout (none: row-major). The region of an op is scalar f32 code.
    Its first argument is the element that the kernel computes (the accumulator
    of a product, the normalised value, ...), followed by one argument per extra
    operand. It consists of `arith` and `math` ops and ends in `kernel.yield`.

    The type of an extra operand determines how it is broadcast to the result
    ([batch, tokens, width] or [batch, width]): the shape of the result is
    element by element, [tokens, width] per token, [width] per channel.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::vit::VitDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::func::FuncDialect"];
}

def Kernel_RowsKind : I32EnumAttr<"RowsKind", "row operation", [
  I32EnumAttrCase<"normalize", 0>, // (x - mean) / sqrt(variance + epsilon)
  I32EnumAttrCase<"softmax", 1>,   // exp(x - max) / sum
  I32EnumAttrCase<"rms", 2>,       // x / sqrt(mean(x^2) + epsilon)
  I32EnumAttrCase<"l2", 3>         // x / max(sqrt(sum(x^2)), epsilon)
]> {
  let cppNamespace = "::mlir::vit::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_RowsKindAttr : EnumAttr<Kernel_Dialect, Kernel_RowsKind, "rows_kind">;

class Kernel_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::vit::kernel";
  let genSpecializedAttr = 0;
}

def Kernel_SumKind : Kernel_Enum<"SumKind", "kind of sum", [
  I32EnumAttrCase<"tokens", 0>, // [batch, tokens, width] to [batch, width]
  I32EnumAttrCase<"batch", 1>,  // [batch, ...] to [...]
  I32EnumAttrCase<"all", 2>,    // any shape to one element
  I32EnumAttrCase<"groups", 3>  // [groups * width] to [width]
]>;
def Kernel_SumKindAttr : EnumAttr<Kernel_Dialect, Kernel_SumKind, "sum_kind">;

def Kernel_LossKind : Kernel_Enum<"LossKind", "loss or metric", [
  I32EnumAttrCase<"cross_entropy", 0>,
  I32EnumAttrCase<"mse", 1>,
  I32EnumAttrCase<"accuracy", 2>
]>;
def Kernel_LossKindAttr : EnumAttr<Kernel_Dialect, Kernel_LossKind, "loss_kind">;

def Kernel_RandomUnit : Kernel_Enum<"RandomUnit", "unit of dropout", [
  I32EnumAttrCase<"element", 0>, // vit.dropout
  I32EnumAttrCase<"image", 1>    // vit.drop_path
]>;
def Kernel_RandomUnitAttr : EnumAttr<Kernel_Dialect, Kernel_RandomUnit, "random_unit">;

#endif // KERNEL_BASE_TD
