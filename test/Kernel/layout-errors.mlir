// RUN: vit-opt %s --vit-layout --split-input-file --verify-diagnostics

func.func @no_tile(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{has no tile; run vit-tile first}}
  %y = kernel.map %x {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @heights(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = kernel.map %x tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  // expected-error @+1 {{has row blocks of 5, the entry's first kernel of 6; all must have one height}}
  %z = kernel.map %y tile<rows = 5, cols = 16, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// -----

func.func @argument(%x: tensor<?x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{reads an argument without a batch, 'tensor<8xf32>'; make it a vit.parameter}}
  %y = kernel.map %x extras(%b : tensor<8xf32>) tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32, %f: f32):
    kernel.yield %f : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @kinds(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = kernel.map %x tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  // expected-error @+1 {{has a tile for another kind of target than the entry's first kernel}}
  %z = kernel.map %y tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}
