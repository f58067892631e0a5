// RUN: split-file %s %t
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{entry=nothing})' 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: error: vit-generate-backward: there is no function @nothing
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{loss=hinge})' 2>&1 | FileCheck %s --check-prefix=LOSS
// LOSS: error: vit-generate-backward: loss 'hinge' is not cross_entropy or mse
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{loss=mse label-smoothing=0.1})' 2>&1 | FileCheck %s --check-prefix=SMOOTHING
// SMOOTHING: error: vit-generate-backward: soft-targets and label-smoothing belong to cross_entropy
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{label-smoothing=1})' 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: 'vit.cross_entropy' op C3: the smoothing 1.000000e+00 must be at least 0 and below 1
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{optimizer=lion})' 2>&1 | FileCheck %s --check-prefix=OPTIMIZER
// OPTIMIZER: error: vit-generate-backward: optimizer 'lion' is not sgd, adam, adamw or none
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{accumulate=0})' 2>&1 | FileCheck %s --check-prefix=ACCUMULATE
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{accumulate=2 optimizer=none})' 2>&1 | FileCheck %s --check-prefix=ACCUMULATE
// ACCUMULATE: error: vit-generate-backward: accumulate must be at least 1, and needs an optimizer
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{clip-norm=-1})' 2>&1 | FileCheck %s --check-prefix=CLIP
// CLIP: error: vit-generate-backward: clip-norm must not be negative, and needs an optimizer
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{output=features})' 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: has no result 'features' for the loss; see its vit.name
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{frozen=w,bias*})' 2>&1 | FileCheck %s --check-prefix=PATTERN
// PATTERN: error: no parameter is called 'bias*'; see the names of vit.parameter
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{trained=[})' 2>&1 | FileCheck %s --check-prefix=GLOB
// GLOB: error: '[' is no pattern
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward{frozen=*})' 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: has nothing to train: the loss depends on no parameter that is not frozen
// RUN: not vit-opt %t/model.mlir -p 'builtin.module(vit-generate-backward,vit-generate-backward)' 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: 'func.func' op is already called 'train_step'
// RUN: not vit-opt %t/layers.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=LAYERS
// LAYERS: error: 'vit.layers' op has no adjoint; run vit-unroll-layers first
// RUN: not vit-opt %t/int8.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=INT8
// INT8: error: 'vit.linear' op has no adjoint in int8; train in one of f32, tf32, bf16
// RUN: not vit-opt %t/tokens.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=RANK
// RANK: error: result 0 is 'tensor<?x5x4xf32>'; a loss needs [batch, classes] of f32
// RUN: not vit-opt %t/probabilities.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=PROBABILITIES
// PROBABILITIES: error: 'vit.attention' op has no adjoint where the loss depends on its probabilities; use its first result alone
// RUN: not vit-opt %t/unknown.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: 'math.absf' op has no adjoint, but the loss depends on it
// RUN: not vit-opt %t/taken.mlir --vit-generate-backward 2>&1 | FileCheck %s --check-prefix=TAKEN
// TAKEN: error: 'vit.parameter' op has a name that training needs: rename 'exp_avg.w'

//--- model.mlir
vit.parameter @w : tensor<3x4xf32>
func.func @forward(%x: tensor<?x4xf32>) -> (tensor<?x3xf32> {vit.name = "logits"}) {
  %w = vit.read @w : tensor<3x4xf32>
  %0 = vit.linear %x, %w : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

//--- layers.mlir
vit.parameter @w : 2 x tensor<4x4xf32>
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.layers 2 (%i, %a = %x) : tensor<?x4xf32> {
    %w = vit.read @w[%i] : tensor<4x4xf32>
    %1 = vit.linear %a, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    vit.yield %1 : tensor<?x4xf32>
  }
  return %0 : tensor<?x4xf32>
}

//--- tokens.mlir
func.func @forward(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  return %x : tensor<?x5x4xf32>
}

//--- probabilities.mlir
vit.parameter @w : tensor<4x4xf32>
vit.parameter @table : tensor<1x2x1x1xf32>
func.func @forward(%x: tensor<?x2x4xf32>) -> tensor<?x4xf32> {
  %w = vit.read @w : tensor<4x4xf32>
  %q = vit.linear %x, %w : (tensor<?x2x4xf32>, tensor<4x4xf32>) -> tensor<?x2x4xf32>
  %a, %p = vit.attention %q, %q, %x heads 2 scale 0.7 : (tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x2x4xf32>) -> (tensor<?x2x4xf32>, tensor<?x2x2x2xf32>)
  %r = vit.patchify %p patch [2, 2] order chw : (tensor<?x2x2x2xf32>) -> tensor<?x1x8xf32>
  %t = vit.take_tokens %r from 0 : (tensor<?x1x8xf32>) -> tensor<?x8xf32>
  %m = vit.take_tokens %a from 0 : (tensor<?x2x4xf32>) -> tensor<?x4xf32>
  %s = arith.constant dense<1.0> : tensor<4x8xf32>
  %u = vit.linear %t, %s : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %y = vit.add %u, %m : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

//--- unknown.mlir
vit.parameter @w : tensor<3x4xf32>
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  %w = vit.read @w : tensor<3x4xf32>
  %0 = vit.linear %x, %w : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  %1 = math.absf %0 : tensor<?x3xf32>
  return %1 : tensor<?x3xf32>
}

//--- taken.mlir
vit.parameter @w : tensor<3x4xf32>
vit.parameter @exp_avg.w : tensor<3x4xf32>
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  %w = vit.read @w : tensor<3x4xf32>
  %0 = vit.linear %x, %w : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

//--- int8.mlir
vit.parameter @w : tensor<3x4xf32>
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x3xf32> {
  %w = vit.read @w : tensor<3x4xf32>
  %0 = vit.linear %x, %w precision int8 : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
