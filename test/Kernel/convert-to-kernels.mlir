// RUN: vit-opt %s --vit-convert-to-kernels --split-input-file | FileCheck %s

vit.parameter @w : tensor<4x8xf32>
vit.parameter @b : tensor<4xf32>
// CHECK-LABEL: func.func @linear
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @linear(%x: tensor<?x5x8xf32>) -> tensor<?x5x4xf32> {
  // CHECK: %[[W:.+]] = vit.read @w
  // CHECK: %[[B:.+]] = vit.read @b
  // CHECK: %[[G:.+]] = kernel.gemm %[[X]], %[[W]] {
  // CHECK-NEXT: ^bb0(%[[ACC:.+]]: f32):
  // CHECK-NEXT:   kernel.yield %[[ACC]]
  // CHECK: %[[Y:.+]] = kernel.map %[[G]] extras(%[[B]] : tensor<4xf32>) {
  // CHECK-NEXT: ^bb0(%[[E:.+]]: f32, %[[BIAS:.+]]: f32):
  // CHECK-NEXT:   %[[S:.+]] = arith.addf %[[E]], %[[BIAS]]
  // CHECK-NEXT:   kernel.yield %[[S]]
  // CHECK: return %[[Y]]
  %w = vit.read @w : tensor<4x8xf32>
  %b = vit.read @b : tensor<4xf32>
  %y = vit.linear %x, %w, %b : (tensor<?x5x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return %y : tensor<?x5x4xf32>
}

// -----

vit.parameter @scale : tensor<4xf32>
vit.parameter @bias : tensor<4xf32>
// The scale and bias of one group apply to all groups.
// CHECK-LABEL: func.func @group_norm
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>
func.func @group_norm(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[S:.+]] = vit.read @scale
  // CHECK: %[[B:.+]] = vit.read @bias
  // CHECK: %[[SS:.+]] = kernel.derive %[[S]], %[[S]] : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  // CHECK: %[[BB:.+]] = kernel.derive %[[B]], %[[B]]
  // CHECK: kernel.rows normalize %[[X]] extras(%[[SS]], %[[BB]] : tensor<8xf32>, tensor<8xf32>) epsilon {{.+}} groups 2 {
  // CHECK-NEXT: ^bb0(%[[E:.+]]: f32, %[[SA:.+]]: f32, %[[BA:.+]]: f32):
  // CHECK-NEXT:   %[[M:.+]] = arith.mulf %[[E]], %[[SA]]
  // CHECK-NEXT:   %[[A:.+]] = arith.addf %[[M]], %[[BA]]
  // CHECK-NEXT:   kernel.yield %[[A]]
  %s = vit.read @scale : tensor<4xf32>
  %b = vit.read @bias : tensor<4xf32>
  %y = vit.layer_norm %x scale %s bias %b epsilon 1.0e-06 groups 2 : (tensor<?x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.rows softmax %{{.+}} epsilon 0.000000e+00 {
  %y = vit.softmax %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @gelus
func.func @gelus(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.map
  // CHECK: math.erf
  %0 = vit.gelu erf %x : tensor<?x8xf32>
  // CHECK: kernel.map
  // CHECK: math.tanh
  %1 = vit.gelu tanh %0 : tensor<?x8xf32>
  // CHECK: kernel.map
  // CHECK: math.exp
  // CHECK: arith.divf
  %2 = vit.gelu quick %1 : tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @activations
func.func @activations(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.map
  // CHECK: arith.maximumf
  %0 = vit.relu %x : tensor<?x8xf32>
  // CHECK: kernel.map
  // CHECK: math.exp
  %1 = vit.silu %0 : tensor<?x8xf32>
  // CHECK: kernel.map
  // CHECK: math.tanh
  %2 = vit.tanh %1 : tensor<?x8xf32>
  // CHECK: kernel.map
  // CHECK: arith.constant 5.000000e-01
  // CHECK: arith.mulf
  %3 = vit.scale %2 by 5.0e-01 : tensor<?x8xf32>
  // CHECK-NOT: vit.drop
  %4 = vit.dropout %3 probability 1.0e-01 : tensor<?x8xf32>
  %5 = vit.drop_path %4 probability 1.0e-01 : tensor<?x8xf32>
  // CHECK: return
  return %5 : tensor<?x8xf32>
}

// -----

// If both operands are the same value, the region reads it once.
// CHECK-LABEL: func.func @square
func.func @square(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.map %{{.+}} {
  // CHECK-NEXT: ^bb0(%[[E:.+]]: f32):
  // CHECK-NEXT:   arith.mulf %[[E]], %[[E]]
  %y = vit.mul %x, %x : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Probabilities are computed at their use.
// CHECK-LABEL: func.func @attention
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @attention(%x: tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>) {
  // CHECK: %[[A:[a-z_0-9]+]] = kernel.attention %[[X]], %[[X]], %[[X]] heads 2 head_dim 4 offsets [0, 0, 0] scale 5.000000e-01
  // CHECK-SAME: -> tensor<?x5x8xf32>
  %0, %unused = vit.attention %x, %x, %x heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>)
  // CHECK: %[[R:.+]], %[[P:.+]] = kernel.attention %[[A]], %[[A]], %[[A]]
  // CHECK-SAME: -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>)
  %1, %p = vit.attention %0, %0, %0 heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>)
  // CHECK: return %[[R]], %[[P]]
  return %1, %p : tensor<?x5x8xf32>, tensor<?x2x5x5xf32>
}

// -----

vit.parameter @cls : tensor<1x12xf32>
// CHECK-LABEL: func.func @tokens
// CHECK-SAME:    (%[[I:.+]]: tensor<?x3x4x4xf32>
func.func @tokens(%image: tensor<?x3x4x4xf32>) -> (tensor<?x12xf32>, tensor<?x2x12xf32>, tensor<?x12xf32>) {
  // CHECK: %[[P:.+]] = kernel.patchify %[[I]] patch [2, 2] order hwc
  // CHECK: %[[C:.+]] = vit.read @cls
  // CHECK: %[[X:.+]] = kernel.prepend %[[P]], %[[C]] {
  // CHECK: kernel.take %[[X]] from 0 : {{.*}} -> tensor<?x12xf32>
  // CHECK: kernel.take %[[X]] from 1 : {{.*}} -> tensor<?x2x12xf32>
  // CHECK: kernel.mean %[[X]] from 1
  %p = vit.patchify %image patch [2, 2] order hwc : (tensor<?x3x4x4xf32>) -> tensor<?x4x12xf32>
  %c = vit.read @cls : tensor<1x12xf32>
  %x = vit.prepend_tokens %p, %c : (tensor<?x4x12xf32>, tensor<1x12xf32>) -> tensor<?x5x12xf32>
  %0 = vit.take_tokens %x from 0 : (tensor<?x5x12xf32>) -> tensor<?x12xf32>
  %1 = vit.take_tokens %x from 1 count 2 : (tensor<?x5x12xf32>) -> tensor<?x2x12xf32>
  %2 = vit.mean_tokens %x from 1 : (tensor<?x5x12xf32>) -> tensor<?x12xf32>
  return %0, %1, %2 : tensor<?x12xf32>, tensor<?x2x12xf32>, tensor<?x12xf32>
}

// -----

vit.parameter @p : tensor<1x5x8xf32>
vit.parameter @one : tensor<1xf32>
// Parameters are reshaped to [tokens, width] or [width]; a single number is
// splatted to a vector.
// CHECK-LABEL: func.func @broadcast
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @broadcast(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK: %[[P:.+]] = kernel.derive %{{.+}} : (tensor<1x5x8xf32>) -> tensor<5x8xf32>
  // CHECK: kernel.map %[[X]] extras(%[[P]] : tensor<5x8xf32>)
  // CHECK: %[[S:.+]] = kernel.derive %{{.+}} : (tensor<1xf32>) -> tensor<8xf32>
  // CHECK: kernel.map %{{.+}} extras(%[[S]] : tensor<8xf32>)
  %p = vit.read @p : tensor<1x5x8xf32>
  %one = vit.read @one : tensor<1xf32>
  %0 = vit.add %x, %p : (tensor<?x5x8xf32>, tensor<1x5x8xf32>) -> tensor<?x5x8xf32>
  %1 = vit.mul %one, %0 : (tensor<1xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %1 : tensor<?x5x8xf32>
}

// -----

vit.parameter @a : tensor<5x8xf32>
vit.parameter @b : tensor<8xf32>
// The sum of two parameters moves to the region of its user.
// CHECK-LABEL: func.func @parameters_alone
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @parameters_alone(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  // CHECK: %[[A:.+]] = vit.read @a
  // CHECK: %[[B:.+]] = vit.read @b
  // CHECK-NEXT: kernel.map %[[X]] extras(%[[A]], %[[B]] : tensor<5x8xf32>, tensor<8xf32>) {
  // CHECK-NEXT: ^bb0(%[[E:.+]]: f32, %[[EA:.+]]: f32, %[[EB:.+]]: f32):
  // CHECK-NEXT:   %[[S:.+]] = arith.addf %[[EA]], %[[EB]]
  // CHECK-NEXT:   arith.addf %[[E]], %[[S]]
  %a = vit.read @a : tensor<5x8xf32>
  %b = vit.read @b : tensor<8xf32>
  %s = vit.add %a, %b : (tensor<5x8xf32>, tensor<8xf32>) -> tensor<5x8xf32>
  %y = vit.add %x, %s : (tensor<?x5x8xf32>, tensor<5x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

vit.parameter @table : tensor<5x8xf32>
// CHECK-LABEL: func.func @resample
func.func @resample(%x: tensor<?x10x8xf32>) -> tensor<?x10x8xf32> {
  // CHECK: %[[T:.+]] = vit.read @table
  // CHECK: %[[R:.+]] = kernel.resample %[[T]] from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  // CHECK: kernel.map %{{.+}} extras(%[[R]] : tensor<10x8xf32>)
  %t = vit.read @table : tensor<5x8xf32>
  %r = vit.resample_positions %t from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  %y = vit.add %x, %r : (tensor<?x10x8xf32>, tensor<10x8xf32>) -> tensor<?x10x8xf32>
  return %y : tensor<?x10x8xf32>
}

// -----

// Rows (y, x) = (0, 0) and (0, 1): sin x, cos x, sin y, cos y at frequencies 1
// and 1/100.
// CHECK-LABEL: func.func @sincos
func.func @sincos(%x: tensor<?x2x8xf32>) -> tensor<?x2x8xf32> {
  // CHECK: %[[T:.+]] = arith.constant dense<{{\[\[}}0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00, 0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00], [0.841470957, 0.00999983306, 0.540302277, 0.999949991, 0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00]]>
  // CHECK: kernel.map %{{.+}} extras(%[[T]] : tensor<2x8xf32>)
  %t = vit.sincos_positions grid [1, 2] width 8 temperature 1.0e+02 : tensor<2x8xf32>
  %y = vit.add %x, %t : (tensor<?x2x8xf32>, tensor<2x8xf32>) -> tensor<?x2x8xf32>
  return %y : tensor<?x2x8xf32>
}
