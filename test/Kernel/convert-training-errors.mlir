// RUN: vit-opt %s -split-input-file -verify-diagnostics --vit-convert-to-kernels

func.func @unpatchify(%x: tensor<?x4x48xf32>) -> tensor<?x3x8x8xf32> {
  // expected-error @+1 {{has no kernel: freeze what lies before the patches}}
  %0 = vit.unpatchify %x patch [4, 4] order chw : (tensor<?x4x48xf32>) -> tensor<?x3x8x8xf32>
  return %0 : tensor<?x3x8x8xf32>
}

// -----

func.func @sum(%d: tensor<?x5x4xf32>) -> tensor<5x1xf32> {
  // expected-error @+1 {{has no kernel that sums 'tensor<?x5x4xf32>' to 'tensor<5x1xf32>'; what is broadcast must be [width], [tokens, width] or one number}}
  %0 = vit.sum_to %d : (tensor<?x5x4xf32>) -> tensor<5x1xf32>
  return %0 : tensor<5x1xf32>
}

// -----

func.func @heads(%dy: tensor<?x5x8xf32>, %q: tensor<?x5x4xf32>, %v: tensor<?x5x8xf32>) -> tensor<?x5x4xf32> {
  // expected-error @+1 {{has no kernel for keys of width 4 and values of width 8; make them equal}}
  %0, %1, %2 = vit.attention_backward %dy, %q, %q, %v heads 2 scale 0.5
      : (tensor<?x5x8xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x8xf32>)
  return %0 : tensor<?x5x4xf32>
}

// -----

func.func @type(%x: tensor<?x4xbf16>, %t: tensor<?xi32>) -> tensor<f32> {
  // expected-error @+1 {{has no kernel for 'bf16'; use f32}}
  %0 = vit.cross_entropy %x, %t : (tensor<?x4xbf16>, tensor<?xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

func.func @rank(%x: tensor<?x3x4xf32>, %t: tensor<?x3x4xf32>) -> tensor<f32> {
  // expected-error @+1 {{has no kernel for 'tensor<?x3x4xf32>'; use [batch, classes]}}
  %0 = vit.mse %x, %t : (tensor<?x3x4xf32>, tensor<?x3x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

vit.state @random_seed role "random_seed" : tensor<2xi32>
func.func @seed(%x: tensor<?x3x4xf32>) -> tensor<?x3x4xf32> {
  %0 = arith.constant dense<[1, 2]> : tensor<2xi32>
  // expected-error @+1 {{has no kernel for 'i32'; use f32}}
  vit.write @random_seed, %0 : tensor<2xi32>
  return %x : tensor<?x3x4xf32>
}

// -----

vit.parameter @b : tensor<4xf32>
func.func @parameters(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %b = vit.read @b : tensor<4xf32>
  // expected-error @+1 {{of parameters alone has no kernel; kernel.update needs it as a value}}
  %0 = vit.scale %b by 0.5 : tensor<4xf32>
  vit.write @b, %0 : tensor<4xf32>
  return %x : tensor<?x4xf32>
}

// -----

func.func @broadcast(%d: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.sum_to %d : (tensor<?x4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{has no kernel that broadcasts 'tensor<4xf32>' to 'tensor<?x4xf32>'}}
  %1 = vit.add %d, %0 : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{argument 1 of 'argument' is 'tensor<4xf32>'; an entry's arguments are tensors whose first dimension, `?`, is the batch, and single numbers}}
func.func @argument(%x: tensor<?x4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
