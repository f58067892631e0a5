// RUN: vit-opt %s > %t.1 && vit-opt %t.1 > %t.2 && diff %t.1 %t.2
// RUN: vit-opt %s | FileCheck %s
// RUN: vit-opt %s --mlir-print-op-generic | vit-opt | diff - %t.1

vit.parameter @w : 2 x tensor<6x4xf32>
vit.parameter @b : tensor<6xf32>
// CHECK: vit.state @exp_avg.w of @w role "exp_avg" : 2 x tensor<6x4xf32>{{$}}
vit.state @exp_avg.w of @w role "exp_avg" : 2 x tensor<6x4xf32>
vit.state @exp_avg_sq.w of @w role "exp_avg_sq" : 2 x tensor<6x4xf32>
vit.state @exp_avg.b of @b role "exp_avg" : tensor<6xf32>
vit.state @exp_avg_sq.b of @b role "exp_avg_sq" : tensor<6xf32>
// CHECK: vit.state @random_seed role "random_seed" : tensor<2xi32>{{$}}
vit.state @random_seed role "random_seed" : tensor<2xi32>

// CHECK-LABEL: func.func @products
func.func @products(%d: tensor<?x5x6xf32>, %x: tensor<?x5x4xf32>, %r: tensor<?x6xf32>, %y: tensor<?x4xf32>, %w: tensor<6x4xf32>) {
  // CHECK: vit.linear_input_gradient %arg0, %arg4 : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  %0 = vit.linear_input_gradient %d, %w : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.linear_weight_gradient %arg0, %arg1 : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  %1 = vit.linear_weight_gradient %d, %x : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  // CHECK: vit.linear_weight_gradient %arg2, %arg3 : (tensor<?x6xf32>, tensor<?x4xf32>) -> tensor<6x4xf32>
  %2 = vit.linear_weight_gradient %r, %y : (tensor<?x6xf32>, tensor<?x4xf32>) -> tensor<6x4xf32>
  // CHECK: vit.sum_to %arg0 : (tensor<?x5x6xf32>) -> tensor<6xf32>
  %3 = vit.sum_to %d : (tensor<?x5x6xf32>) -> tensor<6xf32>
  // CHECK: vit.sum_to %arg0 : (tensor<?x5x6xf32>) -> tensor<5x1xf32>
  %4 = vit.sum_to %d : (tensor<?x5x6xf32>) -> tensor<5x1xf32>
  // CHECK: vit.sum_to %arg0 : (tensor<?x5x6xf32>) -> tensor<f32>
  %5 = vit.sum_to %d : (tensor<?x5x6xf32>) -> tensor<f32>
  // CHECK: vit.linear_weight_gradient %arg0, %arg1 precision bf16 : (
  %6 = vit.linear_weight_gradient %d, %x precision bf16 : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  // CHECK: vit.linear_input_gradient %arg0, %{{.+}} precision bf16 : (
  %7 = vit.linear_input_gradient %d, %6 precision bf16 : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  // A sum to the same size still rounds.
  // CHECK: vit.sum_to %arg0 precision bf16 : (tensor<?x5x6xf32>) -> tensor<?x5x6xf32>
  %8 = vit.sum_to %d precision bf16 : (tensor<?x5x6xf32>) -> tensor<?x5x6xf32>
  return
}

// CHECK-LABEL: func.func @rows
func.func @rows(%d: tensor<?x5x4xf32>, %x: tensor<?x5x4xf32>, %s: tensor<4xf32>, %q: tensor<?x3x4xf32>, %v: tensor<?x5x6xf32>, %dv: tensor<?x3x6xf32>) {
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}} = vit.layer_norm_backward %arg0, %arg1 scale %arg2 epsilon 1.000000e-05 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  %0:3 = vit.layer_norm_backward %d, %x scale %s epsilon 1.0e-5 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<4xf32>) -> (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>)
  // CHECK: vit.layer_norm_backward %arg0, %arg1 epsilon 1.000000e-05 groups 2 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<2xf32>, tensor<2xf32>)
  %1:3 = vit.layer_norm_backward %d, %x epsilon 1.0e-5 groups 2 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<2xf32>, tensor<2xf32>)
  // CHECK: vit.attention_backward {{.*}} heads 2 scale 5.000000e-01 precision bf16 : (
  %narrow:3 = vit.attention_backward %dv, %q, %x, %v heads 2 scale 0.5 precision bf16 : (tensor<?x3x6xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>) -> (tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>)
  // CHECK: vit.attention_backward %arg5, %arg3, %arg1, %arg4 heads 2 scale 5.000000e-01 : (tensor<?x3x6xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>) -> (tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>)
  %2:3 = vit.attention_backward %dv, %q, %x, %v heads 2 scale 0.5 : (tensor<?x3x6xf32>, tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>) -> (tensor<?x3x4xf32>, tensor<?x5x4xf32>, tensor<?x5x6xf32>)
  // CHECK: vit.softmax_backward %arg0, %arg1 : tensor<?x5x4xf32>
  %3 = vit.softmax_backward %d, %x : tensor<?x5x4xf32>
  // CHECK: vit.derivative gelu_erf %arg1 : tensor<?x5x4xf32>
  %4 = vit.derivative gelu_erf %x : tensor<?x5x4xf32>
  // CHECK: vit.derivative relu %arg1 : tensor<?x5x4xf32>
  %5 = vit.derivative relu %x : tensor<?x5x4xf32>
  return
}

