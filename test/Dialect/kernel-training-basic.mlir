// RUN: vit-opt %s > %t.1 && vit-opt %t.1 > %t.2 && diff %t.1 %t.2
// RUN: vit-opt %s --mlir-print-op-generic | vit-opt | diff - %t.1
// RUN: vit-opt %s | FileCheck %s

// CHECK: module attributes {kernel.arenas = [#kernel.arena<"parameters", bytes = 192, [<@w, offset = 0, layer = 0>, <@b, offset = 128>]>, #kernel.arena<"other", bytes = 0, rounded = bf16, []>]}
module attributes {kernel.arenas = [#kernel.arena<"parameters", bytes = 192, [<@w, offset = 0, layer = 0>, <@b, offset = 128>]>, #kernel.arena<"other", bytes = 0, rounded = bf16, []>]} {

// CHECK-LABEL: func.func @variables
func.func @variables(%w: tensor<6x4xf32>, %b: tensor<6xf32>, %lr: tensor<f32>, %step: tensor<i32>, %loss: tensor<f32>) {
  // CHECK: kernel.arena "parameters" at 16 : tensor<32xf32>
  %range = kernel.arena "parameters" at 16 : tensor<32xf32>
  // CHECK: kernel.arena "other" at 16 : tensor<32xbf16>
  %rounded = kernel.arena "other" at 16 : tensor<32xbf16>
  // CHECK: kernel.pack %arg0 tile<rows = 6, cols = 16, chunk = 1> slots [1] : (tensor<6x4xf32>) -> tensor<6x4xf32, #kernel.panels<cols = 64, transposed = true>>
  %p = kernel.pack %w tile<rows = 6, cols = 16, chunk = 1> slots [1] : (tensor<6x4xf32>) -> tensor<6x4xf32, #kernel.panels<cols = 64, transposed = true>>
  // CHECK: kernel.concat %arg0, %arg1 slots [3] : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<48xf32>
  %g = kernel.concat %w, %b slots [3] : (tensor<6x4xf32>, tensor<6xf32>) -> tensor<48xf32>
  // CHECK: kernel.all_reduce %arg0, %arg1 onto %arg0, %arg1 : (tensor<6x4xf32>, tensor<6xf32>, tensor<6x4xf32>, tensor<6xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  %sum:2 = kernel.all_reduce %w, %b onto %w, %b : (tensor<6x4xf32>, tensor<6xf32>, tensor<6x4xf32>, tensor<6xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  // CHECK: kernel.norm %{{.*}}, %arg1 max_norm 5.000000e-01 slots [1] : (tensor<48xf32>, tensor<6xf32>) -> tensor<f32>
  %f = kernel.norm %g, %b max_norm 0.5 slots [1] : (tensor<48xf32>, tensor<6xf32>) -> tensor<f32>
  // CHECK: kernel.update "adamw" [#kernel.variable<@w, layer = 0>, #kernel.variable<@b>] states
  // CHECK-SAME: gradient(%{{.*}} : tensor<48xf32>) guard(%arg4 : tensor<f32>) scalars(%{{.*}}, %arg2, %arg3 : tensor<f32>, tensor<f32>, tensor<i32>) tile<rows = 6, cols = 16, chunk = 1> prologue {
  // CHECK-NEXT: ^bb0(%{{.*}}: f64, %{{.*}}: f64, %{{.*}}: i32):
  // CHECK-NEXT: kernel.bias_correction %{{.*}} beta 7.500000e-01 : f64
  // CHECK: kernel.yield %{{.*}}, %{{.*}} : f64, f64
  // CHECK-NEXT: } {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
  // CHECK-NEXT: kernel.yield %{{.*}}, %{{.*}}, %{{.*}} : f32, f32, f32
  kernel.update "adamw" [#kernel.variable<@w, layer = 0>, #kernel.variable<@b>]
      states [[#kernel.variable<@m.w, layer = 0>, #kernel.variable<@m.b>], [#kernel.variable<@v.w, layer = 0>, #kernel.variable<@v.b>]]
      gradient(%g : tensor<48xf32>) guard(%loss : tensor<f32>) scalars(%f, %lr, %step : tensor<f32>, tensor<f32>, tensor<i32>)
      tile<rows = 6, cols = 16, chunk = 1> prologue {
  ^bb0(%factor: f64, %rate: f64, %updates: i32):
    %correction = kernel.bias_correction %updates beta 0.75 : f64
    %size = arith.divf %rate, %correction : f64
    kernel.yield %factor, %size : f64, f64
  } {
  ^bb0(%old: f32, %first: f32, %second: f32, %gradient: f32, %times: f32, %length: f32):
    kernel.yield %old, %first, %second : f32, f32, f32
  }
  // CHECK: kernel.update "assign" [#kernel.variable<@b>] gradient(%arg1 : tensor<6xf32>) {
  kernel.update "assign" [#kernel.variable<@b>] gradient(%b : tensor<6xf32>) {
  ^bb0(%old: f32, %value: f32):
    kernel.yield %value : f32
  }
  // CHECK: kernel.update "zero" [#kernel.variable<@b>] guard(%arg4 : tensor<f32>) {
  kernel.update "zero" [#kernel.variable<@b>] guard(%loss : tensor<f32>) {
  ^bb0(%old: f32):
    %zero = arith.constant 0.0 : f32
    kernel.yield %zero : f32
  }
  return
}

// CHECK-LABEL: func.func @products
func.func @products(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // CHECK: kernel.gemm %arg0, %arg2 transposed {
  %dx = kernel.gemm %dy, %w transposed {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x6xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: kernel.weight_gradient %arg0, %arg1 slots [4, 5 at 128] ends [1] : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  %dw, %db = kernel.weight_gradient %dy, %x slots [4, 5 at 128] ends [1] : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> (tensor<6x4xf32>, tensor<6xf32>)
  // CHECK: kernel.weight_gradient %arg0, %arg1 : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  %dw2 = kernel.weight_gradient %dy, %x : (tensor<?x5x6xf32>, tensor<?x5x4xf32>) -> tensor<6x4xf32>
  // CHECK: kernel.sum tokens %arg0 slots [1] : (tensor<?x5x6xf32>) -> tensor<?x6xf32>
  %t = kernel.sum tokens %dy slots [1] : (tensor<?x5x6xf32>) -> tensor<?x6xf32>
  // CHECK: kernel.sum batch %arg0 : (tensor<?x5x6xf32>) -> tensor<1x5x6xf32>
  %b = kernel.sum batch %dy : (tensor<?x5x6xf32>) -> tensor<1x5x6xf32>
  // CHECK: kernel.sum batch %{{.*}} : (tensor<?x6xf32>) -> tensor<6xf32>
  %s = kernel.sum batch %t : (tensor<?x6xf32>) -> tensor<6xf32>
  // CHECK: kernel.sum all %{{.*}} : (tensor<6xf32>) -> tensor<f32>
  %a = kernel.sum all %s : (tensor<6xf32>) -> tensor<f32>
  // CHECK: kernel.sum groups %{{.*}} : (tensor<6xf32>) -> tensor<2xf32>
  %g = kernel.sum groups %s : (tensor<6xf32>) -> tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @adjoints
func.func @adjoints(%dy: tensor<?x5x6xf32>, %x: tensor<?x5x6xf32>, %s: tensor<6xf32>, %qkv: tensor<?x5x18xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) {
  // CHECK: kernel.normalize_backward %arg0, %arg1 scale(%arg2 : tensor<6xf32>) epsilon 1.000000e-05 groups 2 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>)
  %n:3 = kernel.normalize_backward %dy, %x scale(%s : tensor<6xf32>) epsilon 1.0e-5 groups 2 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>)
  // CHECK: kernel.normalize_backward %arg0, %arg1 epsilon 1.000000e-05 slots [1] : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>)
  %n1 = kernel.normalize_backward %dy, %x epsilon 1.0e-5 slots [1] : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>)
  // CHECK: kernel.normalize_backward %arg0, %arg1 scale(%arg2 : tensor<6xf32>) plus(%arg1 : tensor<?x5x6xf32>) epsilon 1.000000e-05 :
  %n2 = kernel.normalize_backward %dy, %x scale(%s : tensor<6xf32>) plus(%x : tensor<?x5x6xf32>) epsilon 1.0e-5 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>)
  // CHECK: kernel.softmax_backward %arg0, %arg1 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> tensor<?x5x6xf32>
  %sm = kernel.softmax_backward %dy, %x : (tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> tensor<?x5x6xf32>
  // CHECK: kernel.attention_backward %arg0, %arg3, %arg3, %arg3 heads 2 head_dim 3 offsets [0, 6, 12] scale 5.000000e-01 slots [0, 1, 2] :
  %dq, %dk, %dv = kernel.attention_backward %dy, %qkv, %qkv, %qkv heads 2 head_dim 3 offsets [0, 6, 12] scale 0.5 slots [0, 1, 2]
      : (tensor<?x5x6xf32>, tensor<?x5x18xf32>, tensor<?x5x18xf32>, tensor<?x5x18xf32>) -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>)
  // CHECK: kernel.place %arg0 at 1 : (tensor<?x5x6xf32>) -> tensor<?x7x6xf32>
  %p = kernel.place %dy at 1 : (tensor<?x5x6xf32>) -> tensor<?x7x6xf32>
  // CHECK: kernel.dropout %arg0, %arg4, %arg5 probability 1.000000e-01 stream -1 unit image : (tensor<?x5x6xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x5x6xf32>
  %d = kernel.dropout %dy, %seed, %step probability 0.1 stream -1 unit image : (tensor<?x5x6xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x5x6xf32>
  // CHECK: kernel.spread %{{.*}} from 1 : (tensor<?x6xf32>) -> tensor<?x5x6xf32>
  %sp = kernel.spread %n#1 from 1 : (tensor<?x6xf32>) -> tensor<?x5x6xf32>
  return
}

// CHECK-LABEL: func.func @losses
func.func @losses(%one: tensor<f32>, %x: tensor<?x6xf32>, %hard: tensor<?xi32>, %soft: tensor<?x6xf32>) {
  // CHECK: kernel.loss cross_entropy %arg1, %arg2 smoothing 1.000000e-01 slots [1] : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<f32>
  %0 = kernel.loss cross_entropy %x, %hard smoothing 0.1 slots [1] : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<f32>
  // CHECK: kernel.loss mse %arg1, %arg3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<f32>
  %1 = kernel.loss mse %x, %soft : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<f32>
  // CHECK: kernel.loss accuracy %arg1, %arg3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<i32>
  %2 = kernel.loss accuracy %x, %soft : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<i32>
  // CHECK: kernel.loss_backward cross_entropy %arg0, %arg1, %arg2 smoothing 1.000000e-01 : (tensor<f32>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  %3 = kernel.loss_backward cross_entropy %one, %x, %hard smoothing 0.1 : (tensor<f32>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  // CHECK: kernel.loss_backward mse %arg0, %arg1, %arg3 slots [2] : (tensor<f32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %4 = kernel.loss_backward mse %one, %x, %soft slots [2] : (tensor<f32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}
}

// CHECK-LABEL: func.func @grid_product
func.func @grid_product(%t: tensor<5x8xf32>, %r: tensor<3x2xf32>, %c: tensor<4x2xf32>) {
  // CHECK: kernel.grid_product %arg0 rows %arg1 columns %arg2 prefix 1 suffix 0 reach [1, 1] : (tensor<5x8xf32>, tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<13x8xf32>
  %g = kernel.grid_product %t rows %r columns %c prefix 1 suffix 0 reach [1, 1] : (tensor<5x8xf32>, tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<13x8xf32>
  return
}

// CHECK-LABEL: func.func @relative_positions
func.func @relative_positions(%dy: tensor<?x5x8xf32>, %t: tensor<12x2xf32>) {
  // CHECK: %[[B:.*]] = kernel.pack_relative_positions %arg1 grid [2, 2] prefix 1 : (tensor<12x2xf32>) -> tensor<2x5x5xf32>
  %b = kernel.pack_relative_positions %t grid [2, 2] prefix 1 : (tensor<12x2xf32>) -> tensor<2x5x5xf32>
  // CHECK: %[[D:.*]] = kernel.attention_bias_gradient %arg0, %arg0, %arg0, %arg0 bias %[[B]] heads 2 head_dim 4 offsets [0, 0, 0] scale 5.000000e-01 :
  %d = kernel.attention_bias_gradient %dy, %dy, %dy, %dy bias %b heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<2x5x5xf32>) -> tensor<2x5x5xf32>
  // CHECK: kernel.relative_positions_backward %[[D]] grid [2, 2] prefix 1 : (tensor<2x5x5xf32>) -> tensor<12x2xf32>
  %g = kernel.relative_positions_backward %d grid [2, 2] prefix 1 : (tensor<2x5x5xf32>) -> tensor<12x2xf32>
  return
}
