// Heads of 16 channels, which are whole lines of f32 but not of bf16: what the
// rotary kernel writes in f32 has the groups that attention reads in bf16.

// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow,vit-convert-to-kernels,vit-fuse,vit-tile{level=avx2},vit-layout))' | FileCheck %s

vit.parameter @q : tensor<32x32xf32>
// CHECK-LABEL: func.func @rotary
// CHECK: kernel.rotate {{.*}} -> tensor<?x4x32xf32, #kernel.blocked<rows = {{[0-9]+}}, group = 16>>
// CHECK: -> tensor<?x4x32xbf16, #kernel.blocked<rows = {{[0-9]+}}, group = 16>>
// CHECK: kernel.attention
// CHECK: kernel.relayout {{.*}} -> tensor<?x4x32xf32>
// CHECK-NEXT: return
func.func @rotary(%x: tensor<?x4x32xf32>) -> tensor<?x4x32xf32> {
  %w = vit.read @q : tensor<32x32xf32>
  %angles = vit.rotary_positions grid [2, 2] width 8 temperature 1.0e+02 order yx : tensor<4x8xf32>
  %q = vit.linear %x, %w : (tensor<?x4x32xf32>, tensor<32x32xf32>) -> tensor<?x4x32xf32>
  %r = vit.rotate %q, %angles heads 2 prefix 0 pairs halves : (tensor<?x4x32xf32>, tensor<4x8xf32>) -> tensor<?x4x32xf32>
  %a = vit.attention %r, %r, %q heads 2 scale 2.5e-01 : (tensor<?x4x32xf32>, tensor<?x4x32xf32>, tensor<?x4x32xf32>) -> tensor<?x4x32xf32>
  return %a : tensor<?x4x32xf32>
}
