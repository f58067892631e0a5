//===- Passes.td - The compiler's passes -------------------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_PASSES_TD
#define VIT_PASSES_TD

include "mlir/Pass/PassBase.td"
include "CodegenPasses.td"

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

def UnrollLayers : Pass<"vit-unroll-layers", "::mlir::func::FuncOp"> {
  let summary = "Unroll vit.layers";
  let description = [{
    Repeats the body once per layer. The layer number replaces the index and the
    `{}` in names and locations.

    ```mlir
    %y = vit.layers 2 (%i, %x = %e) : tensor<?x65x192xf32> {
      vit.output "hidden_{}"[%i] = %x : tensor<?x65x192xf32>
      %g = vit.read @gamma[%i] : tensor<192xf32>
      %z = vit.layer_scale %x, %g : ... loc("blocks.{}.ls")
      vit.yield %z : tensor<?x65x192xf32>
    }
    ```
    becomes
    ```mlir
    vit.output "hidden_0" = %e : tensor<?x65x192xf32>
    %g0 = vit.read @gamma[0] : tensor<192xf32>
    %z0 = vit.layer_scale %e, %g0 : ... loc("blocks.0.ls")
    vit.output "hidden_1" = %z0 : tensor<?x65x192xf32>
    %g1 = vit.read @gamma[1] : tensor<192xf32>
    %y = vit.layer_scale %z0, %g1 : ... loc("blocks.1.ls")
    ```
  }];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [Statistic<"layersUnrolled", "layers-unrolled", "Number of layers unrolled">];
}

def SetImageSize : Pass<"vit-set-image-size", "::mlir::ModuleOp"> {
  let summary = "Change the size of the pictures that a model reads";
  let description = [{
    Gives the picture, an argument that `vit.patchify` splits, another height
    and width, and carries it through the graph. A learned position table is
    resampled from the old grid of patches to the new one as the model's library
    does: bicubically, with antialiasing where the module's attribute
    `vit.resampling` is "antialias" (timm, DINOv2 with registers), and not at all
    where it is "none". Tables of relative positions are resampled as by
    transformers (filter `linear`), or with "antialias" as by timm (`geometric`).
    Computed positions are those of the new grid.
    `vit.patch_grid` and the sizes in `vit.preprocessing` follow. Parameters stay
    as they are, so several sizes can share them: the first changes the entries,
    and each further one adds a copy, `@forward_518x336`, which has attributes
    of these names. A training step of the result has the gradient of the table
    before it is resampled.

    With `sizes=32`

    ```mlir
    func.func @forward(%image: tensor<?x3x16x16xf32>) -> tensor<?x4x192xf32> {
      %patches = vit.patchify %image patch [8, 8] order chw : (tensor<?x3x16x16xf32>) -> tensor<?x4x192xf32>
      %table = vit.read @positions : tensor<4x192xf32>
      %y = vit.add %patches, %table : (tensor<?x4x192xf32>, tensor<4x192xf32>) -> tensor<?x4x192xf32>
    ```
    becomes
    ```mlir
    func.func @forward(%image: tensor<?x3x32x32xf32>) -> tensor<?x16x192xf32> {
      %patches = vit.patchify %image patch [8, 8] order chw : (tensor<?x3x32x32xf32>) -> tensor<?x16x192xf32>
      %table = vit.read @positions : tensor<4x192xf32>
      %resampled = vit.resample_positions %table from [2, 2] to [4, 4] prefix 0 : (tensor<4x192xf32>) -> tensor<16x192xf32>
      %y = vit.add %patches, %resampled : (tensor<?x16x192xf32>, tensor<16x192xf32>) -> tensor<?x16x192xf32>
    ```
  }];
  let options = [ListOption<"sizes", "sizes", "std::string",
      "Sizes in pixels, each H or HxW (height and width)">];
  let dependentDialects = ["::mlir::vit::VitDialect"];
}

