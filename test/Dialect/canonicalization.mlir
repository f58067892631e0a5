// RUN: vit-opt %s --canonicalize | FileCheck %s

vit.parameter @p : 3 x tensor<4xf32>

// CHECK-LABEL: func.func @constant_layer
func.func @constant_layer() -> tensor<4xf32> {
  // CHECK-NOT: arith.constant
  // CHECK: %[[P:.*]] = vit.read @p[2] : tensor<4xf32>
  // CHECK-NEXT: return %[[P]]
  %c2 = arith.constant 2 : index
  %0 = vit.read @p[%c2] : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @layer_of_the_loop
func.func @layer_of_the_loop(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: vit.layers 3 (%[[I:.*]], %{{.*}} = %arg0)
  // CHECK: vit.read @p[%[[I]]]
  %y = vit.layers 3 (%i, %z = %x) : tensor<?x4xf32> {
    %p = vit.read @p[%i] : tensor<4xf32>
    %0 = vit.layer_scale %z, %p : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    vit.yield %0 : tensor<?x4xf32>
  }
  return %y : tensor<?x4xf32>
}

// Unused attention probabilities are not computed.
// CHECK-LABEL: func.func @unused_probabilities
func.func @unused_probabilities(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  // CHECK: %{{.*}} = vit.attention {{.*}} -> tensor<?x5x4xf32>
  %0, %p = vit.attention %x, %x, %x heads 2 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x2x5x5xf32>)
  return %0 : tensor<?x5x4xf32>
}

// CHECK-LABEL: func.func @used_probabilities
func.func @used_probabilities(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  // CHECK: vit.attention {{.*}} -> (tensor<?x5x4xf32>, tensor<?x2x5x5xf32>)
  %0, %p = vit.attention %x, %x, %x heads 2 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x2x5x5xf32>)
  vit.output "attention" = %p : tensor<?x2x5x5xf32>
  return %0 : tensor<?x5x4xf32>
}

// CHECK-LABEL: func.func @double_scale
func.func @double_scale(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK-NEXT: %[[Y:.*]] = vit.scale %arg0 by 1.500000e+00
  // CHECK-NEXT: return %[[Y]]
  %0 = vit.scale %x by 3.0 : tensor<?x4xf32>
  %1 = vit.scale %0 by 0.5 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// The first product has another use, so the second one is kept.
// CHECK-LABEL: func.func @double_scale_used_twice
func.func @double_scale_used_twice(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK: vit.scale %arg0 by 3.0
  // CHECK: vit.scale %{{.*}} by 5.0
  %0 = vit.scale %x by 3.0 : tensor<?x4xf32>
  %1 = vit.scale %0 by 0.5 : tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func @scale_by_one
func.func @scale_by_one(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK-NEXT: return %arg0
  %0 = vit.scale %x by 1.0 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Training needs dropout; --vit-simplify removes it for inference.
// CHECK-LABEL: func.func @dropout_stays
func.func @dropout_stays(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: vit.dropout
  // CHECK: vit.drop_path
  %0 = vit.dropout %x probability 0.0 : tensor<?x4xf32>
  %1 = vit.drop_path %0 probability 0.0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
