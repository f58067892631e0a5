// RUN: vit-opt %s -p 'builtin.module(vit-place-variables,vit-group-updates,func.func(vit-pack-parameters))' --split-input-file | FileCheck %s

!act = tensor<?x16xf32, #kernel.blocked<rows = 6>>
!panels = tensor<16x16xf32, #kernel.panels<cols = 64>>
!turned = tensor<16x16xf32, #kernel.panels<cols = 64, transposed = true>>

vit.parameter @w : tensor<16x16xf32>
vit.parameter @b : tensor<16xf32>
vit.parameter @narrow : tensor<3xf32>
vit.parameter @frozen : tensor<16xf32>

// CHECK-LABEL: func.func @train_step
func.func @train_step(%x: !act, %d: !act, %y: tensor<?x3xf32>, %lr: tensor<f32>) -> !act {
  // CHECK-DAG: %[[W:.+]] = vit.read @w
  // CHECK-DAG: %[[B:.+]] = vit.read @b
  // CHECK-DAG: %[[N:.+]] = vit.read @narrow
  // CHECK-DAG: %[[F:.+]] = vit.read @frozen
  %w = vit.read @w : tensor<16x16xf32>
  %b = vit.read @b : tensor<16xf32>
  %n = vit.read @narrow : tensor<3xf32>
  %f = vit.read @frozen : tensor<16xf32>
  // CHECK: kernel.pack %[[W]] tile<rows = 6, cols = 16, chunk = 1> : {{.*}} -> tensor<16x16xf32, #kernel.panels<cols = 64>>
  %p = kernel.derive %w : (tensor<16x16xf32>) -> !panels
  // A form with the bytes of the variable is the variable itself.
  // CHECK: kernel.derive %[[B]]
  %c = kernel.derive %b : (tensor<16xf32>) -> tensor<16xf32, #kernel.channels<>>
  // A form with padding is not.
  // CHECK: kernel.pack %[[N]]
  %q = kernel.derive %n : (tensor<3xf32>) -> tensor<3xf32, #kernel.channels<>>
  // Forms of parameters that no entry changes are computed at load.
  // CHECK: kernel.derive %[[F]]
  %g = kernel.derive %f : (tensor<16xf32>) -> tensor<16xf32, #kernel.channels<>>
  %0 = kernel.gemm %x, %p extras(%c, %g : tensor<16xf32, #kernel.channels<>>, tensor<16xf32, #kernel.channels<>>) tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%e: f32, %h: f32, %i: f32):
    %s = arith.addf %h, %i : f32
    kernel.yield %s : f32
  } : (!act, !panels) -> !act
  // CHECK: kernel.pack %[[W]] {{.*}} transposed = true
  %t = kernel.derive %w : (tensor<16x16xf32>) -> !turned
  %1 = kernel.gemm %0, %t transposed tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, !turned) -> !act
  %2 = kernel.map %y extras(%q : tensor<3xf32, #kernel.channels<>>) tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %h: f32):
    kernel.yield %h : f32
  } : tensor<?x3xf32> -> tensor<?x3xf32>
  %dw, %db = kernel.weight_gradient %d, %x : (!act, !act) -> (tensor<16x16xf32>, tensor<16xf32>)
  %dn = kernel.sum batch %2 : (tensor<?x3xf32>) -> tensor<3xf32>
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%dw : tensor<16x16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@b>] gradient(%db : tensor<16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@narrow>] gradient(%dn : tensor<3xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return %1 : !act
}

// Forms of an inference entry are computed at load, except those that modules
// do not store.
// CHECK-LABEL: func.func @forward
func.func @forward(%x: !act) -> !act {
  // CHECK: kernel.derive
  // CHECK-NOT: kernel.derive
  // CHECK: kernel.pack
  %w = vit.read @w : tensor<16x16xf32>
  %p = kernel.derive %w : (tensor<16x16xf32>) -> !panels
  %0 = kernel.gemm %x, %p tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, !panels) -> !act
  %t = kernel.derive %w : (tensor<16x16xf32>) -> !turned
  %1 = kernel.gemm %0, %t transposed tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : (!act, !turned) -> !act
  return %1 : !act
}

// -----

