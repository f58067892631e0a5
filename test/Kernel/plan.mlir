// RUN: vit-opt %s --vit-plan --split-input-file | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-plan{share=false}))' --split-input-file | FileCheck %s --check-prefix=ALONE

!row = tensor<?x8xf32>
!act = tensor<?x8xf32, #kernel.blocked<rows = 6>>

// A chain needs two slots; what the entry returns has none.
// CHECK-LABEL: func.func @chain
// ALONE-LABEL: func.func @chain
func.func @chain(%x: !row) -> !row {
  // CHECK: kernel.relayout {{.*}} slot 0 :
  // CHECK: kernel.map {{.*}} slot 1 {
  // CHECK: kernel.map {{.*}} slot 0 {
  // CHECK: kernel.relayout %{{.+}} :
  // ALONE: kernel.relayout {{.*}} slot 0 :
  // ALONE: kernel.map {{.*}} slot 1 {
  // ALONE: kernel.map {{.*}} slot 2 {
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

// A residual lives until it is added; the best fitting free slot is taken.
// CHECK-LABEL: func.func @residual
func.func @residual(%x: !row, %w: tensor<32x8xf32, #kernel.panels<cols = 64>>, %v: tensor<8x32xf32, #kernel.panels<cols = 64>>) -> !row {
  // CHECK: kernel.relayout {{.*}} slot 0 :
  // CHECK: kernel.gemm {{.*}} slot 1 {
  // CHECK: kernel.gemm {{.*}} extras({{.*}}) slot 2 {
  // CHECK: kernel.map {{.*}} slot 0 {
  // CHECK: kernel.gemm {{.*}} slot 1 {
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

// Probabilities that are returned are written where the caller says; others
// have a slot for as long as the kernel runs.
// CHECK-LABEL: func.func @probabilities
func.func @probabilities(%x: tensor<?x5x16xf32>) -> (tensor<?x1x5x5xf32>, tensor<?x5x16xf32>) {
  // CHECK: kernel.relayout {{.*}} slot 0 :
  // CHECK: kernel.attention {{.*}} slot 1 :
  // CHECK: kernel.attention {{.*}} slot 0 probabilities_slot 2 :
  // CHECK: kernel.relayout %{{.+}} :
  %0 = kernel.relayout %x : (tensor<?x5x16xf32>) -> !act
  %1, %p = kernel.attention %0, %0, %0 heads 1 head_dim 16 offsets [0, 0, 0] scale 0.25 : (!act, !act, !act) -> (!act, tensor<?x1x5x5xf32>)
  %2, %q = kernel.attention %1, %1, %1 heads 1 head_dim 16 offsets [0, 0, 0] scale 0.25 : (!act, !act, !act) -> (!act, tensor<?x1x5x5xf32>)
  %3 = kernel.relayout %2 : (!act) -> tensor<?x5x16xf32>
  return %p, %3 : tensor<?x1x5x5xf32>, tensor<?x5x16xf32>
}
