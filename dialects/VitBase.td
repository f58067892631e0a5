//===- VitBase.td - The vit dialect, its enumerations ------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_BASE_TD
#define VIT_BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def Vit_Dialect : Dialect {
  let name = "vit";
  let cppNamespace = "::mlir::vit";
  let summary = "Vision Transformers as graphs of tensor operations";
  let description = [{
    Tensors are row-major. In activations the leading dimension, the batch, is
    `?`; all other dimensions are static. Tokens come second, channels last:
    `tensor<?x197x768xf32>` is [batch, tokens, width]. Parameters are symbols.
    Layers with the same code are written once, in `vit.layers`.

    The module attributes `vit.labels` (array of strings, one per class) and
    `vit.preprocessing` (dictionary: `channels`, `height`, `width`,
    `resize_height`, `resize_width`, `center_crop`, `interpolation` (Pillow's
    code), `apply_exif_orientation`, `scale`, `mean`, `std`; see
    `vit_preprocessing` in vit.h) are copied to the compiled module. Its `crop_pct` is
    timm's, for vit-set-image-size; an entry for pictures of another size has a
    `vit.preprocessing` and a `vit.patch_grid` of its own. `vit.resampling` is
    "antialias" or "none" where a learned position table is not resampled by
    plain bicubic interpolation: see vit-set-image-size. The attribute `vit.name` names an argument or a result of an entry; the first result is the
    default output. In a training entry `vit.role` says what an argument or a
    result is to a training step, and `vit.classes` the number of classes of
    labels. Profiles and errors refer to an op by its location
    (`loc("blocks.3.mlp.fc1")`).
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

class Vit_I32Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::vit";
  let genSpecializedAttr = 0;
}

def Vit_Distribution : Vit_I32Enum<"Distribution", "distribution of a parameter", [
  I32EnumAttrCase<"constant", 0>,       // value
  I32EnumAttrCase<"normal", 1>,         // value = standard deviation
  I32EnumAttrCase<"trunc_normal", 2>,   // the same, truncated at +-2, not +-2 value: torch's and timm's trunc_normal_
  I32EnumAttrCase<"uniform", 3>,        // [-value, value)
  I32EnumAttrCase<"xavier_uniform", 4>  // bound sqrt(6 / (fan_in + fan_out))
]>;

def Vit_GeluKind : Vit_I32Enum<"GeluKind", "GELU formula", [
  I32EnumAttrCase<"erf", 0>,   // x/2 (1 + erf(x/sqrt 2)): torch's default, HF "gelu"
  I32EnumAttrCase<"tanh", 1>,  // HF "gelu_new", "gelu_pytorch_tanh"
  I32EnumAttrCase<"quick", 2>  // x sigmoid(1.702 x): HF "quick_gelu"
]>;
def Vit_GeluKindAttr : EnumAttr<Vit_Dialect, Vit_GeluKind, "gelu_kind">;

def Vit_NormKind : Vit_I32Enum<"NormKind", "norm whose gradients are computed", [
  I32EnumAttrCase<"layer", 0>, // vit.layer_norm
  I32EnumAttrCase<"rms", 1>,   // vit.rms_norm
  I32EnumAttrCase<"l2", 2>     // vit.l2_normalize
]>;
def Vit_NormKindAttr : EnumAttr<Vit_Dialect, Vit_NormKind, "norm_kind">;

def Vit_ActivationKind : Vit_I32Enum<"ActivationKind", "activation of a derivative", [
  I32EnumAttrCase<"gelu_erf", 0>,
  I32EnumAttrCase<"gelu_tanh", 1>,
  I32EnumAttrCase<"gelu_quick", 2>,
  I32EnumAttrCase<"relu", 3>,
  I32EnumAttrCase<"silu", 4>,
  I32EnumAttrCase<"tanh", 5>
]>;
def Vit_ActivationKindAttr : EnumAttr<Vit_Dialect, Vit_ActivationKind, "activation_kind">;

def Vit_Role : Vit_I32Enum<"Role", "role in a training step", [
  I32EnumAttrCase<"targets", 1>, // labels of the first argument's images, or values
  I32EnumAttrCase<"learning_rate", 2>,
  I32EnumAttrCase<"step", 3>,    // number of steps before this one
  I32EnumAttrCase<"loss", 4>,
  I32EnumAttrCase<"correct", 5>  // number of images that are classified correctly
]>;
def Vit_RoleAttr : EnumAttr<Vit_Dialect, Vit_Role, "role"> {
  let assemblyFormat = "`<` $value `>`";
}

def Vit_AxisOrder : Vit_I32Enum<"AxisOrder", "order of the axes", [
  I32EnumAttrCase<"yx", 0>, // rows first
  I32EnumAttrCase<"xy", 1>  // columns first
]>;
def Vit_AxisOrderAttr : EnumAttr<Vit_Dialect, Vit_AxisOrder, "axis_order">;

def Vit_PairKind : Vit_I32Enum<"PairKind", "channels that are rotated together", [
  I32EnumAttrCase<"halves", 0>,    // (i, i + d/2): transformers' rotate_half
  I32EnumAttrCase<"neighbours", 1> // (2 i, 2 i + 1): timm's rot
]>;
def Vit_PairKindAttr : EnumAttr<Vit_Dialect, Vit_PairKind, "pair_kind">;

def Vit_ResamplingFilter : Vit_I32Enum<"ResamplingFilter", "interpolation between the rows of a table", [
  I32EnumAttrCase<"cubic", 0>,    // torch's interpolate(mode="bicubic")
  I32EnumAttrCase<"linear", 1>,   // torch's interpolate(mode="bilinear"): transformers' BeitRelativePositionBias
  I32EnumAttrCase<"geometric", 2> // timm's resize_rel_pos_bias_table
]>;
def Vit_ResamplingFilterAttr : EnumAttr<Vit_Dialect, Vit_ResamplingFilter, "resampling_filter">;

def Vit_Precision : Vit_I32Enum<"Precision", "type to which the operands of a product are rounded", [
  I32EnumAttrCase<"f32", 0>,
  I32EnumAttrCase<"tf32", 1>, // f32 with 10 bits of mantissa, to nearest, ties away from zero (PTX ISA, cvt.rna.tf32.f32); sums are f32
  I32EnumAttrCase<"f16", 2>,  // to nearest even, beyond 65504 to NaN; sums are f32
  I32EnumAttrCase<"bf16", 3>, // to nearest even; sums are f32
  I32EnumAttrCase<"int8", 4>  // multiples of a scale for each row, -127 to 127; sums are int32
]>;
def Vit_PrecisionAttr : EnumAttr<Vit_Dialect, Vit_Precision, "precision">;

/// An attribute that is null until a pass sets it. It is the last argument of
/// builders, and optional.
class Vit_LateAttr<Attr attr> : OptionalAttr<attr> {
  let returnType = attr.storageType;
  let convertFromStorage = "$_self";
  let defaultValue = "nullptr";
  let constBuilderCall = attr.storageType # "()";
}

/// Constant numbers of f32.
def Vit_F32ElementsAttr : FloatElementsAttr<32>;

def Vit_PixelOrder : Vit_I32Enum<"PixelOrder", "pixel order of a patch", [
  I32EnumAttrCase<"chw", 0>, // channel, row, column: the weight of a convolution
  I32EnumAttrCase<"hwc", 1>  // row, column, channel: vit-pytorch's rearrange
]>;
def Vit_PixelOrderAttr : EnumAttr<Vit_Dialect, Vit_PixelOrder, "pixel_order">;

#endif // VIT_BASE_TD
