// RUN: vit-opt %s --vit-emit-cpu --split-input-file | FileCheck %s

!x = tensor<?x17x75xf32, #kernel.blocked<rows = 6, group = 25>>
!w = tensor<?x75xf32, #kernel.blocked<rows = 6, group = 25>>
!s = tensor<75xf32, #kernel.channels<group = 25>>

// With sums over the tokens a unit is an image, otherwise a row block.
// CHECK-LABEL: func.func @normalize
// CHECK: kernel.dispatch @kernels::@normalize_backward_0({{.+}} units<times = 1> slots [0, 1, 2]
// CHECK: kernel.dispatch @kernels::@normalize_backward_1({{.+}} units<times = 3> slots [3]
// CHECK: kernel.dispatch @kernels::@softmax_backward_0({{.+}} units<times = 3> slots [4]
func.func @normalize(%dy: !x, %x: !x, %s: !s) -> (!x, !w, !w, !x, !x) {
  %a:3 = kernel.normalize_backward %dy, %x scale(%s : !s) epsilon 1.0e-06 slots [0, 1, 2] : (!x, !x) -> (!x, !w, !w)
  %b = kernel.normalize_backward %dy, %x epsilon 1.0e-06 groups 3 slots [3] : (!x, !x) -> (!x)
  %c = kernel.softmax_backward %dy, %x slots [4] : (!x, !x) -> !x
  return %a#0, %a#1, %a#2, %b, %c : !x, !w, !w, !x, !x
}

// -----

!qkv = tensor<?x17x96xf32, #kernel.blocked<rows = 6>>
!o = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>

// Scratch: keys and values transposed, 32 by 16 each, and rows of 32
// probabilities of all queries, twice.
// CHECK-LABEL: func.func @attention
// CHECK: %{{.+}}:3 = kernel.dispatch @kernels::@attention_backward_0(%{{.+}}, %[[X:.+]], %[[X]], %[[X]]) units<times = 2> slots [0, 1, 2] scratch 8704 family "attention_backward" flop<times = 92480>
// CHECK: func.func @attention_backward_0
// CHECK-COUNT-4: memref.view
// CHECK-NOT: math.exp
func.func @attention(%dy: !o, %x: !qkv) -> (!o, !o, !o) {
  %r:3 = kernel.attention_backward %dy, %x, %x, %x heads 2 head_dim 16 offsets [0, 32, 64] scale 2.5e-01 slots [0, 1, 2]
      : (!o, !qkv, !qkv, !qkv) -> (!o, !o, !o)
  return %r#0, %r#1, %r#2 : !o, !o, !o
}

// -----

!y = tensor<?x10xf32, #kernel.blocked<rows = 6>>

// Labels are integers. The loss is one unit; its gradient has row blocks.
// CHECK-LABEL: func.func @loss
// CHECK: kernel.dispatch @kernels::@loss_0({{.+}} units<times = 1, per = 2147483648> slots [0]
// CHECK: kernel.dispatch @kernels::@loss_1({{.+}} units<times = 1, per = 2147483648> slots [1]
// CHECK: kernel.dispatch @kernels::@loss_backward_0({{.+}} units<times = 1, per = 6> slots [2]
// CHECK: func.func @loss_0(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: index
// CHECK: func.func @loss_1(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: index
func.func @loss(%x: !y, %t: tensor<?xi32>, %g: tensor<f32>) -> (tensor<f32>, tensor<i32>, !y) {
  %l = kernel.loss cross_entropy %x, %t smoothing 0.1 slots [0] : (!y, tensor<?xi32>) -> tensor<f32>
  %n = kernel.loss accuracy %x, %t slots [1] : (!y, tensor<?xi32>) -> tensor<i32>
  %d = kernel.loss_backward cross_entropy %g, %x, %t smoothing 0.1 slots [2] : (tensor<f32>, !y, tensor<?xi32>) -> !y
  return %l, %n, %d : tensor<f32>, tensor<i32>, !y
}

// -----

!t = tensor<?x17x48xf32, #kernel.blocked<rows = 6>>
!v = tensor<?x48xf32, #kernel.blocked<rows = 6>>

// CHECK-LABEL: func.func @tokens
// CHECK: kernel.dispatch @kernels::@place_0({{.+}} units<times = 3> slots [0]
// CHECK: kernel.dispatch @kernels::@spread_0({{.+}} units<times = 3> slots [1]
// CHECK: kernel.dispatch @kernels::@dropout_0({{.+}} units<times = 3> slots [2]
// CHECK: func.func @dropout_0(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: memref<?xf32>
// CHECK:   arith.mului_extended
func.func @tokens(%x: !v, %seed: tensor<2xi32>, %step: tensor<i32>) -> (!t, !t, !t) {
  %0 = kernel.place %x at 0 slots [0] : (!v) -> !t
  %1 = kernel.spread %x from 1 slots [1] : (!v) -> !t
  %2 = kernel.dropout %0, %seed, %step probability 0.1 stream 42 unit element slots [2] : (!t, tensor<2xi32>, tensor<i32>) -> !t
  return %0, %1, %2 : !t, !t, !t
}

// -----