def ObserveProducts : Pass<"vit-observe-products", "::mlir::func::FuncOp"> {
  let summary = "Name the results of products as outputs";
  let description = [{
    Adds a `vit.output` "product:NAME" for the first result of every
    `vit.linear` and `vit.attention`; NAME is that of its location, followed by
    `#2` for the second op of this name. An observed op computes as before: its
    result, with the bias, has one more user, so that what follows it is not
    fused into it. Layers must be unrolled. With `inputs` it adds "input:NAME"
    for the input of every `vit.linear` instead, NAME being that of the first one
    that reads the value.

    ```mlir
    %h = vit.linear %x, %w : (tensor<?x65x192xf32>, tensor<768x192xf32>) -> tensor<?x65x768xf32> loc("blocks.0.mlp.fc1")
    ```
    becomes
    ```mlir
    %h = vit.linear %x, %w : (tensor<?x65x192xf32>, tensor<768x192xf32>) -> tensor<?x65x768xf32> loc("blocks.0.mlp.fc1")
    vit.output "product:blocks.0.mlp.fc1" = %h : tensor<?x65x768xf32>
    ```
  }];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let options = [Option<"inputs", "inputs", "bool", "false", "Name the inputs of products instead">];
  let statistics = [Statistic<"opsObserved", "ops-observed", "Number of ops whose result or input was named">];
}

def SelectOutputs : Pass<"vit-select-outputs", "::mlir::func::FuncOp"> {
  let summary = "Make an entry return exactly the requested outputs";
  let description = [{
    Outputs are the entry's results and the values of its `vit.output`s. The
    requested ones become the results, named by `vit.name`. The others are
    removed, with the ops that only they use. `classification_head_logits` is
    another name of `logits`. With `outputs=logits,hidden_1`

    ```mlir
    func.func @forward(%x: ...) -> (tensor<?x10xf32> {vit.name = "logits"}) {
      ...
      vit.output "hidden_1" = %h : tensor<?x65x192xf32>
      vit.output "final" = %f : tensor<?x65x192xf32>
      return %y : tensor<?x10xf32>
    ```
    becomes
    ```mlir
    func.func @forward(%x: ...) -> (tensor<?x10xf32> {vit.name = "logits"},
                                    tensor<?x65x192xf32> {vit.name = "hidden_1"}) {
      ...
      return %y, %h : tensor<?x10xf32>, tensor<?x65x192xf32>
    ```
  }];
  let options = [ListOption<"outputs", "outputs", "std::string",
      "Names to return, the first being the default; empty: the entry's own results">];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [
    Statistic<"outputsOffered", "outputs-offered", "Number of outputs that can be requested">,
    Statistic<"outputsReturned", "outputs-returned", "Number of outputs returned">,
    Statistic<"opsErased", "ops-erased", "Number of ops that no output uses">];
}

def Simplify : Pass<"vit-simplify", "::mlir::func::FuncOp"> {
  let summary = "Remove what inference does not need and fold what is constant";
  let description = [{
    Removes dropout and drop path, scales by one, takes of all tokens, and
    resampling to the same grid. Combines scales of scales. Removes attention
    probabilities without users, duplicate ops and dead ops. Optional: results
    are the same without it.

    ```mlir
    %0 = vit.dropout %x probability 1.0e-01 : tensor<?x65x192xf32>
    %1, %p = vit.attention %0, %0, %0 heads 3 scale 1.25e-01
        : (...) -> (tensor<?x65x192xf32>, tensor<?x3x65x65xf32>)
    ```
    becomes
    ```mlir
    %1 = vit.attention %x, %x, %x heads 3 scale 1.25e-01
        : (...) -> tensor<?x65x192xf32>
    ```
  }];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [
    Statistic<"opsBefore", "ops-before", "Number of ops before the pass">,
    Statistic<"opsAfter", "ops-after", "Number of ops after the pass">];
}

def Narrow : Pass<"vit-narrow", "::mlir::func::FuncOp"> {
  let summary = "Set the precision of products";
  let description = [{
    Sets the precision of every `vit.linear` and `vit.attention` that has none.
    All other ops (norms, softmax, activations, sums) are computed in f32. An op
    whose text says `precision f32` keeps it. A linear layer with at most 16
    inputs becomes f32: narrow operands would save it nothing. With int8,
    attention, the product of patches and products of one row per image (a head)
    become bf16: they take little time and lose most. With tf32, attention whose
    probabilities are used, or with heads of more than 128 channels, and its
    backward pass with more than 2,048 queries become f32: there are no kernels in
    tf32 for them. The products
    that `keep` names, as `vit-observe-products` does, get the precision beside
    their name where it is wider; a name that an entry does not have means
    nothing there. The attribute `vit.kept` of the entry lists the products that
    text or `keep` give another precision than this pass would choose.

    ```mlir
    %h = vit.linear %x, %w : (tensor<?x65x192xf32>, tensor<768x192xf32>) -> tensor<?x65x768xf32>
    ```
    becomes
    ```mlir
    %h = vit.linear %x, %w precision bf16 : (tensor<?x65x192xf32>, tensor<768x192xf32>) -> tensor<?x65x768xf32>
    ```
  }];
  let options = [Option<"precision", "precision", "std::string", "\"bf16\"", "f32, tf32, f16, bf16 or int8">,
    ListOption<"keep", "keep", "std::string", "NAME=PRECISION: products with at least this precision">];
  let statistics = [Statistic<"opsNarrowed", "ops-narrowed", "Number of ops whose precision was set">];
}