// A table that the step changes is resampled in each step.
// CHECK-LABEL: func.func @train_step
vit.parameter @p : tensor<5x16xf32>
func.func @train_step(%x: tensor<?x5x16xf32>, %y: tensor<?x10x16xf32>, %lr: tensor<f32>) -> tensor<?x10x16xf32> {
  // CHECK: %[[P:.+]] = vit.read @p
  %p = vit.read @p : tensor<5x16xf32>
  // CHECK-DAG: %[[R:.+]] = arith.constant dense<{{.+}}> : tensor<3x2xf32>
  // CHECK: %[[G:.+]] = kernel.grid_product %[[P]] rows %{{.+}} columns %{{.+}} prefix 1 suffix 0 reach [1, 1] {{.*}} -> tensor<10x16xf32>
  %r = kernel.resample %p from [2, 2] to [3, 3] prefix 1 : (tensor<5x16xf32>) -> tensor<10x16xf32>
  // CHECK: kernel.pack %[[G]]
  %c = kernel.derive %r : (tensor<10x16xf32>) -> tensor<10x16xf32, #kernel.channels<group = 4>>
  %0 = kernel.map %y extras(%c : tensor<10x16xf32, #kernel.channels<group = 4>>) { ^bb0(%e: f32, %h: f32): kernel.yield %h : f32 } : tensor<?x10x16xf32> -> tensor<?x10x16xf32>
  %1 = kernel.sum batch %x : (tensor<?x5x16xf32>) -> tensor<5x16xf32>
  kernel.update "sgd" [#kernel.variable<@p>] gradient(%1 : tensor<5x16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return %0 : tensor<?x10x16xf32>
}

// -----

// On GPUs weights in bf16 are ranges of the rounded copy of their arena, one of several variables
// where these are contiguous; biases are ranges of the arena. What is padded, in other panels, or not
// contiguous, is packed.
// CHECK-LABEL: func.func @train_step
vit.parameter @q : tensor<16x32xf32>
vit.parameter @k : tensor<16x32xf32>
vit.parameter @qb : tensor<16xf32>
vit.parameter @kb : tensor<16xf32>
vit.parameter @head : tensor<10x32xf32>
!panels = tensor<32x32xbf16, #kernel.panels<cols = 1>>
func.func @train_step(%w: tensor<16x32xf32>, %b: tensor<16xf32>, %h: tensor<10x32xf32>)
    -> (!panels, !panels, tensor<16x32xbf16, #kernel.panels<cols = 1>>, tensor<32xf32, #kernel.channels<>>,
        tensor<16x32xbf16, #kernel.panels<cols = 64>>, tensor<10x32xbf16, #kernel.panels<cols = 1>>,
        tensor<16x32xbf16, #kernel.panels<cols = 1, out_group = 8>>) {
  %q = vit.read @q : tensor<16x32xf32>
  %k = vit.read @k : tensor<16x32xf32>
  %qb = vit.read @qb : tensor<16xf32>
  %kb = vit.read @kb : tensor<16xf32>
  %head = vit.read @head : tensor<10x32xf32>
  // CHECK: %[[QK:.+]] = kernel.derive
  %qk = kernel.derive %q, %k : (tensor<16x32xf32>, tensor<16x32xf32>) -> !panels
  // CHECK: %[[KQ:.+]] = kernel.pack
  %kq = kernel.derive %k, %q : (tensor<16x32xf32>, tensor<16x32xf32>) -> !panels
  // CHECK: %[[K:.+]] = kernel.derive
  %one = kernel.derive %k : (tensor<16x32xf32>) -> tensor<16x32xbf16, #kernel.panels<cols = 1>>
  // CHECK: %[[B:.+]] = kernel.derive
  %bias = kernel.derive %qb, %kb : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32, #kernel.channels<>>
  // CHECK: %[[T:.+]] = kernel.pack
  %t = kernel.derive %q : (tensor<16x32xf32>) -> tensor<16x32xbf16, #kernel.panels<cols = 64>>
  // CHECK: %[[H:.+]] = kernel.pack
  %p = kernel.derive %head : (tensor<10x32xf32>) -> tensor<10x32xbf16, #kernel.panels<cols = 1>>
  // CHECK: %[[G:.+]] = kernel.pack
  %g = kernel.derive %q : (tensor<16x32xf32>) -> tensor<16x32xbf16, #kernel.panels<cols = 1, out_group = 8>>
  kernel.update "assign" [#kernel.variable<@q>] gradient(%w : tensor<16x32xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "keep" [#kernel.variable<@qb>] gradient(%b : tensor<16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %W : f32 }
  kernel.update "assign" [#kernel.variable<@k>] gradient(%w : tensor<16x32xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "keep" [#kernel.variable<@kb>] gradient(%b : tensor<16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %W : f32 }
  kernel.update "assign" [#kernel.variable<@head>] gradient(%h : tensor<10x32xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  // CHECK: return %[[QK]], %[[KQ]], %[[K]], %[[B]], %[[T]], %[[H]], %[[G]]
  return %qk, %kq, %one, %bias, %t, %p, %g : !panels, !panels, tensor<16x32xbf16, #kernel.panels<cols = 1>>, tensor<32xf32, #kernel.channels<>>,
        tensor<16x32xbf16, #kernel.panels<cols = 64>>, tensor<10x32xbf16, #kernel.panels<cols = 1>>,
        tensor<16x32xbf16, #kernel.panels<cols = 1, out_group = 8>>
}
