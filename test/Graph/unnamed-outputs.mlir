// RUN: vit-opt %s --vit-select-outputs | FileCheck %s

// Unnamed results of a text get names.
// CHECK: func.func @forward
// CHECK-SAME: -> (tensor<?x8xf32> {vit.name = "output"}, tensor<?x8xf32> {vit.name = "output_1"})
func.func @forward(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %a = vit.relu %x : tensor<?x8xf32>
  %b = vit.tanh %x : tensor<?x8xf32>
  return %a, %b : tensor<?x8xf32>, tensor<?x8xf32>
}