def Calibrate : Pass<"vit-calibrate", "::mlir::func::FuncOp"> {
  let summary = "Set scales and factors of products of int8 from observed values";
  let description = [{
    Sets the attributes `input_scale` (with `static-scales`) and `migration`
    (with `alpha`) of every `vit.linear` of int8 that has neither. Products that
    read the same value get the same ones, so that it is rounded once. The
    statistics are a JSON object with an object for each product, called as
    `vit-observe-products` does: `input`, the largest magnitudes of the channels
    of x over a set of pictures, and with `alpha` `weight`, those of the columns
    of W. Factors are those of SmoothQuant (arXiv 2211.10438) for `alpha`, as
    powers of two; their geometric mean is about 1.

    ```mlir
    %h = vit.linear %x, %w precision int8 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("fc1")
    ```
    becomes, with {"fc1": {"input": [127.0, 7.9375], "weight": [1.0, 1.0]}}, `alpha=0.5` and `static-scales`,
    ```mlir
    %h = vit.linear %x, %w precision int8 input_scale 5.0e-01 migration dense<[2.0, 0.5]> : tensor<2xf32>
        : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("fc1")
    ```
  }];
  let options = [
    Option<"path", "statistics", "std::string", "\"\"", "File of statistics">,
    Option<"text", "text", "std::string", "\"\"", "The statistics themselves, in place of a file">,
    Option<"alpha", "alpha", "double", "0.0", "Up to 1: how much of what is hard to round goes from x to W; 0: no migration">,
    Option<"staticScales", "static-scales", "bool", "false", "One scale for all rows">];
  let statistics = [Statistic<"opsCalibrated", "ops-calibrated", "Number of ops whose attributes were set">];
}

def NarrowTokens : Pass<"vit-narrow-tokens", "::mlir::func::FuncOp"> {
  let summary = "Compute only the tokens that are used";
  let description = [{
    If `take_tokens` is the only user of an op that works on each token
    separately (linear, layer_norm, activations, sums, and attention with
    respect to its query), the tokens are taken from the operands of the op
    instead. A classifier that reads the class token then runs the last block's
    projection, MLP and final norm on one token per image. Optional.

    ```mlir
    %f = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x65x192xf32>) -> tensor<?x65x192xf32>
    %c = vit.take_tokens %f from 0 : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    ```
    becomes
    ```mlir
    %t = vit.take_tokens %x from 0 : (tensor<?x65x192xf32>) -> tensor<?x192xf32>
    %c = vit.layer_norm %t epsilon 1.0e-06 : (tensor<?x192xf32>) -> tensor<?x192xf32>
    ```
  }];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [Statistic<"opsNarrowed", "ops-narrowed", "Number of ops that work on fewer tokens">];
}

