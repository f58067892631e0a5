// A weight with two uses, prefix tokens, two heads whose mean is the output,
// and layers without any of these.
vit.parameter @shared : tensor<4x4xf32>
vit.parameter @tokens : tensor<2x4xf32>
vit.parameter @positions : tensor<5x4xf32>
vit.parameter @gamma : 2 x tensor<4xf32>
vit.parameter @head1 : tensor<3x4xf32>
vit.parameter @head2 : tensor<3x4xf32>
vit.parameter @unused : tensor<3xf32>

func.func @forward(%x: tensor<?x3x4xf32>) -> (tensor<?x3xf32> {vit.name = "logits"}) {
  %w0 = vit.read @shared : tensor<4x4xf32>
  %0 = vit.linear %x, %w0 : (tensor<?x3x4xf32>, tensor<4x4xf32>) -> tensor<?x3x4xf32>
  %t = vit.read @tokens : tensor<2x4xf32>
  %1 = vit.prepend_tokens %0, %t : (tensor<?x3x4xf32>, tensor<2x4xf32>) -> tensor<?x5x4xf32>
  %p = vit.read @positions : tensor<5x4xf32>
  %2 = vit.add %1, %p : (tensor<?x5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x4xf32>
  %3 = vit.layers 2 (%i, %a = %2) : tensor<?x5x4xf32> {
    %n = vit.layer_norm %a epsilon 1.0e-2 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
    %o = vit.attention %n, %n, %n heads 2 scale 0.7 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
    %g = vit.read @gamma[%i] : tensor<4xf32>
    %s = vit.layer_scale %o, %g : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
    %d = vit.drop_path %s probability 0.2 : tensor<?x5x4xf32> loc("blocks.{}.path")
    %r = vit.add %a, %d : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
    vit.yield %r : tensor<?x5x4xf32>
  }
  %w1 = vit.read @shared : tensor<4x4xf32>
  %4 = vit.linear %3, %w1 : (tensor<?x5x4xf32>, tensor<4x4xf32>) -> tensor<?x5x4xf32>
  %5 = vit.mean_tokens %4 from 2 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  %6 = vit.take_tokens %4 from 1 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  %h1 = vit.read @head1 : tensor<3x4xf32>
  %h2 = vit.read @head2 : tensor<3x4xf32>
  %7 = vit.linear %5, %h1 : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  %8 = vit.linear %6, %h2 : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  %9 = vit.add %7, %8 : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %10 = vit.scale %9 by 0.5 : tensor<?x3xf32>
  return %10 : tensor<?x3xf32>
}
