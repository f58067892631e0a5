// RUN: vit-opt %s --vit-layout --split-input-file | FileCheck %s

vit.parameter @w : tensor<10x8xf32>
vit.parameter @b : tensor<10xf32>
// CHECK-LABEL: func.func @product
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>) -> tensor<?x10xf32>
func.func @product(%x: tensor<?x8xf32>) -> tensor<?x10xf32> {
  // CHECK:      %[[XB:.+]] = kernel.relayout %[[X]] tile<rows = 6, cols = 16, chunk = 1> : (tensor<?x8xf32>) -> tensor<?x8xf32, #kernel.blocked<rows = 6>>
  // CHECK:      %[[W:.+]] = vit.read @w
  // CHECK:      %[[B:.+]] = vit.read @b
  // CHECK-NEXT: %[[WP:.+]] = kernel.derive %[[W]] : (tensor<10x8xf32>) -> tensor<10x8xf32, #kernel.panels<cols = 64>>
  // CHECK-NEXT: %[[BC:.+]] = kernel.derive %[[B]] : (tensor<10xf32>) -> tensor<10xf32, #kernel.channels<>>
  // CHECK-NEXT: %[[Y:.+]] = kernel.gemm %[[XB]], %[[WP]] extras(%[[BC]] : tensor<10xf32, #kernel.channels<>>)
  // CHECK:      -> tensor<?x10xf32, #kernel.blocked<rows = 6>>
  // CHECK-NEXT: %[[R:.+]] = kernel.relayout %[[Y]] {{.*}} -> tensor<?x10xf32>
  // CHECK-NEXT: return %[[R]]
  %w = vit.read @w : tensor<10x8xf32>
  %b = vit.read @b : tensor<10xf32>
  %y = kernel.gemm %x, %w extras(%b : tensor<10xf32>) tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%acc: f32, %e: f32):
    %s = arith.addf %acc, %e : f32
    kernel.yield %s : f32
  } : (tensor<?x8xf32>, tensor<10x8xf32>) -> tensor<?x10xf32>
  return %y : tensor<?x10xf32>
}

// -----

vit.parameter @cls : tensor<1x48xf32>
vit.parameter @pos : tensor<1x5x48xf32>
// Pictures are row-major. A step between parameter and form is removed.
// CHECK-LABEL: func.func @tokens
// CHECK-SAME:    (%[[X:.+]]: tensor<?x3x8x8xf32>)
func.func @tokens(%x: tensor<?x3x8x8xf32>) -> tensor<?x5x48xf32> {
  // CHECK-NEXT: %[[P:.+]] = kernel.patchify %[[X]] {{.*}} -> tensor<?x4x48xf32, #kernel.blocked<rows = 5>>
  // CHECK-DAG:  %[[CLS:.+]] = kernel.derive %{{.+}} : (tensor<1x48xf32>) -> tensor<1x48xf32, #kernel.channels<>>
  // CHECK-DAG:  %[[POS:.+]] = kernel.derive %{{.+}} : (tensor<1x5x48xf32>) -> tensor<5x48xf32, #kernel.channels<>>
  // CHECK:      kernel.prepend %[[P]], %[[CLS]] extras(%[[POS]]
  // CHECK:      kernel.relayout
  %p = kernel.patchify %x patch [4, 4] order chw tile<rows = 5, cols = 16, chunk = 1> : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  %cls = vit.read @cls : tensor<1x48xf32>
  %pos = vit.read @pos : tensor<1x5x48xf32>
  %table = kernel.derive %pos : (tensor<1x5x48xf32>) -> tensor<5x48xf32>
  %y = kernel.prepend %p, %cls extras(%table : tensor<5x48xf32>) tile<rows = 5, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %f: f32):
    %s = arith.addf %e, %f : f32
    kernel.yield %s : f32
  } : (tensor<?x4x48xf32>, tensor<1x48xf32>) -> tensor<?x5x48xf32>
  return %y : tensor<?x5x48xf32>
}

// -----

vit.parameter @wq : tensor<24x24xf32>
vit.parameter @wk : tensor<24x24xf32>
vit.parameter @wv : tensor<24x24xf32>
vit.parameter @wo : tensor<24x24xf32>
// Heads of 12 are padded one by one between the products of the attention and
// nowhere else. Probabilities are row-major.
// CHECK-LABEL: func.func @odd_heads
func.func @odd_heads(%x: tensor<?x5x24xf32>) -> (tensor<?x5x24xf32>, tensor<?x2x5x5xf32>) {
  // CHECK: %[[W:.+]] = kernel.derive %{{.+}}, %{{.+}}, %{{.+}} -> tensor<72x24xf32, #kernel.panels<cols = 64, out_group = 12>>
  // CHECK: kernel.gemm
  // CHECK: -> tensor<?x5x72xf32, #kernel.blocked<rows = 5, group = 12>>
  // CHECK: %[[R:.+]], %[[P:.+]] = kernel.attention {{.*}} -> (tensor<?x5x24xf32, #kernel.blocked<rows = 5, group = 12>>, tensor<?x2x5x5xf32>)
  // CHECK: kernel.derive {{.*}} -> tensor<24x24xf32, #kernel.panels<cols = 64, in_group = 12>>
  // CHECK: kernel.gemm %[[R]]
  // CHECK: -> tensor<?x5x24xf32, #kernel.blocked<rows = 5>>
  // CHECK: return %{{.+}}, %[[P]]
  %wq = vit.read @wq : tensor<24x24xf32>
  %wk = vit.read @wk : tensor<24x24xf32>
  %wv = vit.read @wv : tensor<24x24xf32>
  %w = kernel.derive %wq, %wk, %wv : (tensor<24x24xf32>, tensor<24x24xf32>, tensor<24x24xf32>) -> tensor<72x24xf32>
  %qkv = kernel.gemm %x, %w tile<rows = 5, cols = 64, chunk = 1> {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x24xf32>, tensor<72x24xf32>) -> tensor<?x5x72xf32>
  %a, %p = kernel.attention %qkv, %qkv, %qkv heads 2 head_dim 12 offsets [0, 24, 48] scale 0.25 tile<rows = 5, cols = 64, chunk = 1>
      : (tensor<?x5x72xf32>, tensor<?x5x72xf32>, tensor<?x5x72xf32>) -> (tensor<?x5x24xf32>, tensor<?x2x5x5xf32>)
  %wo = vit.read @wo : tensor<24x24xf32>
  %o = kernel.gemm %a, %wo extras(%x : tensor<?x5x24xf32>) tile<rows = 5, cols = 64, chunk = 1> {
  ^bb0(%acc: f32, %r: f32):
    %s = arith.addf %acc, %r : f32
    kernel.yield %s : f32
  } : (tensor<?x5x24xf32>, tensor<24x24xf32>) -> tensor<?x5x24xf32>
  return %o, %p : tensor<?x5x24xf32>, tensor<?x2x5x5xf32>
}