// CHECK-LABEL: func.func @tokens
func.func @tokens(%d: tensor<?x4xf32>, %t: tensor<?x2x4xf32>, %p: tensor<?x4x24xf32>, %table: tensor<10x8xf32>) {
  // CHECK: vit.place_tokens %arg0 at 1 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  %0 = vit.place_tokens %d at 1 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.place_tokens %arg1 at 3 : (tensor<?x2x4xf32>) -> tensor<?x5x4xf32>
  %1 = vit.place_tokens %t at 3 : (tensor<?x2x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.spread_tokens %arg0 from 1 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  %2 = vit.spread_tokens %d from 1 : (tensor<?x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.take_channels %arg2 from 8 count 16 : (tensor<?x4x24xf32>) -> tensor<?x4x16xf32>
  %channels = vit.take_channels %p from 8 count 16 : (tensor<?x4x24xf32>) -> tensor<?x4x16xf32>
  // CHECK: vit.unpatchify %arg2 patch [2, 4] order hwc : (tensor<?x4x24xf32>) -> tensor<?x3x4x8xf32>
  %3 = vit.unpatchify %p patch [2, 4] order hwc : (tensor<?x4x24xf32>) -> tensor<?x3x4x8xf32>
  // CHECK: vit.resample_positions_backward %arg3 from [2, 2] to [3, 3] prefix 1 antialias : (tensor<10x8xf32>) -> tensor<5x8xf32>
  %4 = vit.resample_positions_backward %table from [2, 2] to [3, 3] prefix 1 antialias : (tensor<10x8xf32>) -> tensor<5x8xf32>
  // CHECK: vit.resample_positions_backward %arg3 from [2, 2] to [1, 7] prefix 0 suffix 3 filter linear : (tensor<10x8xf32>) -> tensor<7x8xf32>
  %5 = vit.resample_positions_backward %table from [2, 2] to [1, 7] prefix 0 suffix 3 filter linear : (tensor<10x8xf32>) -> tensor<7x8xf32>
  return
}

// CHECK-LABEL: func.func @losses
func.func @losses(%x: tensor<?x10xf32>, %labels: tensor<?xi32>, %one: tensor<f32>) {
  // CHECK: vit.cross_entropy %arg0, %arg1 : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<f32>
  %0 = vit.cross_entropy %x, %labels : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<f32>
  // CHECK: vit.cross_entropy %arg0, %arg0 smoothing 1.000000e-01 : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
  %1 = vit.cross_entropy %x, %x smoothing 0.1 : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
  // CHECK: vit.cross_entropy_backward %arg2, %arg0, %arg1 smoothing 1.000000e-01 : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x10xf32>
  %2 = vit.cross_entropy_backward %one, %x, %labels smoothing 0.1 : (tensor<f32>, tensor<?x10xf32>, tensor<?xi32>) -> tensor<?x10xf32>
  // CHECK: vit.mse %arg0, %arg0 : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
  %3 = vit.mse %x, %x : (tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<f32>
  // CHECK: vit.mse_backward %arg2, %arg0, %arg0 : (tensor<f32>, tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<?x10xf32>
  %4 = vit.mse_backward %one, %x, %x : (tensor<f32>, tensor<?x10xf32>, tensor<?x10xf32>) -> tensor<?x10xf32>
  // CHECK: vit.accuracy %arg0, %arg1 : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<i32>
  %5 = vit.accuracy %x, %labels : (tensor<?x10xf32>, tensor<?xi32>) -> tensor<i32>
  return
}

// CHECK-LABEL: func.func @random
func.func @random(%x: tensor<?x5x4xf32>, %step: tensor<i32>) {
  // CHECK: %[[SEED:.*]] = vit.read @random_seed : tensor<2xi32>
  %seed = vit.read @random_seed : tensor<2xi32>
  // CHECK: vit.dropout %arg0 probability 1.000000e-01 random "blocks.3.drop", %[[SEED]], %arg1 : tensor<?x5x4xf32>
  %0 = vit.dropout %x probability 0.1 random "blocks.3.drop", %seed, %step : tensor<?x5x4xf32>
  // CHECK: vit.drop_path %arg0 probability 1.000000e-01 random "path", %[[SEED]], %arg1 : tensor<?x5x4xf32>
  %1 = vit.drop_path %x probability 0.1 random "path", %seed, %step : tensor<?x5x4xf32>
  return
}

// CHECK-LABEL: func.func @updates
func.func @updates(%g: tensor<6x4xf32>, %h: tensor<6xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // CHECK: %[[CLIP:.*]] = vit.clip_by_global_norm %arg0, %arg1 max_norm 1.000000e+00 : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<f32>
  %clip = vit.clip_by_global_norm %g, %h max_norm 1.0 : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<f32>
  // CHECK: %[[SUM:.*]]:2 = vit.all_reduce %arg0, %arg1 onto %arg0, %arg1 : (tensor<6x4xf32>, tensor<6xf32>, tensor<6x4xf32>, tensor<6xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  %sum:2 = vit.all_reduce %g, %h onto %g, %h : (tensor<6x4xf32>, tensor<6xf32>, tensor<6x4xf32>, tensor<6xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  // CHECK: vit.adamw @w[1], %arg0 times %[[CLIP]] state @exp_avg.w, @exp_avg_sq.w learning_rate %arg2 step %arg3 betas [9.000000e-01, 9.990000e-01] epsilon 1.000000e-08 decay 5.000000e-02 every 4 : tensor<6x4xf32>
  vit.adamw @w[1], %g times %clip state @exp_avg.w, @exp_avg_sq.w learning_rate %rate step %step betas [0.9, 0.999] epsilon 1.0e-8 decay 0.05 every 4 : tensor<6x4xf32>
  // CHECK: vit.adam @b, %arg1 state @exp_avg.b, @exp_avg_sq.b learning_rate %arg2 step %arg3 betas [9.000000e-01, 9.990000e-01] epsilon 1.000000e-08 : tensor<6xf32>
  vit.adam @b, %h state @exp_avg.b, @exp_avg_sq.b learning_rate %rate step %step betas [0.9, 0.999] epsilon 1.0e-8 : tensor<6xf32>
  // CHECK: vit.sgd @w[0], %arg0 times %[[CLIP]] state @exp_avg.w learning_rate %arg2 momentum 9.000000e-01 nesterov decay 1.000000e-04 : tensor<6x4xf32>
  vit.sgd @w[0], %g times %clip state @exp_avg.w learning_rate %rate momentum 0.9 nesterov decay 1.0e-4 : tensor<6x4xf32>
  // CHECK: vit.write @exp_avg_sq.w[0], %arg0 : tensor<6x4xf32>
  vit.write @exp_avg_sq.w[0], %g : tensor<6x4xf32>
  return
}

// A parameter may be read until it is updated; other layers always.
// CHECK-LABEL: func.func @in_place
func.func @in_place(%x: tensor<?x4xf32>, %d: tensor<?x6xf32>, %rate: tensor<f32>) -> tensor<?x6xf32> {
  %w0 = vit.read @w[0] : tensor<6x4xf32>
  %w1 = vit.read @w[1] : tensor<6x4xf32>
  %y = vit.linear %x, %w0 : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  %g = vit.linear_weight_gradient %d, %x : (tensor<?x6xf32>, tensor<?x4xf32>) -> tensor<6x4xf32>
  // CHECK: vit.sgd @w[0], %{{.*}} learning_rate %arg2 : tensor<6x4xf32>
  vit.sgd @w[0], %g learning_rate %rate : tensor<6x4xf32>
  %z = vit.linear %x, %w1 : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return %z : tensor<?x6xf32>
}

// CHECK: func.func private @roles(tensor<?xi32> {vit.classes = 10 : i64, vit.name = "labels", vit.role = #vit.role<targets>}) -> (tensor<f32> {vit.role = #vit.role<loss>})
func.func private @roles(tensor<?xi32> {vit.classes = 10, vit.name = "labels", vit.role = #vit.role<targets>}) -> (tensor<f32> {vit.role = #vit.role<loss>})
