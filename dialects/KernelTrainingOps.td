//===- KernelTrainingOps.td - Kernels of training steps ----*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A training entry also computes values without a batch: gradients of
// parameters. They are row-major and padded with zeros to a multiple of 16
// elements. Updates use them to change variables: parameters and states, which
// are stored in arenas.
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_TRAINING_OPS_TD
#define KERNEL_TRAINING_OPS_TD

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

def Kernel_VariableAttr : Kernel_Attr<"Variable", "variable"> {
  let summary = "a parameter or state (of one layer), `#kernel.variable<@fc1.weight, layer = 3>`";
  let description = [{
    Constraints:
    - C1: `layer` is -1 (no layers) or more.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol, DefaultValuedParameter<"int64_t", "-1">:$layer);
  let assemblyFormat = "`<` $symbol (`,` `layer` `=` $layer^)? `>`";
}

def Kernel_PlacedAttr : Kernel_Attr<"Placed", "placed"> {
  let summary = "the place of a variable in its arena, `#kernel.placed<@fc1.weight, offset = 1024, layer = 3>`";
  let description = [{
    Constraints:
    - C1: `layer` is -1 (no layers) or more; `offset`, in bytes, is a multiple
      of 64.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol, DefaultValuedParameter<"int64_t", "-1">:$layer,
                        "int64_t":$offset);
  let assemblyFormat = "`<` $symbol `,` `offset` `=` $offset (`,` `layer` `=` $layer^)? `>`";
}

def Kernel_ArenaAttr : Kernel_Attr<"Arena", "arena"> {
  let summary = "a flat buffer of variables";
  let description = [{
    The module attribute `kernel.arenas` lists the arenas. `bytes` is the size
    of one; each of its variables occupies a multiple of 64 bytes.

    If `rounded` is given, there is a rounded copy of the arena, in which element
    i has that type and is element i of the arena, rounded to nearest even. An
    update changes both.

    Constraints:
    - C1: `bytes` is not negative.
    - C2: `rounded`, if given, is bf16.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$bytes,
                        OptionalParameter<"::mlir::Type">:$rounded,
                        OptionalArrayRefParameter<"PlacedAttr">:$variables);
  let assemblyFormat = "`<` $name `,` `bytes` `=` $bytes `,` (`rounded` `=` $rounded^ `,`)? `[` (`]`) : ($variables^ `]`)? `>`";
}

def Kernel_ArenaOp : Kernel_Op<"arena", [Pure]> {
  let summary = "a range of an arena, as the operand of a dispatch that changes it";
  let description = [{
    Not a launch. `at` counts elements. A range of bf16 is one of the rounded
    copy of the arena.

    ```mlir
    %m = kernel.arena "exp_avg" at 1024 : tensor<147456xf32>
    %r = kernel.arena "parameters" at 1024 : tensor<147456xbf16>
    ```

    Constraints:
    - C1: `at` is not negative and a multiple of 16; the type has rank 1, a
      static size and elements of f32 or bf16.
  }];
  let arguments = (ins StrAttr:$name, I64Attr:$at);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name `at` $at attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Kernel_PackOp : Kernel_LaunchOp<"pack", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "`kernel.derive` of variables, computed in each step";
  let description = [{
    ```mlir
    %w = kernel.pack %fc1 : (tensor<768x192xf32>) -> tensor<768x192xf32, #kernel.panels<cols = 64>>
    ```

    Constraints:
    - C1: that of `kernel.derive`.
  }];
  let inputs = (ins Variadic<Kernel_Tensor>:$sources);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$sources";
}

def Kernel_ConcatOp : Kernel_Op<"concat", [Pure]> {
  let summary = "concatenate gradients";
  let description = [{
    Not a launch: the gradients are computed in the memory of the result. Each
    is padded with zeros to a multiple of 16 elements.

    ```mlir
    %g = kernel.concat %g0, %g1 : (tensor<10x192xf32>, tensor<10xf32>) -> tensor<1936xf32>
    ```

    Constraints:
    - C1: operands have static sizes; the result has rank 1 and the sum of their
      sizes, each rounded up to a multiple of 16.
    - C2: `slots`, if given, has one entry.
  }];
  let arguments = (ins Variadic<Kernel_Tensor>:$gradients, Vit_LateAttr<Kernel_SlotsAttr>:$slots);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = "$gradients (`slots` $slots^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Kernel_AllReduceOp : Kernel_Op<"all_reduce", [Pure, SameVariadicOperandSize]> {
  let summary = "sum of gradients over the ranks of a training run";
  let description = [{
    `vit.all_reduce`. Not a launch: the runtime exchanges gradients with the
    other ranks while later kernels run. Each result is in the memory of its
    gradient, and complete when a kernel first reads a result. A module has a
    command for the op, and one that waits.

    ```mlir
    %0:2 = kernel.all_reduce %dw, %db onto %dw_sum, %db_sum
        : (tensor<10x192xf32>, tensor<10xf32>, tensor<10x192xf32>, tensor<10xf32>) -> (tensor<10x192xf32>, tensor<10xf32>)
    ```

    Constraints:
    - C1: there is at least one gradient; its sum and its result have its type,
      of f32, of static size and row-major.
  }];
  let arguments = (ins Variadic<Kernel_Tensor>:$gradients, Variadic<Kernel_Tensor>:$sums);
  let results = (outs Variadic<Kernel_Tensor>:$results);
  let assemblyFormat = "$gradients `onto` $sums attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Kernel_NormOp : Kernel_LaunchOp<"norm", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "min(1, max_norm / (norm + 1e-6)), where norm is that of all operands together";
  let description = [{
    The factor of torch.nn.utils.clip_grad_norm_. Squares are added in a fixed
    order. Values are padded with zeros, so the kernel can read all of their
    memory.

    ```mlir
    %factor = kernel.norm %g max_norm 1.0 : (tensor<1936xf32>) -> tensor<f32>
    ```

    Constraints:
    - C1: operands have static sizes; the result has rank 0.
    - C2: max_norm is positive.
  }];
  let inputs = (ins Variadic<Kernel_Tensor>:$gradients, F64Attr:$max_norm);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$gradients `max_norm` $max_norm";
}

def Kernel_UpdateOp : Kernel_LaunchOp<"update", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">,
    [AttrSizedOperandSegments, IsolatedFromAbove, MemoryEffects<[MemWrite]>]> {
  let summary = "change variables in place, element by element";
  let description = [{
    `body` is the scalar code of one element: from the elements of the variables
    (the parameter, then each state) and of the gradient, and the scalars, it
    computes the new elements of the variables. `prologue`, if present, runs
    once per launch, in f64 if the target supports it, and computes the scalars
    of the body from those of the op.

    `name` is the name of the update for users. If `guard` is given and not
    finite, nothing changes. `vit-group-updates` combines equal updates into
    one, whose gradient is a `kernel.concat` in the order of `parameters`. Where
    an arena has a rounded copy, that changes with the variables.

    ```mlir
    kernel.update "sgd" [#kernel.variable<@fc1.weight, layer = 3>]
        states [[#kernel.variable<@momentum_buffer.fc1.weight, layer = 3>]]
        gradient(%g : tensor<768x192xf32>) guard(%loss : tensor<f32>) scalars(%lr : tensor<f32>) {
    ^bb0(%w: f32, %buffer: f32, %dw: f32, %rate: f32):
      %momentum = arith.constant 0.9 : f32
      %0 = math.fma %momentum, %buffer, %dw : f32
      %1 = arith.mulf %rate, %0 : f32
      %2 = arith.subf %w, %1 : f32
      kernel.yield %2, %0 : f32, f32
    }
    ```

    Constraints:
    - C1: there is a parameter; each list of `states` has as many variables.
    - C2: guard and scalars have rank 0; a scalar is f32 or i32.
    - C3: the prologue takes each scalar (an f32 as f64) and yields f64; without
      a prologue, scalars are f32.
    - C4: the body takes and yields f32: it takes each variable, the gradient if
      given, and the results of the prologue or else the scalars; it yields each
      variable.
    - C5: the regions consist of arith and math ops, and in the prologue also
      `kernel.bias_correction`.
  }];
  let inputs = (ins StrAttr:$name, ArrayAttr:$parameters, OptionalAttr<ArrayAttr>:$states,
                    Optional<Kernel_Tensor>:$gradient, Optional<Kernel_Tensor>:$guard,
                    Variadic<AnyRankedTensor>:$scalars);
  let regions = (region MaxSizedRegion<1>:$prologue, SizedRegion<1>:$body);
  let declarations = [{
    /// The number of lists of variables: the parameters and each state.
    unsigned getVariableCount() { return 1 + (getStates() ? getStates()->size() : 0); }
  }];
  let syntax = [{
    $name $parameters (`states` $states^)? (`gradient` `(` $gradient^ `:` type($gradient) `)`)?
    (`guard` `(` $guard^ `:` type($guard) `)`)? (`scalars` `(` $scalars^ `:` type($scalars) `)`)?
  }];
  let types = "attr-dict-with-keyword (`prologue` $prologue^)? $body";
}

//===----------------------------------------------------------------------===//
// Products and sums
//===----------------------------------------------------------------------===//

def Kernel_WeightGradientOp : Kernel_LaunchOp<"weight_gradient", Kernel_Promise<"std::nullopt",
    "OperandLayout::AnyGroup", "std::nullopt", "WorkUnit::Tile">> {
  let summary = "dy^T x, summed over all rows, and the sum of the rows of dy";
  let description = [{
    Computes the gradient of a linear layer's weight [out, in] and, as the
    optional second result, of its bias [out].

    ```mlir
    %dw, %db = kernel.weight_gradient %dy, %x : (tensor<?x65x768xf32>, tensor<?x65x192xf32>)
        -> (tensor<768x192xf32>, tensor<768xf32>)
    ```

    Constraints:
    - C1: both operands have rank 2 or 3 and equal sizes except for the last.
    - C2: the results are [width of dy, width of x] and [width of dy], or `n`
      times as many rows: then each of `n` equal parts of the rows of the
      operands has a result of its own.
    - C3: the operands are both f32 or both bf16, the results f32.
    - C4: `tf32`, with which both are rounded to tf32 when they are multiplied or
      summed, requires operands of f32.
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$input, UnitAttr:$tf32);
  let results = (outs Kernel_Tensor:$result, Optional<Kernel_Tensor>:$bias);
  let syntax = "$gradient `,` $input (`tf32` $tf32^)?";
}

def Kernel_SumOp : Kernel_LaunchOp<"sum", Kernel_Promise<"std::nullopt",
    "getKind() == SumKind::tokens ? OperandLayout::Grouped : OperandLayout::AnyGroup", "std::nullopt",
    "WorkUnit::Elements">> {
  let summary = "sum in a fixed order over tokens, the batch, all elements or groups of channels";
  let description = [{
    ```mlir
    %a = kernel.sum tokens %x : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    %b = kernel.sum batch %x : (tensor<?x65x192xf32>) -> tensor<65x192xf32>
    ```

    Constraints:
    - C1: tokens: [batch, tokens, width] to [batch, width]; batch: [batch, ...]
      to [...], with leading sizes of 1 added or removed; all: to one element;
      groups: [n rows, ...] to [rows, ...].
  }];
  let inputs = (ins Kernel_SumKindAttr:$kind, Kernel_Tensor:$input);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$kind $input";
}

//===----------------------------------------------------------------------===//
// Adjoints
//===----------------------------------------------------------------------===//

def Kernel_NormalizeBackwardOp : Kernel_LaunchOp<"normalize_backward", Kernel_Promise<"std::nullopt",
    "OperandLayout::Grouped", "getNormGroup(getInput().getType(), getGroups())", "WorkUnit::Image">,
    [Pure, AttrSizedOperandSegments]> {
  let summary = "gradients of a norm";
  let description = [{
    Like `vit.layer_norm_backward`, but the gradients of scale and bias are sums
    over the tokens of each image, [batch, width]; `kernel.sum` sums them over
    the batch (and groups). Either both are results or neither is. `plus`, the
    gradient of a residual connection around the norm, is added to the first.

    ```mlir
    %dx, %ds, %db = kernel.normalize_backward %dy, %x scale(%s : tensor<192xf32>) epsilon 1.0e-06
        : (tensor<?x65x192xf32>, tensor<?x65x192xf32>) -> (tensor<?x65x192xf32>, tensor<?x192xf32>, tensor<?x192xf32>)
    ```

    Constraints:
    - C1: gradient, input, first result and `plus`, if given, have the same shape
      of rank 2 or 3, whose width `groups` divides; the scale has that width.
    - C2: there are one or three results; all but the first are [batch, width].
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$input, Optional<Kernel_Tensor>:$scale,
                    Optional<Kernel_Tensor>:$residual, F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups,
                    DefaultValuedAttr<Vit_NormKindAttr, "NormKind::layer">:$kind);
  let results = (outs Kernel_Tensor:$result, Variadic<Kernel_Tensor>:$sums);
  let syntax = [{
    $gradient `,` $input (`scale` `(` $scale^ `:` type($scale) `)`)? (`plus` `(` $residual^ `:` type($residual) `)`)?
    `epsilon` $epsilon (`groups` $groups^)? (`kind` $kind^)?
  }];
  let types = [{
    attr-dict `:` `(` type($gradient) `,` type($input) `)` `->` `(` type($result) (`,` type($sums)^)? `)`
  }];
}

def Kernel_SoftmaxBackwardOp : Kernel_LaunchOp<"softmax_backward", Kernel_Promise<"std::nullopt",
    "OperandLayout::Grouped", "0", "WorkUnit::Rows">> {
  let summary = "y (dy - sum(dy y)) per row, where y is the softmax";
  let description = [{
    Constraints:
    - C1: operands and result have the same shape, of rank 2 or 3.
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$output);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$gradient `,` $output";
}

def Kernel_AttentionBackwardOp : Kernel_LaunchOp<"attention_backward", Kernel_Promise<"std::nullopt",
    "index < 4 ? OperandLayout::OwnGroup : OperandLayout::RowMajor", "getHeadDim()", "WorkUnit::Tile">> {
  let summary = "gradients of the query, key and value of an attention";
  let description = [{
    Like `vit.attention_backward`; q, k and v are channels of their operands as
    in `kernel.attention`. Probabilities are recomputed. Where the operands are
    bf16, so are p and scale ds in the products; the sums are f32. With `tf32` all
    of these are rounded to tf32 when they are multiplied.

    ```mlir
    %dq, %dk, %dv = kernel.attention_backward %dy, %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384]
        scale 1.25e-01 : (tensor<?x65x192xf32>, tensor<?x65x576xf32>, ...)
        -> (tensor<?x65x192xf32>, tensor<?x65x192xf32>, tensor<?x65x192xf32>)
    ```

    Constraints:
    - C1: operands have rank 3 and contain the channels that start at the
      offsets; key and value have the same tokens.
    - C2: the gradient is [batch, q's tokens, heads * head_dim], the results
      are [batch, q's (k's, k's) tokens, heads * head_dim].
    - C3: the bias, if given, is [heads, q's tokens, k's tokens].
    - C4: the gradient, q, k and v have one element type; the results are f32
      or of this type.
    - C5: `tf32` requires operands of f32.
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$query, Kernel_Tensor:$key, Kernel_Tensor:$value,
                    Optional<Kernel_Tensor>:$bias, I64Attr:$heads, I64Attr:$head_dim, DenseI64ArrayAttr:$offsets, F64Attr:$scale,
                    UnitAttr:$tf32);
  let results = (outs Kernel_Tensor:$query_gradient, Kernel_Tensor:$key_gradient, Kernel_Tensor:$value_gradient);
  let syntax = [{
    $gradient `,` $query `,` $key `,` $value (`bias` $bias^)? `heads` $heads `head_dim` $head_dim `offsets` $offsets
    `scale` $scale (`tf32` $tf32^)?
  }];
}

def Kernel_AttentionBiasGradientOp : Kernel_LaunchOp<"attention_bias_gradient", Kernel_Promise<"std::nullopt",
    "index < 4 ? OperandLayout::OwnGroup : OperandLayout::RowMajor", "getHeadDim()", "WorkUnit::Tile">> {
  let summary = "gradient of the bias of an attention, summed over the batch";
  let description = [{
    ds of `vit.attention_backward`, summed over the images in order. Operands
    and attributes are those of `kernel.attention_backward`.

    Constraints:
    - C1: operands have rank 3 and contain the channels that start at the
      offsets; key and value have the same tokens.
    - C2: the gradient is [batch, q's tokens, heads * head_dim]; bias and result
      are [heads, q's tokens, k's tokens].
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$query, Kernel_Tensor:$key, Kernel_Tensor:$value,
                    Kernel_Tensor:$bias, I64Attr:$heads, I64Attr:$head_dim, DenseI64ArrayAttr:$offsets, F64Attr:$scale);
  let results = (outs Kernel_Tensor:$result);
  let syntax = [{
    $gradient `,` $query `,` $key `,` $value `bias` $bias `heads` $heads `head_dim` $head_dim `offsets` $offsets
    `scale` $scale
  }];
}

def Kernel_GridProductOp : Kernel_LaunchOp<"grid_product", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "multiply a table of a grid by a matrix along each axis";
  let description = [{
    [prefix + h*w + suffix, width] to [prefix + H*W + suffix, width]: prefix and
    suffix are copied; between them

      result[Y, X] = sum over y and x of rows[Y, y] columns[X, x] source[y, x],

    added in order of y, then x. With the matrices of a filter this is
    `kernel.resample` of parameters that the step changes, and with their
    transposes its adjoint.

    The matrices have zeros far from the diagonal, which targets need not read:
    `reach` is the largest distance of y from (2Y + 1) h / (2H), rounded down,
    and that of x from the same for columns, at which there are others.

    ```mlir
    %t = kernel.grid_product %p rows %r columns %c prefix 1 suffix 0 reach [2, 2]
        : (tensor<197x768xf32>, tensor<24x14xf32>, tensor<24x14xf32>) -> tensor<577x768xf32>
    ```

    Constraints:
    - C1: rows is [H, h], columns [W, w], and source and result are as above.
    - C2: `reach` is two numbers; they, prefix and suffix are not negative.
  }];
  let inputs = (ins Kernel_Tensor:$source, Kernel_Tensor:$rows, Kernel_Tensor:$columns, I64Attr:$prefix,
                    I64Attr:$suffix, DenseI64ArrayAttr:$reach);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$source `rows` $rows `columns` $columns `prefix` $prefix `suffix` $suffix `reach` $reach";
}

def Kernel_PackRelativePositionsOp : Kernel_LaunchOp<"pack_relative_positions", Kernel_Promise<"1",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "`kernel.relative_positions` of parameters that the step changes";
  let description = [{
    Constraints:
    - C1: that of `kernel.relative_positions`.
  }];
  let inputs = (ins Kernel_Tensor:$source, DenseI64ArrayAttr:$grid, I64Attr:$prefix);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$source `grid` $grid `prefix` $prefix";
}

def Kernel_RelativePositionsBackwardOp : Kernel_LaunchOp<"relative_positions_backward", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "gradient of a table of relative positions";
  let description = [{
    Each element of the table is the sum of its pairs of tokens, in order of the
    query.

    Constraints:
    - C1: [heads, tokens, tokens] to [(2h-1)(2w-1) + 3 prefix, heads], with
      tokens = prefix + h*w; prefix is 0 or 1.
  }];
  let inputs = (ins Kernel_Tensor:$gradient, DenseI64ArrayAttr:$grid, I64Attr:$prefix);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$gradient `grid` $grid `prefix` $prefix";
}

def Kernel_PlaceOp : Kernel_LaunchOp<"place", Kernel_TokenPromise> {
  let summary = "insert tokens into zeros: the adjoint of `kernel.take`";
  let description = [{
    Constraints:
    - C1: the input is [batch, count, width] or [batch, width], the result
      [batch, tokens, width], and start + count <= tokens.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `at` $start";
}

def Kernel_TakeChannelsOp : Kernel_LaunchOp<"take_channels", Kernel_ChannelPromise> {
  let summary = "take channels from `start` on: the adjoint of `kernel.concat_channels`";
  let description = [{
    Constraints:
    - C1: input and result have rank 2 or 3 and equal sizes except for the last;
      the taken channels exist.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `from` $start";
}

def Kernel_SpreadOp : Kernel_LaunchOp<"spread", Kernel_TokenPromise> {
  let summary = "distribute a row evenly over tokens from `start` on: the adjoint of `kernel.mean`";
  let description = [{
    Constraints:
    - C1: [batch, width] to [batch, tokens, width], start < tokens.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `from` $start";
}

def Kernel_DropoutOp : Kernel_LaunchOp<"dropout", Kernel_Promise<"1",
    "index == 0 ? OperandLayout::Grouped : OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "drop elements or images at random and scale the others";
  let description = [{
    `vit.dropout` (unit `element`) or `vit.drop_path` (unit `image`) with the
    random numbers that are described there; `stream` is the hash of the name.

    ```mlir
    %y = kernel.dropout %x, %seed, %step probability 0.1 stream 42 unit element
        : (tensor<?x65x192xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x65x192xf32>
    ```

    Constraints:
    - C1: the result has the input's shape; seed is two i32, step one of rank 0.
    - C2: the probability is in [0, 1).
  }];
  let inputs = (ins Kernel_Tensor:$input, AnyRankedTensor:$seed, AnyRankedTensor:$step,
                    F64Attr:$probability, I64Attr:$stream, Kernel_RandomUnitAttr:$unit);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `,` $seed `,` $step `probability` $probability `stream` $stream `unit` $unit";
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

def Kernel_LossOp : Kernel_LaunchOp<"loss", Kernel_Promise<"std::nullopt",
    "index == 0 ? OperandLayout::Grouped : OperandLayout::RowMajor", "0", "WorkUnit::Batch">> {
  let summary = "`vit.cross_entropy`, `vit.mse` or `vit.accuracy` of a batch";
  let description = [{
    With a label outside of [0, classes) the cross-entropy is NaN; the accuracy
    does not count the image.

    ```mlir
    %l = kernel.loss cross_entropy %logits, %labels smoothing 0.1 : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<f32>
    %n = kernel.loss accuracy %logits, %labels : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<i32>
    ```

    Constraints:
    - C1: the input is [batch, classes]; targets are i32 [batch], or f32 with
      the input's shape (always, for mse).
    - C2: the result has rank 0: i32 for accuracy, else f32.
  }];
  let inputs = (ins Kernel_LossKindAttr:$kind, Kernel_Tensor:$input, AnyRankedTensor:$targets,
                    DefaultValuedAttr<F64Attr, "0.0">:$smoothing);
  let results = (outs AnyRankedTensor:$result);
  let syntax = "$kind $input `,` $targets (`smoothing` $smoothing^)?";
}

def Kernel_LossBackwardOp : Kernel_LaunchOp<"loss_backward", Kernel_Promise<"std::nullopt",
    "index == 1 ? OperandLayout::Grouped : OperandLayout::RowMajor", "0", "WorkUnit::Rows">> {
  let summary = "gradient of the input of a loss";
  let description = [{
    ```mlir
    %d = kernel.loss_backward cross_entropy %one, %logits, %labels
        : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x10xf32>
    ```

    Constraints:
    - C1: the gradient has rank 0; the input is [batch, classes]; targets are
      i32 [batch], or f32 with the input's shape (always, for mse).
    - C2: the result has the input's shape; the kind is not accuracy.
  }];
  let inputs = (ins Kernel_LossKindAttr:$kind, Kernel_Tensor:$gradient, Kernel_Tensor:$input, AnyRankedTensor:$targets,
                    DefaultValuedAttr<F64Attr, "0.0">:$smoothing);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$kind $gradient `,` $input `,` $targets (`smoothing` $smoothing^)?";
}

#endif // KERNEL_TRAINING_OPS_TD
