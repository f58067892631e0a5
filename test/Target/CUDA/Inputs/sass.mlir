// Kernels of ViT-B/16 in bf16: the first product of an MLP, the gradients of its input and weight, attention and its gradient.
vit.parameter @w : tensor<3072x768xf32>
vit.parameter @b : tensor<3072xf32>
func.func @model(%x: tensor<?x197x768xbf16>, %dy: tensor<?x197x3072xbf16>, %qkv: tensor<?x197x2304xbf16>, %do: tensor<?x197x768xbf16>)
    -> (tensor<?x197x3072xbf16>, tensor<3072x768xf32>, tensor<3072xf32>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xf32>) {
  %w = vit.read @w : tensor<3072x768xf32>
  %b = vit.read @b : tensor<3072xf32>
  %n = kernel.derive %w : (tensor<3072x768xf32>) -> tensor<3072x768xbf16>
  %y = kernel.gemm %x, %n extras(%b : tensor<3072xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %0 = arith.addf %acc, %e : f32
    kernel.yield %0 : f32
  } : (tensor<?x197x768xbf16>, tensor<3072x768xbf16>) -> tensor<?x197x3072xbf16>
  %dx = kernel.gemm %dy, %n transposed {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x197x3072xbf16>, tensor<3072x768xbf16>) -> tensor<?x197x768xf32>
  %dw, %db = kernel.weight_gradient %dy, %x : (tensor<?x197x3072xbf16>, tensor<?x197x768xbf16>) -> (tensor<3072x768xf32>, tensor<3072xf32>)
  %o = kernel.attention %qkv, %qkv, %qkv heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01
      : (tensor<?x197x2304xbf16>, tensor<?x197x2304xbf16>, tensor<?x197x2304xbf16>) -> tensor<?x197x768xbf16>
  %dq:3 = kernel.attention_backward %do, %qkv, %qkv, %qkv heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01
      : (tensor<?x197x768xbf16>, tensor<?x197x2304xbf16>, tensor<?x197x2304xbf16>, tensor<?x197x2304xbf16>)
      -> (tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>)
  return %y, %dw, %db, %o, %dq#0, %dq#1, %dq#2, %dx : tensor<?x197x3072xbf16>, tensor<3072x768xf32>, tensor<3072xf32>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xbf16>, tensor<?x197x768xf32>
}
// Attention of more tokens, pictures of 384 x 384.
func.func @long(%qkv: tensor<?x577x2304xbf16>) -> tensor<?x577x768xbf16> {
  %o = kernel.attention %qkv, %qkv, %qkv heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01
      : (tensor<?x577x2304xbf16>, tensor<?x577x2304xbf16>, tensor<?x577x2304xbf16>) -> tensor<?x577x768xbf16>
  return %o : tensor<?x577x768xbf16>
}
