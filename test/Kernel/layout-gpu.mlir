// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan},vit-layout))' --split-input-file | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda},vit-layout))' --split-input-file | FileCheck %s

vit.parameter @w : tensor<32x8xf32>
vit.parameter @b : tensor<32xf32>
// Rows are contiguous: only a width that is not a multiple of 16 is converted.
// Parameters have the same forms as on the CPU.
// CHECK-LABEL: func.func @product
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>) -> tensor<?x32xf32>
func.func @product(%x: tensor<?x8xf32>) -> tensor<?x32xf32> {
  // CHECK:      %[[XP:.+]] = kernel.relayout %[[X]] tile<rows = 1, {{.*}}> : (tensor<?x8xf32>) -> tensor<?x8xf32, #kernel.channels<>>
  // CHECK:      kernel.derive %{{.+}} : (tensor<32x8xf32>) -> tensor<32x8xf32, #kernel.panels<cols = 64>>
  // CHECK:      kernel.derive %{{.+}} : (tensor<32xf32>) -> tensor<32xf32, #kernel.channels<>>
  // CHECK:      %[[Y:.+]] = kernel.gemm %[[XP]],
  // CHECK:      : (tensor<?x8xf32, #kernel.channels<>>, tensor<32x8xf32, #kernel.panels<cols = 64>>) -> tensor<?x32xf32>
  // CHECK-NEXT: return %[[Y]]
  %w = vit.read @w : tensor<32x8xf32>
  %b = vit.read @b : tensor<32xf32>
  %y = kernel.gemm %x, %w extras(%b : tensor<32xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %s = arith.addf %acc, %e : f32
    kernel.yield %s : f32
  } : (tensor<?x8xf32>, tensor<32x8xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

vit.parameter @w : tensor<72x48xf32>
// Heads of 12 are padded one by one. Probabilities are row-major.
// CHECK-LABEL: func.func @odd_heads
func.func @odd_heads(%x: tensor<?x5x48xf32>) -> (tensor<?x5x24xf32>, tensor<?x2x5x5xf32>) {
  // CHECK-NOT: kernel.relayout
  // CHECK: kernel.gemm
  // CHECK: : (tensor<?x5x48xf32>, tensor<72x48xf32, #kernel.panels<cols = 64, out_group = 12>>) -> tensor<?x5x72xf32, #kernel.channels<group = 12>>
  // CHECK: %[[R:.+]], %[[P:.+]] = kernel.attention {{.*}} -> (tensor<?x5x24xf32, #kernel.channels<group = 12>>, tensor<?x2x5x5xf32>)
  // CHECK: %[[O:.+]] = kernel.relayout %[[R]] {{.*}} -> tensor<?x5x24xf32>
  // CHECK: return %[[O]], %[[P]]
  %w = vit.read @w : tensor<72x48xf32>
  %qkv = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x48xf32>, tensor<72x48xf32>) -> tensor<?x5x72xf32>
  %a, %p = kernel.attention %qkv, %qkv, %qkv heads 2 head_dim 12 offsets [0, 24, 48] scale 0.25
      : (tensor<?x5x72xf32>, tensor<?x5x72xf32>, tensor<?x5x72xf32>) -> (tensor<?x5x24xf32>, tensor<?x2x5x5xf32>)
  return %a, %p : tensor<?x5x24xf32>, tensor<?x2x5x5xf32>
}

// -----

// A result that is returned twice is copied, so that each has a buffer.
// CHECK-LABEL: func.func @twice
func.func @twice(%x: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  // CHECK: %[[Y:.+]] = kernel.map
  // CHECK: %[[C:.+]] = kernel.map %[[Y]]
  // CHECK: return %[[Y]], %[[C]]
  %y = kernel.map %x {
  ^bb0(%e: f32):
    %s = arith.addf %e, %e : f32
    kernel.yield %s : f32
  } : tensor<?x16xf32> -> tensor<?x16xf32>
  return %y, %y : tensor<?x16xf32>, tensor<?x16xf32>
}

// -----

vit.parameter @w : tensor<120x48xf32>
vit.parameter @o : tensor<50x40xf32>
// Weights of bf16 are row-major. Channels of all types are padded to a multiple of 16: heads of 20 each alone.
// CHECK-LABEL: func.func @narrow
func.func @narrow(%x: tensor<?x5x48xbf16>) -> tensor<?x5x50xf32> {
  // CHECK: kernel.derive {{.*}} -> tensor<120x48xbf16, #kernel.panels<cols = 1, out_group = 20>>
  // CHECK: kernel.gemm
  // CHECK: : (tensor<?x5x48xbf16>, {{.*}} -> tensor<?x5x120xbf16, #kernel.channels<group = 20>>
  // CHECK: kernel.attention {{.*}} -> tensor<?x5x40xbf16, #kernel.channels<group = 20>>
  // CHECK: kernel.derive {{.*}} -> tensor<50x40xbf16, #kernel.panels<cols = 1, in_group = 20>>
  // CHECK: -> tensor<?x5x50xf32, #kernel.channels<>>
  %w = vit.read @w : tensor<120x48xf32>
  %o = vit.read @o : tensor<50x40xf32>
  %wn = kernel.derive %w : (tensor<120x48xf32>) -> tensor<120x48xbf16>
  %on = kernel.derive %o : (tensor<50x40xf32>) -> tensor<50x40xbf16>
  %qkv = kernel.gemm %x, %wn {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x48xbf16>, tensor<120x48xbf16>) -> tensor<?x5x120xbf16>
  %a = kernel.attention %qkv, %qkv, %qkv heads 2 head_dim 20 offsets [0, 40, 80] scale 0.25
      : (tensor<?x5x120xbf16>, tensor<?x5x120xbf16>, tensor<?x5x120xbf16>) -> tensor<?x5x40xbf16>
  %y = kernel.gemm %a, %on {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x40xbf16>, tensor<50x40xbf16>) -> tensor<?x5x50xf32>
  return %y : tensor<?x5x50xf32>
}
