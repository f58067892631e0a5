// Kernels of bf16 for vit-emit-simt: products with more rows, columns and depth than whole tiles, attention with
// more queries and keys than whole blocks, and their gradients.
#gemm = #kernel.tile<rows = 64, cols = 64, chunk = 32, threads = 128, thread_rows = 4, thread_cols = 8>
#forward = #kernel.tile<rows = 64, cols = 32, chunk = 64, threads = 128, thread_rows = 2, thread_cols = 8>
#backward = #kernel.tile<rows = 64, cols = 32, chunk = 32, threads = 128, thread_rows = 2, thread_cols = 8>
!x = tensor<?x37x144xbf16>
!w = tensor<80x144xbf16, #kernel.panels<cols = 1>>
!b = tensor<80xf32, #kernel.channels<>>
!y = tensor<?x37x80xf32>
!n = tensor<?x37x80xbf16>
!dx = tensor<?x37x144xf32>
!q = tensor<?x70x64xbf16>
!o = tensor<?x70x64xf32>
func.func @products(%x: !x, %w: !w, %b: !b, %r: !y) -> (!y, !n) {
  %y = kernel.gemm %x, %w extras(%b, %r : !b, !y) tile #gemm {
  ^bb0(%sum: f32, %bias: f32, %residual: f32):
    %0 = arith.addf %sum, %bias : f32
    %1 = arith.addf %0, %residual : f32
    kernel.yield %1 : f32
  } : (!x, !w) -> !y
  %n = kernel.gemm %x, %w extras(%b : !b) tile #gemm {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !n
  return %y, %n : !y, !n
}
// The gradient of the input of a layer, whose weight has a row for each depth.
func.func @transposed(%dy: !n, %w: !w, %r: !x) -> (!dx, !x) {
  %y = kernel.gemm %dy, %w transposed tile #gemm {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } : (!n, !w) -> !dx
  %n = kernel.gemm %dy, %w transposed extras(%r : !x) tile #gemm {
  ^bb0(%sum: f32, %residual: f32):
    %0 = arith.addf %sum, %residual : f32
    kernel.yield %0 : f32
  } : (!n, !w) -> !x
  return %y, %n : !dx, !x
}
func.func @gradients(%dy: !n, %x: !x) -> (tensor<80x144xf32>, tensor<80xf32>) {
  %0:2 = kernel.weight_gradient %dy, %x tile #gemm : (!n, !x) -> (tensor<80x144xf32>, tensor<80xf32>)
  return %0#0, %0#1 : tensor<80x144xf32>, tensor<80xf32>
}
// The same in three parts of the rows.
func.func @parts(%dy: !n, %x: !x) -> (tensor<240x144xf32>, tensor<240xf32>) {
  %0:2 = kernel.weight_gradient %dy, %x tile #gemm : (!n, !x) -> (tensor<240x144xf32>, tensor<240xf32>)
  return %0#0, %0#1 : tensor<240x144xf32>, tensor<240xf32>
}
func.func @attention(%q: !q, %k: !q, %v: !q, %dy: !q) -> (!o, !o, !o, !o) {
  %y = kernel.attention %q, %k, %v heads 2 head_dim 32 offsets [0, 0, 0] scale 5.0e-01 tile #forward : (!q, !q, !q) -> !o
  %0:3 = kernel.attention_backward %dy, %q, %k, %v heads 2 head_dim 32 offsets [0, 0, 0] scale 5.0e-01 tile #backward
      : (!q, !q, !q, !q) -> (!o, !o, !o)
  return %y, %0#0, %0#1, %0#2 : !o, !o, !o, !o
}
// A result that the product behind it reads.
func.func @narrow(%q: !q, %k: !q, %v: !q) -> !q {
  %y = kernel.attention %q, %k, %v heads 2 head_dim 32 offsets [0, 0, 0] scale 5.0e-01 tile #forward : (!q, !q, !q) -> !q
  return %y : !q
}
