// RUN: vit-opt %s -split-input-file -p 'builtin.module(func.func(vit-convert-to-kernels))' --mlir-use-nameloc-as-prefix | FileCheck %s

vit.parameter @w : tensor<6x4xf32>
vit.parameter @b : tensor<6xf32>
vit.parameter @m : 2 x tensor<6x4xf32>
vit.parameter @s : tensor<3xf32>
vit.parameter @gain : tensor<1xf32>
vit.state @momentum_buffer.w of @w role "momentum_buffer" : tensor<6x4xf32>
vit.state @exp_avg.m of @m role "exp_avg" : 2 x tensor<6x4xf32>
vit.state @exp_avg_sq.m of @m role "exp_avg_sq" : 2 x tensor<6x4xf32>
vit.state @gradient.w of @w role "gradient" : tensor<6x4xf32>
vit.state @random_seed role "random_seed" : tensor<2xi32>

// One kernel computes the gradients of weight and bias.
// CHECK-LABEL: func.func @linear
func.func @linear(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<6x4xf32>, tensor<6xf32>) {
  // CHECK: %[[W:.*]] = vit.read @w
  %w = vit.read @w : tensor<6x4xf32>
  // CHECK: %[[DX:.*]] = kernel.gemm %{{.*}}, %[[W]] transposed {
  // CHECK: } : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  %dx = vit.linear_input_gradient %dy, %w : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: %[[DW:.*]], %[[DB:.*]] = kernel.weight_gradient %{{.*}}, %{{.*}} : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  // CHECK-NOT: kernel.sum
  %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  %db = vit.sum_to %dy : (tensor<?x5x6xf32>) -> tensor<6xf32>
  // CHECK: return %[[DX]], %[[DW]], %[[DB]]
  return %dx, %dw, %db : tensor<?x5x4xf32>, tensor<6x4xf32>, tensor<6xf32>
}

// CHECK-LABEL: func.func @sums
func.func @sums(%dy: tensor<?x5x6xf32>, %d: tensor<?x6xf32>) -> (tensor<6xf32>, tensor<5x6xf32>, tensor<1x5x6xf32>, tensor<1xf32>, tensor<6xf32>, tensor<1x6xf32>) {
  // CHECK: %[[T:.*]] = kernel.sum tokens %{{.*}} : (tensor<?x5x6xf32>) -> tensor<?x6xf32>
  // CHECK: kernel.sum batch %[[T]] : (tensor<?x6xf32>) -> tensor<6xf32>
  %0 = vit.sum_to %dy : (tensor<?x5x6xf32>) -> tensor<6xf32>
  // CHECK: %[[B:.*]] = kernel.sum batch %[[DY:.*]] : (tensor<?x5x6xf32>) -> tensor<5x6xf32>
  %1 = vit.sum_to %dy : (tensor<?x5x6xf32>) -> tensor<5x6xf32>
  // CHECK: kernel.sum batch %[[DY]] : (tensor<?x5x6xf32>) -> tensor<1x5x6xf32>
  %2 = vit.sum_to %dy : (tensor<?x5x6xf32>) -> tensor<1x5x6xf32>
  // CHECK: kernel.sum all %[[DY]] : (tensor<?x5x6xf32>) -> tensor<1xf32>
  %3 = vit.sum_to %dy : (tensor<?x5x6xf32>) -> tensor<1xf32>
  // CHECK: kernel.sum batch %{{.*}} : (tensor<?x6xf32>) -> tensor<6xf32>
  %4 = vit.sum_to %d : (tensor<?x6xf32>) -> tensor<6xf32>
  // The sum over the batch starts from the activation.
  // CHECK: %[[U:.*]] = kernel.sum tokens %[[DY]]
  // CHECK: kernel.sum batch %[[U]] : (tensor<?x6xf32>) -> tensor<1x6xf32>
  %5 = vit.sum_to %1 : (tensor<5x6xf32>) -> tensor<1x6xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<6xf32>, tensor<5x6xf32>, tensor<1x5x6xf32>, tensor<1xf32>, tensor<6xf32>, tensor<1x6xf32>
}

