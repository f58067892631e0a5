// Products of bf16 by clusters of two workgroups, for vit-emit-simt: the second row tile of one image is beyond the rows, two images
// have four row tiles of 64; in columns there is a part of a tile, and half of it has no channel.
#wide = #kernel.tile<rows = 128, cols = 192, chunk = 64, threads = 384, thread_rows = 2, thread_cols = 48>
#small = #kernel.tile<rows = 64, cols = 64, chunk = 64, threads = 256, thread_rows = 2, thread_cols = 16>
!x = tensor<?x111x336xbf16>
!w = tensor<208x336xbf16, #kernel.panels<cols = 1>>
!b = tensor<208xf32, #kernel.channels<>>
!y = tensor<?x111x208xf32>
!n = tensor<?x111x208xbf16>
!dx = tensor<?x111x336xf32>
func.func @products(%x: !x, %w: !w, %b: !b, %r: !n) -> (!y, !n) {
  %y = kernel.gemm %x, %w extras(%b : !b) tile #small attributes {kernel.cluster = 2} {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !y
  %n = kernel.gemm %x, %w extras(%b, %r : !b, !n) tile #wide attributes {kernel.cluster = 2} {
  ^bb0(%sum: f32, %bias: f32, %residual: f32):
    %0 = arith.addf %sum, %bias : f32
    %1 = arith.addf %0, %residual : f32
    kernel.yield %1 : f32
  } : (!x, !w) -> !n
  return %y, %n : !y, !n
}
// The gradient of the input of a layer, whose weight has a row for each depth.
func.func @transposed(%dy: !n, %w: !w, %r: !x) -> (!dx, !x) {
  %y = kernel.gemm %dy, %w transposed tile #small attributes {kernel.cluster = 2} {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } : (!n, !w) -> !dx
  %n = kernel.gemm %dy, %w transposed extras(%r : !x) tile #wide attributes {kernel.cluster = 2} {
  ^bb0(%sum: f32, %residual: f32):
    %0 = arith.addf %sum, %residual : f32
    kernel.yield %0 : f32
  } : (!n, !w) -> !x
  return %y, %n : !dx, !x
}
