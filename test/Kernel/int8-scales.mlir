// Products of int8 with scales and factors from calibration.

// RUN: vit-opt %s -p 'builtin.module(func.func(vit-convert-to-kernels))' | FileCheck %s --check-prefix=CONVERT
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-convert-to-kernels,vit-fuse,vit-tile{level=avx512_vnni},vit-layout))' -o %t.kernels
// RUN: FileCheck %s < %t.kernels
// RUN: vit-interpret %s --batch=2 --against %t.kernels
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-convert-to-kernels,vit-tile{level=avx2},vit-layout))' -o %t.not-fused
// RUN: vit-interpret %s --batch=2 --against %t.not-fused

vit.parameter @q : tensor<96x4xf32> init<normal, 5.0e-01>
vit.parameter @k : tensor<96x4xf32> init<normal, 5.0e-01>
vit.parameter @v : tensor<96x4xf32> init<normal, 5.0e-01>
vit.parameter @o : tensor<4x96xf32> init<normal, 5.0e-01>
vit.parameter @one : tensor<8x4xf32> init<normal, 5.0e-01>
vit.parameter @bias : tensor<8xf32> init<normal, 5.0e-01>
vit.parameter @two : tensor<4x8xf32> init<normal, 5.0e-01>

// One map for three products, and one for the others.
// CONVERT-LABEL: func.func @forward
// CONVERT:         kernel.rows normalize
// CONVERT:         %[[FACTORS:.+]] = arith.constant dense<[3.200000e+01, 6.400000e+01, 8.000000e+00, 3.200000e+01]> : tensor<4xf32>
// CONVERT:         %[[X:.+]] = kernel.map %{{.+}} extras(%[[FACTORS]] : tensor<4xf32>) {
// CONVERT:           arith.mulf
// CONVERT-NEXT:      kernel.yield
// CONVERT:         -> tensor<?x7x4xi8>
// CONVERT:         kernel.derive %{{.+}} migration dense<[1.000000e+00, 5.000000e-01, 4.000000e+00, 1.000000e+00]> : tensor<4xf32> : (tensor<96x4xf32>) -> tensor<96x4xi8>
// CONVERT:         kernel.row_scales %{{.+}} migration dense<[1.000000e+00, 5.000000e-01, 4.000000e+00, 1.000000e+00]> : tensor<4xf32> : (tensor<96x4xf32>) -> tensor<96xf32>
// CONVERT:         kernel.gemm %[[X]], %{{.+}} extras(%{{.+}} : tensor<96xf32>) {
// CONVERT-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[SCALE:.+]]: f32):
// CONVERT-NEXT:      %[[STATIC:.+]] = arith.constant 3.125000e-02 : f32
// CONVERT-NEXT:      %[[ROWS:.+]] = arith.mulf %[[ACC]], %[[STATIC]]
// CONVERT-NEXT:      arith.mulf %[[ROWS]], %[[SCALE]]
// CONVERT:         kernel.gemm %[[X]],
// CONVERT:         kernel.gemm %[[X]],
// The scales of the rows of what was divided.
// CONVERT:         arith.constant dense<[2.500000e-01, 4.000000e+00, 1.000000e+00, 1.000000e+00]> : tensor<4xf32>
// CONVERT:         -> tensor<?x7x4xf32>
// CONVERT:         kernel.quantize
// CONVERT:         kernel.gemm