def GenerateBackward : Pass<"vit-generate-backward", "::mlir::ModuleOp"> {
  let summary = "Generate a training step for an entry";
  let description = [{
    Adds `@train_step`: the entry, a loss of its output, the gradients of all
    parameters that are not frozen, and their updates in place (see
    docs/training-graph.md). Layers must be unrolled. With `optimizer=sgd momentum=0`

    ```mlir
    vit.parameter @w : tensor<3x8xf32>
    func.func @forward(%x: tensor<?x8xf32>) -> (tensor<?x3xf32> {vit.name = "logits"}) {
      %w = vit.read @w : tensor<3x8xf32>
      %y = vit.linear %x, %w : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
      return %y : tensor<?x3xf32>
    }
    ```
    becomes, in addition to `@forward`,
    ```mlir
    func.func @train_step(%x: tensor<?x8xf32>, %labels: tensor<?xi32>, %learning_rate: tensor<f32>, %step: tensor<i32>)
        -> (tensor<f32> {vit.name = "loss"}, tensor<i32> {vit.name = "correct"}) {
      %w = vit.read @w : tensor<3x8xf32>
      %y = vit.linear %x, %w : (tensor<?x8xf32>, tensor<3x8xf32>) -> tensor<?x3xf32>
      %loss = vit.cross_entropy %y, %labels : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<f32>
      %correct = vit.accuracy %y, %labels : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<i32>
      %one = arith.constant dense<1.0> : tensor<f32>
      %dy = vit.cross_entropy_backward %one, %y, %labels : ...
      %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> tensor<3x8xf32>
      vit.sgd @w, %dw learning_rate %learning_rate : tensor<3x8xf32>
      return %loss, %correct : tensor<f32>, tensor<i32>
    }
    ```
  }];
  let options = [
    Option<"entry", "entry", "std::string", "\"forward\"", "The function to train">,
    Option<"name", "name", "std::string", "\"train_step\"", "Name of the training step">,
    Option<"resultName", "output", "std::string", "", "The result that the loss is computed from; empty: the first">,
    Option<"loss", "loss", "std::string", "\"cross_entropy\"", "cross_entropy or mse">,
    Option<"softTargets", "soft-targets", "bool", "false",
        "cross_entropy: labels are [batch, classes], not a class per image">,
    Option<"labelSmoothing", "label-smoothing", "double", "0.0", "cross_entropy: at least 0 and below 1">,
    Option<"optimizer", "optimizer", "std::string", "\"adamw\"",
        "sgd, adam, adamw, or none: the gradients become results">,
    Option<"momentum", "momentum", "double", "0.9", "sgd: 0 keeps no buffer">,
    Option<"nesterov", "nesterov", "bool", "false", "sgd: use Nesterov momentum">,
    Option<"beta1", "beta1", "double", "0.9", "adam, adamw: decay of the first moment">,
    Option<"beta2", "beta2", "double", "0.999", "adam, adamw: decay of the second moment">,
    Option<"epsilon", "epsilon", "double", "1.0e-8", "adam, adamw: added to the denominator">,
    Option<"weightDecay", "weight-decay", "double", "-1.0",
        "Decay of the weights of vit.linear; negative: 0.01 with adamw, else 0">,
    Option<"decayAll", "decay-all", "bool", "false",
        "Decay on norms, biases, tokens and positions too">,
    ListOption<"frozen", "frozen", "std::string",
        "Patterns (*, ?) of parameters that are not trained: a symbol, with or without the layer number "
        "(fc1.weight, fc1.weight.3), or a name in the checkpoint">,
    ListOption<"trained", "trained", "std::string", "Patterns of the only parameters to train; none: all">,
    Option<"clipNorm", "clip-norm", "double", "0.0", "Bound of the norm of all gradients; 0: none">,
    Option<"accumulate", "accumulate", "int64_t", "1",
        "Micro-batches per update; more than 1: also adds @accumulate_step for all but the last">];
  let dependentDialects = ["::mlir::vit::VitDialect", "::mlir::arith::ArithDialect"];
  let statistics = [
    Statistic<"parametersTrained", "parameters-trained", "Number of parameters (of layers) with a gradient">,
    Statistic<"parametersFrozen", "parameters-frozen", "Number of parameters (of layers) without one">];
}

