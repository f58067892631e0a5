//===- VitOps.td - The vit dialect -------------------------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations of Vision Transformers on tensors. The constraints of each op are
// numbered (C1, C2, ...); verifier messages and test names use these numbers.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_OPS_TD
#define VIT_OPS_TD

include "VitBase.td"
include "VitInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Vit_Op<string mnemonic, list<Trait> traits = []>
    : Op<Vit_Dialect, mnemonic, traits>;

/// A pure op on tensors that infers its result types from its operands.
class Vit_PureOp<string mnemonic, list<Trait> traits = []>
    : Vit_Op<mnemonic, traits # [Pure, InferTypeOpAdaptor]> {
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Accepts any types: verify() compares them with the inferred types and,
    /// unlike the interface, reports a mismatch in one message.
    static ::llvm::LogicalResult refineReturnTypes(
        ::mlir::MLIRContext *, ::std::optional<::mlir::Location>, ::mlir::ValueRange,
        ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
        ::llvm::SmallVectorImpl<::mlir::Type> &) {
      return ::llvm::success();
    }
  }];
}

def Vit_Float : AnyTypeOf<[F32, BF16, F16]>;
def Vit_Tensor : RankedTensorOf<[F32, BF16, F16]>;

/// Types that the assembly format omits.
def Vit_Scalar : 0DTensorOf<[F32]>, BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getF32Type())">;
def Vit_Count : 0DTensorOf<[I32]>, BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI32Type())">;
def Vit_Seed : Type<CPred<"$_self == ::mlir::RankedTensorType::get({2}, ::mlir::IntegerType::get($_self.getContext(), 32))">,
    "tensor<2xi32>", "::mlir::RankedTensorType">, BuildableType<"::mlir::RankedTensorType::get({2}, $_builder.getI32Type())">;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Vit_Attr<string name, string mnem> : AttrDef<Vit_Dialect, name> {
  let mnemonic = mnem;
}

def Vit_InitAttr : Vit_Attr<"Init", "init"> {
  let summary = "initialiser of a parameter, `<trunc_normal, 2.0e-02>`";
  let description = [{
    Each element is drawn by Philox-4x32-10 from the seed, the name of the
    parameter (and layer) and the index of the element, so it is the same on
    every target. `value` is the constant, the standard deviation or the bound.

    Constraints:
    - C1: the value is finite; a deviation or bound is not negative.
  }];
  let genVerifyDecl = 1;
  let parameters = (ins EnumParameter<Vit_Distribution>:$distribution, APFloatParameter<"the constant, deviation or bound">:$value);
  let assemblyFormat = "`<` $distribution `,` $value `>`";
}

def Vit_StoredAttr : Vit_Attr<"Stored", "stored"> {
  let summary = "the checkpoint tensor that a parameter is stored in";
  let description = [{
    `name` and `shape` are those of the tensor in the checkpoint; `{}` in the
    name stands for the layer number. The parameter consists of rows
    [`begin`, `end`) of the first dimension of that tensor, row-major and
    reshaped: q, k and v of a fused `qkv.weight` are three parameters in one
    stored tensor, and a convolution weight [out, in, h, w] is [out, in*h*w].
    Of a shape [1, rows, width] the rows may be those of the second dimension,
    where the parameter has as many numbers.
  }];
  let parameters = (ins StringRefParameter<>:$name, ArrayRefParameter<"int64_t">:$shape,
                        "int64_t":$begin, "int64_t":$end);
  let assemblyFormat = "`<` $name `,` `[` $shape `]` `,` $begin `to` $end `>`";
}

//===----------------------------------------------------------------------===//
// Parameters, layers, outputs
//===----------------------------------------------------------------------===//

