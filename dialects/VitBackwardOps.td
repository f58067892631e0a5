//===- VitBackwardOps.td - Adjoints that are ops -----------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included by VitOps.td. `gradient` is that of the loss with respect to the
// result of the op whose adjoint this is.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_BACKWARD_OPS_TD
#define VIT_BACKWARD_OPS_TD

def Vit_LinearInputGradientOp : Vit_PureOp<"linear_input_gradient"> {
  let summary = "y W: the gradient of a linear layer's input";
  let description = [{
    [batch, ..., out] with weights [out, in] to [batch, ..., in]: what torch's
    autograd calls grad_input of torch.nn.Linear.

    ```mlir
    %dx = vit.linear_input_gradient %dy, %w : (tensor<?x197x3072xf32>, tensor<3072x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: the weight has rank 2 and the gradient's last dimension is its first.
    - C2: the gradient has rank 2 or 3.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$weight);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$gradient `,` $weight attr-dict `:` functional-type(operands, results)";
}

def Vit_LinearWeightGradientOp : Vit_PureOp<"linear_weight_gradient"> {
  let summary = "y^T x: the gradient of a linear layer's weight";
  let description = [{
    [batch, ..., out] and [batch, ..., in] to [out, in], summed over all rows of
    all images: grad_weight of torch.nn.Linear.

    ```mlir
    %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x197x3072xf32>, tensor<?x197x768xf32>) -> tensor<3072x768xf32>
    ```

    Constraints:
    - C1: both have rank 2 or 3, the same sizes but for the last, and known
      widths.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$input);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$gradient `,` $input attr-dict `:` functional-type(operands, results)";
}

def Vit_SumToOp : Vit_Op<"sum_to", [Pure]> {
  let summary = "sum over what was broadcast";
  let description = [{
    The adjoint of numpy's broadcasting: sums over the dimensions that the
    result lacks or has with size 1 (torch's sum_to_size). The gradient of a
    bias sums over rows, that of a position table over the batch.

    ```mlir
    %db = vit.sum_to %dy : (tensor<?x197x768xf32>) -> tensor<768xf32>
    %dp = vit.sum_to %dy : (tensor<?x197x768xf32>) -> tensor<197x768xf32>
    ```

    Constraints:
    - C1: aligned from the last dimension, the result's sizes are the input's,
      or 1, or missing; the element types are equal.
  }];
  let arguments = (ins Vit_Tensor:$input);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Vit_LayerNormBackwardOp : Vit_Op<"layer_norm_backward", [Pure]> {
  let summary = "the gradients of a layer norm's input, scale and bias";
  let description = [{
    With n = (x - mean) / sqrt(variance + epsilon) and g = gradient * scale, per
    row or group: the input's gradient is (g - mean(g) - n mean(g n)) /
    sqrt(variance + epsilon), the scale's the sum of gradient * n over rows and
    groups, the bias' that of gradient. Mean and variance are made again from
    `input`. A result that nobody uses is not computed.

    ```mlir
    %dx, %ds, %db = vit.layer_norm_backward %dy, %x scale %s epsilon 1.0e-06
        : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<768xf32>)
        -> (tensor<?x197x768xf32>, tensor<768xf32>, tensor<768xf32>)
    ```

    Constraints:
    - C1: gradient, input and the input's gradient have one type with a known
      width, which `groups` divides.
    - C2: scale, where given, and its and the bias' gradients have the width of
      a group.
    - C3: epsilon is positive.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$input, Optional<Vit_Tensor>:$scale,
                       F64Attr:$epsilon, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Vit_Tensor:$input_gradient, Vit_Tensor:$scale_gradient, Vit_Tensor:$bias_gradient);
  let assemblyFormat = [{
    $gradient `,` $input (`scale` $scale^)? `epsilon` $epsilon (`groups` $groups^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Vit_AttentionBackwardOp : Vit_Op<"attention_backward", [Pure]> {
  let summary = "the gradients of attention's query, key and value";
  let description = [{
    Per head, with p = softmax(scale q k^T): dv = p^T gradient,
    dp = gradient v^T, ds = p (dp - sum(dp p)), dq = scale ds k,
    dk = scale ds^T q. The probabilities are made again, row by row.

    ```mlir
    %dq, %dk, %dv = vit.attention_backward %dy, %q, %k, %v heads 12 scale 1.25e-01
        : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>)
        -> (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>)
    ```

    Constraints:
    - C1: query, key and value are as `vit.attention` wants them (its C1, C2).
    - C2: the gradient has the query's tokens and the value's width.
    - C3: the results have the types of query, key and value.
  }];
  let arguments = (ins Vit_Tensor:$gradient, Vit_Tensor:$query, Vit_Tensor:$key, Vit_Tensor:$value,
                       I64Attr:$heads, F64Attr:$scale);
  let results = (outs Vit_Tensor:$query_gradient, Vit_Tensor:$key_gradient, Vit_Tensor:$value_gradient);
  let assemblyFormat = [{
    $gradient `,` $query `,` $key `,` $value `heads` $heads `scale` $scale attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Vit_SoftmaxBackwardOp : Vit_Op<"softmax_backward", [Pure, SameOperandsAndResultType]> {
  let summary = "y (gradient - sum(gradient y)) per row, y = the softmax";
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
  let summary = "an activation's derivative, element by element";
  let description = [{
    At the activation's input. An op of its own, because it depends on the
    forward part alone: it can be made with the activation itself. The
    derivative of relu at 0 is 0, as torch has it.

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
  let summary = "tokens among zeros: the adjoint of take_tokens";
  let description = [{
    [batch, count, width], or [batch, width] for one token, to [batch, tokens,
    width]: tokens [start, start + count) are the input's, all others zero.

    ```mlir
    %dx = vit.place_tokens %dy at 0 : (tensor<?x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: the result is [batch, tokens, width] with known tokens; the input is
      [batch, count, width] or [batch, width].
    - C2: 0 <= start, start + count <= tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `at` $start attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_SpreadTokensOp : Vit_Op<"spread_tokens", [Pure]> {
  let summary = "an equal share for each token: the adjoint of mean_tokens";
  let description = [{
    [batch, width] to [batch, tokens, width]: tokens from `start` on are the
    input divided by their number, those before it zero.

    ```mlir
    %dx = vit.spread_tokens %dy from 1 : (tensor<?x768xf32>) -> tensor<?x197x768xf32>
    ```

    Constraints:
    - C1: the input is [batch, width], the result [batch, tokens, width] with
      known tokens.
    - C2: 0 <= start < tokens.
  }];
  let arguments = (ins Vit_Tensor:$input, I64Attr:$start);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `from` $start attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_UnpatchifyOp : Vit_Op<"unpatchify", [Pure]> {
  let summary = "patches to pictures: the adjoint and inverse of patchify";
  let description = [{
    ```mlir
    %image = vit.unpatchify %patches patch [16, 16] order chw
        : (tensor<?x196x768xf32>) -> tensor<?x3x224x224xf32>
    ```

    Constraints:
    - C1: `vit.patchify` with this patch and order makes the input's type of
      the result's.
  }];
  let arguments = (ins Vit_Tensor:$input, DenseI64ArrayAttr:$patch, Vit_PixelOrderAttr:$order);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = "$input `patch` $patch `order` `` $order attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_ResamplePositionsBackwardOp : Vit_PureOp<"resample_positions_backward"> {
  let summary = "the gradient of a table that resample_positions resampled";
  let description = [{
    `from`, `to`, `prefix` and `antialias` are those of the op whose adjoint it
    is: [prefix + to, width] to [prefix + from, width].

    ```mlir
    %dt = vit.resample_positions_backward %dy from [14, 14] to [24, 24] prefix 1
        : (tensor<577x768xf32>) -> tensor<197x768xf32>
    ```

    Constraints:
    - C1: the gradient has rank 2 with prefix + to[0]*to[1] rows.
    - C2: both grids are two positive numbers; prefix is not negative.
  }];
  let arguments = (ins Vit_Tensor:$gradient, DenseI64ArrayAttr:$from, DenseI64ArrayAttr:$to,
                       I64Attr:$prefix, UnitAttr:$antialias);
  let results = (outs Vit_Tensor:$result);
  let assemblyFormat = [{
    $gradient `from` $from `to` $to `prefix` $prefix (`antialias` $antialias^)? attr-dict `:` functional-type(operands, results)
  }];
}

#endif // VIT_BACKWARD_OPS_TD