// CHECK-LABEL: func.func @forward
// CHECK:         kernel.rows normalize
// CHECK:         -> tensor<?x7x4xi8, #kernel.blocked<rows = 7>>
// CHECK:         kernel.row_scales %{{.+}}, %{{.+}}, %{{.+}} migration dense<[1.000000e+00, 5.000000e-01, 4.000000e+00, 1.000000e+00]> : tensor<4xf32> : {{.*}} -> tensor<288xf32>
// CHECK:         kernel.derive %{{.+}}, %{{.+}}, %{{.+}} migration dense<[1.000000e+00, 5.000000e-01, 4.000000e+00, 1.000000e+00]> : tensor<4xf32> : {{.*}} -> tensor<288x4xi8, #kernel.panels<cols = 64, interleave = 4>>
// CHECK:         kernel.gemm
// CHECK:         -> tensor<?x7x288xf32
// CHECK-NOT:     kernel.gemm
// CHECK:         kernel.attention
// An attention does not round to i8 itself.
// CHECK:         kernel.map
// CHECK:         -> tensor<?x7x96xi8
// CHECK:         kernel.gemm
// The division of a product's result is fused into it.
// CHECK:           arith.addf
// CHECK:           arith.mulf
// CHECK:         -> tensor<?x7x4xf32
// CHECK-NOT:     kernel.map
// CHECK:         kernel.quantize
// CHECK:         kernel.gemm
// CHECK:           math.erf
// CHECK:         -> tensor<?x7x8xi8
// CHECK-NOT:     kernel.map
// CHECK:         kernel.gemm
func.func @forward(%x: tensor<?x7x4xf32>) -> (tensor<?x7x4xf32> {vit.name = "y"}) {
  %wq = vit.read @q : tensor<96x4xf32>
  %wk = vit.read @k : tensor<96x4xf32>
  %wv = vit.read @v : tensor<96x4xf32>
  %wo = vit.read @o : tensor<4x96xf32>
  %one = vit.read @one : tensor<8x4xf32>
  %bias = vit.read @bias : tensor<8xf32>
  %two = vit.read @two : tensor<4x8xf32>
  %n = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x7x4xf32>) -> tensor<?x7x4xf32>
  %q = vit.linear %n, %wq precision int8 input_scale 3.125e-02 migration dense<[1.0, 0.5, 4.0, 1.0]> : tensor<4xf32> : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %k = vit.linear %n, %wk precision int8 input_scale 3.125e-02 migration dense<[1.0, 0.5, 4.0, 1.0]> : tensor<4xf32> : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %v = vit.linear %n, %wv precision int8 input_scale 3.125e-02 migration dense<[1.0, 0.5, 4.0, 1.0]> : tensor<4xf32> : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %a = vit.attention %q, %k, %v heads 2 scale 1.25e-01 : (tensor<?x7x96xf32>, tensor<?x7x96xf32>, tensor<?x7x96xf32>) -> tensor<?x7x96xf32>
  %o = vit.linear %a, %wo precision int8 input_scale 1.5625e-02 : (tensor<?x7x96xf32>, tensor<4x96xf32>) -> tensor<?x7x4xf32>
  %s = vit.add %o, %x : (tensor<?x7x4xf32>, tensor<?x7x4xf32>) -> tensor<?x7x4xf32>
  %h = vit.linear %s, %one, %bias precision int8 migration dense<[4.0, 0.25, 1.0, 1.0]> : tensor<4xf32> : (tensor<?x7x4xf32>, tensor<8x4xf32>, tensor<8xf32>) -> tensor<?x7x8xf32>
  %g = vit.gelu erf %h : tensor<?x7x8xf32>
  %y = vit.linear %g, %two precision int8 input_scale 1.5625e-02 migration dense<2.0> : tensor<8xf32> : (tensor<?x7x8xf32>, tensor<4x8xf32>) -> tensor<?x7x4xf32>
  return %y : tensor<?x7x4xf32>
}

// Products whose inputs have other scales are not one product.
// CONVERT-LABEL: func.func @different
// CONVERT-COUNT-2: -> tensor<?x7x4xi8>
// CHECK-LABEL: func.func @different
// CHECK-COUNT-3: kernel.gemm
// CHECK:         kernel.attention
func.func @different(%x: tensor<?x7x4xf32>) -> (tensor<?x7x96xf32> {vit.name = "y"}) {
  %wq = vit.read @q : tensor<96x4xf32>
  %wk = vit.read @k : tensor<96x4xf32>
  %wv = vit.read @v : tensor<96x4xf32>
  %q = vit.linear %x, %wq precision int8 input_scale 3.125e-02 : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %k = vit.linear %x, %wk precision int8 input_scale 6.25e-02 : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %v = vit.linear %x, %wv precision int8 : (tensor<?x7x4xf32>, tensor<96x4xf32>) -> tensor<?x7x96xf32>
  %a = vit.attention %q, %k, %v heads 2 scale 1.25e-01 : (tensor<?x7x96xf32>, tensor<?x7x96xf32>, tensor<?x7x96xf32>) -> tensor<?x7x96xf32>
  return %a : tensor<?x7x96xf32>
}
