// RUN: vit-opt %s -p 'builtin.module(func.func(vit-rematerialize{budget=1000000}))' | FileCheck %s --check-prefixes=CHECK,NONE
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-rematerialize))' | FileCheck %s --check-prefixes=CHECK,SOME
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-rematerialize{budget=2000 batch=4}))' | FileCheck %s --check-prefixes=CHECK,SOME
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-rematerialize{budget=1 batch=4}))' | FileCheck %s --check-prefixes=CHECK,MOST

// %n and %a are live from the forward to the backward part: the element-wise a
// is recomputed first, also without a budget, then the normalised rows. Values
// that each step needs stay for any budget, and an entry that cannot meet its
// budget is marked. At batch 4 each of n, a, y and z
// has 512 bytes, and 2304 bytes are live at once.

!act = tensor<?x4x8xf32>
vit.parameter @w : tensor<8x8xf32>
// CHECK-LABEL: func.func @train_step
// NONE-NOT: least_memory
// SOME-NOT: least_memory
// MOST-SAME: attributes {least_memory
func.func @train_step(%x: !act, %lr: tensor<f32>) {
  %w = vit.read @w : tensor<8x8xf32>
  // CHECK: kernel.rows
  %n = kernel.rows normalize %x epsilon 1.0e-6 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : !act -> !act
  // CHECK: kernel.map
  %a = kernel.map %n {
  ^bb0(%e: f32):
    %0 = arith.mulf %e, %e : f32
    kernel.yield %0 : f32
  } : !act -> !act
  // CHECK: kernel.gemm
  %y = kernel.gemm %a, %w {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, tensor<8x8xf32>) -> !act
  // CHECK: kernel.gemm
  %z = kernel.gemm %y, %w {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, tensor<8x8xf32>) -> !act
  // CHECK: kernel.weight_gradient
  %dw = kernel.weight_gradient %z, %y : (!act, !act) -> tensor<8x8xf32>
  // NONE-NOT: kernel.map
  // NONE-NOT: kernel.rows
  // SOME-NOT: kernel.rows
  // SOME: kernel.map
  // MOST: kernel.rows
  // MOST: kernel.map
  // CHECK: kernel.weight_gradient
  %dv = kernel.weight_gradient %n, %a : (!act, !act) -> tensor<8x8xf32>
  kernel.update "assign" [#kernel.variable<@w>] gradient(%dv : tensor<8x8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}
