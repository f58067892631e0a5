// RUN: vit-opt %s --vit-emit-cpu --split-input-file --verify-diagnostics
// RUN: not vit-opt %s --vit-emit-cpu=level=sse2 --split-input-file 2>&1 | FileCheck %s --check-prefix=LEVEL
// LEVEL: target cpu has no level 'sse2'; choose one of amx, avx512_bf16, avx512_vnni, avx512, avx_vnni, avx2

func.func @no_layout(%x: tensor<?x17x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x17x32xf32> {
  // expected-error @+1 {{needs #kernel.blocked where it has 'tensor<?x17x32xf32>'; run vit-tile and vit-layout first}}
  %y = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x17x32xf32>, tensor<32x32xf32>) -> tensor<?x17x32xf32>
  return %y : tensor<?x17x32xf32>
}

// -----

!x = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>
!w = tensor<32x32xf32, #kernel.panels<cols = 64>>
func.func @no_tile(%x: !x, %w: !w) -> !x {
  // expected-error @+1 {{has no tile; run vit-tile first}}
  %y = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!x, !w) -> !x
  return %y : !x
}

// -----

!x = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>
func.func @no_vector_form(%x: !x) -> !x {
  // expected-error @+1 {{has scalar code that the targets cannot vectorise: math.log; use f32 arith and math ops}}
  %y = kernel.map %x {
  ^bb0(%a: f32):
    %0 = math.log %a : f32
    kernel.yield %0 : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x17x50xf32, #kernel.blocked<rows = 6>>
func.func @heads_within_vectors(%x: !x) -> !x {
  // expected-error @+1 {{has heads of 25 channels that do not begin at a vector}}
  %y = kernel.attention %x, %x, %x heads 2 head_dim 25 offsets [0, 0, 0] scale 2.0e-01 : (!x, !x, !x) -> !x
  return %y : !x
}

// -----

!x = tensor<?x17x50xf32, #kernel.blocked<rows = 6>>
func.func @groups_within_vectors(%x: !x) -> !x {
  // expected-error @+1 {{has groups of 25 channels that do not begin at a vector}}
  %y = kernel.rows normalize %x epsilon 1.0e-6 groups 2 {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>
!y = tensor<?x17x32xf32, #kernel.blocked<rows = 4>>
func.func @unequal_row_blocks(%x: !x) -> !y {
  // expected-error @+1 {{has layouts that do not fit}}
  %y = kernel.map %x {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !y
  return %y : !y
}

// -----

func.func @prologue_without_code(%g: tensor<16xf32>, %rate: tensor<f32>) {
  // expected-error @+1 {{has a prologue that the targets cannot compute: math.log; use f64 and i32 arith and math ops}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<16xf32>) scalars(%rate : tensor<f32>) prologue {
  ^bb0(%wide: f64):
    %0 = math.log %wide : f64
    kernel.yield %0 : f64
  } {
  ^bb0(%old: f32, %new: f32, %scalar: f32):
    kernel.yield %new : f32
  }
  return
}
vit.parameter @w : tensor<16xf32>

// -----

!x = tensor<?x2x8xf32, #kernel.blocked<rows = 6>>
func.func @repeat_without_layout(%t: tensor<2x8xf32>, %x: !x) -> !x {
  // expected-error @+1 {{needs #kernel.channels with the groups of its result where its tokens have 'tensor<2x8xf32>'; run vit-layout first}}
  %y = kernel.repeat %t for %x : (tensor<2x8xf32>, !x) -> !x
  return %y : !x
}

// -----

!x = tensor<?x24xf32, #kernel.blocked<rows = 6, group = 12>>
!y = tensor<?x48xf32, #kernel.blocked<rows = 6, group = 12>>
func.func @concat_in_groups(%x: !x) -> !y {
  // expected-error @+1 {{needs a result without groups where it has}}
  %y = kernel.concat_channels %x, %x : (!x, !x) -> !y
  return %y : !y
}

// -----

module attributes {kernel.arenas = [#kernel.arena<"parameters", bytes = 64, rounded = bf16, [<@w, offset = 0>]>]} {
func.func @rounded(%g: tensor<16xf32>) {
  // expected-error @+1 {{changes an arena with a rounded copy, which only code for GPUs does}}
  kernel.update "assign" [#kernel.variable<@w>] gradient(%g : tensor<16xf32>) tile<rows = 6, cols = 16, chunk = 1> {
  ^bb0(%old: f32, %new: f32):
    kernel.yield %new : f32
  }
  return
}
vit.parameter @w : tensor<16xf32>
}
