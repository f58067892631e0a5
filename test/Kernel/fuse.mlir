// RUN: vit-opt %s --vit-fuse --split-input-file --mlir-print-local-scope --mlir-print-debuginfo | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-fuse{qkv=false}))' --split-input-file | FileCheck %s --check-prefix=NOQKV
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-fuse{epilogues=false}))' --split-input-file | FileCheck %s --check-prefix=NOEPILOGUES

// Bias, activation and residual are fused into the product's scalar code.
// CHECK-LABEL: func.func @epilogue
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>{{.*}}, %[[W:.+]]: tensor<8x8xf32>{{.*}}, %[[B:.+]]: tensor<8xf32>
// NOEPILOGUES-LABEL: func.func @epilogue
// NOEPILOGUES-COUNT-3: kernel.map
func.func @epilogue(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  // CHECK-NEXT: %[[Y:.+]] = kernel.gemm %[[X]], %[[W]] extras(%[[B]], %[[X]] : tensor<8xf32>, tensor<?x8xf32>) {
  // CHECK-NEXT: ^bb0(%[[ACC:.+]]: f32 {{.*}}, %[[BIAS:.+]]: f32 {{.*}}, %[[RES:.+]]: f32
  // CHECK-NEXT:   %[[S:.+]] = arith.addf %[[ACC]], %[[BIAS]]
  // CHECK-NEXT:   %[[T:.+]] = math.tanh %[[S]]
  // CHECK-NEXT:   %[[R:.+]] = arith.addf %[[RES]], %[[T]]
  // CHECK-NEXT:   kernel.yield %[[R]]
  // CHECK-NEXT: } {{.*}} loc(fused["fc", "bias", "tanh", "residual"])
  // CHECK-NEXT: return %[[Y]]
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32> loc("fc")
  %1 = kernel.map %0 extras(%b : tensor<8xf32>) {
  ^bb0(%e: f32, %bias: f32):
    %s = arith.addf %e, %bias : f32
    kernel.yield %s : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32> loc("bias")
  %2 = kernel.map %1 {
  ^bb0(%e: f32):
    %t = math.tanh %e : f32
    kernel.yield %t : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32> loc("tanh")
  %3 = kernel.map %x extras(%2 : tensor<?x8xf32>) {
  ^bb0(%e: f32, %f: f32):
    %r = arith.addf %e, %f : f32
    kernel.yield %r : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32> loc("residual")
  return %3 : tensor<?x8xf32>
}

// -----

// A value with another use is kept.
// CHECK-LABEL: func.func @two_users
func.func @two_users(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK: %[[G:.+]] = kernel.gemm
  // CHECK: %[[M:.+]] = kernel.map %[[G]]
  // CHECK: return %[[G]], %[[M]]
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %1 = kernel.map %0 {
  ^bb0(%e: f32):
    %t = math.tanh %e : f32
    kernel.yield %t : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// Two uses in one map: x tanh(x) of the product.
// CHECK-LABEL: func.func @used_twice
func.func @used_twice(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.gemm %{{.+}}, %{{.+}} {
  // CHECK-NEXT: ^bb0(%[[ACC:.+]]: f32
  // CHECK-NEXT:   %[[T:.+]] = math.tanh %[[ACC]]
  // CHECK-NEXT:   arith.mulf %[[T]], %[[ACC]]
  // CHECK-NOT: kernel.map
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %1 = kernel.map %0 extras(%0 : tensor<?x8xf32>) {
  ^bb0(%e: f32, %f: f32):
    %t = math.tanh %e : f32
    %m = arith.mulf %t, %f : f32
    kernel.yield %m : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// The later one of two added products takes the sum.
// CHECK-LABEL: func.func @two_products
func.func @two_products(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[A:.+]] = kernel.gemm
  // CHECK: %[[Y:.+]] = kernel.gemm %{{.+}}, %{{.+}} extras(%[[A]] : tensor<?x8xf32>)
  // CHECK-NOT: kernel.map
  // CHECK: return %[[Y]]
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %1 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %2 = kernel.map %1 extras(%0 : tensor<?x8xf32>) {
  ^bb0(%e: f32, %f: f32):
    %s = arith.addf %e, %f : f32
    kernel.yield %s : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

// Positions are fused into the kernel that adds the class token; a layer norm
// takes the ops after it.
// CHECK-LABEL: func.func @prepend_and_rows
// CHECK-SAME:    (%[[X:.+]]: tensor<?x4x8xf32>{{.*}}, %[[C:.+]]: tensor<1x8xf32>{{.*}}, %[[P:.+]]: tensor<5x8xf32>
func.func @prepend_and_rows(%x: tensor<?x4x8xf32>, %c: tensor<1x8xf32>, %p: tensor<5x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK-NEXT: %[[S:.+]] = kernel.prepend %[[X]], %[[C]] extras(%[[P]] : tensor<5x8xf32>)
  // CHECK:      %[[N:.+]] = kernel.rows normalize %[[S]] epsilon {{.+}} {
  // CHECK:        math.tanh
  // CHECK:      return %[[N]]
  %0 = kernel.prepend %x, %c {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (tensor<?x4x8xf32>, tensor<1x8xf32>) -> tensor<?x5x8xf32>
  %1 = kernel.map %0 extras(%p : tensor<5x8xf32>) {
  ^bb0(%e: f32, %f: f32):
    %s = arith.addf %e, %f : f32
    kernel.yield %s : f32
  } : tensor<?x5x8xf32> -> tensor<?x5x8xf32>
  %2 = kernel.rows normalize %1 epsilon 1.0e-6 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x5x8xf32> -> tensor<?x5x8xf32>
  %3 = kernel.map %2 {
  ^bb0(%e: f32):
    %t = math.tanh %e : f32
    kernel.yield %t : f32
  } : tensor<?x5x8xf32> -> tensor<?x5x8xf32>
  return %3 : tensor<?x5x8xf32>
}

// -----

// CHECK-LABEL: func.func @qkv
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
// NOQKV-LABEL: func.func @qkv
// NOQKV-COUNT-3: kernel.gemm
func.func @qkv(%x: tensor<?x5x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<8x8xf32>, %wv: tensor<8x8xf32>,
               %bq: tensor<8xf32>, %bk: tensor<8xf32>, %bv: tensor<8xf32>) -> tensor<?x5x8xf32> {
  // CHECK: %[[B:.+]] = kernel.derive %{{.+}}, %{{.+}}, %{{.+}} : {{.*}} -> tensor<24xf32>
  // CHECK: %[[W:.+]] = kernel.derive %{{.+}}, %{{.+}}, %{{.+}} : {{.*}} -> tensor<24x8xf32>
  // CHECK: %[[QKV:.+]] = kernel.gemm %[[X]], %[[W]] extras(%[[B]] : tensor<24xf32>)
  // CHECK: } : {{.*}} -> tensor<?x5x24xf32> loc(fused["attn.q", "attn.k", "attn.v"])
  // CHECK: kernel.attention %[[QKV]], %[[QKV]], %[[QKV]] heads 2 head_dim 4 offsets [0, 8, 16]
  %q = kernel.gemm %x, %wq extras(%bq : tensor<8xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    kernel.yield %s : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32> loc("attn.q")
  %k = kernel.gemm %x, %wk extras(%bk : tensor<8xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    kernel.yield %s : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32> loc("attn.k")
  %v = kernel.gemm %x, %wv extras(%bv : tensor<8xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    kernel.yield %s : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32> loc("attn.v")
  %a = kernel.attention %q, %k, %v heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %a : tensor<?x5x8xf32>
}

// -----

// A query of other tokens, or with a scale, stays separate; key and value are
// merged.
// CHECK-LABEL: func.func @key_and_value
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>{{.*}}, %[[WQ:.+]]: tensor<8x8xf32>{{.*}}, %[[WK:.+]]: tensor<8x8xf32>{{.*}}, %[[WV:.+]]: tensor<8x8xf32>
func.func @key_and_value(%x: tensor<?x5x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<8x8xf32>, %wv: tensor<8x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK: %[[Q:.+]] = kernel.gemm %[[X]], %[[WQ]]
  // CHECK: %[[W:.+]] = kernel.derive %[[WK]], %[[WV]]
  // CHECK: %[[KV:.+]] = kernel.gemm %[[X]], %[[W]]
  // CHECK: kernel.attention %[[Q]], %[[KV]], %[[KV]] heads 2 head_dim 4 offsets [0, 0, 8]
  %q = kernel.gemm %x, %wq {
  ^bb0(%acc: f32):
    %c = arith.constant 0.5 : f32
    %s = arith.mulf %acc, %c : f32
    kernel.yield %s : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %k = kernel.gemm %x, %wk {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %v = kernel.gemm %x, %wv {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %a = kernel.attention %q, %k, %v heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %a : tensor<?x5x8xf32>
}

// -----

// A product with another use cannot be fused.
// CHECK-LABEL: func.func @key_used_elsewhere
func.func @key_used_elsewhere(%x: tensor<?x5x8xf32>, %w: tensor<8x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>) {
  // CHECK: %[[K:.+]] = kernel.gemm
  // CHECK: %[[V:.+]] = kernel.gemm
  // CHECK: kernel.attention %{{.+}}, %[[K]], %[[V]] heads 2 head_dim 4 offsets [0, 0, 0]
  %k = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %v = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %a = kernel.attention %x, %k, %v heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %a, %k : tensor<?x5x8xf32>, tensor<?x5x8xf32>
}

// -----

// A result that is rounded to bf16 stays rounded for the map that reads it.
// CHECK-LABEL: func.func @rounded
func.func @rounded(%x: tensor<?x5x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK: kernel.gemm
  // CHECK: -> tensor<?x5x8xbf16>
  // CHECK: kernel.map
  // CHECK: tensor<?x5x8xbf16> -> tensor<?x5x8xf32>
  %y = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xbf16>
  %z = kernel.map %y {
  ^bb0(%element: f32):
    %0 = arith.addf %element, %element : f32
    kernel.yield %0 : f32
  } : tensor<?x5x8xbf16> -> tensor<?x5x8xf32>
  return %z : tensor<?x5x8xf32>
}