// Sums for scale and bias only where they are used.
// CHECK-LABEL: func.func @norms
func.func @norms(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<3xf32>, tensor<?x5x6xf32>) {
  %s = vit.read @s : tensor<3xf32>
  // CHECK: %[[S:.*]] = kernel.derive %{{.*}}, %{{.*}} : (tensor<3xf32>, tensor<3xf32>) -> tensor<6xf32>
  // CHECK: %[[DX:.*]], %[[SUMS:.*]]:2 = kernel.normalize_backward %{{.*}}, %{{.*}} scale(%[[S]] : tensor<6xf32>) epsilon {{.*}} groups 2 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>)
  // CHECK-NEXT: %[[B:.*]] = kernel.sum batch %[[SUMS]]#0 : (tensor<?x6xf32>) -> tensor<6xf32>
  // CHECK-NEXT: %[[G:.*]] = kernel.sum groups %[[B]] : (tensor<6xf32>) -> tensor<3xf32>
  // CHECK-NOT: kernel.sum
  %dx, %ds, %db = vit.layer_norm_backward %dy, %x scale %s epsilon 1.0e-05 groups 2
      : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<3xf32>) -> (tensor<?x5x6xf32>, tensor<3xf32>, tensor<3xf32>)
  // CHECK: kernel.normalize_backward %{{.*}}, %{{.*}} epsilon 1.000000e-05 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>)
  %dx2, %ds2, %db2 = vit.layer_norm_backward %dy, %x epsilon 1.0e-05
      : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<6xf32>, tensor<6xf32>)
  // CHECK: return %[[DX]], %[[G]]
  return %dx, %ds, %dx2 : tensor<?x5x6xf32>, tensor<3xf32>, tensor<?x5x6xf32>
}

// CHECK-LABEL: func.func @others
func.func @others(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x6xf32>, %d: tensor<?x6xf32>, %step: tensor<i32>)
    -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>) {
  // CHECK: kernel.attention_backward %{{.*}} heads 2 head_dim 3 offsets [0, 0, 0] scale 5.000000e-01 :
  %dq, %dk, %dv = vit.attention_backward %dy, %x, %x, %x heads 2 scale 0.5
      : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>)
  // CHECK: kernel.softmax_backward
  %sm = vit.softmax_backward %dv, %x : tensor<?x5x6xf32>
  // CHECK: kernel.place %{{.*}} at 1 : (tensor<?x5x6xf32>) -> tensor<?x7x6xf32>
  %p = vit.place_tokens %dy at 1 : (tensor<?x5x6xf32>) -> tensor<?x7x6xf32>
  // CHECK: kernel.spread %{{.*}} from 1 : (tensor<?x6xf32>) -> tensor<?x5x6xf32>
  %s = vit.spread_tokens %d from 1 : (tensor<?x6xf32>) -> tensor<?x5x6xf32>
  // The same name gives the same stream and mask: XXH64("a").
  // CHECK: %[[SEED:.*]] = vit.read @random_seed : tensor<2xi32>
  %seed = vit.read @random_seed : tensor<2xi32>
  // CHECK: kernel.dropout %{{.*}}, %[[SEED]], %{{.*}} probability 1.000000e-01 stream -3292477735350538661 unit element :
  %e = vit.dropout %x probability 0.1 random "a", %seed, %step : tensor<?x5x6xf32>
  // CHECK: kernel.dropout %{{.*}}, %[[SEED]], %{{.*}} probability 1.000000e-01 stream -3292477735350538661 unit image :
  %i = vit.drop_path %x probability 0.1 random "a", %seed, %step : tensor<?x5x6xf32>
  // The derivative of an activation is scalar code.
  // CHECK: kernel.map
  // CHECK: arith.cmpf ogt
  // CHECK: arith.select
  %r = vit.derivative relu %x : tensor<?x5x6xf32>
  return %dq, %sm, %p, %s, %e, %i, %r : tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>
}

