// RUN: vit-opt %s --vit-observe-products | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-observe-products,vit-select-outputs{outputs=product:b.fc,y}))' | FileCheck %s --check-prefix=SELECT
// RUN: vit-opt %s --vit-observe-products=inputs | FileCheck %s --check-prefix=INPUTS
// RUN: not vit-opt %S/Inputs/two-heads.mlir --vit-observe-products 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: error: 'vit.layers' op is not unrolled; run vit-unroll-layers first

// SELECT-LABEL: func.func @forward
// SELECT-SAME: -> (tensor<?x5x8xf32> {vit.name = "product:b.fc"}, tensor<?x5x8xf32> {vit.name = "y"})

// The inputs of layers, once each, but for arguments.
// INPUTS-LABEL: func.func @forward
// INPUTS-NOT:     vit.output
// INPUTS:         %[[G:.+]] = vit.gelu
// INPUTS-NEXT:    vit.output "input:b.fc#2" = %[[G]] :
// INPUTS-NEXT:    vit.linear %[[G]]
// INPUTS-NEXT:    %[[A:.+]] = vit.attention
// INPUTS-NEXT:    vit.output "input:observe-products.mlir:{{[0-9]+}}" = %[[A]] :
// INPUTS-NEXT:    vit.linear %[[A]]
// INPUTS-NOT:     vit.output
vit.parameter @w : tensor<8x8xf32>
vit.parameter @b : tensor<8xf32>
// CHECK-LABEL: func.func @forward
func.func @forward(%x: tensor<?x5x8xf32>) -> (tensor<?x5x8xf32> {vit.name = "y"}) {
  %w = vit.read @w : tensor<8x8xf32>
  %b = vit.read @b : tensor<8xf32>
  // The result is the op's own, with its bias.
  // CHECK: %[[Q:.+]] = vit.linear %{{.+}}, %{{.+}}, %{{.+}} :
  // CHECK-NEXT: vit.output "product:b.fc" = %[[Q]] :
  %q = vit.linear %x, %w, %b : (tensor<?x5x8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> tensor<?x5x8xf32> loc("b.fc")
  // Only products are observed.
  // CHECK-NEXT: vit.gelu
  // CHECK-NEXT: %[[K:.+]] = vit.linear
  %g = vit.gelu erf %q : tensor<?x5x8xf32> loc("b.act")
  // A second op of the same name has a name of its own.
  // CHECK-NEXT: vit.output "product:b.fc#2" = %[[K]] :
  %k = vit.linear %g, %w : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32> loc("b.fc")
  // CHECK-NEXT: %[[A:.+]] = vit.attention
  // CHECK-NEXT: vit.output "product:b.attn" = %[[A]] :
  %a = vit.attention %q, %k, %k heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32> loc("b.attn")
  // The name of an op without one is its place in the text.
  // CHECK-NEXT: %[[V:.+]] = vit.linear
  // CHECK-NEXT: vit.output "product:observe-products.mlir:{{[0-9]+}}" = %[[V]] :
  %v = vit.linear %a, %w : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  return %v : tensor<?x5x8xf32>
}
