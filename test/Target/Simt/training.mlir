// RUN: vit-opt %s --vit-emit-simt=level=tiled | FileCheck %s --check-prefixes=CHECK,TILED
// RUN: vit-opt %s --vit-emit-simt=level=direct | FileCheck %s --check-prefixes=CHECK,DIRECT
// RUN: vit-opt %s --vit-emit-simt="target=cuda level=sm_80" | FileCheck %s --check-prefix=CUDA

// Hand-written kernels of a training step: labels, seeds and steps are read as
// integers, updates write to the second buffer, and computed values other than
// activations are in the first one.

#t = #kernel.tile<rows = 1, cols = 1024, chunk = 1, threads = 64, thread_rows = 1, thread_cols = 16>
#w = #kernel.tile<rows = 16, cols = 64, chunk = 1, threads = 8, thread_rows = 16, thread_cols = 8>
!x = tensor<?x5x32xf32>
!p = tensor<?x5x20xf32, #kernel.channels<group = 10>>
!c = tensor<?x10xf32, #kernel.channels<>>
!l = tensor<?xi32>

module attributes {kernel.arenas = [
    #kernel.arena<"parameters", bytes = 192, [<@w, offset = 0>]>,
    #kernel.arena<"rounded", bytes = 192, rounded = bf16, [<@r, offset = 0>]>,
    #kernel.arena<"exp_avg", bytes = 192, [<@exp_avg.w, offset = 0>]>,
    #kernel.arena<"exp_avg_sq", bytes = 192, [<@exp_avg_sq.w, offset = 0>]>]} {
vit.parameter @w : tensor<4x10xf32>
vit.parameter @r : tensor<4x10xf32>
vit.state @exp_avg.w of @w role "exp_avg" : tensor<4x10xf32>
vit.state @exp_avg_sq.w of @w role "exp_avg_sq" : tensor<4x10xf32>
vit.state @random_seed role "random_seed" : tensor<2xi32>

// One unit per tile of [20, 32]; the tail of the bias is set to zero.
// CHECK-LABEL: func.func @products
// CHECK: @weight_gradient_0(%{{.+}}) units<times = 2, per = 2147483648>
// CHECK-SAME: flop<times = 6400>
// CHECK: @gemm_0
func.func @products(%dy: !p, %x: !x, %w: tensor<20x32xf32>) -> (tensor<20x32xf32>, tensor<20xf32>, !x) {
  %0:2 = kernel.weight_gradient %dy, %x tile #w : (!p, !x) -> (tensor<20x32xf32>, tensor<20xf32>)
  %1 = kernel.pack %w tile #t slots [3] : (tensor<20x32xf32>) -> tensor<20x32xf32, #kernel.panels<cols = 64, out_group = 10, transposed = true>>
  %2 = kernel.gemm %dy, %1 transposed tile #w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (!p, tensor<20x32xf32, #kernel.panels<cols = 64, out_group = 10, transposed = true>>) -> !x
  return %0#0, %0#1, %2 : tensor<20x32xf32>, tensor<20xf32>, !x
}

// Labels are integers: both buffers are, so that denormals are not flushed.
// CHECK-LABEL: func.func @losses
// CHECK: @loss_0(%{{.+}}) units<times = 1, per = 2147483648>
// CHECK: @loss_1
// CHECK: @loss_backward_0(%{{.+}}) units<times = 1, per = {{8|64|128}}>
func.func @losses(%x: !c, %l: !l) -> (tensor<f32>, tensor<i32>, !c) {
  %0 = kernel.loss cross_entropy %x, %l smoothing 0.1 tile #t : (!c, !l) -> tensor<f32>
  %1 = kernel.loss accuracy %x, %l tile #t : (!c, !l) -> tensor<i32>
  %2 = kernel.loss_backward cross_entropy %0, %x, %l smoothing 0.1 tile #t : (tensor<f32>, !c, !l) -> !c
  return %0, %1, %2 : tensor<f32>, tensor<i32>, !c
}

// CHECK-LABEL: func.func @rows
// CHECK: @normalize_backward_0
// CHECK: @sum_0
// CHECK: @attention_backward_0
// CHECK: @dropout_0
func.func @rows(%dy: !p, %x: !p, %step: tensor<i32>) -> (!p, tensor<5x20xf32>, !p, !p, !p, !p) {
  %seed = vit.read @random_seed : tensor<2xi32>
  %0:3 = kernel.normalize_backward %dy, %x epsilon 1.0e-05 tile #t slots [-1, 1, 2]
      : (!p, !p) -> (!p, tensor<?x20xf32, #kernel.channels<group = 10>>, tensor<?x20xf32, #kernel.channels<group = 10>>)
  %1 = kernel.sum batch %x tile #t : (!p) -> tensor<5x20xf32>
  %2:3 = kernel.attention_backward %dy, %x, %x, %x heads 2 head_dim 10 offsets [0, 0, 0] scale 3.0e-01 tile #t
      : (!p, !p, !p, !p) -> (!p, !p, !p)
  %3 = kernel.dropout %x, %seed, %step probability 0.1 stream 1234567890123 unit element tile #t
      : (!p, tensor<2xi32>, tensor<i32>) -> !p
  return %0#0, %1, %2#0, %2#1, %2#2, %3 : !p, tensor<5x20xf32>, !p, !p, !p, !p
}

// The ranges of the arenas come last.
// CHECK-LABEL: func.func @update
// CHECK: @norm_0
// CHECK: %[[P:.+]] = kernel.arena "parameters" at 0 : tensor<48xf32>
// CHECK: %[[M:.+]] = kernel.arena "exp_avg" at 0
// CHECK: %[[V:.+]] = kernel.arena "exp_avg_sq" at 0
// CHECK: @update_0(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[P]], %[[M]], %[[V]])
func.func @update(%g: tensor<48xf32>, %loss: tensor<f32>, %lr: tensor<f32>, %step: tensor<i32>) {
  %f = kernel.norm %g max_norm 1.0 tile #t slots [1] : (tensor<48xf32>) -> tensor<f32>
  kernel.update "adamw" [#kernel.variable<@w>] states [[#kernel.variable<@exp_avg.w>], [#kernel.variable<@exp_avg_sq.w>]]
      gradient(%g : tensor<48xf32>) guard(%loss : tensor<f32>)
      scalars(%f, %lr, %step : tensor<f32>, tensor<f32>, tensor<i32>) tile #t prologue {
  ^bb0(%clip64: f64, %lr64: f64, %steps: i32):
    %one = arith.constant 1 : i32
    %updates = arith.addi %steps, %one : i32
    %bias1 = kernel.bias_correction %updates beta 0.9 : f64
    %bias2 = kernel.bias_correction %updates beta 0.999 : f64
    %size = arith.divf %lr64, %bias1 : f64
    %root = math.sqrt %bias2 : f64
    kernel.yield %clip64, %size, %root : f64, f64, f64
  } {
  ^bb0(%p: f32, %m: f32, %v: f32, %dp: f32, %times: f32, %size: f32, %root: f32):
    %0 = arith.mulf %dp, %times : f32
    %beta = arith.constant 0.9 : f32
    %first = math.fma %beta, %m, %0 : f32
    %second = math.fma %0, %0, %v : f32
    %deviation = math.sqrt %second : f32
    %1 = arith.mulf %deviation, %root : f32
    %2 = arith.divf %first, %1 : f32
    %3 = arith.mulf %size, %2 : f32
    %next = arith.subf %p, %3 : f32
    kernel.yield %next, %first, %second : f32, f32, f32
  }
  return
}

// Only the code for the arena with a rounded copy changes one: its range is the last argument.
// CHECK-LABEL: func.func @rounded
// CHECK: @update_1(%{{.+}}, %{{[0-9]+}}) units
// CHECK: %[[P:.+]] = kernel.arena "rounded" at 0 : tensor<48xf32>
// CHECK: %[[R:.+]] = kernel.arena "rounded" at 0 : tensor<48xbf16>
// CHECK: @update_2(%{{.+}}, %[[P]], %[[R]]) units
func.func @rounded(%g: tensor<48xf32>) {
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<48xf32>) tile #t {
  ^bb0(%old: f32, %new: f32):
    kernel.yield %new : f32
  }
  kernel.update "assign" [#kernel.variable<@r>] gradient(%g : tensor<48xf32>) tile #t {
  ^bb0(%old: f32, %new: f32):
    kernel.yield %new : f32
  }
  return
}
}

