// RUN: vit-opt %s > %t.1 && vit-opt %t.1 > %t.2 && diff %t.1 %t.2
// RUN: vit-opt %s --mlir-print-op-generic | vit-opt | diff - %t.1
// RUN: vit-opt %s | FileCheck %s

// CHECK-LABEL: func.func @gemm
func.func @gemm(%x: tensor<?x65x768xf32, #kernel.blocked<rows = 6>>, %w: tensor<192x768xf32, #kernel.panels<cols = 64>>, %b: tensor<192xf32, #kernel.channels<group = 0>>, %r: tensor<?x65x192xf32, #kernel.blocked<rows = 6>>) -> tensor<?x65x192xf32, #kernel.blocked<rows = 6>> {
  // CHECK: kernel.gemm %arg0, %arg1 extras(%arg2, %arg3 : tensor<192xf32, #kernel.channels<>>, tensor<?x65x192xf32, #kernel.blocked<rows = 6>>) tile<rows = 6, cols = 64, chunk = 11> slots [2] {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %[[R:.*]]: f32):
  // CHECK: kernel.yield %{{.*}} : f32
  // CHECK-NEXT: } : (tensor<?x65x768xf32, #kernel.blocked<rows = 6>>, tensor<192x768xf32, #kernel.panels<cols = 64>>) -> tensor<?x65x192xf32, #kernel.blocked<rows = 6>>
  %y = kernel.gemm %x, %w extras(%b, %r : tensor<192xf32, #kernel.channels<group = 0>>, tensor<?x65x192xf32, #kernel.blocked<rows = 6>>) tile<rows = 6, cols = 64, chunk = 11> slots [2] {
  ^bb0(%acc: f32, %bias: f32, %residual: f32):
    %0 = arith.addf %acc, %bias : f32
    %1 = arith.addf %0, %residual : f32
    kernel.yield %1 : f32
  } : (tensor<?x65x768xf32, #kernel.blocked<rows = 6>>, tensor<192x768xf32, #kernel.panels<cols = 64>>) -> tensor<?x65x192xf32, #kernel.blocked<rows = 6>>
  return %y : tensor<?x65x192xf32, #kernel.blocked<rows = 6>>
}

// CHECK-LABEL: func.func @rows
func.func @rows(%x: tensor<?x5x4xf32>, %s: tensor<4xf32>) {
  // CHECK: kernel.rows normalize %arg0 extras(%arg1 : tensor<4xf32>) epsilon 1.000000e-05 groups 2 {
  %0 = kernel.rows normalize %x extras(%s : tensor<4xf32>) epsilon 1.0e-5 groups 2 {
  ^bb0(%e: f32, %scale: f32):
    %1 = arith.mulf %e, %scale : f32
    kernel.yield %1 : f32
  } : tensor<?x5x4xf32> -> tensor<?x5x4xf32>
  // CHECK: kernel.rows softmax %arg0 epsilon 0.000000e+00 {
  %2 = kernel.rows softmax %x epsilon 0.0 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x5x4xf32> -> tensor<?x5x4xf32>
  return
}

// CHECK-LABEL: func.func @map_and_tokens
func.func @map_and_tokens(%x: tensor<?x5x4xf32>, %p: tensor<5x4xf32>, %t: tensor<1x4xf32>, %i: tensor<?x3x8x8xf32>) {
  // CHECK: kernel.map %arg0 extras(%arg1 : tensor<5x4xf32>) attributes {tag} {
  // CHECK: kernel.gelu_slope %{{.*}} : f32
  %0 = kernel.map %x extras(%p : tensor<5x4xf32>) attributes {tag} {
  ^bb0(%e: f32, %position: f32):
    %sum = arith.addf %e, %position : f32
    %slope = kernel.gelu_slope %sum : f32
    kernel.yield %slope : f32
  } : tensor<?x5x4xf32> -> tensor<?x5x4xf32>
  // CHECK: kernel.prepend %arg0, %arg2 slots [1] {
  // CHECK: } : (tensor<?x5x4xf32>, tensor<1x4xf32>) -> tensor<?x6x4xf32>
  %1 = kernel.prepend %x, %t slots [1] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (tensor<?x5x4xf32>, tensor<1x4xf32>) -> tensor<?x6x4xf32>
  // CHECK: kernel.patchify %arg3 patch [4, 4] order hwc tile<rows = 6, cols = 16, chunk = 1> slots [0] : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  %2 = kernel.patchify %i patch [4, 4] order hwc tile<rows = 6, cols = 16, chunk = 1> slots [0] : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  // CHECK: kernel.take %arg0 from 1 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  %3 = kernel.take %x from 1 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  // CHECK: kernel.take %arg0 from 1 : (tensor<?x5x4xf32>) -> tensor<?x2x4xf32>
  %4 = kernel.take %x from 1 : (tensor<?x5x4xf32>) -> tensor<?x2x4xf32>
  // CHECK: kernel.mean %arg0 from 1 slots [3] : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  %5 = kernel.mean %x from 1 slots [3] : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  // CHECK: kernel.relayout %arg0 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32, #kernel.blocked<rows = 6, group = 2>>
  %6 = kernel.relayout %x : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32, #kernel.blocked<rows = 6, group = 2>>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%qkv: tensor<?x65x576xf32>) {
  // CHECK: kernel.attention %arg0, %arg0, %arg0 heads 3 head_dim 64 offsets [0, 192, 384] scale 1.250000e-01 tile<rows = 6, cols = 64, chunk = 2> slots [1] : (tensor<?x65x576xf32>, tensor<?x65x576xf32>, tensor<?x65x576xf32>) -> tensor<?x65x192xf32>
  %0 = kernel.attention %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384] scale 0.125 tile<rows = 6, cols = 64, chunk = 2> slots [1] : (tensor<?x65x576xf32>, tensor<?x65x576xf32>, tensor<?x65x576xf32>) -> tensor<?x65x192xf32>
  // CHECK: slots [1 at 128, -1] : {{.*}} -> (tensor<?x65x192xf32>, tensor<?x3x65x65xf32>)
  %1, %2 = kernel.attention %qkv, %qkv, %qkv heads 3 head_dim 64 offsets [0, 192, 384] scale 0.125 slots [1 at 128, -1] : (tensor<?x65x576xf32>, tensor<?x65x576xf32>, tensor<?x65x576xf32>) -> (tensor<?x65x192xf32>, tensor<?x3x65x65xf32>)
  return
}

