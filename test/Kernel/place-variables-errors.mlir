// RUN: vit-opt %s --vit-place-variables --split-input-file --verify-diagnostics

func.func @unknown(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  // expected-error @+1 {{changes @w, which is neither a vit.parameter nor a vit.state}}
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return
}

// -----

vit.parameter @w : 2 x tensor<8xf32>
func.func @layer(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  // expected-error @+1 {{changes @w of layer 2, but it has 2 layers}}
  kernel.update "sgd" [#kernel.variable<@w, layer = 2>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return
}

// -----

vit.parameter @w : tensor<8xf32>
func.func @type(%x: tensor<?x16xf32>, %lr: tensor<f32>) {
  %0 = kernel.sum batch %x : (tensor<?x16xf32>) -> tensor<16xf32>
  // expected-error @+1 {{has the gradient 'tensor<16xf32>' for @w, a 'tensor<8xf32>'}}
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%0 : tensor<16xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  return
}

// -----

vit.parameter @w : tensor<8xf32>
vit.state @m : tensor<9xf32>
func.func @state(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  // expected-error @+1 {{changes @m, a 'tensor<9xf32>', with @w, a 'tensor<8xf32>'; both must be of one type of f32}}
  kernel.update "sgd" [#kernel.variable<@w>] states [[#kernel.variable<@m>]] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %S: f32, %G: f32, %R: f32): kernel.yield %W, %G : f32, f32 }
  return
}

// -----

vit.parameter @w : tensor<8xf32>
func.func @twice(%x: tensor<?x8xf32>, %lr: tensor<f32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  // expected-error @+1 {{changes @w, which has been changed before}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%0 : tensor<8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}

// -----

vit.parameter @w : tensor<8xf32>
func.func @after(%x: tensor<?x8xf32>, %lr: tensor<f32>) -> tensor<8xf32> {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  kernel.update "sgd" [#kernel.variable<@w>] gradient(%0 : tensor<8xf32>) scalars(%lr : tensor<f32>) { ^bb0(%W: f32, %G: f32, %R: f32): kernel.yield %W : f32 }
  // expected-error @+1 {{reads @w after its update, which takes effect at the entry's end}}
  %w = vit.read @w : tensor<8xf32>
  return %w : tensor<8xf32>
}

// -----

vit.parameter @w : tensor<8xf32>
// expected-error @+1 {{has the role 'other', which is the name of an arena}}
vit.state @other.w of @w role "other" : tensor<8xf32>
func.func @role(%x: tensor<?x8xf32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  kernel.update "assign" [#kernel.variable<@other.w>] gradient(%0 : tensor<8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}
