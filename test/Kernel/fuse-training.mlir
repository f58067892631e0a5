// RUN: vit-opt %s -p 'builtin.module(func.func(vit-convert-to-kernels,vit-fuse))' | FileCheck %s

vit.parameter @w : tensor<6x4xf32>
vit.parameter @q : 3 x tensor<4x4xf32>
vit.parameter @bias : 3 x tensor<4xf32>

// The derivative and its product are fused into the gradient's product,
// although the gradient of the other operand is computed between them.
// CHECK-LABEL: func.func @activation
func.func @activation(%dy: tensor<?x5x6xf32>, %h: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<6x4xf32>) {
  %w = vit.read @w : tensor<6x4xf32>
  // CHECK: kernel.weight_gradient
  // CHECK: %[[G:.*]] = kernel.gemm %arg0, %{{.*}} transposed extras(%arg1 : tensor<?x5x4xf32>) {
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[H:.*]]: f32):
  // CHECK: arith.cmpf ogt, %[[H]]
  // CHECK: %[[D:.*]] = arith.select
  // CHECK: arith.mulf %[[ACC]], %[[D]]
  // CHECK-NOT: kernel.map
  // CHECK: return %[[G]]
  %d = vit.linear_input_gradient %dy, %w : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  %dw = vit.linear_weight_gradient %dy, %h : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  %s = vit.derivative relu %h : tensor<?x5x4xf32>
  %g = vit.mul %d, %s : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %g, %dw : tensor<?x5x4xf32>, tensor<6x4xf32>
}

// The residual gradient around a norm is added by the norm's backward kernel.
// CHECK-LABEL: func.func @residual
func.func @residual(%dy: tensor<?x5x4xf32>, %x: tensor<?x5x4xf32>, %skip: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>) {
  // CHECK: %[[DX:.*]], %{{.*}}:2 = kernel.normalize_backward %arg0, %arg1 plus(%arg2 : tensor<?x5x4xf32>) epsilon
  // CHECK-NOT: kernel.map
  // CHECK: return %[[DX]]
  %dx, %ds, %db = vit.layer_norm_backward %dy, %x epsilon 1.0e-05
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %sum = vit.add %skip, %dx : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %sum, %ds : tensor<?x5x4xf32>, tensor<4xf32>
}

// No fusion if something else reads the norm's gradient, if the other summand
// is defined later, or if it is not a sum.
// CHECK-LABEL: func.func @no_residual
func.func @no_residual(%dy: tensor<?x5x4xf32>, %x: tensor<?x5x4xf32>, %skip: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) {
  // CHECK-NOT: plus
  %dx, %ds, %db = vit.layer_norm_backward %dy, %x epsilon 1.0e-05
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %a = vit.add %skip, %dx : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %dx2, %ds2, %db2 = vit.layer_norm_backward %skip, %x epsilon 1.0e-05
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %p = vit.mul %skip, %dx2 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %dx3, %ds3, %db3 = vit.layer_norm_backward %dy, %skip epsilon 1.0e-05
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %sm = vit.softmax %p : tensor<?x5x4xf32>
  %l = vit.softmax_backward %sm, %p : tensor<?x5x4xf32>
  %c = vit.add %l, %dx3 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %dx, %a, %p, %c : tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>
}

// Query, key and value of forward and backward share one product; the sum of
// their gradients is accumulated by successive products.
// CHECK-LABEL: func.func @attention
func.func @attention(%x: tensor<?x5x4xf32>, %dy: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>) {
  %wq = vit.read @q[0] : tensor<4x4xf32>
  %wk = vit.read @q[1] : tensor<4x4xf32>
  %wv = vit.read @q[2] : tensor<4x4xf32>
  %bq = vit.read @bias[0] : tensor<4xf32>
  %bk = vit.read @bias[1] : tensor<4xf32>
  %bv = vit.read @bias[2] : tensor<4xf32>
  // CHECK: %[[W:.*]] = kernel.derive %{{.*}}, %{{.*}}, %{{.*}} : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<12x4xf32>
  // CHECK: %[[QKV:.*]] = kernel.gemm %arg0, %[[W]] extras(%{{.*}} : tensor<12xf32>)
  // CHECK: kernel.attention %[[QKV]], %[[QKV]], %[[QKV]] heads 2 head_dim 2 offsets [0, 4, 8]
  // CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = kernel.attention_backward %arg1, %[[QKV]], %[[QKV]], %[[QKV]] heads 2 head_dim 2 offsets [0, 4, 8]
  %q = vit.linear %x, %wq, %bq : (tensor<?x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  %k = vit.linear %x, %wk, %bk : (tensor<?x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  %v = vit.linear %x, %wv, %bv : (tensor<?x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  %a = vit.attention %q, %k, %v heads 2 scale 0.5 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %dq, %dk, %dv = vit.attention_backward %dy, %q, %k, %v heads 2 scale 0.5
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>)
  // CHECK: %[[X2:.*]] = kernel.gemm %[[DV]], %{{.*}} transposed {
  // CHECK: kernel.weight_gradient %[[DV]], %arg0
  // CHECK: %[[X1:.*]] = kernel.gemm %[[DK]], %{{.*}} transposed extras(%[[X2]] : tensor<?x5x4xf32>) {
  // CHECK: %[[X0:.*]] = kernel.gemm %[[DQ]], %{{.*}} transposed extras(%[[X1]] : tensor<?x5x4xf32>) {
  // CHECK-NOT: kernel.map
  // CHECK: return %{{.*}}, %[[X0]]
  %xv = vit.linear_input_gradient %dv, %wv : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %gv = vit.linear_weight_gradient %dv, %x : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<4x4xf32>
  %bgv = vit.sum_to %dv : (tensor<?x5x4xf32>) -> tensor<4xf32>
  %xk = vit.linear_input_gradient %dk, %wk : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %s1 = vit.add %xv, %xk : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %xq = vit.linear_input_gradient %dq, %wq : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %s2 = vit.add %s1, %xq : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %a, %s2, %gv, %bgv : tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>
}

// If another op reads a query, the products stay separate.
// CHECK-LABEL: func.func @shared_query
func.func @shared_query(%x: tensor<?x5x4xf32>, %dy: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>) {
  %wq = vit.read @q[0] : tensor<4x4xf32>
  %wk = vit.read @q[1] : tensor<4x4xf32>
  %wv = vit.read @q[2] : tensor<4x4xf32>
  %q = vit.linear %x, %wq : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %k = vit.linear %x, %wk : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %v = vit.linear %x, %wv : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: %[[Q:.*]] = kernel.gemm %arg0, %{{.*}} {
  // CHECK: %[[W:.*]] = kernel.derive %{{.*}}, %{{.*}} -> tensor<8x4xf32>
  // CHECK: %[[KV:.*]] = kernel.gemm %arg0, %[[W]] {
  // CHECK: kernel.attention %[[Q]], %[[KV]], %[[KV]] heads 2 head_dim 2 offsets [0, 0, 4]
  %a = vit.attention %q, %k, %v heads 2 scale 0.5 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: kernel.attention_backward %arg1, %[[Q]], %[[KV]], %[[KV]] heads 2 head_dim 2 offsets [0, 0, 4]
  %dq, %dk, %dv = vit.attention_backward %dy, %q, %k, %v heads 2 scale 0.5
      : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>)
  // CHECK: kernel.softmax_backward %{{.*}}, %[[Q]]
  %s = vit.softmax_backward %dq, %q : tensor<?x5x4xf32>
  return %a, %s : tensor<?x5x4xf32>, tensor<?x5x4xf32>
}
