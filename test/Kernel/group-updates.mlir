// RUN: vit-opt %s --vit-place-variables --vit-group-updates --split-input-file | FileCheck %s
// The result can be parsed again.
// RUN: vit-opt %s --vit-place-variables --vit-group-updates --split-input-file > %t.once
// RUN: vit-opt %t.once --split-input-file | diff - %t.once

// Two groups: the code for weights adds decay, that for the others does not.
vit.parameter @w : 2 x tensor<3x8xf32>
vit.parameter @b : 2 x tensor<3xf32>
vit.parameter @scale : tensor<16xf32>
vit.parameter @fixed : tensor<8xf32>
vit.state @momentum_buffer.w of @w role "momentum_buffer" : 2 x tensor<3x8xf32>
vit.state @momentum_buffer.b of @b role "momentum_buffer" : 2 x tensor<3xf32>
vit.state @momentum_buffer.scale of @scale role "momentum_buffer" : tensor<16xf32>
vit.state @momentum_buffer.fixed of @fixed role "momentum_buffer" : tensor<8xf32>
// CHECK-LABEL: func.func @train_step
func.func @train_step(%x: tensor<?x8xf32>, %d: tensor<?x3xf32>, %y: tensor<?x16xf32>, %lr: tensor<f32>) -> tensor<f32> {
  // CHECK: %[[W0:.+]], %[[B0:.+]] = kernel.weight_gradient
  // CHECK: %[[W1:.+]], %[[B1:.+]] = kernel.weight_gradient
  // CHECK: %[[W:.+]] = kernel.concat %[[W0]], %[[W1]] : {{.*}} -> tensor<64xf32>
  // CHECK: %[[S:.+]] = kernel.sum batch
  // CHECK: %[[B:.+]] = kernel.concat %[[B0]], %[[B1]], %[[S]] : {{.*}} -> tensor<48xf32>
  // CHECK: %[[CLIP:.+]] = kernel.norm %[[W]], %[[B]] max_norm
  // CHECK: %[[LOSS:.+]] = kernel.sum all
  // CHECK-NOT: kernel.concat
  // CHECK: kernel.update "sgd" [#kernel.variable<@w, layer = 0>, #kernel.variable<@w, layer = 1>]
  // CHECK-SAME: states {{\[\[}}#kernel.variable<@momentum_buffer.w, layer = 0>, #kernel.variable<@momentum_buffer.w, layer = 1>]]
  // CHECK-SAME: gradient(%[[W]] : tensor<64xf32>) scalars(%[[CLIP]], %arg3 : tensor<f32>, tensor<f32>)
  // CHECK: arith.addf
  // CHECK: kernel.update "sgd" [#kernel.variable<@b, layer = 0>, #kernel.variable<@b, layer = 1>, #kernel.variable<@scale>]
  // CHECK-SAME: gradient(%[[B]] : tensor<48xf32>)
  // CHECK-NOT: kernel.update
  // CHECK: return %[[LOSS]]
  %w0, %b0 = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  %w1, %b1 = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  %s = kernel.sum batch %y : (tensor<?x16xf32>) -> tensor<16xf32>
  %clip = kernel.norm %w0, %b0, %w1, %b1, %s max_norm 1.0 : (tensor<3x8xf32>, tensor<3xf32>, tensor<3x8xf32>, tensor<3xf32>, tensor<16xf32>) -> tensor<f32>
  kernel.update "sgd" [#kernel.variable<@w, layer = 0>] states [[#kernel.variable<@momentum_buffer.w, layer = 0>]] gradient(%w0 : tensor<3x8xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %C: f32, %R: f32): %Z = arith.addf %G, %W : f32 kernel.yield %W, %Z : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@b, layer = 0>] states [[#kernel.variable<@momentum_buffer.b, layer = 0>]] gradient(%b0 : tensor<3xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %C: f32, %R: f32): kernel.yield %W, %G : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@w, layer = 1>] states [[#kernel.variable<@momentum_buffer.w, layer = 1>]] gradient(%w1 : tensor<3x8xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %C: f32, %R: f32): %Z = arith.addf %G, %W : f32 kernel.yield %W, %Z : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@b, layer = 1>] states [[#kernel.variable<@momentum_buffer.b, layer = 1>]] gradient(%b1 : tensor<3xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %C: f32, %R: f32): kernel.yield %W, %G : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@scale>] states [[#kernel.variable<@momentum_buffer.scale>]] gradient(%s : tensor<16xf32>) scalars(%clip, %lr : tensor<f32>, tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %C: f32, %R: f32): kernel.yield %W, %G : f32, f32 }
  %loss = kernel.sum all %x : (tensor<?x8xf32>) -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// Members are ordered by offset.
vit.parameter @w : tensor<3x8xf32>
vit.parameter @b : tensor<3xf32>
vit.parameter @c : tensor<3xf32>
vit.state @random_seed role "random_seed" : tensor<2xi32>
vit.state @gradient.w of @w role "gradient" : tensor<3x8xf32>
vit.state @gradient.b of @b role "gradient" : tensor<3xf32>
vit.state @gradient.c of @c role "gradient" : tensor<3xf32>
// CHECK-LABEL: func.func @accumulate_step
func.func @accumulate_step(%x: tensor<?x8xf32>, %d: tensor<?x3xf32>) -> tensor<f32> {
  // CHECK: %[[W:.+]], %[[B:.+]] = kernel.weight_gradient
  // A gradient is computed in one place; the second one is a copy.
  // CHECK: %[[C:.+]] = kernel.map %[[B]]
  // CHECK: kernel.yield %{{.+}} : f32
  // CHECK: %[[ALL:.+]] = kernel.concat %[[W]], %[[B]], %[[C]]
  // CHECK: kernel.update "assign" [#kernel.variable<@gradient.w>, #kernel.variable<@gradient.b>, #kernel.variable<@gradient.c>] gradient(%[[ALL]] : tensor<64xf32>)
  // CHECK-NOT: kernel.update
  %dw, %db = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  kernel.update "assign" [#kernel.variable<@gradient.c>] gradient(%db : tensor<3xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "assign" [#kernel.variable<@gradient.b>] gradient(%db : tensor<3xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "assign" [#kernel.variable<@gradient.w>] gradient(%dw : tensor<3x8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  %seed = vit.read @random_seed : tensor<2xi32>
  %loss = kernel.sum all %x : (tensor<?x8xf32>) -> tensor<f32>
  return %loss : tensor<f32>
}
// CHECK-LABEL: func.func @train_step
func.func @train_step(%x: tensor<?x8xf32>, %lr: tensor<f32>) -> tensor<f32> {
  // A value that is read from a variable is copied, as no kernel computes it.
  // CHECK: %[[GW:.+]] = vit.read @gradient.w
  // CHECK: %[[W:.+]] = kernel.map %[[GW]]
  // CHECK: kernel.concat %[[W]], %{{.+}}, %{{.+}} :
  // CHECK: kernel.update "sgd" [#kernel.variable<@w>, #kernel.variable<@b>, #kernel.variable<@c>]
  // CHECK: kernel.update "zero" [#kernel.variable<@gradient.w>, #kernel.variable<@gradient.b>, #kernel.variable<@gradient.c>] {
  // CHECK: {{^  }$}}
  // CHECK-NEXT: return
  %gw = vit.read @gradient.w : tensor<3x8xf32>
  %gb = vit.read @gradient.b : tensor<3xf32>
  %gc = vit.read @gradient.c : tensor<3xf32>
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%gw : tensor<3x8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@b>] gradient(%gb : tensor<3xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@c>] gradient(%gc : tensor<3xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "zero" [#kernel.variable<@gradient.b>] { ^bb0(%W: f32): %Z = arith.constant 0.0 : f32 kernel.yield %Z : f32 }
  kernel.update "zero" [#kernel.variable<@gradient.w>] { ^bb0(%W: f32): %Z = arith.constant 0.0 : f32 kernel.yield %Z : f32 }
  kernel.update "zero" [#kernel.variable<@gradient.c>] { ^bb0(%W: f32): %Z = arith.constant 0.0 : f32 kernel.yield %Z : f32 }
  %loss = kernel.sum all %x : (tensor<?x8xf32>) -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// Ranges with a gap between them remain two updates.
vit.parameter @a : tensor<8xf32>
vit.parameter @b : tensor<8xf32>
vit.parameter @c : tensor<8xf32>
func.func @all(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  // CHECK: kernel.update "sgd" [#kernel.variable<@a>, #kernel.variable<@b>, #kernel.variable<@c>]
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  %1 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  %2 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  kernel.update "sgd" [#kernel.variable<@a>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@b>] gradient(%1 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@c>] gradient(%2 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return
}
// CHECK-LABEL: func.func @some
func.func @some(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  // CHECK: kernel.update "sgd" [#kernel.variable<@a>] gradient(%{{.+}} : tensor<16xf32>)
  // CHECK: kernel.update "sgd" [#kernel.variable<@c>] gradient(%{{.+}} : tensor<16xf32>)
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  %2 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  kernel.update "sgd" [#kernel.variable<@c>] gradient(%2 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  kernel.update "sgd" [#kernel.variable<@a>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return
}
