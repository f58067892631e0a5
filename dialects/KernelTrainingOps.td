//===- KernelTrainingOps.td - Kernels of training steps ----*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A training entry also computes values without a batch: gradients of
// parameters. They are row-major, take a multiple of 16 elements, zeros behind
// the last, and end in updates of variables: parameters and states, which lie
// in arenas.
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
    - C1: `layer` is -1 (there are no layers) or more.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol, DefaultValuedParameter<"int64_t", "-1">:$layer);
  let assemblyFormat = "`<` $symbol (`,` `layer` `=` $layer^)? `>`";
}

def Kernel_PlacedAttr : Kernel_Attr<"Placed", "placed"> {
  let summary = "where a variable lies in its arena, `#kernel.placed<@fc1.weight, offset = 1024, layer = 3>`";
  let description = [{
    Constraints:
    - C1: `layer` is -1 (there are no layers) or more; `offset`, in bytes, is a
      multiple of 64.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol, DefaultValuedParameter<"int64_t", "-1">:$layer,
                        "int64_t":$offset);
  let assemblyFormat = "`<` $symbol `,` `offset` `=` $offset (`,` `layer` `=` $layer^)? `>`";
}

def Kernel_ArenaAttr : Kernel_Attr<"Arena", "arena"> {
  let summary = "one flat buffer of variables";
  let description = [{
    The module's attribute `kernel.arenas` is a list of these; `bytes` covers
    its variables, each of which takes a multiple of 64 bytes.

    Constraints:
    - C1: `bytes` is not negative.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$bytes,
                        OptionalArrayRefParameter<"PlacedAttr">:$variables);
  let assemblyFormat = "`<` $name `,` `bytes` `=` $bytes `,` `[` (`]`) : ($variables^ `]`)? `>`";
}

def Kernel_ArenaOp : Kernel_Op<"arena", [Pure]> {
  let summary = "a range of an arena, as the operand of a dispatch that changes it";
  let description = [{
    No launch. `at` counts elements of 4 bytes.

    ```mlir
    %m = kernel.arena "exp_avg" at 1024 : tensor<147456xf32>
    ```

    Constraints:
    - C1: `at` is not negative and a multiple of 16; the type has rank 1 and a
      known size.
  }];
  let arguments = (ins StrAttr:$name, I64Attr:$at);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name `at` $at attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Kernel_PackOp : Kernel_LaunchOp<"pack", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "`kernel.derive` of variables, made anew in each step";
  let description = [{
    ```mlir
    %w = kernel.pack %fc1 : (tensor<768x192xf32>) -> tensor<768x192xf32, #kernel.panels<cols = 64>>
    ```

    Constraints:
    - C1: as of `kernel.derive`.
  }];
  let inputs = (ins Variadic<Kernel_Tensor>:$sources);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$sources";
}

def Kernel_ConcatOp : Kernel_Op<"concat", [Pure]> {
  let summary = "gradients one behind the other: no launch, they are made in its memory";
  let description = [{
    Each operand takes a multiple of 16 elements; zeros follow its last element.

    ```mlir
    %g = kernel.concat %g0, %g1 : (tensor<10x192xf32>, tensor<10xf32>) -> tensor<1936xf32>
    ```

    Constraints:
    - C1: operands have known sizes; the result has rank 1 and the sum of their
      sizes, each rounded up to a multiple of 16.
    - C2: `slots`, where given, has one entry.
  }];
  let arguments = (ins Variadic<Kernel_Tensor>:$gradients, Kernel_LateAttr<Kernel_SlotsAttr>:$slots);
  let results = (outs Kernel_Tensor:$result);
  let assemblyFormat = "$gradients (`slots` $slots^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Kernel_NormOp : Kernel_LaunchOp<"norm", Kernel_Promise<"std::nullopt",
    "OperandLayout::RowMajor", "std::nullopt", "WorkUnit::Elements">> {
  let summary = "min(1, max_norm / (norm + 1e-6)), the norm being that of all operands together";
  let description = [{
    The factor of torch.nn.utils.clip_grad_norm_. Squares are added in a fixed
    order. Zeros follow the last element of a value, so all of its memory can be
    read.

    ```mlir
    %factor = kernel.norm %g max_norm 1.0 : (tensor<1936xf32>) -> tensor<f32>
    ```

    Constraints:
    - C1: operands have known sizes; the result has rank 0.
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
    `body` is the scalar code of one element: from each variable's (the
    parameter's, then each state's), the gradient's and the scalars it makes
    each variable's new value. Where there is a `prologue`, it runs once per
    launch, in f64 where the target has it, and makes of the scalars the ones
    that the body gets.

    `name` is what users know the update by. Where `guard` is given and not
    finite, nothing changes. `vit-group-updates` makes one of all that agree,
    whose gradient is a `kernel.concat` in the order of `parameters`.

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
    - C3: the prologue takes each scalar, f64 for an f32, and yields f64; where
      there is none, scalars are f32.
    - C4: the body takes and yields f32: it takes each variable, the gradient
      where there is one, and what the prologue yields, else the scalars; it
      yields each variable.
    - C5: the regions hold arith and math ops, the prologue
      `kernel.bias_correction` too.
  }];
  let inputs = (ins StrAttr:$name, ArrayAttr:$parameters, OptionalAttr<ArrayAttr>:$states,
                    Optional<Kernel_Tensor>:$gradient, Optional<Kernel_Tensor>:$guard,
                    Variadic<AnyRankedTensor>:$scalars);
  let regions = (region MaxSizedRegion<1>:$prologue, SizedRegion<1>:$body);
  let declarations = [{
    /// The number of lists of variables: parameters, then each state.
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
  let summary = "dy^T x, summed over all rows, and the sum of dy's rows";
  let description = [{
    Computes the gradient of a linear layer's weight [out, in] and, as the
    optional second result, of its bias [out].

    ```mlir
    %dw, %db = kernel.weight_gradient %dy, %x : (tensor<?x65x768xf32>, tensor<?x65x192xf32>)
        -> (tensor<768x192xf32>, tensor<768xf32>)
    ```

    Constraints:
    - C1: both operands have the same rank, 2 or 3, and sizes but for the last.
    - C2: the results are [dy's width, x's width] and [dy's width].
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$input);
  let results = (outs Kernel_Tensor:$result, Optional<Kernel_Tensor>:$bias);
  let syntax = "$gradient `,` $input";
}

def Kernel_SumOp : Kernel_LaunchOp<"sum", Kernel_Promise<"std::nullopt",
    "getKind() == SumKind::tokens ? OperandLayout::Grouped : OperandLayout::AnyGroup", "std::nullopt",
    "WorkUnit::Elements">> {
  let summary = "a sum in a fixed order: over tokens, the batch, all elements or groups of channels";
  let description = [{
    ```mlir
    %a = kernel.sum tokens %x : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    %b = kernel.sum batch %x : (tensor<?x65x192xf32>) -> tensor<65x192xf32>
    ```

    Constraints:
    - C1: tokens: [batch, tokens, width] to [batch, width]; batch: [batch, ...]
      to [...], sizes of 1 in front of which may come and go; all: to one
      element; groups: [n width] to [width].
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
  let summary = "a layer norm's gradients";
  let description = [{
    As `vit.layer_norm_backward`, but the gradients of scale and bias come as
    sums over the tokens of each image, [batch, width]; a `kernel.sum` over the
    batch (and the groups) ends them. Either both are results or none. `plus` is
    added to the input's gradient: that of a residual connection around the norm.

    ```mlir
    %dx, %ds, %db = kernel.normalize_backward %dy, %x scale(%s : tensor<192xf32>) epsilon 1.0e-06
        : (tensor<?x65x192xf32>, tensor<?x65x192xf32>) -> (tensor<?x65x192xf32>, tensor<?x192xf32>, tensor<?x192xf32>)
    ```

    Constraints:
    - C1: gradient, input, first result and `plus`, where given, have one shape
      of rank 2 or 3, whose width `groups` divides; the scale has that width.
    - C2: there are one or three results; the others are [batch, width].
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$input, Optional<Kernel_Tensor>:$scale,
                    Optional<Kernel_Tensor>:$residual, F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Kernel_Tensor:$result, Variadic<Kernel_Tensor>:$sums);
  let syntax = [{
    $gradient `,` $input (`scale` `(` $scale^ `:` type($scale) `)`)? (`plus` `(` $residual^ `:` type($residual) `)`)?
    `epsilon` $epsilon (`groups` $groups^)?
  }];
  let types = [{
    attr-dict `:` `(` type($gradient) `,` type($input) `)` `->` `(` type($result) (`,` type($sums)^)? `)`
  }];
}

def Kernel_SoftmaxBackwardOp : Kernel_LaunchOp<"softmax_backward", Kernel_Promise<"std::nullopt",
    "OperandLayout::Grouped", "0", "WorkUnit::Rows">> {
  let summary = "y (dy - sum(dy y)) per row, y = the softmax";
  let description = [{
    Constraints:
    - C1: all have one shape of rank 2 or 3.
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$output);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$gradient `,` $output";
}

def Kernel_AttentionBackwardOp : Kernel_LaunchOp<"attention_backward", Kernel_Promise<"std::nullopt",
    "OperandLayout::OwnGroup", "getHeadDim()", "WorkUnit::Tile">> {
  let summary = "the gradients of attention's query, key and value";
  let description = [{
    As `vit.attention_backward`; q, k and v are channels of their operand as in
    `kernel.attention`. Probabilities are made again.

    ```mlir
    %dq, %dk, %dv = kernel.attention_backward %dy, %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384]
        scale 1.25e-01 : (tensor<?x65x192xf32>, tensor<?x65x576xf32>, ...)
        -> (tensor<?x65x192xf32>, tensor<?x65x192xf32>, tensor<?x65x192xf32>)
    ```

    Constraints:
    - C1: operands have rank 3 and hold the channels that the offsets name; key
      and value have the same tokens.
    - C2: the gradient is [batch, q's tokens, heads * head_dim], the results
      are [batch, q's (k's, k's) tokens, heads * head_dim].
  }];
  let inputs = (ins Kernel_Tensor:$gradient, Kernel_Tensor:$query, Kernel_Tensor:$key, Kernel_Tensor:$value,
                    I64Attr:$heads, I64Attr:$head_dim, DenseI64ArrayAttr:$offsets, F64Attr:$scale);
  let results = (outs Kernel_Tensor:$query_gradient, Kernel_Tensor:$key_gradient, Kernel_Tensor:$value_gradient);
  let syntax = [{
    $gradient `,` $query `,` $key `,` $value `heads` $heads `head_dim` $head_dim `offsets` $offsets `scale` $scale
  }];
}

def Kernel_PlaceOp : Kernel_LaunchOp<"place", Kernel_TokenPromise> {
  let summary = "tokens among zeros: the adjoint of `kernel.take`";
  let description = [{
    Constraints:
    - C1: the input is [batch, count, width] or [batch, width], the result
      [batch, tokens, width], and start + count <= tokens.
  }];
  let inputs = (ins Kernel_Tensor:$input, I64Attr:$start);
  let results = (outs Kernel_Tensor:$result);
  let syntax = "$input `at` $start";
}

def Kernel_SpreadOp : Kernel_LaunchOp<"spread", Kernel_TokenPromise> {
  let summary = "an equal share for each token from `start` on: the adjoint of `kernel.mean`";
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
  let summary = "elements or images dropped at random, the others scaled up";
  let description = [{
    `vit.dropout` and `vit.drop_path` with random numbers: Philox-4x32-10 with
    key `seed` and counter (i / 4, step + 1, stream's low word, its high word).
    Element i has word i % 4 and is kept where
    word >> 8 >= ceil(probability 2^24), then divided by 1 - probability; i is
    its row-major index for `element`, the image's number for `image`.

    ```mlir
    %y = kernel.dropout %x, %seed, %step probability 0.1 stream 42 unit element
        : (tensor<?x65x192xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x65x192xf32>
    ```

    Constraints:
    - C1: the result has the input's shape; seed is two i32, step one of rank 0.
    - C2: the probability lies in [0, 1).
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
  let summary = "one number for a batch: `vit.cross_entropy`, `vit.mse`, `vit.accuracy`";
  let description = [{
    A label outside of [0, classes) makes the cross-entropy NaN, and is never
    right.

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
  let summary = "the gradient of a loss's input";
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