def Distribute : Pass<"vit-distribute", "::mlir::ModuleOp"> {
  let summary = "Sum the gradients of a training step over several ranks";
  let description = [{
    The additions of gradients to the states that accumulate them become
    `vit.all_reduce`. One op reduces a bucket of gradients, in the order in
    which the backward part computes them, so that their exchange overlaps with
    the rest of the backward part. N ranks are then the same training as one
    that accumulates N times as many micro-batches, which `accumulate` of
    vit-generate-backward counts over all ranks. Entries that accumulate nothing
    are not changed.

    ```mlir
    %dw1 = vit.linear_weight_gradient %dy, %x1 : ...
    %dx = vit.linear_input_gradient %dy, %w1 : ...
    %dw0 = vit.linear_weight_gradient %dx, %x0 : ...
    %sum0 = vit.read @gradient.w0 : tensor<8x8xf32>
    %0 = vit.add %sum0, %dw0 : ...
    %sum1 = vit.read @gradient.w1 : tensor<3x8xf32>
    %1 = vit.add %sum1, %dw1 : ...
    ```
    becomes, with small buckets,
    ```mlir
    %sum0 = vit.read @gradient.w0 : tensor<8x8xf32>
    %sum1 = vit.read @gradient.w1 : tensor<3x8xf32>
    %dw1 = vit.linear_weight_gradient %dy, %x1 : ...
    %1 = vit.all_reduce %dw1 onto %sum1 : ...
    %dx = vit.linear_input_gradient %dy, %w1 : ...
    %dw0 = vit.linear_weight_gradient %dx, %x0 : ...
    %0 = vit.all_reduce %dw0 onto %sum0 : ...
    ```
  }];
  let options = [
    Option<"bucketBytes", "bucket-bytes", "int64_t", "1 << 20",
        "A bucket is complete when it has this many bytes">];
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [
    Statistic<"buckets", "buckets", "Number of buckets">];
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

def ConvertToKernels : Pass<"vit-convert-to-kernels", "::mlir::func::FuncOp"> {
  let summary = "Convert each op of the graph to a kernel";
  let description = [{
    Each op becomes one launch; `vit-fuse` reduces their number. Activations and
    sums become `kernel.map` with their formula as scalar code. The bias of a
    linear layer is a separate map. Sums and products of parameters become part
    of the scalar code of their user. Position tables are resampled when the
    module is loaded.

    ```mlir
    %1 = vit.linear %x, %w, %b : (tensor<?x65x192xf32>, ...) -> tensor<?x65x768xf32>
    %2 = vit.relu %1 : tensor<?x65x768xf32>
    ```
    becomes
    ```mlir
    %0 = kernel.gemm %x, %w {
    ^bb0(%acc: f32):
      kernel.yield %acc : f32
    } : (tensor<?x65x192xf32>, tensor<768x192xf32>) -> tensor<?x65x768xf32>
    %1 = kernel.map %0 extras(%b : tensor<768xf32>) {
    ^bb0(%e: f32, %bias: f32):
      %s = arith.addf %e, %bias : f32
      kernel.yield %s : f32
    } : tensor<?x65x768xf32> -> tensor<?x65x768xf32>
    %2 = kernel.map %1 {
    ^bb0(%e: f32):
      %zero = arith.constant 0.0 : f32
      %m = arith.maximumf %e, %zero : f32
      kernel.yield %m : f32
    } : tensor<?x65x768xf32> -> tensor<?x65x768xf32>
    ```
  }];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"kernelsMade", "kernels-made", "Number of kernels made">];
}

def Fuse : Pass<"vit-fuse", "::mlir::func::FuncOp"> {
  let summary = "Fuse kernels: scalar code into its producer, q, k and v into one product";
  let description = [{
    A `kernel.map` (a bias, activation, layer scale or residual sum) is fused
    into the region of the kernel that computes its input, or an extra of the
    same shape, if that value has no other user. Products of the same input that
    compute the query, key and value of an attention become one product with
    concatenated weights. Optional.

    ```mlir
    %0 = kernel.gemm %x, %w { ... yield %acc } : ...
    %1 = kernel.map %0 extras(%b : tensor<768xf32>) { ... yield %e + %bias } : ...
    %2 = kernel.map %1 { ... yield max(%e, 0) } : ...
    ```
    becomes
    ```mlir
    %2 = kernel.gemm %x, %w extras(%b : tensor<768xf32>) { ... yield max(%acc + %bias, 0) } : ...
    ```
    and
    ```mlir
    %o = kernel.attention %q, %k, %v heads 3 head_dim 64 offsets [0, 0, 0] scale 1.25e-01 : ...
    ```
    of three products becomes
    ```mlir
    %w = kernel.derive %wq, %wk, %wv : ... -> tensor<576x192xf32>
    %qkv = kernel.gemm %x, %w { ... } : ... -> tensor<?x65x576xf32>
    %o = kernel.attention %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384] scale 1.25e-01 : ...
    ```
  }];
  let options = [
    Option<"epilogues", "epilogues", "bool", "true", "Fuse element-wise kernels into the kernel before them">,
    Option<"qkv", "qkv", "bool", "true", "Fuse products of the same input that feed one attention">,
    Option<"roundBackward", "round-backward", "bool", "true", "Let the backward kernel of an attention round its results; kernels of GPUs do not">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"epiloguesFused", "epilogues-fused", "Number of maps fused into the kernel before them">,
    Statistic<"attentionsFused", "attentions-fused", "Number of attentions whose products became one">];
}

