// RUN: vit-opt %s --vit-emit-simt=level=tiled --split-input-file --verify-diagnostics
// RUN: not vit-opt %s --vit-emit-simt=level=avx2 --split-input-file 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not vit-opt %s --vit-emit-simt="target=cuda level=tiled" --split-input-file 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not vit-opt %s --vit-emit-simt="target=cpu" --split-input-file 2>&1 | FileCheck %s --check-prefix=CPU

// LEVEL: target vulkan has no level 'avx2'; choose one of coop, coop_f16, coop_8x16, tiled_256_dot, tiled_256, tiled, direct_dot, direct
// TARGET: target cuda has no level 'tiled'; choose one of sm_90a, sm_80
// CPU: target cpu is no GPU; use vit-emit-cpu

!x = tensor<?x9x32xf32>
func.func @untiled(%x: !x) -> !x {
  // expected-error @+1 {{'kernel.map' op has no tile for a GPU; run vit-tile with this target first}}
  %y = kernel.map %x tile<rows = 6, cols = 64, chunk = 1> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @threads(%x: !x) -> !x {
  // expected-error @+1 {{has a tile of 256 threads; the level has at most 128}}
  %y = kernel.map %x tile<rows = 1, cols = 512, chunk = 1, threads = 256, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @cluster(%x: !x) -> !x {
  // expected-error @+1 {{is for clusters of workgroups (kernel.cluster), which its kernel does not have}}
  %y = kernel.map %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> attributes {kernel.cluster = 2} {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x30xf32>
func.func @row_major(%x: !x) -> !x {
  // expected-error @+1 {{needs #kernel.channels where it has 'tensor<?x9x30xf32>'; run vit-tile and vit-layout for a GPU first}}
  %y = kernel.map %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32, #kernel.blocked<rows = 4>>
func.func @blocked(%x: !x) -> !x {
  // expected-error @+1 {{needs #kernel.channels where it has}}
  %y = kernel.rows softmax %x epsilon 0.0 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x24xf32, #kernel.channels<group = 12>>
!y = tensor<?x9x24xf32, #kernel.channels<>>
func.func @layouts(%x: !x) -> !y {
  // expected-error @+1 {{has layouts that do not fit}}
  %y = kernel.map %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !y
  return %y : !y
}

// -----

!x = tensor<?x9x24xf32, #kernel.channels<>>
func.func @groups(%x: !x) -> !x {
  // expected-error @+1 {{has groups of 12 channels that do not begin at a vector}}
  %y = kernel.rows normalize %x epsilon 1.0e-06 groups 2 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x24xf32, #kernel.channels<>>
!v = tensor<24xf32, #kernel.channels<group = 12>>
func.func @extra_group(%x: !x, %v: !v) -> !x {
  // expected-error @+1 {{has an extra with channels in groups of 12 where its result's are in groups of 0}}
  %y = kernel.map %x extras(%v : !v) tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32, %b: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @extra_layout(%x: !x, %v: tensor<32xf32>) -> !x {
  // expected-error @+1 {{needs #kernel.channels where an extra has 'tensor<32xf32>'; run vit-layout first}}
  %y = kernel.map %x extras(%v : tensor<32xf32>) tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32, %b: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x9x32xf32>
func.func @region(%x: !x) -> !x {
  // expected-error @+1 {{has scalar code that the targets cannot vectorise: math.log; use f32 arith and math ops}}
  %y = kernel.map %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32):
    %l = math.log %a : f32
    kernel.yield %l : f32
  } : !x -> !x
  return %y : !x
}

// -----

!v = tensor<32xf32, #kernel.channels<>>
func.func @many(%x: tensor<?x32xf32>, %v: !v) -> tensor<?x32xf32> {
  // expected-error @+1 {{has 31 operands and results; a GPU kernel can have 30; fuse less into it}}
  %y = kernel.map %x extras(%v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v, %v,
      %v, %v, %v, %v, %v, %v, %v, %v, %v : !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v,
      !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v, !v)
      tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> {
  ^bb0(%a: f32, %0: f32, %1: f32, %2: f32, %3: f32, %4: f32, %5: f32, %6: f32, %7: f32, %8: f32, %9: f32,
       %10: f32, %11: f32, %12: f32, %13: f32, %14: f32, %15: f32, %16: f32, %17: f32, %18: f32, %19: f32,
       %20: f32, %21: f32, %22: f32, %23: f32, %24: f32, %25: f32, %26: f32, %27: f32, %28: f32):
    kernel.yield %a : f32
  } : tensor<?x32xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @relayout(%x: tensor<?x9x32xf32, #kernel.blocked<rows = 4>>) -> tensor<?x9x32xf32> {
  // expected-error @+1 {{has no GPU code from}}
  %y = kernel.relayout %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4>
      : (tensor<?x9x32xf32, #kernel.blocked<rows = 4>>) -> tensor<?x9x32xf32>
  return %y : tensor<?x9x32xf32>
}

// -----

func.func @relayout_of_bytes(%x: tensor<?x9x24xi8>) -> tensor<?x9x24xi8, #kernel.channels<>> {
  // expected-error @+1 {{has no GPU code for elements of 'i8'; use f32, f16 or bf16}}
  %y = kernel.relayout %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4>
      : (tensor<?x9x24xi8>) -> tensor<?x9x24xi8, #kernel.channels<>>
  return %y : tensor<?x9x24xi8, #kernel.channels<>>
}
