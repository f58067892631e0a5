//===- KernelOps.td - The kernel dialect -------------------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each op is one launch of a kernel family (gemm, attention, rows, map, tokens,
// layout); its region is the scalar code that is fused into it. `vit-tile` sets
// the tile sizes of ops, `vit-layout` the encodings of tensor types and
// `vit-plan` the slots of results. `vit-emit-*` replaces each op by a dispatch
// of generated code.
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_OPS_TD
#define KERNEL_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "KernelBase.td"
include "KernelInterfaces.td"
include "VitBase.td"

def Kernel_Tensor : RankedTensorOf<[F32, BF16, F16, I8]>;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Kernel_Attr<string name, string mnem, list<Trait> traits = []>
    : AttrDef<Kernel_Dialect, name, traits> {
  let mnemonic = mnem;
  let genVerifyDecl = 1;
}

/// A memory layout: the encoding of a tensor type, checked against its shape.
class Kernel_LayoutAttr<string name, string mnem> : Kernel_Attr<name, mnem,
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]>;

def Kernel_BlockedAttr : Kernel_LayoutAttr<"Blocked", "blocked"> {
  let summary = "blocked layout of activations on the CPU, `#kernel.blocked<rows = 6>`";
  let description = [{
    Channels are in lines of 64 bytes (16 f32 or 32 bf16), rows in blocks of
    `rows`: `[row blocks][channels/16][rows][16]` in f32. In [batch, tokens,
    width] the rows of each image are padded to whole blocks; in [batch, width]
    only the end of the batch is padded. If `group` is not 0, the width consists
    of groups of that many channels (attention heads), each padded separately to
    whole lines. Padding of rows and of channels is always zero.

    Constraints:
    - C1: `rows` is 1 to 64; `group` is not negative.
    - C2: the tensor has rank 2 or 3; `group`, if not 0, divides its width.
  }];
  let parameters = (ins "int64_t":$rows, DefaultValuedParameter<"int64_t", "0">:$group);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_PanelsAttr : Kernel_LayoutAttr<"Panels", "panels"> {
  let summary = "packed weights of a product, `#kernel.panels<cols = 64>`";
  let description = [{
    A weight [out, in] is stored as panels of `cols` outputs:
    `[out/cols][in][cols]`, padded with zeros. The padded number of outputs is a
    multiple of 16; if it is not a multiple of `cols`, the last panel is
    narrower. Panel p starts at element p * cols * paddedIn. `out_group` and
    `in_group`, if not 0, are sizes of groups of outputs or inputs, each padded
    to a multiple of 16 as in `#kernel.blocked`.

    `interleave` neighbouring inputs are side by side, as the instructions that
    multiply narrow types read them: `[out/cols][in/interleave][cols][interleave]`.
    Inputs are padded to lines of 64 bytes, as in `#kernel.blocked`.

    Panels of one column are the weight itself, row-major, with both dimensions
    padded to a multiple of 16: `[out][in]`. GPUs read weights of f16, bf16, tf32
    and i8 in this layout, also those of products with the transposed weight (the
    gradient of a layer's input), for which its rows are depths.

    If `transposed`, panels divide the inputs: `[in/cols][out][cols]`. This is for
    products with the transposed weight in other panels.

    Constraints:
    - C1: `cols` is 1 or a multiple of 16; the groups are not negative; `interleave`
      is 1, 2 or 4; `transposed` panels have more than one column.
    - C2: the tensor has rank 2; groups that are not 0 divide its dimensions.
  }];
  let parameters = (ins "int64_t":$cols, DefaultValuedParameter<"int64_t", "0">:$out_group,
                        DefaultValuedParameter<"int64_t", "0">:$in_group,
                        DefaultValuedParameter<"bool", "false">:$transposed,
                        DefaultValuedParameter<"int64_t", "1">:$interleave);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_ChannelsAttr : Kernel_LayoutAttr<"Channels", "channels"> {
  let summary = "row-major with padded channels, `#kernel.channels<group = 0>`";
  let description = [{
    [width], [rows, width] or [batch, tokens, width] with the width padded with
    zeros to a multiple of 16 (each group of `group` channels separately, if it
    is not 0): biases, scales, position tables, and on GPUs activations whose
    width needs padding.

    Constraints:
    - C1: `group` is not negative.
    - C2: the tensor has rank 1 to 3; `group`, if not 0, divides its width.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "0">:$group);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_TileAttr : Kernel_Attr<"Tile", "tile"> {
  let summary = "tile sizes chosen by `vit-tile`, `#kernel.tile<rows = 6, cols = 64, chunk = 33>`";
  let description = [{
    `rows` x `cols` elements are kept in registers. `chunk` is a number of row
    blocks: in gemm, those kept in cache while all weight panels are read; in
    attention, the query blocks of a work unit; else the row blocks of a unit.

    On a GPU, `#kernel.tile<rows = 64, cols = 64, chunk = 16, threads = 128,
    thread_rows = 8, thread_cols = 4>`, a workgroup of `threads` computes `rows`
    x `cols` elements of the result, each thread `thread_rows` x `thread_cols`
    of them. `chunk` is the depth (gemm) or number of keys (attention) processed
    at a time, in workgroup memory unless `chunk` is 1.

    Constraints:
    - C1: `rows`, `cols` and `chunk` are positive.
    - C2: `threads`, `thread_rows` and `thread_cols` are positive, or all 0 (CPU).
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$cols, "int64_t":$chunk,
                        DefaultValuedParameter<"int64_t", "0">:$threads,
                        DefaultValuedParameter<"int64_t", "0">:$thread_rows,
                        DefaultValuedParameter<"int64_t", "0">:$thread_cols);
  let extraClassDeclaration = [{
    bool isGpu() const { return getThreads() != 0; }
  }];
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_SlotsAttr : Kernel_Attr<"Slots", "slots"> {
  let summary = "the slot of each result of an op, `slots [2, 5 at 192, -1]`";
  let description = [{
    For each result, the number of its slot in the workspace and, after `at`,
    its offset in the slot in bytes (default: 0). -1 means that the caller
    provides the memory.

    Constraints:
    - C1: a slot is -1 or more; an offset is a multiple of 64, not negative, and
      0 if the slot is -1.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$numbers, ArrayRefParameter<"int64_t">:$offsets);
  let hasCustomAssemblyFormat = 1;
}

def Kernel_ExtentAttr : Kernel_Attr<"Extent", "extent"> {
  let summary = "closed form in the batch size: `times * ceil(batch * of / per)`";
  let description = [{
    Constraints:
    - C1: `times` and `of` are not negative, `per` is positive.
  }];
  let parameters = (ins "int64_t":$times, DefaultValuedParameter<"int64_t", "1">:$of,
                        DefaultValuedParameter<"int64_t", "1">:$per);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    int64_t evaluate(int64_t batch) const {
      return getTimes() * ((batch * getOf() + getPer() - 1) / getPer());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, traits>;

/// The C++ expressions with which an op implements KernelOpInterface.
class Kernel_Promise<string cost, string layout, string group, string unit> {
  string recomputeCost = cost;
  string operandLayout = layout; // of operand `index`
  string groupSize = group;
  string workUnit = unit;
}

/// For ops on tokens or single elements: they accept any groups of channels.
def Kernel_TokenPromise
    : Kernel_Promise<"1", "OperandLayout::Grouped", "std::nullopt", "WorkUnit::Elements">;

/// A launch. An op defines its operands and attributes in `inputs`, the first
/// and last part of its assembly format in `syntax` and `types`, and additional
/// C++ declarations in `declarations`.
class Kernel_LaunchOp<string mnemonic, Kernel_Promise promise, list<Trait> traits = [Pure]>
    : Kernel_Op<mnemonic, !listconcat(traits, [KernelOpInterface])> {
  dag inputs = (ins);
  string syntax = "";
  string types = "attr-dict `:` functional-type(operands, results)";
  string declarations = "";
  let arguments = !con(inputs, (ins Vit_LateAttr<Kernel_TileAttr>:$tile, Vit_LateAttr<Kernel_SlotsAttr>:$slots,
                                    Vit_LateAttr<DenseI64ArrayAttr>:$ends));
  let assemblyFormat = syntax # " (`tile` `` $tile^)? (`slots` $slots^)? (`ends` $ends^)? " # types;
  let extraClassDeclaration = [{
    std::optional<int> getRecomputeCost() { return }] # promise.recomputeCost # [{; }
    OperandLayout getOperandLayout([[maybe_unused]] unsigned index) { return }] # promise.operandLayout # [{; }
    std::optional<int64_t> getGroupSize() { return }] # promise.groupSize # [{; }
    WorkUnit getWorkUnit() { return }] # promise.workUnit # [{; }
  }] # declarations;
  let hasVerifier = 1;
}

def Kernel_YieldOp : Kernel_Op<"yield", [Pure, Terminator]> {
  let summary = "terminator of scalar code";
  let description = [{
    Yields one value, or one or more in the regions of `kernel.update`.
  }];
  let arguments = (ins Variadic<AnyTypeOf<[F32, F64]>>:$values);
  let extraClassDeclaration = [{
    /// The single value of an epilogue.
    Value getValue() { return getOperand(0); }
  }];
  let assemblyFormat = "attr-dict $values `:` type($values)";
}

def Kernel_GeluSlopeOp : Kernel_Op<"gelu_slope", [Pure]> {
  let summary = "derivative of GELU, in scalar code";
  let description = [{
    (1 + erf(x / sqrt(2))) / 2 + x exp(-x^2 / 2) / sqrt(2 pi), the derivative of `x (1 + erf(x / sqrt(2))) / 2`
    (`torch.nn.GELU()`). It is a separate op because targets compute it with one polynomial, at half the cost of an
    error function and an exponential.
    ```mlir
    %slope = kernel.gelu_slope %x : f32
    ```
  }];
  let arguments = (ins F32:$input);
  let results = (outs F32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Kernel_BiasCorrectionOp : Kernel_Op<"bias_correction", [Pure]> {
  let summary = "1 - beta^updates, in the prologue of `kernel.update`";
  let description = [{
    The divisor of Adam's moments after `updates` (1 or more) updates. It is a separate op because targets without f64
    use a series: in f32, 1 - beta^updates loses most of its digits.
    ```mlir
    %correction = kernel.bias_correction %updates beta 0.999 : f64
    ```
    Constraints:
    - C1: beta is in [0, 1).
  }];
  let arguments = (ins I32:$updates, F64Attr:$beta);
  let results = (outs F64:$result);
  let assemblyFormat = "$updates `beta` $beta attr-dict `:` type($result)";
  let hasVerifier = 1;
}

/// A launch that applies scalar code to each element of its result, in f32. If
/// the result has another type, the element is rounded to it, to nearest even;
/// in i8, what is beyond -127 or 127 becomes that, and a NaN -127.
class Kernel_EpilogueOp<string mnemonic, Kernel_Promise promise>
    : Kernel_LaunchOp<mnemonic, promise, [Pure, SingleBlock, IsolatedFromAbove, EpilogueOpInterface]> {
  let regions = (region SizedRegion<1>:$epilogue);
  let results = (outs Kernel_Tensor:$result);
}

def Kernel_GemmOp : Kernel_EpilogueOp<"gemm", Kernel_Promise<"4",
    "index == 0 ? OperandLayout::AnyGroup : index == 1 ? OperandLayout::Panels : OperandLayout::Grouped",
    "std::nullopt", "WorkUnit::Tile">> {
  let summary = "epilogue(x W^T, extras...)";
  let description = [{
    ```mlir
    %y = kernel.gemm %x, %w extras(%bias, %residual : tensor<192xf32>, tensor<?x65x192xf32>) {
    ^bb0(%acc: f32, %b: f32, %r: f32):
      %0 = arith.addf %acc, %b : f32
      %1 = arith.addf %0, %r : f32
      kernel.yield %1 : f32
    } : (tensor<?x65x768xf32>, tensor<192x768xf32>) -> tensor<?x65x192xf32>
    ```
    Input and weight have one element type. Sums are f32, of i8 exact integers
    that are converted to f32 for the region. With `tf32` the operands, which are
    f32, are rounded to tf32 (`vit.linear`) when they are multiplied. An extra of one channel, [batch,
    tokens, 1], is the same for all channels of its row.

    Constraints:
    - C1: the region takes one f32 for the accumulator and one per extra.
    - C2: the weight has the input's element type and is [out, in], where out is the width of the result and in
      that of the input; for `transposed`, which computes x W, vice versa.
    - C3: each extra has one of the three broadcast shapes of the dialect.
    - C4: `tf32` requires operands of f32.
  }];
  let inputs = (ins Kernel_Tensor:$input, Kernel_Tensor:$weight, Variadic<Kernel_Tensor>:$extras, UnitAttr:$transposed,
                    UnitAttr:$tf32);
  let syntax = "$input `,` $weight (`transposed` $transposed^)? (`tf32` $tf32^)? (`extras` `(` $extras^ `:` type($extras) `)`)?";
  let types = "attr-dict-with-keyword $epilogue `:` `(` type($input) `,` type($weight) `)` `->` type($result)";
}

def Kernel_QuantizeOp : Kernel_LaunchOp<"quantize", Kernel_Promise<"1",
    "OperandLayout::Grouped", "std::nullopt", "WorkUnit::Rows">> {
  let summary = "multiples of a scale for each row";
  let description = [{
    The scale of a row is its largest magnitude / 127 (0 if that is 0); the
    result is the row divided by it, to nearest even: -127 to 127.

    ```mlir
    %q, %s = kernel.quantize %x : (tensor<?x65x192xf32>) -> (tensor<?x65x192xi8>, tensor<?x65x1xf32>)
    ```

    Constraints:
    - C1: the result is i8 in the shape of the input; the scales are [batch,
      tokens, 1] in f32.
  }];
  let inputs = (ins Kernel_Tensor:$input);
  let results = (outs Kernel_Tensor:$result, Kernel_Tensor:$scales);
  let syntax = "$input";
}

def Kernel_RowsOp : Kernel_EpilogueOp<"rows", Kernel_Promise<"2",
    "OperandLayout::Grouped", "getNormGroup(getInput().getType(), getGroups())", "WorkUnit::Rows">> {
  let summary = "normalise each row (a norm, softmax), then apply scalar code";
  let description = [{
    Each of `groups` equal parts of a row is normalised separately. The region
    receives the normalised element; scale and bias of a layer norm are extras.

    ```mlir
    %y = kernel.rows normalize %x extras(%s, %b : tensor<192xf32>, tensor<192xf32>) epsilon 1.0e-06 {
    ^bb0(%n: f32, %scale: f32, %bias: f32):
      %0 = arith.mulf %n, %scale : f32
      %1 = arith.addf %0, %bias : f32
      kernel.yield %1 : f32
    } : tensor<?x65x192xf32> -> tensor<?x65x192xf32>
    ```

    Constraints:
    - C1: the region takes one f32 for the element and one per extra.
    - C2: the result has the input's shape; `groups` divides its width.
    - C3: each extra has one of the three broadcast shapes of the dialect.
  }];
  let inputs = (ins Kernel_RowsKindAttr:$kind, Kernel_Tensor:$input, Variadic<Kernel_Tensor>:$extras,
                    F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups);
  let syntax = [{
    `` $kind $input (`extras` `(` $extras^ `:` type($extras) `)`)? `epsilon` $epsilon (`groups` $groups^)?
  }];
  let types = "attr-dict-with-keyword $epilogue `:` type($input) `->` type($result)";
}

def Kernel_MapOp : Kernel_EpilogueOp<"map", Kernel_Promise<"kElementwiseCost",
    "OperandLayout::Grouped", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "apply scalar code to each element of the input and the extras";
  let description = [{
    ```mlir
    %y = kernel.map %x extras(%p : tensor<65x192xf32>) {
    ^bb0(%e: f32, %position: f32):
      %0 = arith.addf %e, %position : f32
      kernel.yield %0 : f32
    } : tensor<?x65x192xf32> -> tensor<?x65x192xf32>
    ```

    Constraints:
    - C1: the region takes one f32 for the element and one per extra.
    - C2: the result has the input's shape.
    - C3: each extra has one of the three broadcast shapes of the dialect.
  }];
  let inputs = (ins Kernel_Tensor:$input, Variadic<Kernel_Tensor>:$extras);
  let syntax = "$input (`extras` `(` $extras^ `:` type($extras) `)`)?";
  let types = "attr-dict-with-keyword $epilogue `:` type($input) `->` type($result)";
}

def Kernel_PrependOp : Kernel_EpilogueOp<"prepend", Kernel_TokenPromise> {
  let summary = "prepend tokens to those of each image, then apply scalar code";
  let description = [{
    result[b, t] = epilogue(t < k ? tokens[t] : input[b, t - k], extras...)

    Constraints:
    - C1: the region takes one f32 for the element and one per extra.
    - C2: `tokens` is [k, width], the input [batch, n, width], the result
      [batch, k + n, width].
    - C3: each extra has one of the three broadcast shapes of the dialect.
  }];
  let inputs = (ins Kernel_Tensor:$input, Kernel_Tensor:$tokens, Variadic<Kernel_Tensor>:$extras);
  let syntax = "$input `,` $tokens (`extras` `(` $extras^ `:` type($extras) `)`)?";
  let types = "attr-dict-with-keyword $epilogue `:` `(` type($input) `,` type($tokens) `)` `->` type($result)";
}

def Kernel_AttentionOp : Kernel_LaunchOp<"attention", Kernel_Promise<
    // An op that returns its probabilities is not recomputed.
    "getProbabilities() ? std::nullopt : std::optional<int>(3)",
    "index < 3 ? OperandLayout::OwnGroup : OperandLayout::RowMajor", "getHeadDim()", "WorkUnit::Tile">> {
  let summary = "fused multi-head attention";
  let description = [{
    softmax(scale q k^T + bias) v. q, k and v are `heads * head_dim` channels of
    their operands, starting at `offsets[0..2]`, so one product can compute all
    three. The optional bias has no batch and is row-major.
    ```mlir
    %o = kernel.attention %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384]
        scale 1.25e-01 : (tensor<?x65x576xf32>, ...) -> tensor<?x65x192xf32>
    ```
    The optional second result is the probabilities, row-major
    [batch, heads, q's tokens, k's tokens]. If q, k and v are bf16, so are the
    exponentials that v is multiplied by, relative to the largest of their row.
    With `tf32` all of these are rounded to tf32 when they are multiplied.

    Constraints:
    - C1: operands have rank 3 and one element type and contain the channels that
      start at the offsets.
    - C2: the result is [batch, q's tokens, heads * head_dim].
    - C3: the bias, if given, is [heads, q's tokens, k's tokens].
    - C4: `tf32` requires operands of f32.
  }];
  let inputs = (ins Kernel_Tensor:$query, Kernel_Tensor:$key, Kernel_Tensor:$value, Optional<Kernel_Tensor>:$bias,
                    I64Attr:$heads, I64Attr:$head_dim, DenseI64ArrayAttr:$offsets, F64Attr:$scale, UnitAttr:$tf32);
  let results = (outs Kernel_Tensor:$result, Optional<Kernel_Tensor>:$probabilities);
  let syntax = [{
    $query `,` $key `,` $value (`bias` $bias^)? `heads` $heads `head_dim` $head_dim `offsets` $offsets `scale` $scale
    (`tf32` $tf32^)?
  }];
}

def Kernel_RotateOp : Kernel_LaunchOp<"rotate", Kernel_Promise<"1",
    "OperandLayout::OwnGroup", "getHeadDim()", "WorkUnit::Rows">> {
  let summary = "rotate pairs of channels of each head (rotary positions)";
  let description = [{
    The heads are `heads * head_dim` channels of the input, starting at
    `offset`. With the other channel o of a pair (see `vit.rotate`),

      result[b, t, h, i] = x[b, t, h, i] cosine[t, i] + x[b, t, h, o] sine[t, i].

    The sine of the first channel of a pair is negated. The tables have a row
    for each token (1 and 0 where nothing is rotated) and the channels of one
    head, or of some, which are repeated for the others.

    ```mlir
    %r = kernel.rotate %qkv, %cos, %sin heads 12 head_dim 64 offset 0 pairs halves
        : (tensor<?x201x1152xf32>, tensor<201x64xf32>, tensor<201x64xf32>) -> tensor<?x201x768xf32>
    ```

    Constraints:
    - C1: the input has rank 3 and contains the channels that start at the
      offset; the result is [batch, tokens, heads * head_dim].
    - C2: head_dim is even; the tables are [tokens, n * head_dim] where n
      divides `heads`.
  }];
  let inputs = (ins Kernel_Tensor:$input, Kernel_Tensor:$cosine, Kernel_Tensor:$sine,
                    I64Attr:$heads, I64Attr:$head_dim, I64Attr:$offset, Vit_PairKindAttr:$pairs);
  let results = (outs Kernel_Tensor:$result);
  let syntax = [{
    $input `,` $cosine `,` $sine `heads` $heads `head_dim` $head_dim `offset` $offset `pairs` `` $pairs
  }];
}

def Kernel_PatchifyOp : Kernel_LaunchOp<"patchify", Kernel_Promise<"1",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "split row-major images into patches";
  let description = [{
    ```mlir
    %p = kernel.patchify %image patch [4, 4] order chw : (tensor<?x3x32x32xf32>) -> tensor<?x64x48xf32>
    ```

    Constraints:
    - C1: [batch, c, h, w] to [batch, (h/ph)(w/pw), c*ph*pw], rounded down.
  }];
  let inputs = (ins Kernel_Tensor:$input, DenseI64ArrayAttr:$patch, Vit_PixelOrderAttr:$order);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `patch` $patch `order` `` $order";
}

def Kernel_TakeOp : Kernel_LaunchOp<"take", Kernel_TokenPromise> {
  let summary = "take tokens of each image from `start` on";
  let description = [{
    Takes [batch, count, width] from [batch, tokens, width], or the token at
    `start` as [batch, width], depending on the type of the result.

    ```mlir
    %class = kernel.take %x from 0 : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    ```

    Constraints:
    - C1: the taken tokens exist and the widths are equal.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `from` $start";
}

def Kernel_RepeatOp : Kernel_LaunchOp<"repeat", Kernel_Promise<"1",
    "index == 0 ? OperandLayout::Grouped : OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "the same tokens for each image";
  let description = [{
    `like` has the batch of the result; its elements are not read.

    ```mlir
    %q = kernel.repeat %probe for %x : (tensor<1x192xf32>, tensor<?x65x192xf32>) -> tensor<?x1x192xf32>
    ```

    Constraints:
    - C1: [count, width] to [batch, count, width].
  }];
  let inputs = (ins Kernel_Tensor:$tokens, Kernel_Tensor:$like);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$tokens `for` $like";
}

/// For ops on channels of their operands: operands have any groups, the result
/// has none.
def Kernel_ChannelPromise
    : Kernel_Promise<"1", "OperandLayout::AnyGroup", "0", "WorkUnit::Elements">;

def Kernel_ConcatChannelsOp : Kernel_LaunchOp<"concat_channels", Kernel_ChannelPromise> {
  let summary = "concatenate along the last dimension";
  let description = [{
    ```mlir
    %b = kernel.concat_channels %class, %mean : (tensor<?x192xf32>, tensor<?x192xf32>) -> tensor<?x384xf32>
    ```

    Constraints:
    - C1: inputs and result have rank 2 or 3 and equal sizes except for the
      last, which in the result is the sum.
  }];
  let inputs = (ins Variadic<Kernel_Tensor>:$inputs);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$inputs";
}

def Kernel_MeanOp : Kernel_LaunchOp<"mean", Kernel_TokenPromise> {
  let summary = "mean of the tokens of each image from `start` on";
  let description = [{
    ```mlir
    %pooled = kernel.mean %x from 1 : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    ```

    Constraints:
    - C1: [batch, tokens, width] to [batch, width], start < tokens.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `from` $start";
}

def Kernel_RelayoutOp : Kernel_LaunchOp<"relayout", Kernel_Promise<"std::nullopt",
    "OperandLayout::Grouped", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "convert to another memory layout";
  let description = [{
    ```mlir
    %b = kernel.relayout %x : (tensor<?x64x48xf32>) -> tensor<?x64x48xf32, #kernel.blocked<rows = 6>>
    ```

    Constraints:
    - C1: input and result differ in their encoding only.
  }];
  let inputs = (ins Kernel_Tensor:$input);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input";
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

def Kernel_DeriveOp : Kernel_Op<"derive", [Pure]> {
  let summary = "form of parameters that a kernel reads, made when the module is loaded";
  let description = [{
    Concatenates the sources, row-major parameters, along the first dimension,
    in the layout of the result type. It runs when the module is loaded and
    after an update, never in an entry.
    ```mlir
    %w = kernel.derive %q, %k, %v : (tensor<192x192xf32>, ...) -> tensor<576x192xf32, #kernel.panels<cols = 64>>
    ```
    A single source can have another shape with as many elements ([1, tokens,
    width] becomes [tokens, width]), or one element, which is repeated. A source
    can be the result of another `derive` or `resample`. If the result is i8,
    each row is divided by its scale, see `kernel.row_scales`, after its elements
    were multiplied by the factors of `migration`, see `vit.linear`.
    ```mlir
    %w = kernel.derive %f migration dense<[1.0, 4.0]> : tensor<2xf32> : (tensor<3x2xf32>) -> tensor<3x2xi8>
    ```

    Constraints:
    - C1: the shapes of the sources are equal except for the first dimension,
      whose sum is that of the result; or there is one source with as many
      elements as the result or with one element.
    - C2: a result with a `migration` is i8 of rank 2; there is a factor for each
      element of a row, 2^-60 to 2^60.
  }];
  let arguments = (ins Variadic<Kernel_Tensor>:$sources, Vit_LateAttr<Vit_F32ElementsAttr>:$migration);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = "$sources (`migration` $migration^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Kernel_RowScalesOp : Kernel_Op<"row_scales", [Pure]> {
  let summary = "the scale of each row of parameters, made when the module is loaded";
  let description = [{
    The sources, [rows, width], are one above the other. Each element of the
    result is the largest magnitude of a row / 127: the scale by which a
    `kernel.derive` of the same sources and `migration` to i8 divides the row.
    ```mlir
    %s = kernel.row_scales %q, %k : (tensor<192x192xf32>, tensor<192x192xf32>) -> tensor<384xf32>
    ```
    Constraints:
    - C1: the sources are f32, of rank 2 and one width; the result has an element
      for each of their rows.
    - C2: `migration` has a factor for each element of a row, 2^-60 to 2^60.
  }];
  let arguments = (ins Variadic<Kernel_Tensor>:$sources, Vit_LateAttr<Vit_F32ElementsAttr>:$migration);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = "$sources (`migration` $migration^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Kernel_ResampleOp : Kernel_Op<"resample", [Pure]> {
  let summary = "resample a position table when the module is loaded";
  let description = [{
    `vit.resample_positions` of a parameter; row-major. Like `kernel.derive`, it
    runs when the module is loaded and after an update, never in an entry.
    ```mlir
    %t = kernel.resample %p from [14, 14] to [24, 24] prefix 1
        : (tensor<197x768xf32>) -> tensor<577x768xf32>
    ```
    Constraints:
    - C1: [prefix + from[0]*from[1] + suffix, width] to
      [prefix + to[0]*to[1] + suffix, width].
  }];
  let arguments = (ins Kernel_Tensor:$source, DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       I64Attr:$prefix, UnitAttr:$antialias, DefaultValuedAttr<I64Attr, "0">:$suffix,
                       DefaultValuedAttr<Vit_ResamplingFilterAttr, "ResamplingFilter::cubic">:$filter);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = [{
    $source `from` $from `to` $to `prefix` $prefix (`antialias` $antialias^)? (`suffix` $suffix^)? (`filter` $filter^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Kernel_RelativePositionsOp : Kernel_Op<"relative_positions", [Pure]> {
  let summary = "expand tables of relative positions when the module is loaded";
  let description = [{
    `vit.relative_positions` of parameters; row-major. The tables are one above
    the other in the source. Like `kernel.derive`, it runs when the module is
    loaded and after an update, never in an entry.
    ```mlir
    %b = kernel.relative_positions %t grid [14, 14] prefix 1 : (tensor<732x12xf32>) -> tensor<12x197x197xf32>
    ```
    Constraints:
    - C1: [n ((2h-1)(2w-1) + 3 prefix), heads] to [heads, tokens, tokens], with
      tokens = prefix + h*w; prefix is 0 or 1.
  }];
  let arguments = (ins Kernel_Tensor:$source, DenseI64ArrayAttr:$grid, I64Attr:$prefix);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = "$source `grid` $grid `prefix` $prefix attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Generated code
//===----------------------------------------------------------------------===//

def Kernel_DispatchOp : Kernel_Op<"dispatch"> {
  let summary = "run a generated kernel over its work units";
  let description = [{
    The `units` work units are split evenly and in order between threads. Each
    thread has `scratch` bytes; `slots` are the slots of the results.
    ```mlir
    %y = kernel.dispatch @kernels::@gemm_0(%x, %w) units <times = 99> slots [2] scratch 0
        family "gemm" flop <times = 58140672> : (...) -> ...
    ```
    The kernel's arguments are the operands, then the results.

    Constraints:
    - C1: `slots` has an entry for each result.
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$operands,
                       Kernel_ExtentAttr:$units, Kernel_SlotsAttr:$slots, I64Attr:$scratch,
                       StrAttr:$family, Kernel_ExtentAttr:$flop);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel `(` $operands `)` `units` `` $units `slots` $slots `scratch` $scratch `family` $family `flop` `` $flop
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

include "KernelTrainingOps.td"

#endif // KERNEL_OPS_TD