def Rematerialize : Pass<"vit-rematerialize", "::mlir::func::FuncOp"> {
  let summary = "Recompute cheap values to reduce the memory of a training step";
  let description = [{
    While the live bytes exceed the budget, the pass recomputes a value that the
    backward part uses, right before the use. Values with the lowest recompute
    cost come first: element-wise ops, then ops that move or mask tokens,
    normalised rows, attention, and products. Among values of equal cost the
    largest comes first. Results do not change in any bit. If the budget cannot
    be met, memory is reduced as far as possible and the entry is marked with
    the attribute `least_memory`. Without a budget only
    element-wise ops are recomputed, which saves about a fifth of a step's
    memory for about a hundredth of its time. Entries that change no variable
    are not changed.

    ```mlir
    %h = kernel.gemm %x, %w { ... } : ...
    %a = kernel.map %h { ... gelu ... } : ...
    %y = kernel.gemm %a, %v { ... } : ...
    ...
    %g = kernel.weight_gradient %dy, %a : ...
    ```
    becomes
    ```mlir
    %h = kernel.gemm %x, %w { ... } : ...
    %a = kernel.map %h { ... gelu ... } : ...
    %y = kernel.gemm %a, %v { ... } : ...
    ...
    %again = kernel.map %h { ... gelu ... } : ...
    %g = kernel.weight_gradient %dy, %again : ...
    ```
  }];
  let options = [
    Option<"budget", "budget", "uint64_t", "0", "Maximum of bytes that are live at once; 0: no budget">,
    Option<"batch", "batch", "int64_t", "1", "The batch size for which bytes are counted">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"recomputed", "recomputed", "Number of kernels that are recomputed">,
    Statistic<"bytesBefore", "bytes-before", "Maximum of live bytes before the pass">,
    Statistic<"bytesAfter", "bytes-after", "Maximum of live bytes after the pass">];
}

def Tile : Pass<"vit-tile", "::mlir::func::FuncOp"> {
  let summary = "Choose tile sizes for a level of a target";
  let description = [{
    On the CPU, all row blocks of an entry have the same height: the one with
    the least estimated time, from the work including padded rows and the speed
    of the register tile. `cols` is 64, the width of panels, on every level. The
    `chunk` of row blocks of a product fits in the second-level cache. That of
    an attention gives work units that balance well between threads.

    ```mlir
    %y = kernel.gemm %x, %w { ... } : (tensor<?x197x768xf32>, ...) -> ...
    ```
    becomes
    ```mlir
    %y = kernel.gemm %x, %w tile<rows = 6, cols = 64, chunk = 17> { ... } : ...
    ```

    On a GPU, the tile is the part of the result that a workgroup and each of
    its threads compute. Products have large tiles unless a typical device would
    then have too few workgroups. A weight gradient by tensor cores with fewer
    tiles than processors is computed in parts of the rows, which a `kernel.sum`
    adds.

    ```mlir
    %y = kernel.gemm %x, %w tile<rows = 64, cols = 64, chunk = 16, threads = 128,
        thread_rows = 8, thread_cols = 4> { ... } : ...
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "cpu, vulkan or cuda">,
    Option<"level", "level", "std::string", "\"\"",
        "A level of the target, see runtime/format/Level.cpp; empty: its default">,
    Option<"batch", "batch", "int64_t", "1", "The batch size to optimise for; any other works too">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"rowsOfBlocks", "rows", "Rows of a block (cpu)">,
    Statistic<"paddedRows", "padded-rows", "Rows of padding per image, over all products (cpu)">];
}

def Layout : Pass<"vit-layout", "::mlir::func::FuncOp"> {
  let summary = "Assign a memory layout to each tensor and convert inputs and outputs of entries";
  let description = [{
    Activations become `#kernel.blocked` with the rows that `vit-tile` chose,
    weights `#kernel.panels` and other parameters `#kernel.channels`, both by
    `kernel.derive`. Images, results of the entry and attention probabilities
    stay row-major. If the size of a head is not a multiple of 16, the `group`
    of the layout pads each head separately. On GPUs activations are row-major,
    or `#kernel.channels` if their width needs padding.

    ```mlir
    %w = vit.read @w : tensor<10x192xf32>
    %y = kernel.gemm %x, %w tile<rows = 6, cols = 64, chunk = 1> { ... }
        : (tensor<?x192xf32>, tensor<10x192xf32>) -> tensor<?x10xf32>
    return %y : tensor<?x10xf32>
    ```
    becomes
    ```mlir
    %w = vit.read @w : tensor<10x192xf32>
    %p = kernel.derive %w : (tensor<10x192xf32>) -> tensor<10x192xf32, #kernel.panels<cols = 64>>
    %y = kernel.gemm %x, %p tile<rows = 6, cols = 64, chunk = 1> { ... }
        : (tensor<?x192xf32, #kernel.blocked<rows = 6>>, ...) -> tensor<?x10xf32, #kernel.blocked<rows = 6>>
    %r = kernel.relayout %y ... : (...) -> tensor<?x10xf32>
    return %r : tensor<?x10xf32>
    ```
  }];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"parametersDerived", "parameters-derived", "Number of derived forms of parameters">,
    Statistic<"relayouts", "relayouts", "Number of conversions between layouts">];
}

