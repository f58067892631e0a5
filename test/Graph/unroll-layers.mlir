// RUN: vit-opt %s --vit-unroll-layers --mlir-print-local-scope --mlir-print-debuginfo | FileCheck %s

vit.parameter @gamma : 3 x tensor<8xf32>

// Each layer reads its own parameters and the values of the previous one; names
// and locations contain the layer's number.
// CHECK-LABEL: func.func @layers
// CHECK-SAME:    (%[[IN:.+]]: tensor<?x4x8xf32>
func.func @layers(%in: tensor<?x4x8xf32>) -> tensor<?x4x8xf32> {
  // CHECK-NOT: vit.layers
  // CHECK:      vit.output "hidden_0" = %[[IN]]
  // CHECK-NEXT: %[[G0:.+]] = vit.read @gamma[0] : tensor<8xf32>
  // CHECK-NEXT: %[[Y0:.+]] = vit.layer_scale %[[IN]], %[[G0]] {{.*}} loc("blocks.0.ls")
  // CHECK-NEXT: vit.output "hidden_1" = %[[Y0]]
  // CHECK-NEXT: %[[G1:.+]] = vit.read @gamma[1] : tensor<8xf32>
  // CHECK-NEXT: %[[Y1:.+]] = vit.layer_scale %[[Y0]], %[[G1]] {{.*}} loc("blocks.1.ls")
  // CHECK-NEXT: vit.output "hidden_2" = %[[Y1]]
  // CHECK-NEXT: %[[G2:.+]] = vit.read @gamma[2] : tensor<8xf32>
  // CHECK-NEXT: %[[Y2:.+]] = vit.layer_scale %[[Y1]], %[[G2]] {{.*}} loc("blocks.2.ls")
  %out = vit.layers 3 (%i, %x = %in) : tensor<?x4x8xf32> {
    vit.output "hidden_{}"[%i] = %x : tensor<?x4x8xf32>
    %g = vit.read @gamma[%i] : tensor<8xf32>
    %y = vit.layer_scale %x, %g : (tensor<?x4x8xf32>, tensor<8xf32>) -> tensor<?x4x8xf32> loc("blocks.{}.ls")
    vit.yield %y : tensor<?x4x8xf32>
  }
  // CHECK-NEXT: return %[[Y2]]
  return %out : tensor<?x4x8xf32>
}

// A drop probability that grows per layer; a single layer has the first value.
// CHECK-LABEL: func.func @grows
func.func @grows(%in: tensor<?x4x8xf32>) -> tensor<?x4x8xf32> {
  // CHECK:      %[[Y0:.+]] = vit.drop_path %{{.+}} probability 1.000000e-01 : tensor<?x4x8xf32> loc("blocks.0.drop_path1")
  // CHECK-NEXT: %[[Z0:.+]] = vit.dropout %[[Y0]] probability 5.000000e-01 : tensor<?x4x8xf32>
  // CHECK-NEXT: %[[Y1:.+]] = vit.drop_path %[[Z0]] probability 2.000000e-01 : tensor<?x4x8xf32> loc("blocks.1.drop_path1")
  // CHECK-NEXT: %[[Z1:.+]] = vit.dropout %[[Y1]] probability 2.500000e-01 : tensor<?x4x8xf32>
  // CHECK-NEXT: %[[Y2:.+]] = vit.drop_path %[[Z1]] probability 3.000000e-01 : tensor<?x4x8xf32> loc("blocks.2.drop_path1")
  // CHECK-NEXT: %[[Z2:.+]] = vit.dropout %[[Y2]] probability 0.000000e+00 : tensor<?x4x8xf32>
  %out = vit.layers 3 (%i, %x = %in) : tensor<?x4x8xf32> {
    %y = vit.drop_path %x probability 0.1 to 0.3 over %i : tensor<?x4x8xf32> loc("blocks.{}.drop_path1")
    %z = vit.dropout %y probability 0.5 to 0.0 over %i : tensor<?x4x8xf32>
    vit.yield %z : tensor<?x4x8xf32>
  }
  // CHECK-NEXT: %[[ONE:.+]] = vit.drop_path %[[Z2]] probability 1.000000e-01
  %one = vit.layers 1 (%i, %x = %out) : tensor<?x4x8xf32> {
    %y = vit.drop_path %x probability 0.1 to 0.3 over %i : tensor<?x4x8xf32>
    vit.yield %y : tensor<?x4x8xf32>
  }
  // CHECK-NEXT: return %[[ONE]]
  return %one : tensor<?x4x8xf32>
}

// Two carried values that are swapped.
// CHECK-LABEL: func.func @swap
// CHECK-SAME:    (%[[A:.+]]: tensor<?x8xf32>{{.*}}, %[[B:.+]]: tensor<?x8xf32>
func.func @swap(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %r:2 = vit.layers 3 (%i, %x = %a, %y = %b) : tensor<?x8xf32>, tensor<?x8xf32> {
    vit.yield %y, %x : tensor<?x8xf32>, tensor<?x8xf32>
  }
  // CHECK-NEXT: return %[[B]], %[[A]]
  return %r#0, %r#1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// A layer may yield a value defined outside.
// CHECK-LABEL: func.func @outside
// CHECK-SAME:    (%[[A:.+]]: tensor<?x8xf32>{{.*}}, %[[B:.+]]: tensor<?x8xf32>
func.func @outside(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK-NEXT: vit.add %[[A]], %[[B]]
  // CHECK-NEXT: vit.add %[[B]], %[[B]]
  // CHECK-NEXT: return %[[B]]
  %r = vit.layers 2 (%i, %x = %a) : tensor<?x8xf32> {
    %s = vit.add %x, %b : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
    vit.yield %b : tensor<?x8xf32>
  }
  return %r : tensor<?x8xf32>
}