def Vit_ParameterOp : Vit_Op<"parameter", [Symbol]> {
  let summary = "declare a parameter, a single tensor or one per layer";
  let description = [{
    ```mlir
    vit.parameter @head.weight : tensor<10x192xf32> init<trunc_normal, 2.0e-02>
    vit.parameter @fc1.weight : 6 x tensor<768x192xf32> init<trunc_normal, 2.0e-02>
        stored<"blocks.{}.mlp.fc1.weight", [768, 192], 0 to 768>
    ```
    Without `stored`, the name in the checkpoint is the symbol, or `symbol.{}`
    if there is one tensor per layer, and the shape is that of the parameter.

    Constraints:
    - C1: the type is a ranked tensor of f32 with static shape, rank 1 to 4.
    - C2: `layers`, if given, is at least 1. A stored name contains `{}` exactly
      once if `layers` is given, and otherwise not.
    - C3: rows [begin, end) are within the stored shape and have as many
      elements as the parameter. They are of the first dimension, or of a later
      one if all before it are 1.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<I64Attr>:$layers, OptionalAttr<Vit_InitAttr>:$init,
                       OptionalAttr<Vit_StoredAttr>:$stored);
  let assemblyFormat = [{
    $sym_name `:` custom<LayeredType>($layers, $type) (`init` `` $init^)? (`stored` `` $stored^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The name of the tensor of `layer` in a checkpoint ("blocks.3.mlp.fc1.weight").
    std::string getStoredName(int64_t layer);
    /// The shape in `stored`, or else the shape of the parameter.
    ArrayRef<int64_t> getStoredShape();
    int64_t getStoredBegin();
    int64_t getStoredEnd();
    /// How many numbers one of the rows from begin to end has.
    int64_t getStoredRowSize();
    RankedTensorType getTensorType() { return cast<RankedTensorType>(getType()); }
  }];
}

def Vit_ReadOp : Vit_Op<"read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "read a parameter or a state";
  let description = [{
    The result is the value at the beginning of the entry (see `vit.write`).

    ```mlir
    %w = vit.read @head.weight : tensor<10x192xf32>
    %a = vit.read @fc1.weight[%i] : tensor<768x192xf32>   // inside vit.layers
    %b = vit.read @fc1.weight[3] : tensor<768x192xf32>    // after unrolling
    ```
    Constraints:
    - C1: the symbol names a `vit.parameter` or `vit.state` of the same type.
    - C2: there is an index if and only if the symbol has layers; a constant
      index is in [0, layers).

    Canonicalisation: a constant index becomes the attribute `layer`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, Optional<Index>:$index,
                       OptionalAttr<I64Attr>:$layer);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $parameter `` custom<LayerIndex>($index, $layer) attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Vit_LayersOp : Vit_Op<"layers", [SingleBlock, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "run a block once per layer";
  let description = [{
    Runs its body `count` times. The arguments of the body are the layer number
    and the values yielded by the previous layer (for the first, the operands).
    ```mlir
    %y = vit.layers 6 (%i, %x = %embedded) : tensor<?x65x192xf32> {
      ...
      vit.yield %next : tensor<?x65x192xf32>
    }
    ```
    Constraints:
    - C1: `count` is at least 1.
    - C2: the arguments of the body are an index and one value per operand, of
      the same type; the yielded values and the results have these types too.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntMinValue<1>]>:$count,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Vit_YieldOp : Vit_Op<"yield", [Pure, Terminator, HasParent<"LayersOp">]> {
  let summary = "terminator of `vit.layers`";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Vit_OutputOp : Vit_Op<"output"> {
  let summary = "name a value that an entry can return";
  let description = [{
    ```mlir
    vit.output "hidden_{}"[%i] = %x : tensor<?x65x192xf32>
    vit.output "final" = %y : tensor<?x65x192xf32>
    ```
    An entry returns its results by default. `vit.output` names further values,
    of which `--vit-select-outputs` keeps the requested ones.

    Constraints:
    - C1: the name contains `{}` exactly once if there is an index, and
      otherwise not.
    - C2: no other output and no result of the function has the same name.
  }];
  let arguments = (ins StrAttr:$name, Optional<Index>:$index, AnyRankedTensor:$value);
  let assemblyFormat = "$name (`[` $index^ `]`)? `=` $value attr-dict `:` type($value)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Patches, tokens, positions
//===----------------------------------------------------------------------===//

def Vit_PatchifyOp : Vit_PureOp<"patchify", [Vit_Differentiable]> {
  let summary = "split images into patches";
  let description = [{
    [batch, channels, height, width] to [batch, (height/ph)(width/pw),
    channels*ph*pw], with patches in row-major order. With order `chw`, a linear
    layer on the patches is the convolution of ViT; `hwc` is vit-pytorch's
    `b c (h p1) (w p2) -> b (h w) (p1 p2 c)`. Sizes are rounded down: rows at the
    bottom and columns at the right that fill no patch are dropped, as by a
    convolution whose stride is the patch.

    ```mlir
    %patches = vit.patchify %image patch [16, 16] order chw
        : (tensor<?x3x224x224xf32>) -> tensor<?x196x768xf32>
    ```

    Constraints:
    - C1: the input has rank 4 and static channels, height, width.
    - C2: the patch is two positive numbers, at most height and width.
  }];
  let arguments = (ins Vit_Tensor:$input, DenseI64ArrayAttr:$patch, Vit_PixelOrderAttr:$order);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `patch` $patch `order` `` $order attr-dict `:` functional-type(operands, results)";
}

def Vit_PrependTokensOp : Vit_PureOp<"prepend_tokens", [Vit_Differentiable]> {
  let summary = "prepend learned tokens (class, distillation, registers)";
  let description = [{
    [k, width] and [batch, tokens, width] to [batch, k + tokens, width]. The
    learned tokens are the same for every image.

    ```mlir
    %tokens = vit.prepend_tokens %patches, %cls
        : (tensor<?x196x768xf32>, tensor<1x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: `tokens` has rank 2, `input` rank 3, with equal widths.
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_Tensor:$tokens);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `,` $tokens attr-dict `:` functional-type(operands, results)";
}

def Vit_RepeatTokensOp : Vit_PureOp<"repeat_tokens", [Vit_Differentiable]> {
  let summary = "the same learned tokens for each image";
  let description = [{
    [count, width] to [batch, count, width], with the batch of `like`, whose
    elements are not read: torch's tokens.expand(batch, -1, -1). It makes the
    learned query of an attention pooling (SigLIP's probe, timm's latent, the
    class token of AIMv2's head).

    ```mlir
    %query = vit.repeat_tokens %probe for %x : (tensor<1x768xf32>, tensor<?x196x768xf32>) -> tensor<?x1x768xf32>
    ```

    Constraints:
    - C1: `tokens` has rank 2.
    - C2: `like` has rank 1 or more.
  }];
  let arguments = (ins Vit_Tensor:$tokens, Vit_Tensor:$like);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$tokens `for` $like attr-dict `:` functional-type(operands, results)";
}

def Vit_ConcatChannelsOp : Vit_PureOp<"concat_channels", [Vit_Differentiable]> {
  let summary = "concatenate along the last dimension";
  let description = [{
    [batch, ..., w0], [batch, ..., w1], ... to [batch, ..., w0 + w1 + ...]:
    torch.cat(inputs, dim=-1). The classifier of DINOv2 reads the class token
    and the mean of the patch tokens like this.

    ```mlir
    %both = vit.concat_channels %class, %mean : (tensor<?x768xf32>, tensor<?x768xf32>) -> tensor<?x1536xf32>
    ```

    Constraints:
    - C1: there are two inputs or more, of rank 2 or 3 with static widths.
    - C2: the inputs have equal sizes except for the last, and one element type.
  }];
  let arguments = (ins Variadic<Vit_Tensor>:$inputs);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
}

def Vit_TakeTokensOp : Vit_PureOp<"take_tokens", [Vit_Differentiable]> {
  let summary = "take tokens [start, start + count) of each image";
  let description = [{
    [batch, tokens, width] to [batch, count, width], or, without `count`, the
    single token at `start` to [batch, width].

    ```mlir
    %class = vit.take_tokens %x from 0 : (tensor<?x197x768xf32>) -> tensor<?x768xf32>
    %patches = vit.take_tokens %x from 1 count 196 : (tensor<?x197x768xf32>) -> tensor<?x196x768xf32>
    ```

    Constraints:
    - C1: the input has rank 3.
    - C2: 0 <= start, 1 <= count, start + count <= tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start, OptionalAttr<I64Attr>:$count);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `from` $start (`count` $count^)? attr-dict `:` functional-type(operands, results)";
}

def Vit_MeanTokensOp : Vit_PureOp<"mean_tokens", [Vit_Differentiable]> {
  let summary = "mean over the tokens from `start` on";
  let description = [{
    [batch, tokens, width] to [batch, width].

    ```mlir
    %pooled = vit.mean_tokens %x from 1 : (tensor<?x197x768xf32>) -> tensor<?x768xf32>
    ```

    Constraints:
    - C1: the input has rank 3.
    - C2: 0 <= start < tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `from` $start attr-dict `:` functional-type(operands, results)";
}

def Vit_SincosPositionsOp : Vit_PureOp<"sincos_positions"> {
  let summary = "fixed 2-D sine-cosine position table";
  let description = [{
    A constant [h*w, width] of (sin x, cos x, sin y, cos y), a quarter of the
    width each, with frequencies temperature^(-i / (width/4 - 1)): vit-pytorch's
    posemb_sincos_2d (from big_vision). With `exclusive` they do not reach
    1/temperature: temperature^(-i / (width/4)), as in AIMv2's native models.

    ```mlir
    %table = vit.sincos_positions grid [14, 14] width 768 temperature 1.0e+04 : tensor<196x768xf32>
    ```

    Constraints:
    - C1: the grid is two positive numbers; width is a multiple of 4, at least 8.
    - C2: the temperature is positive.
  }];
  let arguments = (ins DenseI64ArrayAttr:$grid, I64Attr:$width, F64Attr:$temperature, UnitAttr:$exclusive);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    `grid` $grid `width` $width `temperature` $temperature (`exclusive` $exclusive^)? attr-dict `:` type($result)
  }];
}

def Vit_ResamplePositionsOp : Vit_PureOp<"resample_positions", [Vit_Differentiable]> {
  let summary = "resample a learned table of a grid to another grid";
  let description = [{
    [prefix + h*w + suffix, width] to [prefix + h'*w' + suffix, width]: prefix
    (class token) and suffix are copied, the rest is interpolated along both
    axes:

    - `cubic`: bicubically (a = -0.75, align_corners false) as by torch's
      interpolate(mode="bicubic"). `antialias` enables antialiasing (a = -0.5),
      as in timm;
    - `linear`: as by torch's interpolate(mode="bilinear"), which transformers
      applies to tables of relative positions;
    - `geometric`: linearly between rows at distances 1, 1 + q, 1 + q + q^2, ...
      from the middle one, as timm's resize_rel_pos_bias_table; q is such that
      the last lies at the last row of the result.

    ```mlir
    %table = vit.resample_positions %learned from [14, 14] to [24, 24] prefix 1
        : (tensor<197x768xf32>) -> tensor<577x768xf32>
    %relative = vit.resample_positions %biases from [27, 27] to [47, 47] prefix 0 suffix 3 filter linear
        : (tensor<732x12xf32>) -> tensor<2212x12xf32>
    ```

    Constraints:
    - C1: the table has rank 2 with prefix + from[0]*from[1] + suffix rows.
    - C2: both grids are two positive numbers; prefix and suffix are not
      negative.
    - C3: `antialias` is for the filter `cubic`; the sizes of both grids are odd
      with `geometric`.
  }];
  let arguments = (ins Vit_Tensor:$input, DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       I64Attr:$prefix, UnitAttr:$antialias, DefaultValuedAttr<I64Attr, "0">:$suffix,
                       DefaultValuedAttr<Vit_ResamplingFilterAttr, "ResamplingFilter::cubic">:$filter);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $input `from` $from `to` $to `prefix` $prefix (`antialias` $antialias^)? (`suffix` $suffix^)? (`filter` $filter^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_RelativePositionsOp : Vit_PureOp<"relative_positions", [Vit_Differentiable]> {
  let summary = "bias of attention's scores from tables of relative positions";
  let description = [{
    One or more tables [(2h-1)(2w-1) + 3 prefix, heads], which are added, to
    [heads, tokens, tokens] with tokens = prefix + h*w: BEiT's relative position
    bias. For the patches i (query) and j (key) in rows r and columns c of the
    grid,

      result[n, i, j] = table[(r_i - r_j + h-1)(2w-1) + (c_i - c_j + w-1), n].

    With a class token (`prefix` is 1) the last three rows of a table are for
    the class token as query, as key, and for both.

    ```mlir
    %bias = vit.relative_positions %table grid [14, 14] prefix 1
        : (tensor<732x12xf32>) -> tensor<12x197x197xf32>
    ```

    Constraints:
    - C1: the grid is two positive numbers; prefix is 0 or 1.
    - C2: there is a table; each is [(2h-1)(2w-1) + 3 prefix, heads].
  }];
  let arguments = (ins Variadic<Vit_Tensor>:$tables, DenseI64ArrayAttr:$grid, I64Attr:$prefix);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$tables `grid` $grid `prefix` $prefix attr-dict `:` functional-type(operands, results)";
}

def Vit_RotaryPositionsOp : Vit_PureOp<"rotary_positions"> {
  let summary = "angles of rotary positions on a grid";
  let description = [{
    A constant [h*w, width] of angles (width is half that of a head), for
    `vit.rotate`. The coordinate of row r is

      y = (r + origin) * extent / h - (centered ? extent / 2 : 0),

    or r + origin without `extent`; x likewise for columns. With the frequencies
    f_i = temperature^(-i / (width/2)), i < width/2, the angles are (y f, x f)
    for order `yx` and (x f, y f) for `xy`. DINOv3: origin 0.5, extent 4 pi,
    centered, yx, temperature 100; EVA02: extent 16, yx, temperature 10000;
    Perception Encoder: origin 1, extent 24, xy.

    ```mlir
    %angles = vit.rotary_positions grid [14, 14] width 32 temperature 1.0e+02 order yx
        origin 5.0e-01 extent 12.566370614359172 centered : tensor<196x32xf32>
    ```

    Constraints:
    - C1: the grid is two positive numbers; width is even and positive.
    - C2: temperature and extent are positive, origin is finite; `centered`
      needs an extent.
  }];
  let arguments = (ins DenseI64ArrayAttr:$grid, I64Attr:$width, F64Attr:$temperature, Vit_AxisOrderAttr:$order,
                       OptionalAttr<F64Attr>:$origin, OptionalAttr<F64Attr>:$extent, UnitAttr:$centered);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    `grid` $grid `width` $width `temperature` $temperature `order` `` $order (`origin` $origin^)? (`extent` $extent^)?
    (`centered` $centered^)? attr-dict `:` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

def Vit_LinearOp : Vit_PureOp<"linear", [Vit_Differentiable]> {
  let summary = "x W^T + b";
  let description = [{
    [batch, ..., in] to [batch, ..., out] with weight [out, in] and bias [out]:
    torch.nn.Linear.

    ```mlir
    %h = vit.linear %x, %w, %b : (tensor<?x197x768xf32>, tensor<3072x768xf32>, tensor<3072xf32>)
        -> tensor<?x197x3072xf32>
    %h = vit.linear %x, %w precision bf16 : (tensor<?x197x768xf32>, tensor<3072x768xf32>) -> tensor<?x197x3072xf32>
    ```

    With `precision bf16`, x and W (not b) are first rounded to bf16, to nearest
    even; the sums are f32: torch.autocast. So with `precision f16`, which is for
    inference: numbers beyond 65504 become NaN. With `precision tf32`, they are
    rounded to 10 bits of mantissa, to nearest, ties away from zero, and keep the
    range of f32: torch.backends.cuda.matmul.allow_tf32. With `precision int8`, each row of x
    and of W becomes multiples, -127 to 127, of its largest magnitude / 127, to
    nearest even; the sums of their products are exact, and are multiplied by
    both scales before b is added. `vit-narrow` sets the precision of
    all ops that have none; without one it is f32.

    Two attributes of int8 come from calibration (`vit-calibrate`). `input_scale`
    is the scale of all rows of x instead of one for each; multiples beyond -127
    or 127 become these. `migration` has a factor for each input channel: x is
    divided by them and the columns of W are multiplied by them before both
    become multiples, which moves what is hard to round from x to W (SmoothQuant,
    arXiv 2211.10438). The scale is then that of the divided x.

    ```mlir
    %h = vit.linear %x, %w precision int8 input_scale 2.5e-02 migration dense<[1.0, 4.0]> : tensor<2xf32>
        : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32>
    ```

    Constraints:
    - C1: the weight has rank 2; its second dimension is the input's last.
    - C2: the bias, if given, has the size of the weight's first dimension.
    - C3: the input has rank 2 or 3.
    - C4: `input_scale` and `migration` require `precision int8`.
    - C5: `input_scale` and the factors of `migration` are 2^-60 to 2^60.
    - C6: `migration` has a factor for each input channel.
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_Tensor:$weight, Optional<Vit_Tensor>:$bias,
                       Vit_LateAttr<Vit_PrecisionAttr>:$precision, Vit_LateAttr<F32Attr>:$input_scale,
                       Vit_LateAttr<Vit_F32ElementsAttr>:$migration);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $weight (`,` $bias^)? (`precision` `` $precision^)? (`input_scale` $input_scale^)? (`migration` $migration^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_LayerNormOp : Vit_PureOp<"layer_norm", [AttrSizedOperandSegments, Vit_Differentiable]> {
  let summary = "normalise each row to mean 0 and variance 1, then scale and shift";
  let description = [{
    Normalises over the last dimension, with the biased variance:
    torch.nn.LayerNorm. With `groups` = g, the last dimension has g equal parts,
    each normalised separately with the same scale and bias of width/g: timm's
    qk_norm over heads.

    ```mlir
    %n = vit.layer_norm %x scale %s bias %b epsilon 1.0e-06
        : (tensor<?x197x768xf32>, tensor<768xf32>, tensor<768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: `groups` divides the last dimension.
    - C2: scale and bias, if given, have the width of a group.
    - C3: epsilon is positive.
  }];
  let arguments = (ins Vit_Tensor:$input, Optional<Vit_Tensor>:$scale, Optional<Vit_Tensor>:$bias,
                       F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $input (`scale` $scale^)? (`bias` $bias^)? `epsilon` $epsilon (`groups` $groups^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_RmsNormOp : Vit_PureOp<"rms_norm", [Vit_Differentiable]> {
  let summary = "divide each row by its root mean square, then scale";
  let description = [{
    scale x / sqrt(mean(x^2) + epsilon) over the last dimension (Zhang and
    Sennrich 2019; torch.nn.RMSNorm). `groups` is that of `vit.layer_norm`.

    ```mlir
    %n = vit.rms_norm %x scale %s epsilon 1.0e-05
        : (tensor<?x256x1024xf32>, tensor<1024xf32>) -> tensor<?x256x1024xf32>
    ```

    Constraints:
    - C1: `groups` divides the last dimension.
    - C2: scale, if given, has the width of a group.
    - C3: epsilon is positive.
  }];
  let arguments = (ins Vit_Tensor:$input, Optional<Vit_Tensor>:$scale,
                       F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $input (`scale` $scale^)? `epsilon` $epsilon (`groups` $groups^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_L2NormalizeOp : Vit_PureOp<"l2_normalize", [Vit_Differentiable]> {
  let summary = "divide each row by its Euclidean norm";
  let description = [{
    x / max(sqrt(sum(x^2)), epsilon) over the last dimension:
    torch.nn.functional.normalize(x, dim=-1), whose epsilon is 1e-12. Embeddings
    are compared after it.

    ```mlir
    %e = vit.l2_normalize %x epsilon 1.0e-12 : (tensor<?x512xf32>) -> tensor<?x512xf32>
    ```

    Constraints:
    - C1: the last dimension is static.
    - C2: epsilon is positive.
  }];
  let arguments = (ins Vit_Tensor:$input, F64Attr:$epsilon);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `epsilon` $epsilon attr-dict `:` functional-type(operands, results)";
}

def Vit_RotateOp : Vit_PureOp<"rotate", [Vit_Differentiable]> {
  let summary = "rotate pairs of channels by the angles of their token (rotary positions)";
  let description = [{
    In each head of width d = width/heads, channel pair i of token t becomes
    (a cos - b sin, b cos + a sin) of angle [t - prefix, i] (Su et al. 2021,
    "RoFormer"). The pairs are channels (i, i + d/2) for `halves` and
    (2 i, 2 i + 1) for `neighbours`. The first `prefix` tokens (class token,
    registers) stay as they are. `inverse` rotates by the negated angles, which
    is also the adjoint.

    ```mlir
    %r = vit.rotate %q, %angles heads 6 prefix 5 pairs halves
        : (tensor<?x201x384xf32>, tensor<196x32xf32>) -> tensor<?x201x384xf32>
    ```

    Constraints:
    - C1: the input is [batch, tokens, width]; `heads` is positive, and the
      width a multiple of 2 heads.
    - C2: 0 <= prefix < tokens; the angles are [tokens - prefix, d/2] for all
      heads, or [tokens - prefix, heads*d/2].
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_Tensor:$angles, I64Attr:$heads, I64Attr:$prefix,
                       Vit_PairKindAttr:$pairs, UnitAttr:$inverse);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $angles `heads` $heads `prefix` $prefix `pairs` `` $pairs (`inverse` $inverse^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_AttentionOp : Vit_Op<"attention", [Pure, Vit_Differentiable]> {
  let summary = "multi-head scaled dot-product attention";
  let description = [{
    softmax(scale q k^T + bias) v per head, over all tokens of an image. q, k,
    v and the result are [batch, tokens, width]; the width concatenates the
    heads. The optional bias is the same for every image (see
    `vit.relative_positions`). The optional second result is the probabilities,
    [batch, heads, tokens, tokens]; they are not stored if it has no users.

    ```mlir
    %o = vit.attention %q, %k, %v heads 12 scale 1.25e-01
        : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>) -> tensor<?x197x768xf32>
    %o, %p = vit.attention %q, %k, %v heads 12 scale 1.25e-01
        : (...) -> (tensor<?x197x768xf32>, tensor<?x12x197x197xf32>)
    %o = vit.attention %q, %k, %v bias %b heads 12 scale 1.25e-01
        : (..., tensor<12x197x197xf32>) -> tensor<?x197x768xf32>
    ```

    With `precision bf16` or `f16`, q, k and v are first rounded to it, and so are the
    exponentials relative to the largest score of a row, before they are summed
    and multiplied by v; with `precision tf32` to tf32.

    Constraints:
    - C1: q, k and v have rank 3 and static widths; q and k have the same width,
      k and v the same number of tokens.
    - C2: `heads` is positive and divides the widths.
    - C3: the result has q's tokens and v's width; the probabilities are
      [batch, heads, q's tokens, k's tokens].
    - C4: the bias, if given, is [heads, q's tokens, k's tokens].
    - C5: the precision is not int8.

    Canonicalisation: probabilities without users are removed.
  }];
  let arguments = (ins Vit_Tensor:$query, Vit_Tensor:$key, Vit_Tensor:$value,
                       Optional<Vit_Tensor>:$bias, I64Attr:$heads, F64Attr:$scale,
                       Vit_LateAttr<Vit_PrecisionAttr>:$precision);
  let results = (outs Vit_Tensor:$result, Optional<Vit_Tensor>:$probabilities);
  let builders = [
    /// Infers the result types; `withProbabilities` adds the second result.
    OpBuilder<(ins "Value":$query, "Value":$key, "Value":$value, "int64_t":$heads,
                   "double":$scale, "bool":$withProbabilities, CArg<"Value", "{}">:$bias)>
  ];
  let assemblyFormat = [{
    $query `,` $key `,` $value (`bias` $bias^)? `heads` $heads `scale` $scale (`precision` `` $precision^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

class Vit_UnaryOp<string mnemonic, list<Trait> traits = []>
    : Vit_Op<mnemonic, traits # [Pure, SameOperandsAndResultType, Vit_Differentiable]> {
  let arguments = (ins Vit_Tensor:$input);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def Vit_GeluOp : Vit_Op<"gelu", [Pure, SameOperandsAndResultType, Vit_Differentiable]> {
  let summary = "Gaussian error linear unit (Hendrycks and Gimpel 2016)";
  let description = [{
    `erf` is x/2 (1 + erf(x / sqrt 2)): torch's default and transformers' "gelu".
    `tanh` is the tanh approximation: "gelu_new", "gelu_pytorch_tanh". `quick`
    is x sigmoid(1.702 x): "quick_gelu".
    ```mlir
    %y = vit.gelu erf %x : tensor<?x197x3072xf32>
    ```
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_GeluKindAttr:$kind);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "`` $kind $input attr-dict `:` type($result)";
}
def Vit_ReluOp : Vit_UnaryOp<"relu"> {
  let summary = "rectified linear unit";
  let description = [{
    max(x, 0); NaN is propagated.
    ```mlir
    %y = vit.relu %x : tensor<?x197x3072xf32>
    ```
  }];
}
def Vit_SiluOp : Vit_UnaryOp<"silu"> {
  let summary = "x sigmoid(x)";
  let description = [{
    torch.nn.SiLU, also called swish.
    ```mlir
    %y = vit.silu %x : tensor<?x197x3072xf32>
    ```
  }];
}
def Vit_TanhOp : Vit_UnaryOp<"tanh"> {
  let summary = "hyperbolic tangent";
  let description = [{
    The last op of HF's pooler.
    ```mlir
    %y = vit.tanh %x : tensor<?x197x3072xf32>
    ```
  }];
}

def Vit_SoftmaxOp : Vit_UnaryOp<"softmax"> {
  let summary = "softmax over the last dimension";
  let description = [{
    exp(x - max) / sum. Classification losses expect logits, so a model that
    ends in a softmax is for inference, not for training.
    ```mlir
    %y = vit.softmax %logits : tensor<?x10xf32>
    ```
  }];
}

class Vit_BinaryOp<string mnemonic> : Vit_PureOp<mnemonic, [Commutative, Vit_Differentiable]> {
  let arguments = (ins Vit_Tensor:$lhs, Vit_Tensor:$rhs);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}
def Vit_AddOp : Vit_BinaryOp<"add"> {
  let summary = "sum with numpy broadcasting";
  let description = [{
    ```mlir
    %y = vit.add %x, %positions : (tensor<?x197x768xf32>, tensor<197x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: aligned at the last dimension, sizes are equal, 1 or missing.
  }];
}
def Vit_MulOp : Vit_BinaryOp<"mul"> {
  let summary = "product with numpy broadcasting";
  let description = [{
    ```mlir
    %y = vit.mul %x, %gate : (tensor<?x197x768xf32>, tensor<?x197x1xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: aligned at the last dimension, sizes are equal, 1 or missing.
  }];
}

def Vit_ScaleOp : Vit_Op<"scale", [Pure, SameOperandsAndResultType, Vit_Differentiable]> {
  let summary = "product with a constant";
  let description = [{
    ```mlir
    %y = vit.scale %x by 0.5 : tensor<?x197x768xf32>
    ```
    Canonicalisation: a scale by 1 is removed; a scale of a scale is combined.
  }];
  let arguments = (ins Vit_Tensor:$input, F64Attr:$factor);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `by` $factor attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Vit_LayerScaleOp : Vit_PureOp<"layer_scale", [Vit_Differentiable]> {
  let summary = "product with a learned vector (CaiT; timm's LayerScale)";
  let description = [{
    ```mlir
    %y = vit.layer_scale %x, %gamma : (tensor<?x197x768xf32>, tensor<768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: gamma has rank 1 and the width of the input.
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_Tensor:$gamma);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `,` $gamma attr-dict `:` functional-type(operands, results)";
}

class Vit_DropOp<string mnemonic> : Vit_Op<mnemonic, [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["input", "result"]>, Vit_Differentiable]> {
  string constraints = [{
    Constraints:
    - C1: the probability is in [0, 1).
    - C2: `random`, seed and step are given together; the name is not empty.
    - C3: `to`, which is in [0, 1), and the layer number are given together.
  }];
  let arguments = (ins Vit_Tensor:$input, F64Attr:$probability, OptionalAttr<F64Attr>:$last,
                       Optional<Index>:$layer, OptionalAttr<StrAttr>:$random,
                       Optional<Vit_Seed>:$seed, Optional<Vit_Count>:$step);
  let results = (outs Vit_Tensor:$result);
  let builders = [
    /// Without `random`: the identity.
    OpBuilder<(ins "Value":$input, "APFloat":$probability)>
  ];
  let assemblyFormat = [{
    $input `probability` $probability (`to` $last^ `over` $layer)? (`random` $random^ `,` $seed `,` $step)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}
def Vit_DropoutOp : Vit_DropOp<"dropout"> {
  let summary = "dropout; the identity in inference";
  let description = [{
    Sets each element to zero with this probability and divides the others by
    1 - probability (Srivastava et al. 2014; torch.nn.Dropout). Without `random`
    it is the identity. With `random`, Philox-4x32-10 with the two words of the
    seed as key and (i / 4, step + 1, XXH64 of the name low, high) as counter
    decides about element i (row-major): it is kept if word i % 4, shifted right
    by 8, is at least ceil(probability 2^24).

    In `vit.layers` the probability can increase linearly from layer to layer:
    `to` is the probability of the last layer (timm's drop_path_rate).

    ```mlir
    %y = vit.dropout %x probability 0.1 : tensor<?x197x768xf32>
    %y = vit.dropout %x probability 0.0 to 0.1 over %layer : tensor<?x197x768xf32>
    %y = vit.dropout %x probability 0.1 random "pos_drop", %seed, %step : tensor<?x197x768xf32>
    ```
  }] # constraints;
}
def Vit_DropPathOp : Vit_DropOp<"drop_path"> {
  let summary = "stochastic depth per image (Huang et al. 2016); the identity in inference";
  let description = [{
    Sets an image to zero with this probability and divides the others by
    1 - probability: timm's DropPath, on a residual branch. `random` and `to`
    are as in `vit.dropout`, where i is the index of the image in the batch.

    ```mlir
    %y = vit.drop_path %x probability 0.0 to 0.1 over %layer : tensor<?x197x768xf32>
    %y = vit.drop_path %x probability 0.1 random "blocks.3.drop_path", %seed, %step : tensor<?x197x768xf32>
    ```
  }] # constraints;
}

include "VitBackwardOps.td"
include "VitTrainingOps.td"

#endif // VIT_OPS_TD