// Values without a batch are divided into runs of elements. Returned memory
// ends with its last element, so no zeros follow it: two kernels.
// CHECK-LABEL: func.func @flat
// CHECK: kernel.dispatch @kernels::@map_0({{.+}} units<times = 2, per = 2147483648> slots [0]
// CHECK: kernel.dispatch @kernels::@map_1({{.+}} units<times = 2, per = 2147483648> slots [-1]
// CHECK: func.func @map_0
// CHECK:   vector.maskedstore
// CHECK:   memref.store
// CHECK: func.func @map_1
// CHECK:   vector.maskedstore
// CHECK-NOT: memref.store
func.func @flat(%x: tensor<5001xf32>, %s: tensor<f32>) -> tensor<5001xf32> {
  %0 = kernel.map %x extras(%s : tensor<f32>) slots [0] {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.mulf %a, %b : f32
    kernel.yield %1 : f32
  } : tensor<5001xf32> -> tensor<5001xf32>
  %2 = kernel.map %0 extras(%s : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %3 = arith.mulf %a, %b : f32
    kernel.yield %3 : f32
  } : tensor<5001xf32> -> tensor<5001xf32>
  return %2 : tensor<5001xf32>
}

// -----

// The arguments of an update: its operands, then a range of each arena. The
// prologue is computed in f64.
// CHECK-LABEL: func.func @update
// CHECK: kernel.dispatch @kernels::@norm_0({{.+}} units<times = 1, per = 2147483648>
// CHECK: %[[W:.+]] = kernel.arena "parameters" at 0 : tensor<10016xf32>
// CHECK: %[[M:.+]] = kernel.arena "exp_avg" at 0
// CHECK: %[[V:.+]] = kernel.arena "exp_avg_sq" at 16
// CHECK: kernel.dispatch @kernels::@update_0(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[W]], %[[M]], %[[V]]) units<times = 2, per = 2147483648> slots []
// CHECK: func.func @update_0(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xi32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>
// CHECK:   scf.if
// CHECK:     math.sqrt %{{.+}} : f64
// CHECK:     memref.prefetch
// CHECK:     math.sqrt %{{.+}} : vector<16xf32>
module attributes {kernel.arenas = [
    #kernel.arena<"parameters", bytes = 40064, [<@w, offset = 0>]>,
    #kernel.arena<"exp_avg", bytes = 40064, [<@m.w, offset = 0>]>,
    #kernel.arena<"exp_avg_sq", bytes = 40128, [<@v.w, offset = 64>]>]} {
  vit.parameter @w : tensor<10001xf32>
  vit.state @m.w : tensor<10001xf32>
  vit.state @v.w : tensor<10001xf32>
  func.func @update(%g: tensor<10001xf32>, %loss: tensor<f32>, %rate: tensor<f32>, %step: tensor<i32>) {
    %clip = kernel.norm %g max_norm 1.0 slots [0] : (tensor<10001xf32>) -> tensor<f32>
  kernel.update "adamw" [#kernel.variable<@w>] states [[#kernel.variable<@m.w>], [#kernel.variable<@v.w>]]
      gradient(%g : tensor<10001xf32>) guard(%loss : tensor<f32>)
      scalars(%clip, %rate, %step : tensor<f32>, tensor<f32>, tensor<i32>) prologue {
  ^bb0(%clip64: f64, %lr64: f64, %steps: i32):
    %one = arith.constant 1 : i32
    %updates = arith.addi %steps, %one : i32
    %bias1 = kernel.bias_correction %updates beta 0.9 : f64
    %bias2 = kernel.bias_correction %updates beta 0.999 : f64
    %size = arith.divf %lr64, %bias1 : f64
    %root = math.sqrt %bias2 : f64
    kernel.yield %clip64, %size, %root : f64, f64, f64
  } {
  ^bb0(%p: f32, %m: f32, %v: f32, %dp: f32, %times: f32, %size: f32, %root: f32):
    %0 = arith.mulf %dp, %times : f32
    %beta = arith.constant 0.9 : f32
    %first = math.fma %beta, %m, %0 : f32
    %second = math.fma %0, %0, %v : f32
    %deviation = math.sqrt %second : f32
    %1 = arith.mulf %deviation, %root : f32
    %2 = arith.divf %first, %1 : f32
    %3 = arith.mulf %size, %2 : f32
    %next = arith.subf %p, %3 : f32
    kernel.yield %next, %first, %second : f32, f32, f32
  }
    return
  }
}

// -----

!x = tensor<?x97x32xf32, #kernel.blocked<rows = 6>>

// The gradient of a bias: 17 row blocks of queries are three units for each of
// the two heads, for any batch.
// CHECK-LABEL: func.func @attention_bias
// CHECK: kernel.dispatch @kernels::@attention_bias_gradient_0(%{{.+}}) units<times = 6, per = 2147483648>
func.func @attention_bias(%dy: !x, %x: !x, %b: tensor<2x97x97xf32>) -> tensor<2x97x97xf32> {
  %d = kernel.attention_bias_gradient %dy, %x, %x, %x bias %b heads 2 head_dim 16 offsets [0, 0, 0] scale 2.5e-01 slots [0]
      : (!x, !x, !x, !x, tensor<2x97x97xf32>) -> tensor<2x97x97xf32>
  return %d : tensor<2x97x97xf32>
}
