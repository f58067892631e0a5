// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-pack-parameters))' 2>&1 | FileCheck %s

// CHECK: error: 'train_step' changes variables that have no place; run vit-place-variables first

vit.parameter @p : tensor<5x16xf32>
func.func @train_step(%x: tensor<?x5x16xf32>, %lr: tensor<f32>) -> tensor<?x5x16xf32> {
  %0 = vit.read @p : tensor<5x16xf32>
  %1 = kernel.sum batch %x : (tensor<?x5x16xf32>) -> tensor<5x16xf32>
  kernel.update "sgd" [#kernel.variable<@p>] gradient(%1 : tensor<5x16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return %x : tensor<?x5x16xf32>
}