// TILED: gpu.func @weight_gradient_0({{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>
// DIRECT: gpu.func @weight_gradient_0({{.+}}: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
// CHECK: gpu.func @loss_0(%{{.+}}: memref<?xi32, {{.+}}, %{{.+}}: memref<?xvector<4xi32>
// DIRECT-SAME: known_block_size = array<i32: 64, 1, 1>
// CHECK: gpu.func @update_0(%{{.+}}: memref<?xvector<4xi32>, {{.+}}, %[[W:.+]]: memref<?xvector<4xi32>
// CHECK: memref.store %{{.+}}, %[[W]]
// CUDA: gpu.func @loss_0(%{{.+}}: memref<?xf32>, %{{.+}}: memref<?xi32>, %{{.+}}: memref<?xf32>

// Each thread rounds the four elements that it has computed.
// CUDA: gpu.func @update_2(%{{.+}}: memref<?xf32>, %[[P:.+]]: memref<?xf32>, %[[R:.+]]: memref<?xbf16>
// CUDA: vector.store %[[NEW:.+]], %[[P]]
// CUDA: %[[NARROW:.+]] = arith.truncf %[[NEW]] : vector<4xf32> to vector<4xbf16>
// CUDA: vector.store %[[NARROW]], %[[R]]
// CHECK: gpu.func @update_2(%{{.+}}: memref<?xvector<4xi32>, {{.+}}, %[[W:.+]]: memref<?xvector<2xi32>
// CHECK-COUNT-3: memref.store %{{.+}}, %[[W]]
// CHECK-NOT: memref.store
