// RUN: vit-opt %s --vit-plan --split-input-file | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-plan{share=false}))' --split-input-file | FileCheck %s --check-prefix=ALONE

!row = tensor<?x8xf32>
!act = tensor<?x8xf32, #kernel.blocked<rows = 6>>

// A chain needs two slots; results of the entry need none.
// CHECK-LABEL: func.func @chain
// ALONE-LABEL: func.func @chain
func.func @chain(%x: !row) -> !row {
  // CHECK: kernel.relayout {{.*}} slots [0] :
  // CHECK: kernel.map {{.*}} slots [1] {
  // CHECK: kernel.map {{.*}} slots [0] {
  // CHECK: kernel.relayout %{{.+}} :
  // ALONE: kernel.relayout {{.*}} slots [0] :
  // ALONE: kernel.map {{.*}} slots [1] {
  // ALONE: kernel.map {{.*}} slots [2] {
  // ALONE: kernel.relayout %{{.+}} :
  %0 = kernel.relayout %x : (!row) -> !act
  %1 = kernel.map %0 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : !act -> !act
  %2 = kernel.map %1 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : !act -> !act
  %3 = kernel.relayout %2 : (!act) -> !row
  return %3 : !row
}

// -----

!row = tensor<?x8xf32>
!act = tensor<?x8xf32, #kernel.blocked<rows = 6>>
!wide = tensor<?x32xf32, #kernel.blocked<rows = 6>>

// A residual is live until it is added; the best fitting free slot is used.
// CHECK-LABEL: func.func @residual
func.func @residual(%x: !row, %w: tensor<32x8xf32, #kernel.panels<cols = 64>>, %v: tensor<8x32xf32, #kernel.panels<cols = 64>>) -> !row {
  // CHECK: kernel.relayout {{.*}} slots [0] :
  // CHECK: kernel.gemm {{.*}} slots [1] {
  // CHECK: kernel.gemm {{.*}} extras({{.*}}) slots [2] {
  // CHECK: kernel.map {{.*}} slots [0] {
  // CHECK: kernel.gemm {{.*}} slots [1] {
  %0 = kernel.relayout %x : (!row) -> !act
  %1 = kernel.gemm %0, %w {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, tensor<32x8xf32, #kernel.panels<cols = 64>>) -> !wide
  %2 = kernel.gemm %1, %v extras(%0 : !act) {
  ^bb0(%e: f32, %r: f32):
    %s = arith.addf %e, %r : f32
    kernel.yield %s : f32
  } : (!wide, tensor<8x32xf32, #kernel.panels<cols = 64>>) -> !act
  %3 = kernel.map %2 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : !act -> !act
  %4 = kernel.gemm %3, %w {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, tensor<32x8xf32, #kernel.panels<cols = 64>>) -> !wide
  %5 = kernel.gemm %4, %v {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!wide, tensor<8x32xf32, #kernel.panels<cols = 64>>) -> !act
  %6 = kernel.relayout %5 : (!act) -> !row
  return %6 : !row
}

// -----

!act = tensor<?x5x16xf32, #kernel.blocked<rows = 6>>

// Returned probabilities are written to the caller's memory; others have a slot
// while the kernel runs.
// CHECK-LABEL: func.func @probabilities
func.func @probabilities(%x: tensor<?x5x16xf32>) -> (tensor<?x1x5x5xf32>, tensor<?x5x16xf32>) {
  // CHECK: kernel.relayout {{.*}} slots [0] :
  // CHECK: kernel.attention {{.*}} slots [1, -1] :
  // CHECK: kernel.attention {{.*}} slots [0, 2] :
  // CHECK: kernel.relayout %{{.+}} :
  %0 = kernel.relayout %x : (tensor<?x5x16xf32>) -> !act
  %1, %p = kernel.attention %0, %0, %0 heads 1 head_dim 16 offsets [0, 0, 0] scale 0.25 : (!act, !act, !act) -> (!act, tensor<?x1x5x5xf32>)
  %2, %q = kernel.attention %1, %1, %1 heads 1 head_dim 16 offsets [0, 0, 0] scale 0.25 : (!act, !act, !act) -> (!act, tensor<?x1x5x5xf32>)
  %3 = kernel.relayout %2 : (!act) -> tensor<?x5x16xf32>
  return %p, %3 : tensor<?x1x5x5xf32>, tensor<?x5x16xf32>
}

// -----

// Gradients are computed inside their concat, which is live from the first of
// them to its last use; %s is live inside and cannot share its slot.
// CHECK-LABEL: func.func @gradients
func.func @gradients(%x: tensor<?x8xf32>, %d: tensor<?x3xf32>, %lr: tensor<f32>) -> tensor<f32> {
  // CHECK: kernel.weight_gradient {{.*}} slots [[[C:[0-9]+]], [[C]] at 128] :
  %dw, %db = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  // CHECK-NOT: slots {{\[}}[[C]]] :
  // CHECK: kernel.sum batch
  %s = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  // CHECK: kernel.map {{.*}} slots {{\[}}[[C]] at 192] {
  %t = kernel.map %s {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<8xf32> -> tensor<8xf32>
  // CHECK: kernel.concat {{.*}} slots {{\[}}[[C]]] :
  %g = kernel.concat %dw, %db, %t : (tensor<3x8xf32>, tensor<3xf32>, tensor<8xf32>) -> tensor<64xf32>
  // CHECK: kernel.norm {{.*}} slots [
  %clip = kernel.norm %g max_norm 1.0 : (tensor<64xf32>) -> tensor<f32>
  // CHECK: kernel.sum all %{{[a-z0-9]+}} :
  %loss = kernel.sum all %x : (tensor<?x8xf32>) -> tensor<f32>
  kernel.update "sgd" [#kernel.variable<@w>, #kernel.variable<@b>, #kernel.variable<@c>] gradient(%g : tensor<64xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %G: f32, %C: f32, %R: f32): kernel.yield %W : f32 }
  return %loss : tensor<f32>
}

// -----

// Kernels write zeros after a value without a batch, so a returned one has a
// slot and is copied, unless it ends with a whole vector.
// CHECK-LABEL: func.func @returned
func.func @returned(%x: tensor<?x8xf32>, %y: tensor<?x16xf32>) -> (tensor<8xf32>, tensor<16xf32>) {
  // CHECK: kernel.sum batch {{.*}} slots [0] :
  // CHECK: kernel.sum batch %{{[a-z0-9]+}} :
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  %1 = kernel.sum batch %y : (tensor<?x16xf32>) -> tensor<16xf32>
  return %0, %1 : tensor<8xf32>, tensor<16xf32>
}
