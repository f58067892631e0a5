// RUN: vit-interpret %s --values=-1 | FileCheck %s
// RUN: vit-interpret %s --entry tokens --values=-1 | FileCheck %s --check-prefix=TOKENS
// RUN: vit-interpret %s --entry derivatives --values=-1 | FileCheck %s --check-prefix=DERIVATIVES

// Expected values: torch.autograd.grad in double.
func.func @forward() -> (tensor<2x4xf32> {vit.name = "norm_input"}, tensor<4xf32> {vit.name = "norm_scale"}, tensor<4xf32> {vit.name = "norm_bias"},
    tensor<2x4xf32> {vit.name = "groups_input"}, tensor<2xf32> {vit.name = "groups_scale"}, tensor<2x4xf32> {vit.name = "softmax"},
    tensor<2x4xf32> {vit.name = "linear_input"}, tensor<3x4xf32> {vit.name = "linear_weight"}, tensor<3xf32> {vit.name = "linear_bias"},
    tensor<1x2x4xf32> {vit.name = "query"}, tensor<1x3x4xf32> {vit.name = "key"}, tensor<1x3x4xf32> {vit.name = "value"}) {
  %x = arith.constant dense<[[1.0, 2.0, 4.0, -1.0], [0.5, -1.0, 3.0, 2.0]]> : tensor<2x4xf32>
  %d = arith.constant dense<[[1.0, -2.0, 0.5, 3.0], [0.25, 1.0, -1.0, 2.0]]> : tensor<2x4xf32>
  %s = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  // CHECK: norm_input [2, 4] {{.*}}: -1.51055458 -3.05869782 2.42967172 2.13958068 -1.16392351 -0.336155379 -2.76300278 4.26308167{{$}}
  // CHECK: norm_scale [4] {{.*}}: -0.379798949 -1.9529428 -0.542183762 -3.00167073{{$}}
  // CHECK: norm_bias [4] {{.*}}: 1.25 -1 -0.5 5{{$}}
  %0:3 = vit.layer_norm_backward %d, %x scale %s epsilon 1.0e-2 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %s2 = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  // CHECK: groups_input [2, 4] {{.*}}: 0.188573207 -0.188573207 -0.00175578443 0.00175578443 -0.0201996952 0.0201996952 -0.188573207 0.188573207{{$}}
  // CHECK: groups_scale [2] {{.*}}: -1.2137539 -7.91115348{{$}}
  %1:3 = vit.layer_norm_backward %d, %x scale %s2 epsilon 1.0e-2 groups 2 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  // CHECK: softmax [2, 4] {{.*}}: 0.0312815777 -0.255616714 0.20879503 0.0155401065 0.0225587723 0.0143892025 -0.576514104 0.539566129{{$}}
  %y = vit.softmax %x : tensor<2x4xf32>
  %2 = vit.softmax_backward %d, %y : tensor<2x4xf32>

  %w = arith.constant dense<[[1.0, 2.0, 0.0, -1.0], [0.0, 1.0, 3.0, 1.0], [2.0, -1.0, 0.5, 1.0]]> : tensor<3x4xf32>
  %dl = arith.constant dense<[[1.0, -2.0, 0.5], [3.0, 0.25, 1.0]]> : tensor<2x3xf32>
  // CHECK: linear_input [2, 4] {{.*}}: 2 -0.5 -5.75 -2.5 5 5.25 1.25 -1.75{{$}}
  // CHECK: linear_weight [3, 4] {{.*}}: 2.5 -1 13 5 -1.875 -4.25 -7.25 2.5 1 0 5 1.5{{$}}
  // CHECK: linear_bias [3] {{.*}}: 4 -1.75 1.5{{$}}
  %3 = vit.linear_input_gradient %dl, %w : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %4 = vit.linear_weight_gradient %dl, %x : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  %5 = vit.sum_to %dl : (tensor<2x3xf32>) -> tensor<3xf32>

  %q = arith.constant dense<[[[1.0, 2.0, 0.5, -1.0], [0.0, 1.0, 1.0, 0.5]]]> : tensor<1x2x4xf32>
  %k = arith.constant dense<[[[0.5, 1.0, 0.0, 2.0], [1.0, -1.0, 0.25, 1.0], [2.0, 0.0, 1.0, 1.0]]]> : tensor<1x3x4xf32>
  %v = arith.constant dense<[[[1.0, 0.0, 2.0, 1.0], [0.0, 1.0, -1.0, 2.0], [3.0, 1.0, 0.5, 0.0]]]> : tensor<1x3x4xf32>
  %da = arith.constant dense<[[[1.0, 2.0, -1.0, 0.5], [0.25, 1.0, 1.0, -2.0]]]> : tensor<1x2x4xf32>
  // CHECK: query [1, 2, 4] {{.*}}: 0.677459987 -0.400879559 -0.069802606 -0.173984082 0.21419573 -0.166004298 0.210092065 0.188018505{{$}}
  // CHECK: key [1, 3, 4] {{.*}}: -0.431335818 -1.01475165 0.101026464 0.267993334 -0.0304562595 -0.0469882324 -0.368289634 -0.590455963 0.461792078 1.06173988 0.26726317 0.322462629{{$}}
  // CHECK: value [1, 3, 4] {{.*}}: 0.638764389 1.53076897 0.110551657 -0.528981632 0.135578264 0.36431839 -0.0815329147 -0.377277447 0.475657347 1.10491264 -0.0290187422 -0.593740921{{$}}
  %6:3 = vit.attention_backward %da, %q, %k, %v heads 2 scale 0.5 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> (tensor<1x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>)
  return %0#0, %0#1, %0#2, %1#0, %1#1, %2, %3, %4, %5, %6#0, %6#1, %6#2
      : tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<3x4xf32>, tensor<3xf32>, tensor<1x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
}

