// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile,vit-layout))' | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan},vit-layout))' | FileCheck %s --check-prefixes=CHECK,GPU
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=direct},vit-layout))' | FileCheck %s --check-prefix=DIRECT

vit.parameter @w : tensor<40x24xf32>
vit.parameter @s : tensor<24xf32>
vit.state @random_seed role "random_seed" : tensor<2xi32>

// Weights precede their inputs; gradients of parameters stay row-major, and the
// activations that they sum keep their groups.
// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x5x24xf32>, %q: tensor<?x5x24xf32>, %dy: tensor<?x5x40xf32>) -> (tensor<?x5x24xf32>, tensor<24x24xf32>, tensor<24xf32>, tensor<5x24xf32>) {
  %w = vit.read @w : tensor<40x24xf32>
  // Heads of 12: gradients of the products are padded per head.
  // CPU: %[[Q:.*]], %{{.*}}, %{{.*}} = kernel.attention_backward {{.*}} -> (tensor<?x5x24xf32, #kernel.blocked<rows = [[R:.]], group = 12>>, tensor<?x5x24xf32, #kernel.blocked<rows = [[R]], group = 12>>, tensor<?x5x24xf32, #kernel.blocked<rows = [[R]], group = 12>>)
  // GPU: %[[Q:.*]], %{{.*}}, %{{.*}} = kernel.attention_backward {{.*}} -> (tensor<?x5x24xf32, #kernel.channels<group = 12>>, tensor<?x5x24xf32, #kernel.channels<group = 12>>, tensor<?x5x24xf32, #kernel.channels<group = 12>>)
  %dq, %dk, %dv = kernel.attention_backward %q, %x, %x, %x heads 2 head_dim 12 offsets [0, 0, 0] scale 0.5
      : (tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> (tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>)
  // CHECK: %[[W:.*]] = kernel.derive %{{.*}} : (tensor<40x24xf32>) -> tensor<40x24xf32, #kernel.panels<cols = 64, transposed = true>>
  // CPU: kernel.gemm %{{.*}}, %[[W]] transposed tile<rows = {{.}}, cols = 64, chunk = 1> {
  // GPU: kernel.gemm %{{.*}}, %[[W]] transposed tile<rows = 16, cols = 64, chunk = 16, threads = 128, thread_rows = 2, thread_cols = 4> {
  %dx = kernel.gemm %dy, %w transposed {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x40xf32>, tensor<40x24xf32>) -> tensor<?x5x24xf32>
  // CPU: kernel.weight_gradient %[[Q]], %{{.*}} tile<rows = {{.}}, cols = {{.*}}, chunk = {{.*}}> : {{.*}} -> (tensor<24x24xf32>, tensor<24xf32>)
  // GPU: kernel.weight_gradient %[[Q]], %{{.*}} tile<rows = 32, cols = 64, chunk = 16, threads = 128, thread_rows = 4, thread_cols = 4> : {{.*}} -> (tensor<24x24xf32>, tensor<24xf32>)
  // DIRECT: kernel.weight_gradient {{.*}} tile<rows = {{8|16}}, cols = 64, chunk = 1, threads = 8
  %dw, %db = kernel.weight_gradient %dq, %x : (tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> (tensor<24x24xf32>, tensor<24xf32>)
  // CHECK: kernel.sum batch %[[Q]] {{.*}} -> tensor<5x24xf32>{{$}}
  %t = kernel.sum batch %dq : (tensor<?x5x24xf32>) -> tensor<5x24xf32>
  return %dx, %dw, %db, %t : tensor<?x5x24xf32>, tensor<24x24xf32>, tensor<24xf32>, tensor<5x24xf32>
}

// Sums per image are activations; a norm of groups and its backward agree.
// CHECK-LABEL: func.func @norm
func.func @norm(%dy: tensor<?x5x24xf32>, %x: tensor<?x5x24xf32>, %step: tensor<i32>) -> (tensor<?x5x24xf32>, tensor<24xf32>, tensor<12xf32>) {
  %s = vit.read @s : tensor<24xf32>
  %seed = vit.read @random_seed : tensor<2xi32>
  // CHECK: %[[S:.*]] = kernel.derive %{{.*}} -> tensor<24xf32, #kernel.channels<group = 12>>
  // CPU: kernel.normalize_backward %{{.*}}, %{{.*}} scale(%[[S]] : {{.*}}) plus(%{{.*}} : tensor<?x5x24xf32, #kernel.blocked<rows = {{.}}, group = 12>>) epsilon {{.*}} groups 2 tile<rows = {{.}}, cols = 16, chunk = 1> :
  // CPU-SAME: -> (tensor<?x5x24xf32, #kernel.blocked<rows = {{.}}, group = 12>>, tensor<?x24xf32, #kernel.blocked<rows = {{.}}, group = 12>>, tensor<?x24xf32, #kernel.blocked<rows = {{.}}, group = 12>>)
  // GPU: kernel.normalize_backward {{.*}} groups 2 tile<rows = 1, cols = 32, chunk = 1, threads = 128, {{.*}} -> (tensor<?x5x24xf32, #kernel.channels<group = 12>>, tensor<?x24xf32, #kernel.channels<group = 12>>,
  // DIRECT: kernel.normalize_backward {{.*}} threads = 8,
  %n:3 = kernel.normalize_backward %dy, %x scale(%s : tensor<24xf32>) plus(%x : tensor<?x5x24xf32>) epsilon 1.0e-6 groups 2
      : (tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> (tensor<?x5x24xf32>, tensor<?x24xf32>, tensor<?x24xf32>)
  // CHECK: %[[B:.*]] = kernel.sum batch %{{.*}} -> tensor<24xf32>{{$}}
  %b = kernel.sum batch %n#1 : (tensor<?x24xf32>) -> tensor<24xf32>
  // CHECK: kernel.sum groups %[[B]] tile<{{.*}}> : (tensor<24xf32>) -> tensor<12xf32>{{$}}
  %g = kernel.sum groups %b : (tensor<24xf32>) -> tensor<12xf32>
  // Seed and step are not converted, and neither is a flat map.
  // CHECK: kernel.dropout %{{.*}}, %{{.*}}, %arg2 {{.*}}, tensor<2xi32>, tensor<i32>) -> tensor<?x5x24xf32, #kernel.{{(blocked<rows = .|channels<)(, )?}}group = 12>>
  %d = kernel.dropout %n#0, %seed, %step probability 0.5 stream 1 unit image : (tensor<?x5x24xf32>, tensor<2xi32>, tensor<i32>) -> tensor<?x5x24xf32>
  // CHECK: kernel.map %[[B]] extras(%{{.*}} : tensor<24xf32>) tile<{{.*}}> {
  %f = kernel.map %b extras(%s : tensor<24xf32>) {
  ^bb0(%e: f32, %v: f32):
    %1 = arith.mulf %e, %v : f32
    kernel.yield %1 : f32
  } : tensor<24xf32> -> tensor<24xf32>
  return %d, %f, %g : tensor<?x5x24xf32>, tensor<24xf32>, tensor<12xf32>
}

// Logits are an activation; targets and returned numbers are not converted.
// CHECK-LABEL: func.func @losses
func.func @losses(%x: tensor<?x24xf32>, %labels: tensor<?xi32>, %soft: tensor<?x24xf32>) -> (tensor<f32>, tensor<f32>, tensor<?x24xf32>) {
  // CPU: kernel.loss cross_entropy %[[X:.*]], %arg1 {{.*}} : (tensor<?x24xf32, #kernel.blocked<rows = {{.}}>>, tensor<?xi32>) -> tensor<f32>
  // GPU: kernel.loss cross_entropy %[[X:.*]], %arg1 {{.*}} threads = 128{{.*}} : (tensor<?x24xf32, #kernel.channels<>>, tensor<?xi32>) -> tensor<f32>
  // DIRECT: kernel.loss cross_entropy {{.*}} threads = 1,
  %0 = kernel.loss cross_entropy %x, %labels : (tensor<?x24xf32>, tensor<?xi32>) -> tensor<f32>
  // CHECK: kernel.loss mse %[[X]], %arg2 {{.*}}, tensor<?x24xf32>) -> tensor<f32>
  %1 = kernel.loss mse %x, %soft : (tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<f32>
  // CHECK: kernel.loss_backward mse %{{.*}}, %[[X]], %arg2 {{.*}} : (tensor<f32>, tensor<?x24xf32, #kernel
  %2 = kernel.loss_backward mse %1, %x, %soft : (tensor<f32>, tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  return %0, %1, %2 : tensor<f32>, tensor<f32>, tensor<?x24xf32>
}

// Updates read gradients without conversion.
// CHECK-LABEL: func.func @update
func.func @update(%x: tensor<?x5x24xf32>, %rate: tensor<f32>) -> tensor<f32> {
  %dw, %db = kernel.weight_gradient %x, %x : (tensor<?x5x24xf32>, tensor<?x5x24xf32>) -> (tensor<24x24xf32>, tensor<24xf32>)
  // CHECK: kernel.norm {{.*}} max_norm 1.000000e+00 tile<{{.*}}> : (tensor<24x24xf32>, tensor<24xf32>) -> tensor<f32>
  %f = kernel.norm %dw, %db max_norm 1.0 : (tensor<24x24xf32>, tensor<24xf32>) -> tensor<f32>
  // CHECK: kernel.update "sgd" {{.*}} gradient(%{{.*}} : tensor<24xf32>) scalars(%{{.*}}, %arg1 : tensor<f32>, tensor<f32>) tile<
  kernel.update "sgd" [#kernel.variable<@s>] gradient(%db : tensor<24xf32>) scalars(%f, %rate : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %G: f32, %C: f32, %R: f32): kernel.yield %W : f32 }
  return %f : tensor<f32>
}
