// RUN: vit-opt %s --vit-place-variables --split-input-file | FileCheck %s

// Two groups: the code for weights adds decay, that for the others does not. Parameters of a group
// are contiguous, and groups are in the order of the text. A state has the offset of its parameter;
// a state that is only read comes last, and an unused one has no place.
// CHECK: #kernel.arena<"parameters", bytes = 448, [<@w, offset = 0, layer = 0>, <@w, offset = 128, layer = 1>, <@b, offset = 256, layer = 0>, <@b, offset = 320, layer = 1>, <@scale, offset = 384>]>
// CHECK-SAME: #kernel.arena<"momentum_buffer", bytes = 512, [<@buffer_w, offset = 0, layer = 0>, <@buffer_w, offset = 128, layer = 1>, <@buffer_b, offset = 256, layer = 0>, <@buffer_b, offset = 320, layer = 1>, <@buffer_read, offset = 448>]>
vit.parameter @w : 2 x tensor<3x8xf32>
vit.parameter @b : 2 x tensor<3xf32>
vit.parameter @scale : tensor<16xf32>
vit.parameter @fixed : tensor<8xf32>
vit.state @buffer_w of @w role "momentum_buffer" : 2 x tensor<3x8xf32>
vit.state @buffer_b of @b role "momentum_buffer" : 2 x tensor<3xf32>
vit.state @buffer_read of @fixed role "momentum_buffer" : tensor<8xf32>
vit.state @unused of @scale role "momentum_buffer" : tensor<16xf32>
// CHECK-LABEL: func.func @train_step
func.func @train_step(%x: tensor<?x8xf32>, %d: tensor<?x3xf32>, %y: tensor<?x16xf32>) {
  %w0, %b0 = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  %w1, %b1 = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  %s = kernel.sum batch %y : (tensor<?x16xf32>) -> tensor<16xf32>
  %fixed = vit.read @buffer_read : tensor<8xf32>
  kernel.update "sgd" [#kernel.variable<@w, layer = 0>] states [[#kernel.variable<@buffer_w, layer = 0>]] gradient(%w0 : tensor<3x8xf32>) { ^bb0(%W: f32, %S: f32, %G: f32): %Z = arith.addf %G, %W : f32 kernel.yield %W, %Z : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@b, layer = 0>] states [[#kernel.variable<@buffer_b, layer = 0>]] gradient(%b0 : tensor<3xf32>) { ^bb0(%W: f32, %S: f32, %G: f32): kernel.yield %W, %G : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@w, layer = 1>] states [[#kernel.variable<@buffer_w, layer = 1>]] gradient(%w1 : tensor<3x8xf32>) { ^bb0(%W: f32, %S: f32, %G: f32): %Z = arith.addf %G, %W : f32 kernel.yield %W, %Z : f32, f32 }
  kernel.update "sgd" [#kernel.variable<@b, layer = 1>] states [[#kernel.variable<@buffer_b, layer = 1>]] gradient(%b1 : tensor<3xf32>) { ^bb0(%W: f32, %S: f32, %G: f32): kernel.yield %W, %G : f32, f32 }
  kernel.update "assign" [#kernel.variable<@scale>] gradient(%s : tensor<16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}

// -----

// Two entries share one layout. A state without a parameter is in the last arena.
// CHECK: #kernel.arena<"parameters", bytes = 192, [<@w, offset = 0>, <@b, offset = 128>]>
// CHECK-SAME: #kernel.arena<"gradient", bytes = 192, [<@gradient.w, offset = 0>, <@gradient.b, offset = 128>]>
// CHECK-SAME: #kernel.arena<"other", bytes = 64, [<@random_seed, offset = 0>]>
vit.parameter @w : tensor<3x8xf32>
vit.parameter @b : tensor<3xf32>
vit.state @random_seed role "random_seed" : tensor<2xi32>
vit.state @gradient.w of @w role "gradient" : tensor<3x8xf32>
vit.state @gradient.b of @b role "gradient" : tensor<3xf32>
func.func @accumulate_step(%x: tensor<?x8xf32>, %d: tensor<?x3xf32>) {
  %dw, %db = kernel.weight_gradient %d, %x : (tensor<?x3xf32>, tensor<?x8xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  kernel.update "assign" [#kernel.variable<@gradient.b>] gradient(%db : tensor<3xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "assign" [#kernel.variable<@gradient.w>] gradient(%dw : tensor<3x8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  %seed = vit.read @random_seed : tensor<2xi32>
  return
}
func.func @train_step(%x: tensor<?x8xf32>) {
  %gw = vit.read @gradient.w : tensor<3x8xf32>
  %gb = vit.read @gradient.b : tensor<3xf32>
  kernel.update "assign" [#kernel.variable<@w>] gradient(%gw : tensor<3x8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "assign" [#kernel.variable<@b>] gradient(%gb : tensor<3xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}

// -----

// An arena has a rounded copy if a training entry has a form of it in bf16 with the same elements in
// the same order, here of two neighbours.
// CHECK: #kernel.arena<"parameters", bytes = 2112, rounded = bf16, [<@q, offset = 0>, <@k, offset = 1024>, <@b, offset = 2048>]>
// CHECK-SAME: #kernel.arena<"momentum_buffer", bytes = 1024, [<@buffer, offset = 0>]>
vit.parameter @q : tensor<16x16xf32>
vit.parameter @b : tensor<16xf32>
vit.parameter @k : tensor<16x16xf32>
vit.state @buffer of @q role "momentum_buffer" : tensor<16x16xf32>
func.func @train_step(%w: tensor<16x16xf32>, %g: tensor<16xf32>) -> tensor<32x16xbf16, #kernel.panels<cols = 1>> {
  %q = vit.read @q : tensor<16x16xf32>
  %k = vit.read @k : tensor<16x16xf32>
  %m = vit.read @buffer : tensor<16x16xf32>
  %f = kernel.derive %q, %k : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<32x16xbf16, #kernel.panels<cols = 1>>
  kernel.update "assign" [#kernel.variable<@q>] gradient(%w : tensor<16x16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  kernel.update "keep" [#kernel.variable<@b>] gradient(%g : tensor<16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %W : f32 }
  kernel.update "assign" [#kernel.variable<@k>] gradient(%w : tensor<16x16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return %f : tensor<32x16xbf16, #kernel.panels<cols = 1>>
}

// -----

// Neither a form in another order nor one of an entry that changes nothing needs a copy.
// CHECK: #kernel.arena<"parameters", bytes = 1024, [<@w, offset = 0>]>
vit.parameter @w : tensor<16x16xf32>
func.func @train_step(%w: tensor<16x16xf32>) -> tensor<16x16xbf16, #kernel.panels<cols = 64>> {
  %0 = vit.read @w : tensor<16x16xf32>
  %1 = kernel.derive %0 : (tensor<16x16xf32>) -> tensor<16x16xbf16, #kernel.panels<cols = 64>>
  kernel.update "assign" [#kernel.variable<@w>] gradient(%w : tensor<16x16xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return %1 : tensor<16x16xbf16, #kernel.panels<cols = 64>>
}
func.func @forward() -> tensor<16x16xbf16, #kernel.panels<cols = 1>> {
  %0 = vit.read @w : tensor<16x16xf32>
  %1 = kernel.derive %0 : (tensor<16x16xf32>) -> tensor<16x16xbf16, #kernel.panels<cols = 1>>
  return %1 : tensor<16x16xbf16, #kernel.panels<cols = 1>>
}

// -----

// Without updates there are no arenas.
// CHECK-NOT: kernel.arenas
vit.parameter @w : tensor<8xf32>
func.func @forward(%x: tensor<?x8xf32>) -> tensor<8xf32> {
  %0 = vit.read @w : tensor<8xf32>
  return %0 : tensor<8xf32>
}