def PlaceVariables : Pass<"vit-place-variables", "::mlir::ModuleOp"> {
  let summary = "Assign each variable a position in an arena";
  let description = [{
    Variables are all parameters and states that an entry changes and all states
    that an entry reads. Each is a range of an arena, a flat buffer;
    `kernel.arenas` of the module contains the positions. Parameters whose
    updates have equal code and scalars are neighbours. A state has the offset of
    its parameter, in the arena of its role (`exp_avg`), so that such updates
    change one range of each arena.

    An arena is given a copy rounded to bf16 (`rounded = bf16`) if an entry that
    changes variables derives a form in bf16 of them that has their elements in
    their order: then the form is a range of the copy.

    ```mlir
    vit.parameter @w : tensor<3x8xf32>
    vit.parameter @b : tensor<3xf32>
    ```
    becomes, if an entry changes both,
    ```mlir
    module attributes {kernel.arenas = [#kernel.arena<"parameters", bytes = 192,
        [<@w, offset = 0>, <@b, offset = 128>]>]} ...
    ```
  }];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"arenaBytes", "arena-bytes", "Bytes of all arenas">];
}

def GroupUpdates : Pass<"vit-group-updates", "::mlir::ModuleOp"> {
  let summary = "Merge updates of contiguous variables";
  let description = [{
    Updates with equal code and scalars whose variables are contiguous in every
    arena become one update at the end of the entry, and their gradients one
    `kernel.concat`.

    ```mlir
    kernel.update "sgd" [#kernel.variable<@w>] gradient(%dw : tensor<3x8xf32>) scalars(%lr : tensor<f32>) {...}
    kernel.update "sgd" [#kernel.variable<@b>] gradient(%db : tensor<3xf32>) scalars(%lr : tensor<f32>) {...}
    ```
    becomes
    ```mlir
    %g = kernel.concat %dw, %db : (tensor<3x8xf32>, tensor<3xf32>) -> tensor<48xf32>
    kernel.update "sgd" [#kernel.variable<@w>, #kernel.variable<@b>] gradient(%g : tensor<48xf32>) scalars(%lr : tensor<f32>) {...}
    ```
  }];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"updatesBefore", "updates-before", "Number of updates before the pass">,
    Statistic<"updatesAfter", "updates-after", "Number of updates after the pass">];
}

def PackParameters : Pass<"vit-pack-parameters", "::mlir::func::FuncOp"> {
  let summary = "In an entry that changes variables, make derived forms of them at run time";
  let description = [{
    A `kernel.derive` runs when the module is loaded, which is too early for
    variables that each step changes. There it becomes a `kernel.pack`, unless
    the form has the elements of its sources in their order and these are
    contiguous in an arena: then it is a range of that arena or, in bf16, of its
    rounded copy. Forms of parameters that no entry changes, and forms in other
    entries, are not changed.

    ```mlir
    %w = kernel.derive %fc1 : (tensor<768x192xf32>) -> tensor<768x192xf32, #kernel.panels<cols = 64>>
    ```
    becomes
    ```mlir
    %w = kernel.pack %fc1 tile<...> : (tensor<768x192xf32>) -> tensor<768x192xf32, #kernel.panels<cols = 64>>
    ```
  }];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"packs", "packs", "Number of forms made in each step">,
    Statistic<"views", "views", "Number of forms that are ranges of an arena or its rounded copy">];
}