// -----

vit.parameter @wq : tensor<24x24xf32>
vit.parameter @g : tensor<12xf32>
// With a norm of each head in between, product and scale follow its groups.
// CHECK-LABEL: func.func @qk_norm
func.func @qk_norm(%x: tensor<?x5x24xf32>) -> tensor<?x5x24xf32> {
  // CHECK: %[[Q:.+]] = kernel.gemm
  // CHECK: -> tensor<?x5x24xf32, #kernel.blocked<rows = 5, group = 12>>
  // CHECK: %[[S:.+]] = kernel.derive %{{.+}}, %{{.+}} -> tensor<24xf32, #kernel.channels<group = 12>>
  // CHECK: %[[N:.+]] = kernel.rows normalize %[[Q]] extras(%[[S]]
  // CHECK: kernel.attention %[[N]]
  %wq = vit.read @wq : tensor<24x24xf32>
  %q = kernel.gemm %x, %wq tile<rows = 5, cols = 64, chunk = 1> {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x24xf32>, tensor<24x24xf32>) -> tensor<?x5x24xf32>
  %g = vit.read @g : tensor<12xf32>
  %gg = kernel.derive %g, %g : (tensor<12xf32>, tensor<12xf32>) -> tensor<24xf32>
  %n = kernel.rows normalize %q extras(%gg : tensor<24xf32>) epsilon 1.0e-6 groups 2 tile<rows = 5, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %s: f32):
    %m = arith.mulf %e, %s : f32
    kernel.yield %m : f32
  } : tensor<?x5x24xf32> -> tensor<?x5x24xf32>
  %a = kernel.attention %n, %n, %n heads 2 head_dim 12 offsets [0, 0, 0] scale 0.25 tile<rows = 5, cols = 64, chunk = 1>
      : (tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> tensor<?x5x24xf32>
  return %a : tensor<?x5x24xf32>
}

// -----

// A whole row is normalised, then padded per head: the layouts differ, and the
// conversion goes through row-major.
// CHECK-LABEL: func.func @conflict
func.func @conflict(%x: tensor<?x5x24xf32>) -> tensor<?x5x24xf32> {
  // CHECK: %[[N:.+]] = kernel.rows {{.*}} {
  // CHECK: -> tensor<?x5x24xf32, #kernel.blocked<rows = 5>>
  // CHECK: %[[R:.+]] = kernel.relayout %[[N]] {{.*}} -> tensor<?x5x24xf32>
  // CHECK: %[[H:.+]] = kernel.relayout %[[R]] {{.*}} -> tensor<?x5x24xf32, #kernel.blocked<rows = 5, group = 12>>
  // CHECK-NOT: kernel.relayout
  // CHECK: kernel.attention %[[H]], %[[H]], %[[H]]
  %n = kernel.rows normalize %x epsilon 1.0e-6 tile<rows = 5, cols = 16, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x5x24xf32> -> tensor<?x5x24xf32>
  %a = kernel.attention %n, %n, %n heads 2 head_dim 12 offsets [0, 0, 0] scale 0.25 tile<rows = 5, cols = 64, chunk = 1>
      : (tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> tensor<?x5x24xf32>
  return %a : tensor<?x5x24xf32>
}

// -----

// A constant table gets the layout of other extras; equal forms are merged.
// CHECK-LABEL: func.func @constant
func.func @constant(%x: tensor<?x2x4xf32>) -> (tensor<?x2x4xf32>, tensor<?x2x4xf32>) {
  // CHECK: %[[T:.+]] = arith.constant dense<{{.*}}> : tensor<2x4xf32, #kernel.channels<>>
  // CHECK: %[[A:.+]] = kernel.map %{{.+}} extras(%[[T]]
  // CHECK: %[[B:.+]] = kernel.map %[[A]] extras(%[[T]]
  // CHECK: %[[RA:.+]] = kernel.relayout %[[A]]
  // CHECK: %[[RB:.+]] = kernel.relayout %[[B]]
  // CHECK: return %[[RA]], %[[RB]]
  %t = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %a = kernel.map %x extras(%t : tensor<2x4xf32>) tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %f: f32):
    %s = arith.addf %e, %f : f32
    kernel.yield %s : f32
  } : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %b = kernel.map %a extras(%t : tensor<2x4xf32>) tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %f: f32):
    %s = arith.mulf %e, %f : f32
    kernel.yield %s : f32
  } : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  return %a, %b : tensor<?x2x4xf32>, tensor<?x2x4xf32>
}
