// Each adjoint against finite differences of its op in double.
// RUN: vit-interpret %s --check-gradients --tolerance 1e-9 > %t
// RUN: FileCheck %s < %t

// CHECK: patchify_chw, argument 0: 192 of 192 gradients agree, largest 0.
func.func @patchify_chw(%x: tensor<?x3x4x8xf32>) -> tensor<?x4x24xf32> {
  %0 = vit.patchify %x patch [2, 4] order chw : (tensor<?x3x4x8xf32>) -> tensor<?x4x24xf32>
  return %0 : tensor<?x4x24xf32>
}
// CHECK: patchify_hwc, argument 0: 192 of 192 gradients agree, largest 0.
func.func @patchify_hwc(%x: tensor<?x3x4x8xf32>) -> tensor<?x4x24xf32> {
  %0 = vit.patchify %x patch [2, 4] order hwc : (tensor<?x3x4x8xf32>) -> tensor<?x4x24xf32>
  return %0 : tensor<?x4x24xf32>
}
// CHECK: patchify_remainder, argument 0: 270 of 270 gradients agree
func.func @patchify_remainder(%x: tensor<?x3x5x9xf32>) -> tensor<?x4x24xf32> {
  %0 = vit.patchify %x patch [2, 4] order chw : (tensor<?x3x5x9xf32>) -> tensor<?x4x24xf32>
  return %0 : tensor<?x4x24xf32>
}
// CHECK: repeat_tokens, argument 0: 8 of 8
func.func @repeat_tokens(%t: tensor<2x4xf32>, %x: tensor<?x3xf32>) -> (tensor<?x2x4xf32>, tensor<?x3xf32>) {
  %0 = vit.repeat_tokens %t for %x : (tensor<2x4xf32>, tensor<?x3xf32>) -> tensor<?x2x4xf32>
  return %0, %x : tensor<?x2x4xf32>, tensor<?x3xf32>
}
// CHECK: concat_channels, argument 0: 30 of 30
// CHECK: concat_channels, argument 1: 20 of 20
func.func @concat_channels(%x: tensor<?x5x3xf32>, %y: tensor<?x5x2xf32>) -> tensor<?x5x8xf32> {
  %0 = vit.concat_channels %x, %y, %x : (tensor<?x5x3xf32>, tensor<?x5x2xf32>, tensor<?x5x3xf32>) -> tensor<?x5x8xf32>
  return %0 : tensor<?x5x8xf32>
}
// CHECK: prepend_tokens, argument 0: 24 of 24
// CHECK: prepend_tokens, argument 1: 8 of 8
func.func @prepend_tokens(%x: tensor<?x3x4xf32>, %t: tensor<2x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.prepend_tokens %x, %t : (tensor<?x3x4xf32>, tensor<2x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: take_one, argument 0: 40 of 40
func.func @take_one(%x: tensor<?x5x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.take_tokens %x from 1 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
// CHECK: take_some, argument 0: 40 of 40
func.func @take_some(%x: tensor<?x5x4xf32>) -> tensor<?x3x4xf32> {
  %0 = vit.take_tokens %x from 2 count 3 : (tensor<?x5x4xf32>) -> tensor<?x3x4xf32>
  return %0 : tensor<?x3x4xf32>
}
// CHECK: mean_tokens, argument 0: 40 of 40
func.func @mean_tokens(%x: tensor<?x5x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.mean_tokens %x from 2 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
// CHECK: resample, argument 0: 40 of 40
// CHECK: resample_antialias, argument 0: 136 of 136
func.func @resample(%x: tensor<5x8xf32>) -> tensor<13x8xf32> {
  %0 = vit.resample_positions %x from [2, 2] to [3, 4] prefix 1 : (tensor<5x8xf32>) -> tensor<13x8xf32>
  return %0 : tensor<13x8xf32>
}
func.func @resample_antialias(%x: tensor<17x8xf32>) -> tensor<7x8xf32> {
  %0 = vit.resample_positions %x from [4, 4] to [2, 3] prefix 1 antialias : (tensor<17x8xf32>) -> tensor<7x8xf32>
  return %0 : tensor<7x8xf32>
}
// CHECK: resample_linear, argument 0: 56 of 56
// CHECK: resample_geometric, argument 0: 144 of 144
func.func @resample_linear(%x: tensor<7x8xf32>) -> tensor<18x8xf32> {
  %0 = vit.resample_positions %x from [2, 2] to [5, 3] prefix 0 suffix 3 filter linear : (tensor<7x8xf32>) -> tensor<18x8xf32>
  return %0 : tensor<18x8xf32>
}
func.func @resample_geometric(%x: tensor<18x8xf32>) -> tensor<38x8xf32> {
  %0 = vit.resample_positions %x from [5, 3] to [7, 5] prefix 0 suffix 3 filter geometric : (tensor<18x8xf32>) -> tensor<38x8xf32>
  return %0 : tensor<38x8xf32>
}
// CHECK: linear_rank3, argument 0: 40 of 40
// CHECK: linear_rank3, argument 1: 24 of 24
// CHECK: linear_rank3, argument 2: 6 of 6
func.func @linear_rank3(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>) -> tensor<?x5x6xf32> {
  %0 = vit.linear %x, %w, %b : (tensor<?x5x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x5x6xf32>
  return %0 : tensor<?x5x6xf32>
}
// CHECK: linear_rank2, argument 0: 8 of 8
// CHECK: linear_rank2, argument 1: 24 of 24
func.func @linear_rank2(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>) -> tensor<?x6xf32> {
  %0 = vit.linear %x, %w : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}
// CHECK: layer_norm, argument 0: 40 of 40
// CHECK: layer_norm, argument 1: 4 of 4
// CHECK: layer_norm, argument 2: 4 of 4
func.func @layer_norm(%x: tensor<?x5x4xf32>, %s: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.layer_norm %x scale %s bias %b epsilon 1.0e-2 : (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: layer_norm_groups, argument 0: 48 of 48
// CHECK: layer_norm_groups, argument 1: 4 of 4
// CHECK: layer_norm_groups, argument 2: 4 of 4
func.func @layer_norm_groups(%x: tensor<?x3x8xf32>, %s: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<?x3x8xf32> {
  %0 = vit.layer_norm %x scale %s bias %b epsilon 1.0e-2 groups 2 : (tensor<?x3x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x3x8xf32>
  return %0 : tensor<?x3x8xf32>
}
// CHECK: rms_norm, argument 0: 40 of 40
// CHECK: rms_norm, argument 1: 4 of 4
func.func @rms_norm(%x: tensor<?x5x4xf32>, %s: tensor<4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.rms_norm %x scale %s epsilon 1.0e-2 : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: rms_norm_groups, argument 0: 48 of 48
// CHECK: rms_norm_groups, argument 1: 4 of 4
func.func @rms_norm_groups(%x: tensor<?x3x8xf32>, %s: tensor<4xf32>) -> tensor<?x3x8xf32> {
  %0 = vit.rms_norm %x scale %s epsilon 1.0e-2 groups 2 : (tensor<?x3x8xf32>, tensor<4xf32>) -> tensor<?x3x8xf32>
  return %0 : tensor<?x3x8xf32>
}
// CHECK: l2_normalize, argument 0: 16 of 16
// CHECK: l2_normalize_small, argument 0: 16 of 16
func.func @l2_normalize(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = vit.l2_normalize %x epsilon 1.0e-12 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
// All norms are below epsilon.
func.func @l2_normalize_small(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = vit.l2_normalize %x epsilon 1.0e+2 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
// CHECK: layer_norm_plain, argument 0: 16 of 16
func.func @layer_norm_plain(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = vit.layer_norm %x epsilon 1.0e-2 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
// CHECK: attention, argument 0: 36 of 36
// CHECK: attention, argument 1: 60 of 60
// CHECK: attention, argument 2: 90 of 90
func.func @attention(%q: tensor<?x3x6xf32>, %k: tensor<?x5x6xf32>, %v: tensor<?x5x9xf32>) -> tensor<?x3x9xf32> {
  %0 = vit.attention %q, %k, %v heads 3 scale 0.7 : (tensor<?x3x6xf32>, tensor<?x5x6xf32>, tensor<?x5x9xf32>) -> tensor<?x3x9xf32>
  return %0 : tensor<?x3x9xf32>
}
// A value with three uses: its gradient has three terms.
// CHECK: self_attention, argument 0: 40 of 40
func.func @self_attention(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.attention %x, %x, %x heads 2 scale 0.5 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: gelu_erf, argument 0: 40 of 40
func.func @gelu_erf(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.scale %x by 3.0 : tensor<?x5x4xf32>
  %1 = vit.gelu erf %0 : tensor<?x5x4xf32>
  return %1 : tensor<?x5x4xf32>
}
// CHECK: gelu_tanh, argument 0: 40 of 40
func.func @gelu_tanh(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.scale %x by 3.0 : tensor<?x5x4xf32>
  %1 = vit.gelu tanh %0 : tensor<?x5x4xf32>
  return %1 : tensor<?x5x4xf32>
}
// CHECK: gelu_quick, argument 0: 40 of 40
func.func @gelu_quick(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.scale %x by 3.0 : tensor<?x5x4xf32>
  %1 = vit.gelu quick %0 : tensor<?x5x4xf32>
  return %1 : tensor<?x5x4xf32>
}
// CHECK: relu, argument 0: 40 of 40
func.func @relu(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.relu %x : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: silu, argument 0: 40 of 40
func.func @silu(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.silu %x : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: tanh, argument 0: 40 of 40
func.func @tanh(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.tanh %x : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: softmax, argument 0: 40 of 40
func.func @softmax(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.softmax %x : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: add, argument 0: 40 of 40
// CHECK: add, argument 1: 20 of 20
func.func @add(%x: tensor<?x5x4xf32>, %p: tensor<5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.add %x, %p : (tensor<?x5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: mul, argument 0: 40 of 40
// CHECK: mul, argument 1: 10 of 10
func.func @mul(%x: tensor<?x5x4xf32>, %p: tensor<?x5x1xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.mul %p, %x : (tensor<?x5x1xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// Both operands are broadcast.
// CHECK: mul_both, argument 0: 5 of 5
// CHECK: mul_both, argument 1: 4 of 4
func.func @mul_both(%x: tensor<5x1xf32>, %p: tensor<1x4xf32>) -> tensor<5x4xf32> {
  %0 = vit.mul %x, %p : (tensor<5x1xf32>, tensor<1x4xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}
// CHECK: square, argument 0: 40 of 40
func.func @square(%x: tensor<?x5x4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.mul %x, %x : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: layer_scale, argument 0: 40 of 40
// CHECK: layer_scale, argument 1: 4 of 4
func.func @layer_scale(%x: tensor<?x5x4xf32>, %g: tensor<4xf32>) -> tensor<?x5x4xf32> {
  %0 = vit.layer_scale %x, %g : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// The backward pass drops the same elements.
// CHECK: dropout, argument 0: 40 of 40 gradients agree, largest 1.
func.func @dropout(%x: tensor<?x5x4xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) -> tensor<?x5x4xf32> {
  %0 = vit.dropout %x probability 0.4 random "drop", %seed, %step : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: drop_path, argument 0: 40 of 40
func.func @drop_path(%x: tensor<?x5x4xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) -> tensor<?x5x4xf32> {
  %0 = vit.drop_path %x probability 0.4 random "path", %seed, %step : tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
// CHECK: cross_entropy, argument 0: 6 of 6
func.func @cross_entropy(%x: tensor<?x3xf32>, %labels: tensor<?xi32>) -> tensor<f32> {
  %0 = vit.cross_entropy %x, %labels : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK: smoothed, argument 0: 6 of 6
func.func @smoothed(%x: tensor<?x3xf32>, %labels: tensor<?xi32>) -> tensor<f32> {
  %0 = vit.cross_entropy %x, %labels smoothing 0.1 : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// Soft targets, whose sum need not be one.
// CHECK: soft_targets, argument 0: 6 of 6
func.func @soft_targets(%x: tensor<2x3xf32>) -> tensor<f32> {
  %t = arith.constant dense<[[0.1, 0.7, 0.4], [1.0, 0.0, 0.5]]> : tensor<2x3xf32>
  %0 = vit.cross_entropy %x, %t smoothing 0.1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK: mse, argument 0: 6 of 6
func.func @mse(%x: tensor<2x3xf32>) -> tensor<f32> {
  %t = arith.constant dense<[[0.1, 0.7, 0.4], [1.0, 0.0, 0.5]]> : tensor<2x3xf32>
  %0 = vit.mse %x, %t : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK: relative_positions, argument 0: 36 of 36
// CHECK: relative_positions, argument 1: 36 of 36
func.func @relative_positions(%t: tensor<18x2xf32>, %u: tensor<18x2xf32>) -> tensor<2x7x7xf32> {
  %0 = vit.relative_positions %t, %u grid [2, 3] prefix 1 : (tensor<18x2xf32>, tensor<18x2xf32>) -> tensor<2x7x7xf32>
  return %0 : tensor<2x7x7xf32>
}
// CHECK: relative_positions_alone, argument 0: 30 of 30
func.func @relative_positions_alone(%t: tensor<15x2xf32>) -> tensor<2x6x6xf32> {
  %0 = vit.relative_positions %t grid [3, 2] prefix 0 : (tensor<15x2xf32>) -> tensor<2x6x6xf32>
  return %0 : tensor<2x6x6xf32>
}
// CHECK: biased_attention, argument 0: 36 of 36
// CHECK: biased_attention, argument 1: 60 of 60
// CHECK: biased_attention, argument 2: 90 of 90
// CHECK: biased_attention, argument 3: 45 of 45
func.func @biased_attention(%q: tensor<?x3x6xf32>, %k: tensor<?x5x6xf32>, %v: tensor<?x5x9xf32>, %b: tensor<3x3x5xf32>) -> tensor<?x3x9xf32> {
  %0 = vit.attention %q, %k, %v bias %b heads 3 scale 0.7 : (tensor<?x3x6xf32>, tensor<?x5x6xf32>, tensor<?x5x9xf32>, tensor<3x3x5xf32>) -> tensor<?x3x9xf32>
  return %0 : tensor<?x3x9xf32>
}
// CHECK: rotate_halves, argument 0: 160 of 160
func.func @rotate_halves(%x: tensor<?x5x16xf32>) -> tensor<?x5x16xf32> {
  %a = vit.rotary_positions grid [2, 2] width 4 temperature 100.0 order yx origin 0.5 extent 12.0 centered : tensor<4x4xf32>
  %0 = vit.rotate %x, %a heads 2 prefix 1 pairs halves : (tensor<?x5x16xf32>, tensor<4x4xf32>) -> tensor<?x5x16xf32>
  return %0 : tensor<?x5x16xf32>
}
// CHECK: rotate_neighbours, argument 0: 160 of 160
func.func @rotate_neighbours(%x: tensor<?x5x16xf32>) -> tensor<?x5x16xf32> {
  %a = vit.rotary_positions grid [1, 5] width 4 temperature 100.0 order xy : tensor<5x4xf32>
  %0 = vit.rotate %x, %a heads 2 prefix 0 pairs neighbours inverse : (tensor<?x5x16xf32>, tensor<5x4xf32>) -> tensor<?x5x16xf32>
  return %0 : tensor<?x5x16xf32>
}
