// RUN: vit-opt %s --vit-emit-simt=level=tiled_256_dot --split-input-file --verify-diagnostics

!x = tensor<?x9x32xf32>
func.func @threads_do_not_cover(%x: !x, %w: tensor<32x32xf32, #kernel.panels<cols = 64>>) -> !x {
  // expected-error @+1 {{has a tile that its threads do not cover, or a chunk that does not divide the depth}}
  %y = kernel.gemm %x, %w tile<rows = 64, cols = 64, chunk = 16, threads = 64, thread_rows = 8, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, tensor<32x32xf32, #kernel.panels<cols = 64>>) -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @row_major_weights(%x: !x, %w: tensor<32x32xf32>) -> !x {
  // expected-error @+1 {{has layouts that do not fit: input 'tensor<?x9x32xf32>', weight 'tensor<32x32xf32>', result 'tensor<?x9x32xf32>'; run vit-tile and vit-layout first}}
  %y = kernel.gemm %x, %w tile<rows = 64, cols = 64, chunk = 16, threads = 128, thread_rows = 8, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, tensor<32x32xf32>) -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x48xf32>
func.func @heads_not_aligned(%x: !x) -> !x {
  // expected-error @+1 {{has heads of 24 channels that do not begin at a vector; run vit-layout first}}
  %y = kernel.attention %x, %x, %x heads 2 head_dim 24 offsets [0, 0, 0] scale 1.0 tile<rows = 16, cols = 32, chunk = 16, threads = 64, thread_rows = 1, thread_cols = 8> : (!x, !x, !x) -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @attention_tile(%x: !x) -> !x {
  // expected-error @+1 {{has a tile that its threads do not cover: #kernel.tile<rows = 16, cols = 32, chunk = 16, threads = 128, thread_rows = 1, thread_cols = 8>}}
  %y = kernel.attention %x, %x, %x heads 1 head_dim 32 offsets [0, 0, 0] scale 1.0 tile<rows = 16, cols = 32, chunk = 16, threads = 128, thread_rows = 1, thread_cols = 8> : (!x, !x, !x) -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xi8>
func.func @transposed_i8(%x: !x, %w: tensor<32x64xi8, #kernel.panels<cols = 1>>) -> tensor<?x9x64xf32> {
  // expected-error @+1 {{of i8 is with the transposed weight, whose depths are not neighbours; dot products need the weight [columns, depth]}}
  %y = kernel.gemm %x, %w transposed tile<rows = 64, cols = 64, chunk = 16, threads = 128, thread_rows = 8, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, tensor<32x64xi8, #kernel.panels<cols = 1>>) -> tensor<?x9x64xf32>
  return %y : tensor<?x9x64xf32>
}
