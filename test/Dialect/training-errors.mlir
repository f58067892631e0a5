// RUN: vit-opt %s -split-input-file -verify-diagnostics
// Functions are named after the constraint that they violate.

func.func @linear_input_gradient_c1(%d: tensor<?x5x6xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{'vit.linear_input_gradient' op C1: the weight must be [6, in], not 'tensor<4x6xf32>'}}
  %0 = vit.linear_input_gradient %d, %w : (tensor<?x5x6xf32>, tensor<4x6xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_input_gradient_c2(%d: tensor<6xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C2: the gradient must be [batch, out] or [batch, tokens, out], not 'tensor<6xf32>'}}
  %0 = vit.linear_input_gradient %d, %w : (tensor<6xf32>, tensor<6x4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @linear_input_gradient_result(%d: tensor<?x6xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{the result must be 'tensor<?x4xf32>', not 'tensor<?x5xf32>'}}
  %0 = vit.linear_input_gradient %d, %w : (tensor<?x6xf32>, tensor<6x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @linear_weight_gradient_c1(%d: tensor<?x5x6xf32>, %x: tensor<?x3x4xf32>) {
  // expected-error @+1 {{C1: gradient and input must have the same rows and known widths, not 'tensor<?x5x6xf32>' and 'tensor<?x3x4xf32>'}}
  %0 = vit.linear_weight_gradient %d, %x : (tensor<?x5x6xf32>, tensor<?x3x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @sum_to_c1_size(%d: tensor<?x5x6xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x5x6xf32>' cannot be summed to 'tensor<5xf32>': from the last dimension on, sizes must be equal, or 1, or missing}}
  %0 = vit.sum_to %d : (tensor<?x5x6xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @sum_to_c1_rank(%d: tensor<6xf32>) {
  // expected-error @+1 {{cannot be summed to 'tensor<1x6xf32>'}}
  %0 = vit.sum_to %d : (tensor<6xf32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @layer_norm_backward_c1(%d: tensor<?x5xf32>, %x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: gradient, input and the input's gradient must have one type, not 'tensor<?x5xf32>', 'tensor<?x4xf32>' and 'tensor<?x4xf32>'}}
  %0:3 = vit.layer_norm_backward %d, %x epsilon 1.0e-5 : (tensor<?x5xf32>, tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_backward_c1_groups(%d: tensor<?x4xf32>, %x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: 3 groups do not divide the width of 'tensor<?x4xf32>'}}
  %0:3 = vit.layer_norm_backward %d, %x epsilon 1.0e-5 groups 3 : (tensor<?x4xf32>, tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_backward_c2(%d: tensor<?x4xf32>, %x: tensor<?x4xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C2: the scale must be 'tensor<4xf32>', not 'tensor<2xf32>'}}
  %0:3 = vit.layer_norm_backward %d, %x scale %s epsilon 1.0e-5 : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<2xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_backward_c3(%d: tensor<?x4xf32>, %x: tensor<?x4xf32>) {
  // expected-error @+1 {{C3: epsilon must be positive}}
  %0:3 = vit.layer_norm_backward %d, %x epsilon 0.0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @attention_backward_c1(%d: tensor<?x3x4xf32>, %q: tensor<?x3x4xf32>, %k: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: query, key and value must be [batch, tokens, width] with widths that 3 heads divide}}
  %0:3 = vit.attention_backward %d, %q, %k, %k heads 3 scale 0.5 : (tensor<?x3x4xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>)
  return
}

// -----

func.func @attention_backward_c2(%d: tensor<?x3x4xf32>, %q: tensor<?x3x4xf32>, %k: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C2: the gradient must be 'tensor<?x3x4xf32>', not 'tensor<?x5x4xf32>'}}
  %0:3 = vit.attention_backward %k, %q, %k, %k heads 2 scale 0.5 : (tensor<?x5x4xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>)
  return
}

// -----

func.func @attention_backward_c3(%d: tensor<?x3x4xf32>, %q: tensor<?x3x4xf32>, %k: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C3: the results must have the types of query, key, value and bias}}
  %0:3 = vit.attention_backward %d, %q, %k, %k heads 2 scale 0.5 : (tensor<?x3x4xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>)
  return
}

// -----

func.func @place_tokens_c1(%d: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: [batch, count, width] or [batch, width] becomes [batch, tokens, width], not 'tensor<?x4xf32>' 'tensor<?x5x3xf32>'}}
  %0 = vit.place_tokens %d at 0 : (tensor<?x4xf32>) -> tensor<?x5x3xf32>
  return
}

// -----

func.func @place_tokens_c2(%d: tensor<?x2x4xf32>) {
  // expected-error @+1 {{C2: 2 tokens at 4 do not fit into 5}}
  %0 = vit.place_tokens %d at 4 : (tensor<?x2x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @spread_tokens_c1(%d: tensor<?x2x4xf32>) {
  // expected-error @+1 {{C1: [batch, width] becomes [batch, tokens, width], not 'tensor<?x2x4xf32>' 'tensor<?x5x4xf32>'}}
  %0 = vit.spread_tokens %d from 0 : (tensor<?x2x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @spread_tokens_c2(%d: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: there is no token from 5 on among 5}}
  %0 = vit.spread_tokens %d from 5 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @take_channels_c1(%x: tensor<?x?xf32>) {
  // expected-error @+1 {{C1: the input must be [batch, width] or [batch, tokens, width] with a known width, not 'tensor<?x?xf32>'}}
  %0 = vit.take_channels %x from 0 count 4 : (tensor<?x?xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @take_channels_c2(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C2: there are no 4 channels from 5 on in a width of 8}}
  %0 = vit.take_channels %x from 5 count 4 : (tensor<?x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @unpatchify_c1(%d: tensor<?x4x24xf32>) {
  // expected-error @+1 {{C1: patches of [4, 4] of 'tensor<?x3x4x8xf32>' are not 'tensor<?x4x24xf32>'}}
  %0 = vit.unpatchify %d patch [4, 4] order chw : (tensor<?x4x24xf32>) -> tensor<?x3x4x8xf32>
  return
}

// -----

func.func @resample_positions_backward_c1(%d: tensor<9x8xf32>) {
  // expected-error @+1 {{C1: the gradient must be [1 + 3*3, width], not 'tensor<9x8xf32>'}}
  %0 = vit.resample_positions_backward %d from [2, 2] to [3, 3] prefix 1 : (tensor<9x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @resample_positions_backward_c2(%d: tensor<9x8xf32>) {
  // expected-error @+1 {{C2: both grids must be two positive numbers, [rows, columns]}}
  %0 = vit.resample_positions_backward %d from [2] to [3, 3] prefix 0 : (tensor<9x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @cross_entropy_c1(%x: tensor<?x?xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C1: the logits must be [batch, classes] with known classes, not 'tensor<?x?xf32>'}}
  %0 = vit.cross_entropy %x, %t : (tensor<?x?xf32>, tensor<?xi32>) -> tensor<f32>
  return
}

// -----

func.func @cross_entropy_c2(%x: tensor<?x10xf32>, %t: tensor<?x3xf32>) {
  // expected-error @+1 {{C2: the targets must be one i32 label per image or of the logits' type, not 'tensor<?x3xf32>'}}
  %0 = vit.cross_entropy %x, %t : (tensor<?x10xf32>, tensor<?x3xf32>) -> tensor<f32>
  return
}

// -----

func.func @cross_entropy_c3(%x: tensor<?x10xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C3: the smoothing 1.000000e+00 must be at least 0 and below 1}}
  %0 = vit.cross_entropy %x, %t smoothing 1.0 : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<f32>
  return
}

// -----

func.func @cross_entropy_backward_c1(%d: tensor<f32>, %x: tensor<?x10xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C1: the result must have the logits' type, not 'tensor<?x9xf32>'}}
  %0 = vit.cross_entropy_backward %d, %x, %t : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @cross_entropy_backward_c2(%d: tensor<f32>, %x: tensor<?x10xf32>, %t: tensor<2xi32>) {
  // expected-error @+1 {{C2: the targets must be one i32 label per image}}
  %0 = vit.cross_entropy_backward %d, %x, %t : (tensor<f32>, tensor<?x10xf32>, tensor<2xi32>) -> tensor<?x10xf32>
  return
}

// -----

func.func @cross_entropy_backward_c3(%d: tensor<f32>, %x: tensor<?x10xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C3: the smoothing -1.000000e-01 must be}}
  %0 = vit.cross_entropy_backward %d, %x, %t smoothing -0.1 : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x10xf32>
  return
}

// -----

func.func @mse_c1(%x: tensor<?x10xf32>, %t: tensor<?x9xf32>) {
  // expected-error @+1 {{C1: input and targets must have one type, of rank 1 at least, not 'tensor<?x10xf32>' and 'tensor<?x9xf32>'}}
  %0 = vit.mse %x, %t : (tensor<?x10xf32>, tensor<?x9xf32>) -> tensor<f32>
  return
}

// -----

func.func @mse_backward_c1(%d: tensor<f32>, %x: tensor<?x10xf32>) {
  // expected-error @+1 {{C1: the result must have the input's type, not 'tensor<?x9xf32>'}}
  %0 = vit.mse_backward %d, %x, %x : (tensor<f32>, tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @accuracy_c1(%x: tensor<10xf32>, %t: tensor<?xi32>) {
  // expected-error @+1 {{C1: the logits must be [batch, classes]}}
  %0 = vit.accuracy %x, %t : (tensor<10xf32>, tensor<?xi32>) -> tensor<i32>
  return
}

// -----

func.func @accuracy_c2(%x: tensor<?x10xf32>, %t: tensor<?x1xi32>) {
  // expected-error @+1 {{C2: the targets must be one i32 label per image}}
  %0 = vit.accuracy %x, %t : (tensor<?x10xf32>, tensor<?x1xi32>) -> tensor<i32>
  return
}

// -----

func.func @dropout_c2(%x: tensor<?x4xf32>, %s: tensor<2xi32>, %t: tensor<i32>) {
  // expected-error @+1 {{C2: give a name, a seed and a step}}
  %0 = vit.dropout %x probability 0.1 random "", %s, %t : tensor<?x4xf32>
  return
}

// -----

func.func @drop_path_c2(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: give a name, a seed and a step}}
  %0 = "vit.drop_path"(%x) <{probability = 0.1 : f64, random = "path", operandSegmentSizes = array<i32: 1, 0, 0, 0>}> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

// expected-error @+1 {{C1: the type must be a tensor of f32 or i32 with 1 to 4 known, positive sizes, not 'tensor<?xf32>'}}
vit.state @state_c1_dynamic : tensor<?xf32>

// -----

// expected-error @+1 {{C1: the type must be a tensor of f32 or i32}}
vit.state @state_c1_element : tensor<4xbf16>

// -----

// expected-error @+1 {{C2: 0 layers; there must be at least one}}
vit.state @state_c2 : 0 x tensor<4xf32>

// -----

vit.parameter @w : 2 x tensor<4xf32>
// expected-error @+1 {{C3: there is no vit.parameter @w of the same type and layers}}
vit.state @state_c3_layers of @w role "exp_avg" : 3 x tensor<4xf32>

// -----

// expected-error @+1 {{C3: there is no vit.parameter @nothing of the same type and layers}}
vit.state @state_c3_unknown of @nothing role "exp_avg" : tensor<4xf32>

// -----

vit.parameter @w : tensor<4xf32>
// expected-error @+1 {{C3: a state of a parameter needs a role}}
vit.state @state_c3_role of @w : tensor<4xf32>

// -----

// expected-error @+1 {{vit.role of argument 0 must be a role, such as #vit.role<targets>}}
func.func @role_argument(%x: tensor<4xf32> {vit.role = "targets"}) {
  return
}

// -----

// expected-error @+1 {{vit.role of result 0 must be a role, such as #vit.role<loss>}}
func.func @role_result(%x: tensor<4xf32>) -> (tensor<4xf32> {vit.role = 1}) {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{vit.classes of argument 0 must be a number of classes}}
func.func @classes(%x: tensor<?xi32> {vit.classes = 0}) {
  return
}

// -----

func.func @write_c1_unknown(%g: tensor<4xf32>) {
  // expected-error @+1 {{C1: there is no vit.parameter or vit.state @nothing; declare it}}
  vit.write @nothing, %g : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c1_type(%g: tensor<4xf32>) {
  // expected-error @+1 {{C1: @m is 'tensor<6x4xf32>', not 'tensor<4xf32>'}}
  vit.write @m[0], %g : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c2_missing(%g: tensor<6x4xf32>) {
  // expected-error @+1 {{C2: @m has 2 layers; say which, as in @m[0]}}
  vit.write @m, %g : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c2_range(%g: tensor<6x4xf32>) {
  // expected-error @+1 {{C2: layer 2 of @m does not exist; it has 2 layers, from 0 on}}
  vit.write @m[2], %g : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c2_negative(%g: tensor<6x4xf32>) {
  // expected-error @+1 {{C2: layer -1 of @m does not exist}}
  vit.write @m[-1], %g : tensor<6x4xf32>
  return
}

// -----

vit.state @m : tensor<4xf32>
func.func @write_c2_single(%g: tensor<4xf32>) {
  // expected-error @+1 {{C2: @m is one tensor, not one per layer}}
  vit.write @m[0], %g : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c3_twice(%g: tensor<6x4xf32>) {
  vit.write @m[0], %g : tensor<6x4xf32>
  // expected-error @+1 {{C3: changes @m, which has been changed before}}
  vit.write @m[0], %g : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @write_c3_used(%g: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %m = vit.read @m[0] : tensor<6x4xf32>
  vit.write @m[0], %g : tensor<6x4xf32>
  // expected-error @+1 {{C3: uses @m as it was before it is changed; move it up}}
  %0 = vit.add %m, %g : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c1_state(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C1: there is no vit.parameter @m; declare it}}
  vit.sgd @m[0], %g learning_rate %r : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c1_buffer(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C1: there is no vit.state @w; declare it}}
  vit.sgd @w[0], %g state @w learning_rate %r momentum 0.9 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c2(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C2: @w has 2 layers}}
  vit.sgd @w, %g learning_rate %r : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c3(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>, %x: tensor<?x4xf32>) -> tensor<?x6xf32> {
  %w = vit.read @w[0] : tensor<6x4xf32>
  vit.sgd @w[0], %g learning_rate %r : tensor<6x4xf32>
  // expected-error @+1 {{C3: uses @w as it was before it is changed; move it up}}
  %0 = vit.linear %x, %w : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c4_momentum(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: the momentum 1.000000e+00 must be at least 0 and below 1}}
  vit.sgd @w[0], %g state @m learning_rate %r momentum 1.0 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c4_decay(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: the decay must not be negative}}
  vit.sgd @w[0], %g learning_rate %r decay -1.0 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c4_state(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: give a state exactly where there is momentum}}
  vit.sgd @w[0], %g learning_rate %r momentum 0.9 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @sgd_c4_nesterov(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: nesterov needs momentum}}
  vit.sgd @w[0], %g learning_rate %r nesterov : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adam_c1_same(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C1: the two states must be different}}
  vit.adam @w[0], %g state @m, @m learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adam_c1_state(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C1: there is no vit.state @n; declare it}}
  vit.adam @w[0], %g state @m, @n learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adam_c2(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C2: layer 7 of @w does not exist}}
  vit.adam @w[7], %g state @m, @v learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adam_c3(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  vit.adam @w[0], %g state @m, @v learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 : tensor<6x4xf32>
  // expected-error @+1 {{C3: changes @v, which has been changed before}}
  vit.write @v[0], %g : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adam_c4_betas(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: betas must be two numbers, at least 0 and below 1, such as [0.9, 0.999]}}
  vit.adam @w[0], %g state @m, @v learning_rate %r step %t betas [0.9, 1.0] epsilon 1.0e-8 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adamw_c4_epsilon(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: epsilon and decay must not be negative}}
  vit.adamw @w[0], %g state @m, @v learning_rate %r step %t betas [0.9, 0.999] epsilon -1.0e-8 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adamw_c4_every(%g: tensor<6x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C4: an update is made of at least one micro-batch}}
  vit.adamw @w[0], %g state @m, @v learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 every 0 : tensor<6x4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<6x4xf32>
vit.state @m : 2 x tensor<6x4xf32>
vit.state @v : 2 x tensor<6x4xf32>
func.func @adamw_c1(%h: tensor<4x4xf32>, %r: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{C1: @w is 'tensor<6x4xf32>', not 'tensor<4x4xf32>'}}
  vit.adamw @w[0], %h state @m, @v learning_rate %r step %t betas [0.9, 0.999] epsilon 1.0e-8 : tensor<4x4xf32>
  return
}

// -----

func.func @clip_c1() {
  // expected-error @+1 {{C1: there must be at least one gradient}}
  %0 = vit.clip_by_global_norm max_norm 1.0 : () -> tensor<f32>
  return
}

// -----

func.func @clip_c2(%g: tensor<4xf32>) {
  // expected-error @+1 {{C2: max_norm must be positive}}
  %0 = vit.clip_by_global_norm %g max_norm 0.0 : (tensor<4xf32>) -> tensor<f32>
  return
}

// -----

func.func @all_reduce_c1_type(%g: tensor<4xf32>, %s: tensor<5xf32>) {
  // expected-error @+1 {{C1: gradient, sum and result must have one type of f32 and of static size, not 'tensor<4xf32>', 'tensor<5xf32>' and 'tensor<4xf32>'}}
  %0 = vit.all_reduce %g onto %s : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @all_reduce_c1_batch(%g: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: gradient, sum and result must have one type}}
  %0 = vit.all_reduce %g onto %g : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @all_reduce_c1_none() {
  // expected-error @+1 {{C1: there must be at least one gradient}}
  vit.all_reduce onto : () -> ()
  return
}

// -----

func.func @linear_input_gradient_c3(%d: tensor<?x6xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C3: the precision must be one of f32, tf32, bf16, not int8}}
  %0 = vit.linear_input_gradient %d, %w precision int8 : (tensor<?x6xf32>, tensor<6x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @linear_weight_gradient_c2(%d: tensor<?x6xf32>, %x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: the precision must be one of f32, tf32, bf16, not int8}}
  %0 = vit.linear_weight_gradient %d, %x precision int8 : (tensor<?x6xf32>, tensor<?x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @sum_to_c2(%d: tensor<?x6xf32>) {
  // expected-error @+1 {{C2: the precision must be one of f32, tf32, bf16, not int8}}
  %0 = vit.sum_to %d precision int8 : (tensor<?x6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @attention_backward_c5(%q: tensor<?x5x6xf32>) {
  // expected-error @+1 {{C5: the precision must be one of f32, tf32, bf16, not int8}}
  %0:3 = vit.attention_backward %q, %q, %q, %q heads 3 scale 1.0 precision int8 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>)
  return
}

// -----

func.func @attention_backward_c5_bias(%q: tensor<?x5x6xf32>, %b: tensor<3x5x5xf32>) {
  // expected-error @+1 {{C5: the gradient of a bias is computed in f32}}
  %0:4 = vit.attention_backward %q, %q, %q, %q bias %b heads 3 scale 1.0 precision bf16 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<3x5x5xf32>) -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<3x5x5xf32>)
  return
}
