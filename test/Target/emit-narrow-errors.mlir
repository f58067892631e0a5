// RUN: vit-opt %s --vit-emit-cpu=level=amx --split-input-file --verify-diagnostics

!x = tensor<?x33x64xbf16, #kernel.blocked<rows = 17>>
!w = tensor<64x64xbf16, #kernel.panels<cols = 64, interleave = 2>>
func.func @high_blocks(%x: !x, %w: !w) -> !x {
  // expected-error @+1 {{has row blocks of 17; tile registers hold at most 16}}
  %y = kernel.gemm %x, %w tile<rows = 17, cols = 64, chunk = 2> slots [0] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, !w) -> !x
  return %y : !x
}

// -----

!x = tensor<?x33x64xbf16, #kernel.blocked<rows = 17>>
func.func @high_blocks_of_attention(%x: !x) -> !x {
  // expected-error @+1 {{has row blocks of 17; tile registers hold at most 16}}
  %y = kernel.attention %x, %x, %x heads 2 head_dim 32 offsets [0, 0, 0] scale 0.2 tile<rows = 17, cols = 64, chunk = 1> slots [0] : (!x, !x, !x) -> !x
  return %y : !x
}

// -----

!x = tensor<?x33x64xbf16, #kernel.blocked<rows = 16>>
!w = tensor<64x64xbf16, #kernel.panels<cols = 64>>
func.func @panels_of_single_elements(%x: !x, %w: !w) -> !x {
  // expected-error @+1 {{has layouts that do not fit}}
  %y = kernel.gemm %x, %w tile<rows = 16, cols = 64, chunk = 2> slots [0] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, !w) -> !x
  return %y : !x
}
