// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-pack-parameters))' 2>&1 | FileCheck %s
// RUN: vit-opt %s --split-input-file -p 'builtin.module(vit-place-variables,vit-group-updates,func.func(vit-pack-parameters))' --verify-diagnostics

// CHECK: error: 'train_step' changes variables that have no place; run vit-place-variables first

vit.parameter @p : tensor<5x16xf32>
func.func @train_step(%x: tensor<?x5x16xf32>, %lr: tensor<f32>) -> tensor<?x10x16xf32> {
  %p = vit.read @p : tensor<5x16xf32>
  // expected-error @+1 {{runs when the module is loaded, but the step changes its table; freeze it, or train on the grid it is for}}
  %r = kernel.resample %p from [2, 2] to [3, 3] prefix 1 : (tensor<5x16xf32>) -> tensor<10x16xf32>
  %0 = kernel.place %x at 0 : (tensor<?x5x16xf32>) -> tensor<?x10x16xf32>
  %1 = kernel.sum batch %x : (tensor<?x5x16xf32>) -> tensor<5x16xf32>
  kernel.update "sgd" [#kernel.variable<@p>] gradient(%1 : tensor<5x16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return %0 : tensor<?x10x16xf32>
}
