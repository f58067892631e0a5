//===- VitBackwardOps.td - Ops of the backward pass --------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included by VitOps.td. The operand `gradient` is the gradient of the loss
// with respect to the result of the forward op.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_BACKWARD_OPS_TD
#define VIT_BACKWARD_OPS_TD

def Vit_LinearInputGradientOp : Vit_PureOp<"linear_input_gradient"> {
  let summary = "dy W: gradient of the input of a linear layer";
  let description = [{
    [batch, ..., out] with weight [out, in] to [batch, ..., in]: grad_input of
    torch.nn.Linear.

    ```mlir
    %dx = vit.linear_input_gradient %dy, %w : (tensor<?x197x3072xf32>, tensor<3072x768xf32>) -> tensor<?x197x768xf32>
    ```

    With `precision bf16` or `tf32`, both operands are first rounded to it, as in
    `vit.linear`.

    Constraints:
    - C1: the weight has rank 2; its first dimension is the gradient's last.
    - C2: the gradient has rank 2 or 3.
    - C3: the precision is one for training: not f16 or int8.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$weight, Vit_LateAttr<Vit_PrecisionAttr>:$precision);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $gradient `,` $weight (`precision` `` $precision^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_LinearWeightGradientOp : Vit_PureOp<"linear_weight_gradient"> {
  let summary = "dy^T x: gradient of the weight of a linear layer";
  let description = [{
    [batch, ..., out] and [batch, ..., in] to [out, in], summed over all rows of
    all images: grad_weight of torch.nn.Linear.

    ```mlir
    %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x197x3072xf32>, tensor<?x197x768xf32>) -> tensor<3072x768xf32>
    ```

    With `precision bf16` or `tf32`, both operands are first rounded to it; the
    sums and the result are f32.

    Constraints:
    - C1: both operands have rank 2 or 3, equal sizes except for the last, and
      static widths.
    - C2: the precision is one for training: not f16 or int8.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$input, Vit_LateAttr<Vit_PrecisionAttr>:$precision);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $gradient `,` $input (`precision` `` $precision^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_SumToOp : Vit_Op<"sum_to", [Pure]> {
  let summary = "sum over broadcast dimensions";
  let description = [{
    The adjoint of numpy broadcasting: sums over the dimensions that are missing
    from the result or have size 1 in it (torch's sum_to_size). The gradient of
    a bias is a sum over rows, that of a position table a sum over the batch.

    ```mlir
    %db = vit.sum_to %dy : (tensor<?x197x768xf32>) -> tensor<768xf32>
    %dp = vit.sum_to %dy : (tensor<?x197x768xf32>) -> tensor<197x768xf32>
    ```

    With `precision bf16` or `tf32`, the input is first rounded to it: the gradient
    of a bias beside that of its weight, which reads the same rounded operand.

    Constraints:
    - C1: aligned at the last dimension, the sizes of the result are those of
      the input, 1 or missing; the element types are equal.
    - C2: the precision is one for training: not f16 or int8.
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_LateAttr<Vit_PrecisionAttr>:$precision);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input (`precision` `` $precision^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Vit_LayerNormBackwardOp : Vit_Op<"layer_norm_backward", [Pure]> {
  let summary = "gradients of the input, scale and bias of a norm";
  let description = [{
    With n = (x - mean) / sqrt(variance + epsilon) and g = gradient * scale per
    row or group, the gradient of the input is (g - mean(g) - n mean(g n)) /
    sqrt(variance + epsilon). Those of scale and bias are the sums of
    gradient * n and of gradient over rows and groups. Mean and variance are
    recomputed from `input`. A result without users is not computed.

    `kind` is the norm: `layer` by default. For `rms` and `l2`, n = x / r, where
    r is the root mean square, or the Euclidean norm but at least epsilon, and
    the gradient of the input is (g - n m) / r, where m is the mean of g n, or
    their sum and 0 if the norm is below epsilon.

    ```mlir
    %dx, %ds, %db = vit.layer_norm_backward %dy, %x scale %s epsilon 1.0e-06
        : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<768xf32>)
        -> (tensor<?x197x768xf32>, tensor<768xf32>, tensor<768xf32>)
    ```

    Constraints:
    - C1: gradient, input and input gradient have the same type with a static
      width, which `groups` divides.
    - C2: scale, if given, and the gradients of scale and bias have the width of
      a group.
    - C3: epsilon is positive.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$input, Optional<Vit_Tensor>:$scale,
                       F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<Vit_NormKindAttr, "NormKind::layer">:$kind);
  let results = (outs Vit_Tensor:$input_gradient, Vit_Tensor:$scale_gradient, Vit_Tensor:$bias_gradient);
  let assemblyFormat = [{
    $gradient `,` $input (`scale` $scale^)? `epsilon` $epsilon (`groups` $groups^)? (`kind` $kind^)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Vit_AttentionBackwardOp : Vit_Op<"attention_backward", [Pure]> {
  let summary = "gradients of the query, key and value of an attention";
  let description = [{
    Per head, with p = softmax(scale q k^T + bias): dv = p^T gradient,
    dp = gradient v^T, ds = p (dp - sum(dp p)), dq = scale ds k,
    dk = scale ds^T q. The probabilities are recomputed row by row. The optional
    fourth result is the gradient of the bias, ds summed over the batch.

    With `precision bf16` or `tf32`, all operands but the bias are first rounded to
    it, and so are p where it is multiplied by the gradient, and scale ds.

    ```mlir
    %dq, %dk, %dv = vit.attention_backward %dy, %q, %k, %v heads 12 scale 1.25e-01
        : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>)
        -> (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>)
    ```

    Constraints:
    - C1: query, key and value satisfy C1 and C2 of `vit.attention`.
    - C2: the gradient has the tokens of query and the width of value.
    - C3: the results have the types of query, key, value and bias.
    - C4: the bias, if given, satisfies C4 of `vit.attention`; there is a
      gradient of the bias only if there is a bias.
    - C5: the precision is not int8, and f32 if there is a gradient of the bias.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$query, Vit_Tensor:$key, Vit_Tensor:$value,
                       Optional<Vit_Tensor>:$bias, I64Attr:$heads, F64Attr:$scale,
                       Vit_LateAttr<Vit_PrecisionAttr>:$precision);
  let results = (outs Vit_Tensor:$query_gradient, Vit_Tensor:$key_gradient, Vit_Tensor:$value_gradient,
                      Optional<Vit_Tensor>:$bias_gradient);
  let assemblyFormat = [{
    $gradient `,` $query `,` $key `,` $value (`bias` $bias^)? `heads` $heads `scale` $scale
    (`precision` `` $precision^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Vit_SoftmaxBackwardOp : Vit_Op<"softmax_backward", [Pure, SameOperandsAndResultType]> {
  let summary = "y (gradient - sum(gradient y)) per row, where y is the softmax";
  let description = [{
    ```mlir
    %dx = vit.softmax_backward %dy, %y : tensor<?x10xf32>
    ```
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$output);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$gradient `,` $output attr-dict `:` type($result)";
}

def Vit_DerivativeOp : Vit_Op<"derivative", [Pure, SameOperandsAndResultType]> {
  let summary = "derivative of an activation, element by element";
  let description = [{
    The derivative at the input of the activation. It is a separate op because
    it depends only on the forward part and can be computed together with the
    activation. The derivative of relu at 0 is 0, as in torch.

    ```mlir
    %g = vit.derivative gelu_erf %h : tensor<?x197x3072xf32>
    %dh = vit.mul %dy, %g : (tensor<?x197x3072xf32>, tensor<?x197x3072xf32>) -> tensor<?x197x3072xf32>
    ```
  }];
  let arguments = (ins Vit_Tensor:$input, Vit_ActivationKindAttr:$of);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "`` $of $input attr-dict `:` type($result)";
}

def Vit_PlaceTokensOp : Vit_Op<"place_tokens", [Pure]> {
  let summary = "insert tokens into zeros: the adjoint of take_tokens";
  let description = [{
    [batch, count, width], or [batch, width] for one token, to [batch, tokens,
    width]: tokens [start, start + count) are the input, all others are zero.

    ```mlir
    %dx = vit.place_tokens %dy at 0 : (tensor<?x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: the result is [batch, tokens, width] with static tokens; the input is
      [batch, count, width] or [batch, width].
    - C2: 0 <= start, start + count <= tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `at` $start attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_SpreadTokensOp : Vit_Op<"spread_tokens", [Pure]> {
  let summary = "distribute a row evenly over tokens: the adjoint of mean_tokens";
  let description = [{
    [batch, width] to [batch, tokens, width]: tokens from `start` on are the
    input divided by their number, all others are zero.

    ```mlir
    %dx = vit.spread_tokens %dy from 1 : (tensor<?x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: the input is [batch, width], the result [batch, tokens, width] with
      static tokens.
    - C2: 0 <= start < tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `from` $start attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_TakeChannelsOp : Vit_PureOp<"take_channels"> {
  let summary = "take channels [start, start + count): the adjoint of concat_channels";
  let description = [{
    [batch, ..., width] to [batch, ..., count].

    ```mlir
    %dx = vit.take_channels %dy from 768 count 768 : (tensor<?x1536xf32>) -> tensor<?x768xf32>
    ```

    Constraints:
    - C1: the input has rank 2 or 3 and a static width.
    - C2: 0 <= start, 1 <= count, start + count <= width.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start, I64Attr:$count);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `from` $start `count` $count attr-dict `:` functional-type(operands, results)";
}

def Vit_UnpatchifyOp : Vit_Op<"unpatchify", [Pure]> {
  let summary = "join patches to images: the adjoint of patchify";
  let description = [{
    Pixels that are in no patch are zero.

    ```mlir
    %image = vit.unpatchify %patches patch [16, 16] order chw
        : (tensor<?x196x768xf32>) -> tensor<?x3x224x224xf32>
    ```

    Constraints:
    - C1: the type of the input is what `vit.patchify` with this patch and order
      infers from the type of the result.
  }];
  let arguments = (ins Vit_Tensor:$input, DenseI64ArrayAttr:$patch, Vit_PixelOrderAttr:$order);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `patch` $patch `order` `` $order attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_ResamplePositionsBackwardOp : Vit_PureOp<"resample_positions_backward"> {
  let summary = "gradient of the input of resample_positions";
  let description = [{
    The attributes are those of the forward op: [prefix + to + suffix, width] to
    [prefix + from + suffix, width].

    ```mlir
    %dt = vit.resample_positions_backward %dy from [14, 14] to [24, 24] prefix 1
        : (tensor<577x768xf32>) -> tensor<197x768xf32>
    ```

    Constraints:
    - C1: the gradient has rank 2 with prefix + to[0]*to[1] + suffix rows.
    - C2, C3: those of the forward op.
  }];
  let arguments = (ins Vit_Tensor:$gradient, DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       I64Attr:$prefix, UnitAttr:$antialias, DefaultValuedAttr<I64Attr, "0">:$suffix,
                       DefaultValuedAttr<Vit_ResamplingFilterAttr, "ResamplingFilter::cubic">:$filter);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $gradient `from` $from `to` $to `prefix` $prefix (`antialias` $antialias^)? (`suffix` $suffix^)? (`filter` $filter^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def Vit_RelativePositionsBackwardOp : Vit_PureOp<"relative_positions_backward"> {
  let summary = "gradient of a table of relative_positions";
  let description = [{
    [heads, tokens, tokens] to [(2h-1)(2w-1) + 3 prefix, heads]: each row of the
    table is the sum of the gradients of its pairs of tokens. All tables of one
    `vit.relative_positions` have the same gradient.

    ```mlir
    %dt = vit.relative_positions_backward %db grid [14, 14] prefix 1
        : (tensor<12x197x197xf32>) -> tensor<732x12xf32>
    ```

    Constraints:
    - C1: the grid is two positive numbers; prefix is 0 or 1.
    - C2: the gradient is [heads, tokens, tokens] with prefix + h*w tokens.
  }];
  let arguments = (ins Vit_Tensor:$gradient, DenseI64ArrayAttr:$grid, I64Attr:$prefix);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$gradient `grid` $grid `prefix` $prefix attr-dict `:` functional-type(operands, results)";
}

#endif // VIT_BACKWARD_OPS_TD
