// The operands of narrow products: rounded where they are computed.

// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow,vit-convert-to-kernels))' | FileCheck %s --check-prefix=CONVERT
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow,vit-convert-to-kernels,vit-fuse,vit-tile{level=avx512_bf16},vit-layout))' | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow,vit-convert-to-kernels,vit-fuse,vit-tile{level=amx},vit-layout))' | FileCheck %s --check-prefix=AMX
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow{precision=f16},vit-convert-to-kernels,vit-fuse,vit-tile{level=avx512},vit-layout))' | FileCheck %s --check-prefix=F16
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-narrow{precision=int8},vit-convert-to-kernels,vit-fuse,vit-tile{level=avx512_vnni},vit-layout))' | FileCheck %s --check-prefix=INT8

vit.parameter @q : tensor<96x40xf32>
vit.parameter @k : tensor<96x40xf32>
vit.parameter @v : tensor<96x40xf32>
vit.parameter @o : tensor<40x96xf32>

// CONVERT-LABEL: func.func @block
// CONVERT:         kernel.derive %{{.+}} : (tensor<96x40xf32>) -> tensor<96x40xbf16>
// One map rounds the input of three products.
// CONVERT:         kernel.rows normalize
// CONVERT:         } : tensor<?x7x40xf32> -> tensor<?x7x40xf32>
// CONVERT-NEXT:    kernel.map
// CONVERT:         } : tensor<?x7x40xf32> -> tensor<?x7x40xbf16>
// CONVERT-NOT:     -> tensor<?x7x40xbf16>

// CHECK-LABEL: func.func @block
// CHECK:         kernel.rows normalize
// CHECK:         -> tensor<?x7x40xbf16, #kernel.blocked<rows = [[R:[0-9]+]]>>
// CHECK-NOT:     kernel.map
// CHECK:         kernel.derive {{.*}} -> tensor<288x40xbf16, #kernel.panels<cols = 64, out_group = 48, interleave = 2>>
// CHECK:         kernel.gemm
// CHECK:         -> tensor<?x7x288xbf16, #kernel.blocked<rows = [[R]], group = 48>>
// Heads of 48 channels are padded to lines of 32.
// CHECK:         kernel.attention {{.*}} -> tensor<?x7x96xbf16, #kernel.blocked<rows = [[R]], group = 48>>
// CHECK:         kernel.derive {{.*}} -> tensor<40x96xbf16, #kernel.panels<cols = 64, in_group = 48, interleave = 2>>
// The sum with the residual stream is f32.
// CHECK:         kernel.gemm
// CHECK:           arith.addf
// CHECK:         -> tensor<?x7x40xf32, #kernel.blocked<rows = [[R]]>>

// AMX:           kernel.gemm {{.*}} tile<rows = 16, cols = 64
// F16 is the same, but for panels that are not interleaved.
// F16-LABEL: func.func @block
// F16:         kernel.rows normalize
// F16:         -> tensor<?x7x40xf16, #kernel.blocked<rows = [[R:[0-9]+]]>>
// F16:         kernel.derive {{.*}} -> tensor<288x40xf16, #kernel.panels<cols = 64, out_group = 48>>
// F16:         kernel.attention {{.*}} -> tensor<?x7x96xf16, #kernel.blocked<rows = [[R]], group = 48>>
// F16:         kernel.derive {{.*}} -> tensor<40x96xf16, #kernel.panels<cols = 64, in_group = 48>>

// INT8-LABEL: func.func @block
// One quantization for three products, which are one.
// INT8:          %[[Q:.+]], %[[S:.+]] = kernel.quantize {{.*}} -> (tensor<?x7x40xi8, #kernel.blocked<rows = 7>>, tensor<?x7x1xf32, #kernel.blocked<rows = 7>>)
// INT8:          %[[W:.+]] = kernel.row_scales {{.*}} -> tensor<288xf32>
// INT8:          %[[P:.+]] = kernel.derive {{.*}} -> tensor<288x40xi8, #kernel.panels<cols = 64, out_group = 48, interleave = 4>>
// INT8:          %[[C:.+]] = kernel.derive %[[W]] : (tensor<288xf32>) -> tensor<288xf32, #kernel.channels<group = 48>>
// INT8:          kernel.gemm %[[Q]], %[[P]] extras(%[[S]], %[[C]] :
// INT8-COUNT-2:    arith.mulf
// INT8:          kernel.attention {{.*}} -> tensor<?x7x96xf32
// INT8:          kernel.quantize
// INT8:          kernel.gemm
// INT8-COUNT-2:    arith.mulf
// INT8:            arith.addf
func.func @block(%x: tensor<?x7x40xf32>) -> tensor<?x7x40xf32> {
  %wq = vit.read @q : tensor<96x40xf32>
  %wk = vit.read @k : tensor<96x40xf32>
  %wv = vit.read @v : tensor<96x40xf32>
  %wo = vit.read @o : tensor<40x96xf32>
  %n = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x7x40xf32>) -> tensor<?x7x40xf32>
  %q = vit.linear %n, %wq : (tensor<?x7x40xf32>, tensor<96x40xf32>) -> tensor<?x7x96xf32>
  %k = vit.linear %n, %wk : (tensor<?x7x40xf32>, tensor<96x40xf32>) -> tensor<?x7x96xf32>
  %v = vit.linear %n, %wv : (tensor<?x7x40xf32>, tensor<96x40xf32>) -> tensor<?x7x96xf32>
  %a = vit.attention %q, %k, %v heads 2 scale 1.25e-01 : (tensor<?x7x96xf32>, tensor<?x7x96xf32>, tensor<?x7x96xf32>) -> tensor<?x7x96xf32>
  %o = vit.linear %a, %wo : (tensor<?x7x96xf32>, tensor<40x96xf32>) -> tensor<?x7x40xf32>
  %y = vit.add %x, %o : (tensor<?x7x40xf32>, tensor<?x7x40xf32>) -> tensor<?x7x40xf32>
  return %y : tensor<?x7x40xf32>
}

// Attention that stays in f32 has no code to round its result: a map does, and its operands are f32.
// CONVERT-LABEL: func.func @wide_attention
// CHECK-LABEL: func.func @wide_attention
// CHECK:         kernel.attention {{.*}} : (tensor<?x7x40xf32, {{.*}} -> tensor<?x7x40xf32
// CHECK:         kernel.map
// CHECK:         -> tensor<?x7x40xbf16
// CHECK:         kernel.gemm
func.func @wide_attention(%x: tensor<?x7x40xf32>) -> tensor<?x96xf32> {
  %wq = vit.read @q : tensor<96x40xf32>
  %a = vit.attention %x, %x, %x heads 2 scale 1.25e-01 precision f32 : (tensor<?x7x40xf32>, tensor<?x7x40xf32>, tensor<?x7x40xf32>) -> tensor<?x7x40xf32>
  %o = vit.linear %a, %wq : (tensor<?x7x40xf32>, tensor<96x40xf32>) -> tensor<?x7x96xf32>
  %t = vit.take_tokens %o from 0 : (tensor<?x7x96xf32>) -> tensor<?x96xf32>
  return %t : tensor<?x96xf32>
}