// Updates depend on a finite loss.
// CHECK-LABEL: func.func @train_step
func.func @train_step(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x4xf32>, %logits: tensor<?x6xf32>, %labels: tensor<?xi32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<f32>, tensor<i32>) {
  // CHECK: %[[LOSS:.*]] = kernel.loss cross_entropy %{{.*}}, %{{.*}} smoothing 1.000000e-01 : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<f32>
  %loss = vit.cross_entropy %logits, %labels smoothing 0.1 : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<f32>
  // CHECK: kernel.loss accuracy
  %right = vit.accuracy %logits, %labels : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<i32>
  // CHECK: %[[ONE:.*]] = arith.constant dense<5.000000e-01> : tensor<f32>
  %one = arith.constant dense<0.5> : tensor<f32>
  // CHECK: kernel.loss_backward cross_entropy %[[ONE]], %{{.*}}, %{{.*}} smoothing 1.000000e-01 :
  %d = vit.cross_entropy_backward %one, %logits, %labels smoothing 0.1 : (tensor<f32>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  %db = vit.sum_to %d : (tensor<?x6xf32>) -> tensor<6xf32>
  // CHECK: %[[DW:.*]] = kernel.weight_gradient %{{.*}} -> tensor<6x4xf32>
  %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  // Gradients are results of kernels, so ops on them are kernels, too.
  // CHECK: %[[OLD:.*]] = vit.read @gradient.w
  %old = vit.read @gradient.w : tensor<6x4xf32>
  // CHECK: %[[SUM:.*]] = kernel.map %[[DW]] extras(%[[OLD]] : tensor<6x4xf32>) {
  %sum = vit.add %old, %dw : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  // CHECK: %[[CLIP:.*]] = kernel.norm %[[SUM]], %{{.*}} max_norm 2.000000e+00 : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<f32>
  %clip = vit.clip_by_global_norm %sum, %db max_norm 2.0 : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<f32>
  // CHECK: kernel.update "sgd" [#kernel.variable<@w>] states {{\[}}[#kernel.variable<@momentum_buffer.w>]] gradient(%[[SUM]] : tensor<6x4xf32>) guard(%[[LOSS]] : tensor<f32>)
  // CHECK-SAME: scalars(%[[CLIP]], %arg4 : tensor<f32>, tensor<f32>) {
  // CHECK: ^bb0(%[[W:.*]]: f32, %[[BUFFER:.*]]: f32, %[[G:.*]]: f32, %[[FACTOR:.*]]: f32, %[[RATE:.*]]: f32):
  // CHECK: %[[CLIPPED:.*]] = arith.mulf %[[G]], %[[FACTOR]]
  // CHECK: %[[DECAYED:.*]] = math.fma %{{.*}}, %[[W]], %[[CLIPPED]]
  // CHECK: %[[NEXT:.*]] = math.fma %[[MOMENTUM:.*]], %[[BUFFER]], %[[DECAYED]]
  // CHECK: %[[AHEAD:.*]] = math.fma %{{.*}}, %[[NEXT]], %[[DECAYED]]
  // CHECK: %[[STEP:.*]] = arith.mulf %[[RATE]], %[[AHEAD]]
  // CHECK: %[[RESULT:.*]] = arith.subf %[[W]], %[[STEP]]
  // CHECK: kernel.yield %[[RESULT]], %[[NEXT]] : f32, f32
  vit.sgd @w, %sum times %clip state @momentum_buffer.w learning_rate %rate momentum 0.9 nesterov decay 0.5 : tensor<6x4xf32>
  // CHECK: kernel.update "adam" [#kernel.variable<@m, layer = 0>]
  // CHECK-SAME: {{\[}}[#kernel.variable<@exp_avg.m, layer = 0>], [#kernel.variable<@exp_avg_sq.m, layer = 0>]] gradient(%[[DW]]
  // CHECK-SAME: scalars(%arg4, %arg5 : tensor<f32>, tensor<i32>) prologue {
  // CHECK: ^bb0(%[[RATE:.*]]: f64, %[[STEP:.*]]: i32):
  // CHECK: %[[EVERY:.*]] = arith.constant 4 : i32
  // CHECK: %[[BEFORE:.*]] = arith.divui %[[STEP]], %[[EVERY]] : i32
  // CHECK: %[[UPDATES:.*]] = arith.addi %[[BEFORE]], %{{.*}} : i32
  // CHECK: %[[FIRST:.*]] = kernel.bias_correction %[[UPDATES]] beta 5.000000e-01 : f64
  // CHECK: %[[SECOND:.*]] = kernel.bias_correction %[[UPDATES]] beta 7.500000e-01 : f64
  // CHECK: arith.divf %[[RATE]], %[[FIRST]] : f64
  // CHECK: math.sqrt %[[SECOND]] : f64
  // CHECK: kernel.yield %{{.*}}, %{{.*}} : f64, f64
  // CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
  // CHECK: math.sqrt %{{.*}} : f32
  // CHECK: kernel.yield %{{.*}}, %{{.*}}, %{{.*}} : f32, f32, f32
  vit.adam @m[0], %dw state @exp_avg.m, @exp_avg_sq.m learning_rate %rate step %step betas [0.5, 0.75] epsilon 0.25 every 4 : tensor<6x4xf32>
  // CHECK: kernel.update "adamw" [#kernel.variable<@m, layer = 1>]
  // CHECK: math.fma %{{.*}}, %{{.*}}, %{{.*}} : f64
  // CHECK: kernel.yield %{{.*}}, %{{.*}}, %{{.*}} : f64, f64, f64
  vit.adamw @m[1], %dw state @exp_avg.m, @exp_avg_sq.m learning_rate %rate step %step betas [0.5, 0.75] epsilon 0.25 decay 0.5 : tensor<6x4xf32>
  // CHECK: kernel.update "assign" [#kernel.variable<@b>] gradient(%{{.*}} : tensor<6xf32>) guard(%[[LOSS]] : tensor<f32>) {
  // CHECK: ^bb0(%{{.*}}: f32, %[[VALUE:.*]]: f32):
  // CHECK-NEXT: kernel.yield %[[VALUE]] : f32
  vit.write @b, %db : tensor<6xf32>
  // CHECK: kernel.update "zero" [#kernel.variable<@gradient.w>] guard(%[[LOSS]] : tensor<f32>) {
  // CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
  // CHECK: kernel.yield %[[ZERO]] : f32
  %zero = arith.constant dense<0.0> : tensor<6x4xf32>
  vit.write @gradient.w, %zero : tensor<6x4xf32>
  return %loss, %right : tensor<f32>, tensor<i32>
}

// A parameter has the gradient's shape; a single number is broadcast.
// CHECK-LABEL: func.func @parameters
func.func @parameters(%d: tensor<?x6xf32>) -> tensor<6xf32> {
  %db = vit.sum_to %d : (tensor<?x6xf32>) -> tensor<6xf32>
  %g = vit.read @gain : tensor<1xf32>
  // CHECK: %[[G:.*]] = kernel.derive %{{.*}} : (tensor<1xf32>) -> tensor<6xf32>
  // CHECK: kernel.map %{{.*}} extras(%[[G]] : tensor<6xf32>) {
  %0 = vit.mul %db, %g : (tensor<6xf32>, tensor<1xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// CHECK-LABEL: func.func @mse
func.func @mse(%x: tensor<?x6xf32>, %t: tensor<?x6xf32>) -> (tensor<f32>, tensor<?x6xf32>) {
  // CHECK: %[[L:.*]] = kernel.loss mse
  %loss = vit.mse %x, %t : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<f32>
  // CHECK: kernel.loss_backward mse %[[L]]
  %d = vit.mse_backward %loss, %x, %t : (tensor<f32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %loss, %d : tensor<f32>, tensor<?x6xf32>
}

// The adjoint of a resampling multiplies by the transposed matrices.
// CHECK-LABEL: func.func @resample_backward
func.func @resample_backward(%d: tensor<?x10x4xf32>) -> tensor<5x4xf32> {
  // CHECK: %[[D:.+]] = kernel.sum {{ *}}batch
  %0 = vit.sum_to %d : (tensor<?x10x4xf32>) -> tensor<10x4xf32>
  // CHECK: kernel.grid_product %[[D]] rows %{{.+}} columns %{{.+}} prefix 1 suffix 0 reach [2, 2] : (tensor<10x4xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<5x4xf32>
  %1 = vit.resample_positions_backward %0 from [2, 2] to [3, 3] prefix 1 : (tensor<10x4xf32>) -> tensor<5x4xf32>
  return %1 : tensor<5x4xf32>
}
