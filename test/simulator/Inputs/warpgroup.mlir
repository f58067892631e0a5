// Products of bf16 by warpgroups, and gradients of weights, for vit-emit-simt: more rows, columns and depth than whole tiles, units of which a
// workgroup takes several, results in f32 and bf16, one and two warpgroups that multiply.
#wide = #kernel.tile<rows = 128, cols = 192, chunk = 64, threads = 384, thread_rows = 2, thread_cols = 48>
#small = #kernel.tile<rows = 64, cols = 64, chunk = 64, threads = 256, thread_rows = 2, thread_cols = 16>
!x = tensor<?x111x336xbf16>
!w = tensor<208x336xbf16, #kernel.panels<cols = 1>>
!b = tensor<208xf32, #kernel.channels<>>
!y = tensor<?x111x208xf32>
!n = tensor<?x111x208xbf16>
!dx = tensor<?x111x336xf32>
func.func @products(%x: !x, %w: !w, %b: !b, %r: !n) -> (!y, !n, !n) {
  %y = kernel.gemm %x, %w extras(%b : !b) tile #small {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !y
  %n = kernel.gemm %x, %w extras(%b, %r : !b, !n) tile #wide {
  ^bb0(%sum: f32, %bias: f32, %residual: f32):
    %0 = arith.addf %sum, %bias : f32
    %1 = arith.addf %0, %residual : f32
    kernel.yield %1 : f32
  } : (!x, !w) -> !n
  %s = kernel.gemm %x, %w extras(%b, %r : !b, !n) tile #small {
  ^bb0(%sum: f32, %bias: f32, %residual: f32):
    %0 = arith.addf %sum, %bias : f32
    %1 = arith.addf %0, %residual : f32
    kernel.yield %1 : f32
  } : (!x, !w) -> !n
  return %y, %n, %s : !y, !n, !n
}
// The gradient of the input of a layer, whose weight has a row for each depth.
func.func @transposed(%dy: !n, %w: !w, %r: !x) -> (!dx, !x) {
  %y = kernel.gemm %dy, %w transposed tile #small {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } : (!n, !w) -> !dx
  %n = kernel.gemm %dy, %w transposed extras(%r : !x) tile #wide {
  ^bb0(%sum: f32, %residual: f32):
    %0 = arith.addf %sum, %residual : f32
    kernel.yield %0 : f32
  } : (!n, !w) -> !x
  return %y, %n : !dx, !x
}
// Also in two parts of the rows.
func.func @gradients(%dy: !n, %x: !x) -> (tensor<208x336xf32>, tensor<208xf32>, tensor<416x336xf32>, tensor<416xf32>) {
  %0:2 = kernel.weight_gradient %dy, %x tile #wide : (!n, !x) -> (tensor<208x336xf32>, tensor<208xf32>)
  %1:2 = kernel.weight_gradient %dy, %x tile #small : (!n, !x) -> (tensor<416x336xf32>, tensor<416xf32>)
  return %0#0, %0#1, %1#0, %1#1 : tensor<208x336xf32>, tensor<208xf32>, tensor<416x336xf32>, tensor<416xf32>
}