// CHECK-LABEL: func.func @parameters
func.func @parameters(%q: tensor<4x8xf32>, %k: tensor<6x8xf32>, %c: tensor<1xf32>, %p: tensor<1x5x8xf32>, %t: tensor<5x8xf32>) {
  // CHECK: kernel.derive %arg0, %arg1 : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<10x8xf32, #kernel.panels<cols = 16, out_group = 2, in_group = 4>>
  %0 = kernel.derive %q, %k : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<10x8xf32, #kernel.panels<cols = 16, out_group = 2, in_group = 4>>
  // CHECK: kernel.derive %arg2 : (tensor<1xf32>) -> tensor<8xf32, #kernel.channels<>>
  %1 = kernel.derive %c : (tensor<1xf32>) -> tensor<8xf32, #kernel.channels<>>
  // CHECK: kernel.derive %arg3 : (tensor<1x5x8xf32>) -> tensor<5x8xf32>
  %2 = kernel.derive %p : (tensor<1x5x8xf32>) -> tensor<5x8xf32>
  // CHECK: kernel.resample %arg4 from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  %3 = kernel.resample %t from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  return
}

// CHECK-LABEL: func.func @dispatch
func.func @dispatch(%x: tensor<?x5x4xf32>) {
  // CHECK: kernel.dispatch @kernels::@map_0(%arg0) units<times = 2, of = 5, per = 6> slots [1] scratch 64 family "map" flop<times = 20> : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %0 = kernel.dispatch @kernels::@map_0(%x) units<times = 2, of = 5, per = 6> slots [1] scratch 64 family "map" flop<times = 20> : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// CHECK-LABEL: func.func @positions
func.func @positions(%x: tensor<?x5x24xf32>, %t: tensor<12x2xf32>, %c: tensor<5x4xf32>) {
  // CHECK: %[[B:.*]] = kernel.relative_positions %arg1 grid [2, 2] prefix 1 : (tensor<12x2xf32>) -> tensor<2x5x5xf32>
  %b = kernel.relative_positions %t grid [2, 2] prefix 1 : (tensor<12x2xf32>) -> tensor<2x5x5xf32>
  // CHECK: %[[R:.*]] = kernel.rotate %arg0, %arg2, %arg2 heads 4 head_dim 4 offset 0 pairs halves : (tensor<?x5x24xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x16xf32>
  %r = kernel.rotate %x, %c, %c heads 4 head_dim 4 offset 0 pairs halves : (tensor<?x5x24xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x16xf32>
  // CHECK: kernel.attention %[[R]], %[[R]], %arg0 bias %[[B]] heads 2 head_dim 4 offsets [0, 8, 16] scale 5.000000e-01 :
  %o = kernel.attention %r, %r, %x bias %b heads 2 head_dim 4 offsets [0, 8, 16] scale 0.5 : (tensor<?x5x16xf32>, tensor<?x5x16xf32>, tensor<?x5x24xf32>, tensor<2x5x5xf32>) -> tensor<?x5x8xf32>
  return
}
