// RUN: vit-opt %s -split-input-file -verify-diagnostics
// Functions are named after the constraint that they violate.

// expected-error @+1 {{C1: layer -2 cannot be}}
module attributes {a = #kernel.variable<@w, layer = -2>} {}

// -----

// expected-error @+1 {{C1: layer 0 at byte 32 cannot be; offsets are multiples of 64}}
module attributes {a = #kernel.placed<@w, offset = 32, layer = 0>} {}

// -----

// expected-error @+1 {{C1: bytes are not negative, but -64}}
module attributes {a = #kernel.arena<"parameters", bytes = -64, []>} {}

// -----

// expected-error @+1 {{C2: an arena is rounded to bf16, not 'f16'}}
module attributes {a = #kernel.arena<"parameters", bytes = 64, rounded = f16, []>} {}

// -----

func.func @arena_c1() {
  // expected-error @+1 {{C1: 'tensor<16xf32>' at element 8 is no range of an arena}}
  %0 = kernel.arena "exp_avg" at 8 : tensor<16xf32>
  return
}

// -----

func.func @arena_c1_rank() {
  // expected-error @+1 {{C1: 'tensor<4x4xf32>' at element 0 is no range of an arena}}
  %0 = kernel.arena "exp_avg" at 0 : tensor<4x4xf32>
  return
}

// -----

func.func @arena_c1_type() {
  // expected-error @+1 {{C1: 'tensor<16xi32>' at element 0 is no range of an arena}}
  %0 = kernel.arena "exp_avg" at 0 : tensor<16xi32>
  return
}

// -----

func.func @pack_c1_shape(%a: tensor<2x4xf32>, %b: tensor<2x5xf32>) {
  // expected-error @+1 {{C1: source 'tensor<2x5xf32>' must agree with 'tensor<4x4xf32>' in all but the first dimension}}
  %0 = kernel.pack %a, %b : (tensor<2x4xf32>, tensor<2x5xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @pack_c1_rows(%a: tensor<2x4xf32>) {
  // expected-error @+1 {{C1: the sources have 4 rows, the result 5}}
  %0 = kernel.pack %a, %a : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @pack_c1_elements(%a: tensor<2x4xf32>) {
  // expected-error @+1 {{C1: the source 'tensor<2x4xf32>' must have the result's 9 elements, or one}}
  %0 = kernel.pack %a : (tensor<2x4xf32>) -> tensor<9xf32>
  return
}

// -----

func.func @concat_c1_size(%a: tensor<2x4xf32>, %b: tensor<17xf32>) {
  // expected-error @+1 {{C1: the operands take 48 elements, the result is 'tensor<25xf32>'}}
  %0 = kernel.concat %a, %b : (tensor<2x4xf32>, tensor<17xf32>) -> tensor<25xf32>
  return
}

// -----

func.func @concat_c1_batch(%a: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: operand 'tensor<?x4xf32>' has no known size}}
  %0 = kernel.concat %a : (tensor<?x4xf32>) -> tensor<16xf32>
  return
}

// -----

func.func @all_reduce_c1(%a: tensor<4xf32>, %b: tensor<4xf32, #kernel.channels<>>) {
  // expected-error @+1 {{C1: gradient, sum and result must have one type}}
  %0 = kernel.all_reduce %a onto %b : (tensor<4xf32>, tensor<4xf32, #kernel.channels<>>) -> tensor<4xf32>
  return
}

// -----

func.func @norm_c1(%a: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: operand 'tensor<?x4xf32>' has no known size}}
  %0 = kernel.norm %a max_norm 1.0 : (tensor<?x4xf32>) -> tensor<f32>
  return
}

// -----

func.func @norm_c1_result(%a: tensor<4xf32>) {
  // expected-error @+1 {{C1: operands of known size make a number, but the result is 'tensor<1xf32>'}}
  %0 = kernel.norm %a max_norm 1.0 : (tensor<4xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @norm_c2(%a: tensor<4xf32>) {
  // expected-error @+1 {{C2: max_norm must be positive}}
  %0 = kernel.norm %a max_norm 0.0 : (tensor<4xf32>) -> tensor<f32>
  return
}

// -----

func.func @update_c1_none(%g: tensor<4xf32>) {
  // expected-error @+1 {{C1: there must be parameters}}
  kernel.update "assign" [] gradient(%g : tensor<4xf32>) {
  ^bb0(%p: f32, %d: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c1_states(%g: tensor<4xf32>) {
  // expected-error @+1 {{C1: there must be parameters and, in each list of states, as many variables}}
  kernel.update "sgd" [#kernel.variable<@w>, #kernel.variable<@b>] states [[#kernel.variable<@m>]] gradient(%g : tensor<4xf32>) {
  ^bb0(%p: f32, %m: f32, %d: f32):
    kernel.yield %d, %m : f32, f32
  }
  return
}

// -----

func.func @update_c2_guard(%g: tensor<4xf32>, %loss: tensor<1xf32>) {
  // expected-error @+1 {{C2: 'tensor<1xf32>' must have rank 0}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) guard(%loss : tensor<1xf32>) {
  ^bb0(%p: f32, %d: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c2_scalar(%g: tensor<4xf32>, %step: tensor<i64>) {
  // expected-error @+1 {{C2: 'tensor<i64>' must be one f32 or i32}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) scalars(%step : tensor<i64>) {
  ^bb0(%p: f32, %d: f32, %s: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c3_integer(%g: tensor<4xf32>, %step: tensor<i32>) {
  // expected-error @+1 {{C3: 'tensor<i32>' needs a prologue}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) scalars(%step : tensor<i32>) {
  ^bb0(%p: f32, %d: f32, %s: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c3_takes(%g: tensor<4xf32>, %step: tensor<i32>, %rate: tensor<f32>) {
  // expected-error @+1 {{C3: the prologue must take 'i32', 'f64'}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) scalars(%step, %rate : tensor<i32>, tensor<f32>) prologue {
  ^bb0(%s: i32, %r: f32):
    %c = kernel.bias_correction %s beta 0.5 : f64
    kernel.yield %c : f64
  } {
  ^bb0(%p: f32, %d: f32, %c: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c3_yields(%g: tensor<4xf32>, %rate: tensor<f32>) {
  // expected-error @+1 {{C3: the prologue must yield f64}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) scalars(%rate : tensor<f32>) prologue {
  ^bb0(%r: f64):
    %c = arith.truncf %r : f64 to f32
    kernel.yield %c : f32
  } {
  ^bb0(%p: f32, %d: f32, %c: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c4_takes(%g: tensor<4xf32>, %rate: tensor<f32>) {
  // expected-error @+1 {{C4: the body must take 4 f32 and yield 2, but takes 3 and yields 2}}
  kernel.update "sgd" [#kernel.variable<@w>] states [[#kernel.variable<@m>]] gradient(%g : tensor<4xf32>) scalars(%rate : tensor<f32>) {
  ^bb0(%p: f32, %m: f32, %d: f32):
    kernel.yield %d, %m : f32, f32
  }
  return
}

// -----

func.func @update_c4_yields(%g: tensor<4xf32>) {
  // expected-error @+1 {{C4: the body must take 3 f32 and yield 2, but takes 3 and yields 1}}
  kernel.update "sgd" [#kernel.variable<@w>] states [[#kernel.variable<@m>]] gradient(%g : tensor<4xf32>) {
  ^bb0(%p: f32, %m: f32, %d: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @update_c5(%g: tensor<4xf32>) {
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) {
  ^bb0(%p: f32, %d: f32):
    // expected-error @+1 {{is not allowed in a kernel's region (C5)}}
    func.call @f() : () -> ()
    kernel.yield %d : f32
  }
  return
}
func.func private @f()

// -----

func.func @bias_correction_c1(%g: tensor<4xf32>, %step: tensor<i32>) {
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<4xf32>) scalars(%step : tensor<i32>) prologue {
  ^bb0(%s: i32):
    // expected-error @+1 {{C1: beta must lie in [0, 1)}}
    %c = kernel.bias_correction %s beta 1.0 : f64
    kernel.yield %c : f64
  } {
  ^bb0(%p: f32, %d: f32, %c: f32):
    kernel.yield %d : f32
  }
  return
}

// -----

func.func @weight_gradient_c1(%dy: tensor<?x5x4xf32>, %x: tensor<?x6x3xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x5x4xf32>' and 'tensor<?x6x3xf32>' are not of the same rows}}
  %0 = kernel.weight_gradient %dy, %x : (tensor<?x5x4xf32>, tensor<?x6x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @weight_gradient_c2(%dy: tensor<?x5x4xf32>, %x: tensor<?x5x3xf32>) {
  // expected-error @+1 {{C2: the results must be [4, 3] and [4], not 'tensor<3x4xf32>'}}
  %0 = kernel.weight_gradient %dy, %x : (tensor<?x5x4xf32>, tensor<?x5x3xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @weight_gradient_c2_bias(%dy: tensor<?x4xf32>, %x: tensor<?x3xf32>) {
  // expected-error @+1 {{C2: the results must be [4, 3] and [4]}}
  %0, %1 = kernel.weight_gradient %dy, %x : (tensor<?x4xf32>, tensor<?x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @gemm_c2_transposed(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C2:}}
  %0 = kernel.gemm %x, %w transposed {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @sum_c1_tokens(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: tokens does not make 'tensor<?x5xf32>' of 'tensor<?x5x4xf32>'}}
  %0 = kernel.sum tokens %x : (tensor<?x5x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @sum_c1_batch(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: batch does not make 'tensor<4xf32>' of 'tensor<?x5x4xf32>'}}
  %0 = kernel.sum batch %x : (tensor<?x5x4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @sum_c1_all(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: all does not make 'tensor<4xf32>' of 'tensor<?x4xf32>'}}
  %0 = kernel.sum all %x : (tensor<?x4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @sum_c1_groups(%x: tensor<12xf32>) {
  // expected-error @+1 {{C1: groups does not make 'tensor<5xf32>' of 'tensor<12xf32>'}}
  %0 = kernel.sum groups %x : (tensor<12xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @normalize_backward_c1(%dy: tensor<?x5x4xf32>, %x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: gradient, input and first result must have one shape whose width the groups divide and the scale has}}
  %0 = kernel.normalize_backward %dy, %x epsilon 1.0e-6 groups 3 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>)
  return
}

// -----

func.func @normalize_backward_c1_scale(%dy: tensor<?x4xf32>, %x: tensor<?x4xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C1: gradient, input and first result}}
  %0 = kernel.normalize_backward %dy, %x scale(%s : tensor<2xf32>) epsilon 1.0e-6 groups 2 : (tensor<?x4xf32>, tensor<?x4xf32>) -> (tensor<?x4xf32>)
  return
}

// -----

func.func @normalize_backward_c1_plus(%dy: tensor<?x5x4xf32>, %x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: gradient, input and first result}}
  %0 = kernel.normalize_backward %dy, %dy plus(%x : tensor<?x4xf32>) epsilon 1.0e-6 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>)
  return
}

// -----

func.func @normalize_backward_c2(%dy: tensor<?x5x4xf32>, %x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C2: one result or three, the others [batch, 4]}}
  %0:2 = kernel.normalize_backward %dy, %x epsilon 1.0e-6 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @softmax_backward_c1(%dy: tensor<?x5xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: gradient, output and result must have one shape of rank 2 or 3}}
  %0 = kernel.softmax_backward %dy, %y : (tensor<?x5xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @attention_backward_c1(%dy: tensor<?x5x8xf32>, %q: tensor<?x5x8xf32>) {
  // expected-error @+1 {{C1: 2 heads of 4 channels from 4 on do not lie in 'tensor<?x5x8xf32>'}}
  %0, %1, %2 = kernel.attention_backward %dy, %q, %q, %q heads 2 head_dim 4 offsets [0, 4, 0] scale 0.5
      : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>)
  return
}

// -----

func.func @attention_backward_c1_tokens(%dy: tensor<?x5x8xf32>, %q: tensor<?x5x8xf32>, %v: tensor<?x6x8xf32>) {
  // expected-error @+1 {{C1: key and value must have the same tokens}}
  %0, %1, %2 = kernel.attention_backward %dy, %q, %q, %v heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5
      : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x6x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x6x8xf32>)
  return
}

// -----

func.func @attention_backward_c2(%dy: tensor<?x6x8xf32>, %q: tensor<?x5x8xf32>) {
  // expected-error @+1 {{C2: gradient and results must be [batch, tokens, 8], but the gradient is 'tensor<?x6x8xf32>'}}
  %0, %1, %2 = kernel.attention_backward %dy, %q, %q, %q heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5
      : (tensor<?x6x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>)
  return
}

// -----

func.func @place_c1(%x: tensor<?x3x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x3x4xf32>' at token 3 does not lie in 'tensor<?x5x4xf32>'}}
  %0 = kernel.place %x at 3 : (tensor<?x3x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @spread_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x4xf32>' is not spread to 'tensor<?x5x4xf32>' from token 5}}
  %0 = kernel.spread %x from 5 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @dropout_c1(%x: tensor<?x4xf32>, %seed: tensor<3xi32>, %step: tensor<i32>) {
  // expected-error @+1 {{C1: the result has the input's shape, the seed is two i32 and the step one, but they are 'tensor<3xi32>' and 'tensor<i32>'}}
  %0 = kernel.dropout %x, %seed, %step probability 0.5 stream 7 unit element : (tensor<?x4xf32>, tensor<3xi32>, tensor<i32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @dropout_c2(%x: tensor<?x4xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) {
  // expected-error @+1 {{C2: the probability must lie in [0, 1)}}
  %0 = kernel.dropout %x, %seed, %step probability 1.0 stream 7 unit image : (tensor<?x4xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @loss_c1(%x: tensor<?x4xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C1: the input must be [batch, classes] and the targets i32 [batch] or like it, but they are 'tensor<?x4xf32>' and 'tensor<?xi32>'}}
  %0 = kernel.loss mse %x, %t : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<f32>
  return
}

// -----

func.func @loss_c2(%x: tensor<?x4xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C2: the result must be one i32, not 'tensor<f32>'}}
  %0 = kernel.loss accuracy %x, %t : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<f32>
  return
}

// -----

func.func @loss_backward_c1(%g: tensor<1xf32>, %x: tensor<?x4xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C1: the gradient must have rank 0, not be 'tensor<1xf32>'}}
  %0 = kernel.loss_backward cross_entropy %g, %x, %t : (tensor<1xf32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @loss_backward_c1_targets(%g: tensor<f32>, %x: tensor<?x4xf32>, %t: tensor<?x5xf32>) {
  // expected-error @+1 {{C1: the input must be [batch, classes] and the targets i32 [batch] or like it}}
  %0 = kernel.loss_backward cross_entropy %g, %x, %t : (tensor<f32>, tensor<?x4xf32>, tensor<?x5xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @loss_backward_c2(%g: tensor<f32>, %x: tensor<?x4xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C2: the result must have the input's shape, and the loss a gradient}}
  %0 = kernel.loss_backward accuracy %g, %x, %t : (tensor<f32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @concat_c2(%a: tensor<4xf32>) -> tensor<16xf32> {
  // expected-error @+1 {{C2: one result has one slot, not 2}}
  %0 = kernel.concat %a slots [0, 1] : (tensor<4xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

func.func @grid_product_c1(%t: tensor<5x8xf32>, %r: tensor<3x2xf32>, %c: tensor<4x2xf32>) {
  // expected-error @+1 {{C1: 'tensor<5x8xf32>' to 'tensor<12x8xf32>' is not [1 + 2*2, width] to [1 + 3*4, width]}}
  %g = kernel.grid_product %t rows %r columns %c prefix 1 suffix 0 reach [1, 1] : (tensor<5x8xf32>, tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<12x8xf32>
  return
}

// -----

func.func @grid_product_c2(%t: tensor<5x8xf32>, %r: tensor<3x2xf32>, %c: tensor<4x2xf32>) {
  // expected-error @+1 {{C2: reach must be two numbers, and none of them, prefix and suffix negative}}
  %g = kernel.grid_product %t rows %r columns %c prefix 1 suffix 0 reach [1] : (tensor<5x8xf32>, tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<13x8xf32>
  return
}

// -----

func.func @weight_gradient_c3(%dy: tensor<?x5x8xbf16>, %x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C3: the operands must be f32 or bf16 and the result f32}}
  %0 = kernel.weight_gradient %dy, %x : (tensor<?x5x8xbf16>, tensor<?x5x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @attention_backward_c4(%dy: tensor<?x5x8xf32>, %q: tensor<?x5x8xbf16>) {
  // expected-error @+1 {{C4: gradient, query, key and value must have one element type}}
  %0, %1, %2 = kernel.attention_backward %dy, %q, %q, %q heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5
      : (tensor<?x5x8xf32>, tensor<?x5x8xbf16>, tensor<?x5x8xbf16>, tensor<?x5x8xbf16>) -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>)
  return
}

// -----

func.func @attention_backward_c4_result(%q: tensor<?x5x8xf32>) {
  // expected-error @+1 {{C4: a result must be f32 or of the operands' type}}
  %0, %1, %2 = kernel.attention_backward %q, %q, %q, %q heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5
      : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xbf16>, tensor<?x5x8xf32>, tensor<?x5x8xf32>)
  return
}

// -----

func.func @weight_gradient_c4(%dy: tensor<?x5x4xbf16>) {
  // expected-error @+1 {{'kernel.weight_gradient' op C4: tf32 requires operands of f32, not 'tensor<?x5x4xbf16>'}}
  %0 = kernel.weight_gradient %dy, %dy tf32 : (tensor<?x5x4xbf16>, tensor<?x5x4xbf16>) -> tensor<4x4xf32>
  return
}

// -----

func.func @attention_backward_c5(%x: tensor<?x5x8xbf16>) {
  // expected-error @+1 {{'kernel.attention_backward' op C5: tf32 requires operands of f32, not 'tensor<?x5x8xbf16>'}}
  %0, %1, %2 = kernel.attention_backward %x, %x, %x, %x heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 tf32
      : (tensor<?x5x8xbf16>, tensor<?x5x8xbf16>, tensor<?x5x8xbf16>, tensor<?x5x8xbf16>)
      -> (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>)
  return
}
