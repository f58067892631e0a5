//===- VitTrainingOps.td - Losses, state and updates -------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included by VitOps.td. The other ops of a training step: losses, states that
// persist between steps, and updates in place.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TRAINING_OPS_TD
#define VIT_TRAINING_OPS_TD

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

/// Labels: one class per image, i32, or soft targets [batch, classes].
def Vit_Targets : RankedTensorOf<[F32, BF16, F16, I32]>;

class Vit_LossOp<string mnemonic, dag args> : Vit_Op<mnemonic, [Pure, Vit_Differentiable]> {
  let arguments = args;
  let results = (outs Vit_Scalar:$result);
  let hasVerifier = 1;
}
class Vit_LossBackwardOp<string mnemonic, dag args> : Vit_Op<mnemonic, [Pure]> {
  let arguments = args;
  let results = (outs Vit_Tensor:$result);
  let hasVerifier = 1;
}

def Vit_CrossEntropyOp : Vit_LossOp<"cross_entropy",
    (ins Vit_Tensor:$logits, Vit_Targets:$targets, DefaultValuedAttr<F64Attr, "0.0">:$smoothing)> {
  let summary = "mean cross-entropy of logits";
  let description = [{
    The mean over the batch of -sum(t log softmax(logits)):
    torch.nn.functional.cross_entropy with label_smoothing. t is the one-hot
    label or the soft targets; smoothing s replaces it by
    (1 - s) t + s / classes. A label is in [0, classes).

    ```mlir
    %loss = vit.cross_entropy %logits, %labels smoothing 0.1 : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<f32>
    %loss = vit.cross_entropy %logits, %mixed : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
    ```

    Constraints:
    - C1: the logits are [batch, classes] with static classes.
    - C2: the targets are i32 labels [batch] or have the type of the logits.
    - C3: the smoothing is in [0, 1).
  }];
  let assemblyFormat = "$logits `,` $targets (`smoothing` $smoothing^)? attr-dict `:` functional-type(operands, results)";
}

def Vit_CrossEntropyBackwardOp : Vit_LossBackwardOp<"cross_entropy_backward",
    (ins Vit_Scalar:$gradient, Vit_Tensor:$logits, Vit_Targets:$targets, DefaultValuedAttr<F64Attr, "0.0">:$smoothing)> {
  let summary = "gradient of the logits of cross_entropy";
  let description = [{
    gradient (sum(t) softmax(logits) - t) / batch, t as in `vit.cross_entropy`.

    ```mlir
    %d = vit.cross_entropy_backward %one, %logits, %labels : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x10xf32>
    ```

    Constraints:
    - C1: the logits are [batch, classes] with static classes; the result has
      their type.
    - C2: the targets are i32 labels [batch] or have the type of the logits.
    - C3: the smoothing is in [0, 1).
  }];
  let assemblyFormat = "$gradient `,` $logits `,` $targets (`smoothing` $smoothing^)? attr-dict `:` functional-type(operands, results)";
}

def Vit_MseOp : Vit_LossOp<"mse", (ins Vit_Tensor:$input, Vit_Tensor:$targets)> {
  let summary = "mean squared error";
  let description = [{
    The mean over all elements of (input - targets)^2: torch.nn.MSELoss.

    ```mlir
    %loss = vit.mse %y, %wanted : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
    ```

    Constraints:
    - C1: both operands have the same type, of rank 1 or more.
  }];
  let assemblyFormat = "$input `,` $targets attr-dict `:` functional-type(operands, results)";
}

def Vit_MseBackwardOp : Vit_LossBackwardOp<"mse_backward",
    (ins Vit_Scalar:$gradient, Vit_Tensor:$input, Vit_Tensor:$targets)> {
  let summary = "gradient of the input of mse: 2 gradient (input - targets) / elements";
  let description = [{
    ```mlir
    %d = vit.mse_backward %one, %y, %wanted : (tensor<f32>, tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<?x10xf32>
    ```

    Constraints:
    - C1: input, targets and result have the same type, of rank 1 or more.
  }];
  let assemblyFormat = "$gradient `,` $input `,` $targets attr-dict `:` functional-type(operands, results)";
}

