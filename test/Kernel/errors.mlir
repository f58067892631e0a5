// RUN: vit-opt %s -p 'builtin.module(func.func(vit-convert-to-kernels,vit-tile,vit-layout))' --split-input-file --verify-diagnostics

func.func @layers(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{has no kernel; run vit-unroll-layers first}}
  %y = vit.layers 2 (%i, %a = %x) : tensor<?x8xf32> {
    vit.yield %a : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}

// -----

func.func @output(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = vit.relu %x : tensor<?x8xf32>
  // expected-error @+1 {{has no kernel; run vit-select-outputs first}}
  vit.output "hidden" = %y : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

vit.parameter @w : tensor<8x8xf32>
func.func @weight(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %v = vit.read @w : tensor<8x8xf32>
  %w = vit.scale %v by 2.0 : tensor<8x8xf32>
  // expected-error @+1 {{has no kernel where the weight is not a parameter}}
  %y = vit.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{argument 1 of 'argument' is 'tensor<8x8xf32>'; an entry's arguments are tensors whose first dimension, `?`, is the batch}}
func.func @argument(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %y = vit.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

vit.parameter @p : tensor<5x1xf32>
func.func @broadcast_parameter(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  %p = vit.read @p : tensor<5x1xf32>
  // expected-error @+1 {{has no kernel that broadcasts the parameter 'tensor<5x1xf32>' to 'tensor<?x5x8xf32>'; use [width] or [tokens, width]}}
  %y = vit.add %x, %p : (tensor<?x5x8xf32>, tensor<5x1xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

func.func @broadcast_activation(%x: tensor<?x5x8xf32>, %z: tensor<?x1x8xf32>) -> tensor<?x5x8xf32> {
  // expected-error @+1 {{has no kernel that broadcasts 'tensor<?x1x8xf32>' to 'tensor<?x5x8xf32>'}}
  %y = vit.add %x, %z : (tensor<?x5x8xf32>, tensor<?x1x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

func.func @outer_sum(%x: tensor<?x1x8xf32>, %z: tensor<?x5x1xf32>) -> tensor<?x5x8xf32> {
  // expected-error @+1 {{has no kernel that broadcasts both operands to 'tensor<?x5x8xf32>'}}
  %y = vit.add %x, %z : (tensor<?x1x8xf32>, tensor<?x5x1xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

func.func @rank(%x: tensor<?x5x8xf32>) -> tensor<?x2x5x5xf32> {
  %y, %p = vit.attention %x, %x, %x heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>)
  // expected-error @+1 {{has no kernel for rank 4; use [batch, tokens, width] or [batch, width]}}
  %q = vit.scale %p by 2.0 : tensor<?x2x5x5xf32>
  return %q : tensor<?x2x5x5xf32>
}

// -----

func.func @widths(%x: tensor<?x5x8xf32>, %v: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  // expected-error @+1 {{has no kernel for keys of width 8 and values of width 4; make them equal}}
  %y = vit.attention %x, %x, %v heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %y : tensor<?x5x4xf32>
}

// -----

vit.parameter @p : tensor<5x8xf32>
func.func @parameters_alone(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  %p = vit.read @p : tensor<5x8xf32>
  // expected-error @+1 {{has no kernel on parameters alone; give it a value that has a batch}}
  %n = vit.layer_norm %p epsilon 1.0e-06 : (tensor<5x8xf32>) -> tensor<5x8xf32>
  %y = vit.add %x, %n : (tensor<?x5x8xf32>, tensor<5x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

vit.parameter @p : tensor<1x8xf32>
func.func @repeated_sum(%x: tensor<?x4x8xf32>) -> tensor<?x1x8xf32> {
  %p = vit.read @p : tensor<1x8xf32>
  %s = vit.add %p, %p : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  // expected-error @+1 {{'vit.repeat_tokens' op has no kernel where the tokens are not a parameter}}
  %y = vit.repeat_tokens %s for %x : (tensor<1x8xf32>, tensor<?x4x8xf32>) -> tensor<?x1x8xf32>
  return %y : tensor<?x1x8xf32>
}

// -----

vit.parameter @p : tensor<1x8xf32>
func.func @sum_of_tokens(%x: tensor<?x4x8xf32>) -> tensor<?x5x8xf32> {
  %p = vit.read @p : tensor<1x8xf32>
  %s = vit.add %p, %p : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  // expected-error @+1 {{has no kernel where the tokens are not a parameter}}
  %y = vit.prepend_tokens %x, %s : (tensor<?x4x8xf32>, tensor<1x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

vit.parameter @p : tensor<5x8xf32>
func.func @resample(%x: tensor<?x10x8xf32>) -> tensor<?x10x8xf32> {
  %p = vit.read @p : tensor<5x8xf32>
  %s = vit.scale %p by 2.0 : tensor<5x8xf32>
  // expected-error @+1 {{can only resample a parameter}}
  %r = vit.resample_positions %s from [2, 2] to [3, 3] prefix 1 : (tensor<5x8xf32>) -> tensor<10x8xf32>
  %y = vit.add %x, %r : (tensor<?x10x8xf32>, tensor<10x8xf32>) -> tensor<?x10x8xf32>
  return %y : tensor<?x10x8xf32>
}

// -----

vit.parameter @p : tensor<5x8xf32>
// expected-error @+1 {{result 0 is a parameter; return a value that has a batch}}
func.func @return_parameter(%x: tensor<?x8xf32>) -> tensor<5x8xf32> {
  %p = vit.read @p : tensor<5x8xf32>
  return %p : tensor<5x8xf32>
}

// -----

// expected-error @+1 {{'nothing' computes nothing; return a value that its kernels make}}
func.func @nothing(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{result 1 of 'return_argument' is an argument; return computed values, each once}}
func.func @return_argument(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %y = vit.relu %x : tensor<?x8xf32>
  return %y, %x : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

func.func @precision(%x: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  // expected-error @+1 {{has no kernel for 'bf16'; use f32}}
  %y = vit.relu %x : tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}