def Plan : Pass<"vit-plan", "::mlir::func::FuncOp"> {
  let summary = "Assign each intermediate to a slot of the workspace by lifetime";
  let description = [{
    Kernels run in program order. A value is live from the kernel that writes it
    to the last kernel that reads it. Values that are not live at the same time
    can share a slot; slots are chosen to waste few bytes at the given batch. A
    result of the entry is written to a buffer of the caller and has no slot.
    The operands of a `kernel.concat` are computed in its slot (`slots [0 at
    128]`), so it is live from the first of them on.

    ```mlir
    %1 = kernel.map %0 tile<...> { ... } : ...
    %2 = kernel.map %1 tile<...> { ... } : ...
    %3 = kernel.map %2 tile<...> { ... } : ...
    %4 = kernel.relayout %3 tile<...> : ...
    return %4
    ```
    becomes
    ```mlir
    %1 = kernel.map %0 tile<...> slots [0] { ... } : ...
    %2 = kernel.map %1 tile<...> slots [1] { ... } : ...
    %3 = kernel.map %2 tile<...> slots [0] { ... } : ...
    %4 = kernel.relayout %3 tile<...> : ...
    return %4
    ```
  }];
  let options = [
    Option<"share", "share", "bool", "true", "Let values with disjoint lifetimes share a slot">,
    Option<"batch", "batch", "int64_t", "1", "The batch size to optimise for; any other works too">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
  let statistics = [
    Statistic<"slotCount", "slots", "Number of slots">,
    Statistic<"slotBytes", "slot-bytes", "Bytes of all slots at that batch">,
    Statistic<"liveBytes", "live-bytes", "Maximum of live bytes of intermediates">,
    Statistic<"valueBytes", "value-bytes", "Bytes of all intermediates, without sharing">];
}

//===----------------------------------------------------------------------===//
// Target: CPU
//===----------------------------------------------------------------------===//

def EmitCpu : Pass<"vit-emit-cpu", "::mlir::ModuleOp"> {
  let summary = "Replace kernels by dispatches of generated vector code";
  let description = [{
    Each kernel op, after `vit-tile`, `vit-layout` and `vit-plan`, becomes a
    dispatch of a function in `module @kernels`. Ops that differ only in
    operands, slots and names share a function. The functions follow the calling
    convention of docs/architecture.md and operate on vectors of 16 f32.

    ```mlir
    %y = kernel.gemm %x, %w extras(%b : ...) tile<rows = 6, cols = 64, chunk = 33> slots [2] { ... } : ...
    ```
    becomes
    ```mlir
    %y = kernel.dispatch @kernels::@gemm_0(%x, %w, %b) units<times = 396> slots [2] scratch 0
        family "gemm" flop<times = 232390656> : ...
    module @kernels {
      func.func @gemm_0(%x: memref<?xf32>, %w: memref<?xf32>, %b: memref<?xf32>, %y: memref<?xf32>,
                        %batch: index, %begin: index, %end: index, %scratch: memref<?xi8>) { ... }
    }
    ```
  }];
  let options = [Option<"level", "level", "std::string", "\"\"",
      "A CPU level; empty: the default, see vit-tile">,
    Option<"expandTiles", "expand-tiles", "bool", "false",
      "For tests: plain code for the least level in place of tile registers">];
  let statistics = [
    Statistic<"dispatches", "dispatches", "Kernel ops replaced">,
    Statistic<"functions", "functions", "Functions emitted for them">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect", "::mlir::scf::SCFDialect",
      "::mlir::memref::MemRefDialect", "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

//===----------------------------------------------------------------------===//
// Targets: Vulkan and CUDA
//===----------------------------------------------------------------------===//

def EmitSimt : Pass<"vit-emit-simt", "::mlir::ModuleOp"> {
  let summary = "Replace kernels by dispatches of generated GPU code";
  let description = [{
    Each kernel op, after `vit-tile`, `vit-layout` and `vit-plan`, becomes a
    dispatch of a function in `gpu.module @kernels`. Ops that differ only in
    operands, slots and names share a function. A work unit is a workgroup. The
    functions follow the calling convention of the target
    (docs/architecture.md), here that of Vulkan:

    ```mlir
    %y = kernel.map %x extras(%b : ...) tile<...> slots [2] { ... } : ...
    ```
    becomes
    ```mlir
    %y = kernel.dispatch @kernels::@map_0(%x, %b) units<times = 1, of = 12480, per = 512> slots [2]
        scratch 0 family "map" flop<times = 0> : ...
    gpu.module @kernels {
      gpu.func @map_0(%workspace: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>,
                      %parameters: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>,
                      %push: memref<32xi32, #spirv.storage_class<PushConstant>>)
          kernel attributes {known_block_size = array<i32: 128, 1, 1>} { ... }
    }
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"vulkan\"", "vulkan or cuda">,
    Option<"level", "level", "std::string", "\"\"",
        "A level of the target; empty: its default, see vit-tile">];
  let statistics = [
    Statistic<"dispatches", "dispatches", "Kernel ops replaced">,
    Statistic<"functions", "functions", "Functions emitted for them">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect", "::mlir::scf::SCFDialect",
      "::mlir::memref::MemRefDialect", "::mlir::vector::VectorDialect", "::mlir::gpu::GPUDialect",
      "::mlir::spirv::SPIRVDialect"];
}

#endif // VIT_PASSES_TD
