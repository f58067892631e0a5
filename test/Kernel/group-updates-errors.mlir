// RUN: vit-opt %s --vit-group-updates --verify-diagnostics

vit.parameter @w : tensor<8xf32>
func.func @place(%x: tensor<?x8xf32>) {
  %0 = kernel.sum batch %x : (tensor<?x8xf32>) -> tensor<8xf32>
  // expected-error @+1 {{changes @w, which has no place in an arena; run vit-place-variables}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%0 : tensor<8xf32>) { ^bb0(%W: f32, %G: f32): kernel.yield %G : f32 }
  return
}
