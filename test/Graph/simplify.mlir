// RUN: vit-opt %s --vit-simplify --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @dropout
// CHECK-SAME:    (%[[X:.+]]: tensor<?x4x8xf32>
func.func @dropout(%x: tensor<?x4x8xf32>) -> tensor<?x4x8xf32> {
  // CHECK-NEXT: %[[Y:.+]] = vit.relu %[[X]]
  // CHECK-NEXT: return %[[Y]]
  %0 = vit.dropout %x probability 1.0e-01 : tensor<?x4x8xf32>
  %1 = vit.relu %0 : tensor<?x4x8xf32>
  %2 = vit.drop_path %1 probability 2.0e-01 : tensor<?x4x8xf32>
  %3 = vit.relu %2 : tensor<?x4x8xf32>
  return %3 : tensor<?x4x8xf32>
}

// -----

// CHECK-LABEL: func.func @scales
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>
func.func @scales(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK-NEXT: %[[Y:.+]] = vit.scale %[[X]] by 2.000000e+00
  // CHECK-NEXT: %[[Z:.+]] = vit.add %[[Y]], %[[X]]
  // CHECK-NEXT: return %[[Z]]
  %0 = vit.scale %x by 1.0 : tensor<?x8xf32>
  %1 = vit.scale %0 by 4.0 : tensor<?x8xf32>
  %2 = vit.scale %1 by 5.0e-01 : tensor<?x8xf32>
  %3 = vit.add %2, %0 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %3 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @probabilities
func.func @probabilities(%x: tensor<?x4x8xf32>) -> tensor<?x4x8xf32> {
  // CHECK-NEXT: %[[Y:.+]] = vit.attention {{.*}} -> tensor<?x4x8xf32>
  // CHECK-NEXT: return %[[Y]]
  %0, %1 = vit.attention %x, %x, %x heads 2 scale 5.0e-01
    : (tensor<?x4x8xf32>, tensor<?x4x8xf32>, tensor<?x4x8xf32>) -> (tensor<?x4x8xf32>, tensor<?x2x4x4xf32>)
  return %0 : tensor<?x4x8xf32>
}

// -----

// CHECK-LABEL: func.func @tokens
// CHECK-SAME:    (%[[X:.+]]: tensor<?x4x8xf32>
func.func @tokens(%x: tensor<?x4x8xf32>) -> tensor<?x8xf32> {
  // CHECK-NEXT: %[[Y:.+]] = vit.take_tokens %[[X]] from 3
  // CHECK-NEXT: return %[[Y]]
  %0 = vit.take_tokens %x from 0 count 4 : (tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  %1 = vit.take_tokens %0 from 1 count 3 : (tensor<?x4x8xf32>) -> tensor<?x3x8xf32>
  %2 = vit.take_tokens %1 from 2 : (tensor<?x3x8xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

vit.parameter @positions : tensor<5x8xf32>
// Equal ops are merged; a table resampled to its own grid is unchanged.
// CHECK-LABEL: func.func @equal
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @equal(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK-NEXT: %[[P:.+]] = vit.read @positions
  // CHECK-NEXT: %[[S:.+]] = vit.add %[[X]], %[[P]]
  // CHECK-NEXT: %[[Y:.+]] = vit.mul %[[S]], %[[S]]
  // CHECK-NEXT: return %[[Y]]
  %p = vit.read @positions : tensor<5x8xf32>
  %r = vit.resample_positions %p from [2, 2] to [2, 2] prefix 1 : (tensor<5x8xf32>) -> tensor<5x8xf32>
  %q = vit.read @positions : tensor<5x8xf32>
  %0 = vit.add %x, %r : (tensor<?x5x8xf32>, tensor<5x8xf32>) -> tensor<?x5x8xf32>
  %1 = vit.add %x, %q : (tensor<?x5x8xf32>, tensor<5x8xf32>) -> tensor<?x5x8xf32>
  %2 = vit.mul %0, %1 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %2 : tensor<?x5x8xf32>
}

// -----

// In a training step dropout stays.
// CHECK-LABEL: func.func @training
func.func @training(%x: tensor<?x4x8xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) -> tensor<?x4x8xf32> {
  // CHECK-NEXT: vit.dropout %{{.+}} probability 1.000000e-01 random "drop", %{{.+}}, %{{.+}} : tensor<?x4x8xf32>
  // CHECK-NEXT: vit.drop_path %{{.+}} probability 2.000000e-01 random "path"
  %0 = vit.dropout %x probability 1.0e-01 random "drop", %seed, %step : tensor<?x4x8xf32>
  %1 = vit.drop_path %0 probability 2.0e-01 random "path", %seed, %step : tensor<?x4x8xf32>
  return %1 : tensor<?x4x8xf32>
}