func.func @derivatives() -> (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<3xf32>) {
  %x = arith.constant dense<[-3.0, -1.0, -0.25, 0.0, 0.5, 2.0]> : tensor<6xf32>
  // DERIVATIVES: result_0 [6] {{.*}}: -0.0119456472 -0.0833154706 0.304626645 0.5 0.867495125 1.0852318{{$}}
  %0 = vit.derivative gelu_erf %x : tensor<6xf32>
  // DERIVATIVES: result_1 [6] {{.*}}: -0.0115841666 -0.0829640838 0.304645905 0.5 0.867369904 1.08609926{{$}}
  %1 = vit.derivative gelu_tanh %x : tensor<6xf32>
  // DERIVATIVES: result_2 [6] {{.*}}: -0.0245483239 -0.0677796066 0.293499559 0.5 0.879221912 1.07381535{{$}}
  %2 = vit.derivative gelu_quick %x : tensor<6xf32>
  // DERIVATIVES: result_3 [6] {{.*}}: 0 0 0 0 1 1{{$}}
  %3 = vit.derivative relu %x : tensor<6xf32>
  // DERIVATIVES: result_4 [6] {{.*}}: -0.088104106 0.0723294881 0.376289978 0.5 0.739961187 1.09078425{{$}}
  %4 = vit.derivative silu %x : tensor<6xf32>
  // DERIVATIVES: result_5 [6] {{.*}}: 0.00986603717 0.419974342 0.940014849 1 0.786447733 0.0706508249{{$}}
  %5 = vit.derivative tanh %x : tensor<6xf32>
  // Large inputs must not overflow to NaN.
  // DERIVATIVES: result_6 [3] {{.*}}: 0 1 1{{$}}
  %far = arith.constant dense<[-1.0e+30, 1.0e+30, 60.0]> : tensor<3xf32>
  %6 = vit.derivative gelu_erf %far : tensor<3xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<3xf32>
}

func.func @tokens() -> (tensor<1x3x2xf32>, tensor<1x4x2xf32>, tensor<1x4x2xf32>, tensor<2x1xf32>, tensor<f32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<2x1xf32>) {
  %d = arith.constant dense<[[6.0, -3.0]]> : tensor<1x2xf32>
  // TOKENS: result_0 [1, 3, 2] {{.*}}: 0 0 6 -3 0 0{{$}}
  %0 = vit.place_tokens %d at 1 : (tensor<1x2xf32>) -> tensor<1x3x2xf32>
  %t = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  // TOKENS: result_1 [1, 4, 2] {{.*}}: 0 0 0 0 1 2 3 4{{$}}
  %1 = vit.place_tokens %t at 2 : (tensor<1x2x2xf32>) -> tensor<1x4x2xf32>
  // TOKENS: result_2 [1, 4, 2] {{.*}}: 0 0 2 -1 2 -1 2 -1{{$}}
  %2 = vit.spread_tokens %d from 1 : (tensor<1x2xf32>) -> tensor<1x4x2xf32>
  // TOKENS: result_3 [2, 1] {{.*}}: 3 7{{$}}
  %3 = vit.sum_to %t : (tensor<1x2x2xf32>) -> tensor<2x1xf32>
  // TOKENS: result_4 [] {{.*}}: 10{{$}}
  %4 = vit.sum_to %t : (tensor<1x2x2xf32>) -> tensor<f32>
  // Two channels of 2x2, one patch per row.
  %p = arith.constant dense<[[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]]> : tensor<1x2x4xf32>
  // TOKENS: result_5 [1, 2, 2, 2] {{.*}}: 0 1 4 5 2 3 6 7{{$}}
  %5 = vit.unpatchify %p patch [1, 2] order chw : (tensor<1x2x4xf32>) -> tensor<1x2x2x2xf32>
  // TOKENS: result_6 [1, 2, 2, 2] {{.*}}: 0 2 4 6 1 3 5 7{{$}}
  %6 = vit.unpatchify %p patch [1, 2] order hwc : (tensor<1x2x4xf32>) -> tensor<1x2x2x2xf32>
  // The weights of a sample sum to one; the prefix is copied.
  %table = arith.constant dense<[[5.0], [1.0], [2.0], [3.0], [4.0]]> : tensor<5x1xf32>
  // TOKENS: result_7 [2, 1] {{.*}}: 5 10{{$}}
  %7 = vit.resample_positions_backward %table from [1, 1] to [2, 2] prefix 1 : (tensor<5x1xf32>) -> tensor<2x1xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<1x3x2xf32>, tensor<1x4x2xf32>, tensor<1x4x2xf32>, tensor<2x1xf32>, tensor<f32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<2x1xf32>
}