def Vit_AccuracyOp : Vit_Op<"accuracy", [Pure]> {
  let summary = "number of correctly classified images";
  let description = [{
    The number of rows whose largest logit (the first of equal ones) is at the
    label or at the largest soft target. Rows that contain NaN are not counted.

    ```mlir
    %correct = vit.accuracy %logits, %labels : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<i32>
    ```

    Constraints:
    - C1: the logits are [batch, classes] with static classes.
    - C2: the targets are i32 labels [batch] or have the type of the logits.
  }];
  let arguments = (ins Vit_Tensor:$logits, Vit_Targets:$targets);
  let results = (outs Vit_Count:$result);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

def Vit_StateOp : Vit_Op<"state", [Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "declare a tensor that persists between steps, a single one or one per layer";
  let description = [{
    A moment of an optimizer, an accumulated gradient or the seed. States are
    zero at first, read by `vit.read`, changed by updates and `vit.write`, and
    saved in a separate file of a checkpoint.

    ```mlir
    vit.state @exp_avg.fc1.weight of @fc1.weight role "exp_avg" : 6 x tensor<768x192xf32>
    vit.state @random_seed role "random_seed" : tensor<2xi32>
    ```
    `role` is the purpose of the state; for a state of a parameter, it is the
    key of the state in `torch.optim.Optimizer.state`.

    Constraints:
    - C1: the type is a tensor of f32 or i32 with 1 to 4 static, positive sizes.
    - C2: `layers`, if given, is at least 1.
    - C3: `of` names a `vit.parameter` of the same type and layers, and there is
      a role.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<FlatSymbolRefAttr>:$parameter, OptionalAttr<StrAttr>:$role,
                       TypeAttrOf<AnyRankedTensor>:$type, OptionalAttr<I64Attr>:$layers);
  let assemblyFormat = [{
    $sym_name (`of` $parameter^)? (`role` $role^)? `:` custom<LayeredType>($layers, $type) attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RankedTensorType getTensorType() { return cast<RankedTensorType>(getType()); }
  }];
}

/// Changes parameters and states in place.
class Vit_ChangeOp<string mnemonic> : Vit_Op<mnemonic,
    [MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]>;

def Vit_WriteOp : Vit_ChangeOp<"write"> {
  let summary = "overwrite a parameter or a state";
  let description = [{
    ```mlir
    vit.write @gradient.fc1.weight[3], %sum : tensor<768x192xf32>
    ```

    Constraints:
    - C1: the symbol names a `vit.parameter` or `vit.state` of the same type.
    - C2: there is a layer in [0, layers) if and only if the symbol has layers.
    - C3: no later op in the block uses a value read from the changed symbol or
      changes the symbol again.
  }];
  let arguments = (ins FlatSymbolRefAttr:$symbol, OptionalAttr<I64Attr>:$layer, AnyRankedTensor:$value);
  let assemblyFormat = "$symbol `` custom<Layer>($layer) `,` $value attr-dict `:` type($value)";
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

def Vit_ClipByGlobalNormOp : Vit_Op<"clip_by_global_norm", [Pure]> {
  let summary = "factor that limits the norm of all gradients";
  let description = [{
    min(1, max_norm / (norm + 1e-6)), where norm is the norm of the vector of
    all gradients: torch.nn.utils.clip_grad_norm_. Updates multiply by the
    factor, so gradients are not overwritten.

    ```mlir
    %clip = vit.clip_by_global_norm %g0, %g1 max_norm 1.0 : (tensor<10x192xf32>, tensor<10xf32>) -> tensor<f32>
    ```

    Constraints:
    - C1: there is at least one gradient.
    - C2: max_norm is positive.
  }];
  let arguments = (ins Variadic<Vit_Tensor>:$gradients, F64Attr:$max_norm);
  let results = (outs Vit_Scalar:$result);
  let assemblyFormat = "$gradients `max_norm` $max_norm attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_AllReduceOp : Vit_Op<"all_reduce", [Pure, SameVariadicOperandSize]> {
  let summary = "sum of gradients over the ranks of a training run";
  let description = [{
    Adds to each of `sums` the gradients of all ranks, one after another in the
    order of ranks: the additions of a single rank that accumulates as many
    micro-batches. On one rank, sum + gradient. Ranks have equal sums. The
    gradients of one op travel together, while the ops that follow compute.

    ```mlir
    %0:2 = vit.all_reduce %dw, %db onto %dw_sum, %db_sum
        : (tensor<10x192xf32>, tensor<10xf32>, tensor<10x192xf32>, tensor<10xf32>) -> (tensor<10x192xf32>, tensor<10xf32>)
    ```

    Constraints:
    - C1: there is at least one gradient; its sum and its result have its type,
      of f32 and of static size.
  }];
  let arguments = (ins Variadic<Vit_Tensor>:$gradients, Variadic<Vit_Tensor>:$sums);
  let results = (outs Variadic<Vit_Tensor>:$results);
  let assemblyFormat = "$gradients `onto` $sums attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Vit_SgdOp : Vit_ChangeOp<"sgd"> {
  let summary = "stochastic gradient descent with momentum";
  let description = [{
    torch.optim.SGD with dampening 0. For the parameter w, computes
    g = factor gradient + decay w; with momentum, updates its buffer
    b = momentum b + g and sets g = b (nesterov: g + momentum b); then
    w = w - learning_rate g.

    ```mlir
    vit.sgd @fc1.weight[3], %g learning_rate %lr : tensor<768x192xf32>
    vit.sgd @fc1.weight[3], %g times %clip state @momentum_buffer.fc1.weight learning_rate %lr
        momentum 0.9 nesterov decay 1.0e-04 : tensor<768x192xf32>
    ```

    Constraints:
    - C1: the symbol names a `vit.parameter` of the gradient's type, the state
      a `vit.state` of that type.
    - C2: there is a layer in [0, layers) if and only if the symbols have layers.
    - C3: no later op in the block uses a value read from the changed symbols or
      changes them again.
    - C4: momentum is in [0, 1) and decay is not negative; there is a state if
      and only if momentum is not 0, and nesterov requires momentum.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, OptionalAttr<I64Attr>:$layer,
                       Vit_Tensor:$gradient, Optional<Vit_Scalar>:$factor,
                       OptionalAttr<FlatSymbolRefAttr>:$buffer, Vit_Scalar:$learning_rate,
                       DefaultValuedAttr<F64Attr, "0.0">:$momentum, UnitAttr:$nesterov,
                       DefaultValuedAttr<F64Attr, "0.0">:$decay);
  let assemblyFormat = [{
    $parameter `` custom<Layer>($layer) `,` $gradient (`times` $factor^)? (`state` $buffer^)?
    `learning_rate` $learning_rate (`momentum` $momentum^)? (`nesterov` $nesterov^)? (`decay` $decay^)?
    attr-dict `:` type($gradient)
  }];
  let hasVerifier = 1;
}

class Vit_AdamBase<string mnemonic> : Vit_ChangeOp<mnemonic> {
  string constraints = [{
    Constraints:
    - C1: the symbol names a `vit.parameter` of the gradient's type, the states
      two different `vit.state`s of that type.
    - C2: there is a layer in [0, layers) if and only if the symbols have layers.
    - C3: no later op in the block uses a value read from the changed symbols or
      changes them again.
    - C4: betas are two numbers in [0, 1), epsilon and decay are not negative,
      every is positive.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, OptionalAttr<I64Attr>:$layer,
                       Vit_Tensor:$gradient, Optional<Vit_Scalar>:$factor,
                       FlatSymbolRefAttr:$first, FlatSymbolRefAttr:$second,
                       Vit_Scalar:$learning_rate, Vit_Count:$step, DenseF64ArrayAttr:$betas,
                       F64Attr:$epsilon, DefaultValuedAttr<F64Attr, "0.0">:$decay,
                       DefaultValuedAttr<I64Attr, "1">:$every);
  let assemblyFormat = [{
    $parameter `` custom<Layer>($layer) `,` $gradient (`times` $factor^)? `state` $first `,` $second
    `learning_rate` $learning_rate `step` $step `betas` $betas `epsilon` $epsilon (`decay` $decay^)?
    (`every` $every^)? attr-dict `:` type($gradient)
  }];
  let hasVerifier = 1;
}

def Vit_AdamOp : Vit_AdamBase<"adam"> {
  let summary = "Adam (Kingma and Ba 2015)";
  let description = [{
    torch.optim.Adam. For the parameter w, g = factor gradient + decay w and
    t = step / every + 1 (`step` counts micro-batches from 0; there is one
    update per `every` of them): m = beta1 m + (1 - beta1) g,
    v = beta2 v + (1 - beta2) g^2,
    w = w - learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).

    ```mlir
    vit.adam @fc1.weight[3], %g state @exp_avg.fc1.weight, @exp_avg_sq.fc1.weight learning_rate %lr step %step
        betas [0.9, 0.999] epsilon 1.0e-08 : tensor<768x192xf32>
    ```
  }] # constraints;
}

def Vit_AdamwOp : Vit_AdamBase<"adamw"> {
  let summary = "Adam with decoupled decay (Loshchilov and Hutter 2019)";
  let description = [{
    torch.optim.AdamW. Like `vit.adam`, except that the decay is not part of the
    gradient: w = w (1 - learning_rate decay) is computed first.

    ```mlir
    vit.adamw @fc1.weight[3], %g times %clip state @exp_avg.fc1.weight, @exp_avg_sq.fc1.weight learning_rate %lr
        step %step betas [0.9, 0.999] epsilon 1.0e-08 decay 5.0e-02 : tensor<768x192xf32>
    ```
  }] # constraints;
}

#endif // VIT_TRAINING_OPS_TD
