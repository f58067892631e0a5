// RUN: vit-opt %s -split-input-file -verify-diagnostics
// Functions are named after the constraint that they violate.

func.func @gemm_c1_arguments(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>) {
  // expected-error @+1 {{C1: the region must take 2 f32, the element and one per extra, but takes 1}}
  %0 = kernel.gemm %x, %w extras(%b : tensor<6xf32>) {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @gemm_c1_terminator(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C1: the region must end in kernel.yield}}
  %0 = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    %1 = arith.addf %a, %a : f32
  } : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @map_c1_yield(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the region must yield one f32}}
  %0 = kernel.map %x {
  ^bb0(%a: f32):
    kernel.yield %a, %a : f32, f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @map_c1_ops(%x: tensor<?x4xf32>) {
  %0 = kernel.map %x {
  ^bb0(%a: f32):
    // expected-error @+1 {{'func.call' op is not allowed in a kernel's region (C1); it holds arith and math ops and kernel.gelu_slope}}
    %1 = func.call @f(%a) : (f32) -> f32
    kernel.yield %1 : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}
func.func private @f(f32) -> f32

// -----

func.func @gemm_c2(%x: tensor<?x4xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{C2: the weight must be [out, in] = [result's width, input's width], but 'tensor<?x4xf32>' times 'tensor<4x6xf32>' is given as 'tensor<?x6xf32>'}}
  %0 = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @gemm_c2_element_types(%x: tensor<?x4xbf16>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C2: the weight must have the input's element type, but they are 'tensor<6x4xf32>' and 'tensor<?x4xbf16>'}}
  %0 = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x4xbf16>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @gemm_c3(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>, %b: tensor<5xf32>) {
  // expected-error @+1 {{C3: extra 0, 'tensor<5xf32>', must have the shape of the result 'tensor<?x5x6xf32>' or its last dimensions}}
  %0 = kernel.gemm %x, %w extras(%b : tensor<5xf32>) {
  ^bb0(%a: f32, %e: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @rows_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the region must take 1 f32, the element and one per extra, but takes 2}}
  %0 = kernel.rows normalize %x epsilon 1.0e-6 {
  ^bb0(%a: f32, %b: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @rows_c2_shape(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: the result must have the shape of the input 'tensor<?x4xf32>', not 'tensor<?x5xf32>'}}
  %0 = kernel.rows normalize %x epsilon 1.0e-6 {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @rows_c2_groups(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: 3 groups do not divide width 4}}
  %0 = kernel.rows softmax %x epsilon 0.0 groups 3 {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @rows_c3(%x: tensor<?x4xf32>, %b: tensor<2xf32>) {
  // expected-error @+1 {{C3: extra 0, 'tensor<2xf32>', must have the shape of the result}}
  %0 = kernel.rows softmax %x extras(%b : tensor<2xf32>) epsilon 0.0 {
  ^bb0(%a: f32, %e: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @map_c2(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: the result must have the shape of the input}}
  %0 = kernel.map %x {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x2x4xf32>
  return
}

// -----

func.func @map_c3(%x: tensor<?x4xf32>, %b: tensor<?x3x4xf32>) {
  // expected-error @+1 {{C3: extra 0, 'tensor<?x3x4xf32>', must have the shape of the result}}
  %0 = kernel.map %x extras(%b : tensor<?x3x4xf32>) {
  ^bb0(%a: f32, %e: f32):
    kernel.yield %a : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @prepend_c2(%x: tensor<?x5x4xf32>, %t: tensor<2x4xf32>) {
  // expected-error @+1 {{C2: tokens 'tensor<2x4xf32>' before 'tensor<?x5x4xf32>' do not make 'tensor<?x6x4xf32>'}}
  %0 = kernel.prepend %x, %t {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x4xf32>, tensor<2x4xf32>) -> tensor<?x6x4xf32>
  return
}

// -----

func.func @prepend_c1(%x: tensor<?x5x4xf32>, %t: tensor<1x4xf32>) {
  // expected-error @+1 {{C1: the region must take 1 f32}}
  %0 = kernel.prepend %x, %t {
  ^bb0(%a: f32, %b: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x4xf32>, tensor<1x4xf32>) -> tensor<?x6x4xf32>
  return
}

// -----

func.func @prepend_c3(%x: tensor<?x5x4xf32>, %t: tensor<1x4xf32>, %p: tensor<5x4xf32>) {
  // expected-error @+1 {{C3: extra 0, 'tensor<5x4xf32>', must have the shape of the result}}
  %0 = kernel.prepend %x, %t extras(%p : tensor<5x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x4xf32>, tensor<1x4xf32>) -> tensor<?x6x4xf32>
  return
}

// -----

func.func @attention_c1_offsets(%q: tensor<?x5x12xf32>) {
  // expected-error @+1 {{C1: heads and head_dim must be positive and offsets three numbers}}
  %0 = kernel.attention %q, %q, %q heads 2 head_dim 2 offsets [0, 4] scale 1.0 : (tensor<?x5x12xf32>, tensor<?x5x12xf32>, tensor<?x5x12xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c1_channels(%q: tensor<?x5x12xf32>) {
  // expected-error @+1 {{C1: 2 heads of 2 channels from 9 on do not lie in 'tensor<?x5x12xf32>'}}
  %0 = kernel.attention %q, %q, %q heads 2 head_dim 2 offsets [0, 4, 9] scale 1.0 : (tensor<?x5x12xf32>, tensor<?x5x12xf32>, tensor<?x5x12xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c1_tokens(%k: tensor<?x5x4xf32>, %v: tensor<?x6x4xf32>) {
  // expected-error @+1 {{C1: key and value must have the same tokens}}
  %0 = kernel.attention %k, %k, %v heads 2 head_dim 2 offsets [0, 0, 0] scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x6x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c1_element_types(%q: tensor<?x5x4xbf16>, %k: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: query, key and value must have one element type}}
  %0 = kernel.attention %q, %k, %k heads 2 head_dim 2 offsets [0, 0, 0] scale 1.0 : (tensor<?x5x4xbf16>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c2_result(%q: tensor<?x5x12xf32>) {
  // expected-error @+1 {{C2: the result must be [batch, 5 tokens, 4], not 'tensor<?x5x12xf32>'}}
  %0 = kernel.attention %q, %q, %q heads 2 head_dim 2 offsets [0, 4, 8] scale 1.0 : (tensor<?x5x12xf32>, tensor<?x5x12xf32>, tensor<?x5x12xf32>) -> tensor<?x5x12xf32>
  return
}

// -----

func.func @attention_c2_probabilities(%q: tensor<?x5x12xf32>) {
  // expected-error @+1 {{C2: the probabilities must be [batch, 2 heads, 5, 5 tokens], not 'tensor<?x2x5x4xf32>'}}
  %0, %1 = kernel.attention %q, %q, %q heads 2 head_dim 2 offsets [0, 4, 8] scale 1.0 : (tensor<?x5x12xf32>, tensor<?x5x12xf32>, tensor<?x5x12xf32>) -> (tensor<?x5x4xf32>, tensor<?x2x5x4xf32>)
  return
}

// -----

func.func @patchify_c1_patch(%x: tensor<?x3x8x8xf32>) {
  // expected-error @+1 {{C1: the patch must be two positive numbers}}
  %0 = kernel.patchify %x patch [4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  return
}

// -----

func.func @patchify_c1_small(%x: tensor<?x3x8x8xf32>) {
  // expected-error @+1 {{C1: there are no patches of 9x4 in 'tensor<?x3x8x8xf32>'}}
  %0 = kernel.patchify %x patch [9, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  return
}

// -----

func.func @repeat_c1(%t: tensor<2x8xf32>, %x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: 'tensor<2x8xf32>' for each image of 'tensor<?x8xf32>' does not make 'tensor<?x1x8xf32>'}}
  %0 = kernel.repeat %t for %x : (tensor<2x8xf32>, tensor<?x8xf32>) -> tensor<?x1x8xf32>
  return
}

// -----

func.func @concat_channels_c1(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the inputs ('tensor<?x8xf32>', 'tensor<?x4xf32>') do not make 'tensor<?x13xf32>'}}
  %0 = kernel.concat_channels %x, %y : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x13xf32>
  return
}

// -----

func.func @patchify_c1_result(%x: tensor<?x3x8x8xf32>) {
  // expected-error @+1 {{C1: the result must be [batch, 4, 48], not 'tensor<?x48x4xf32>'}}
  %0 = kernel.patchify %x patch [4, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x48x4xf32>
  return
}

// -----

func.func @take_c1_width(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x5xf32>' cannot be tokens of 'tensor<?x5x4xf32>'}}
  %0 = kernel.take %x from 0 : (tensor<?x5x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @take_c1_beyond(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 2 tokens from 4 are beyond the input's 5}}
  %0 = kernel.take %x from 4 : (tensor<?x5x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @take_c1_far(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 2 tokens from 9223372036854775807 are beyond the input's 5}}
  %0 = kernel.take %x from 9223372036854775807 : (tensor<?x5x4xf32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @mean_c1_shape(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x5xf32>' cannot be the mean over the tokens of 'tensor<?x5x4xf32>'}}
  %0 = kernel.mean %x from 0 : (tensor<?x5x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @mean_c1_start(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: the mean from token 5 on has no tokens; the input has 5}}
  %0 = kernel.mean %x from 5 : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @relayout_c1_shape(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<?x4x5xf32>' is not the shape and element type of 'tensor<?x5x4xf32>'}}
  %0 = kernel.relayout %x : (tensor<?x5x4xf32>) -> tensor<?x4x5xf32>
  return
}

// -----

func.func @relayout_c1_same(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: the layout does not change; use the input itself}}
  %0 = kernel.relayout %x : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @derive_c1_rows(%x: tensor<5x4xf32>) {
  // expected-error @+1 {{C1: the sources have 10 rows, the result 9}}
  %0 = kernel.derive %x, %x : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<9x4xf32>
  return
}

// -----

func.func @derive_c1_width(%x: tensor<5x4xf32>, %y: tensor<5x3xf32>) {
  // expected-error @+1 {{C1: source 'tensor<5x3xf32>' must agree with 'tensor<10x4xf32>' in all but the first dimension}}
  %0 = kernel.derive %x, %y : (tensor<5x4xf32>, tensor<5x3xf32>) -> tensor<10x4xf32>
  return
}

// -----

func.func @derive_c1_count(%x: tensor<5x4xf32>) {
  // expected-error @+1 {{C1: the source 'tensor<5x4xf32>' must have the result's 24 elements, or one}}
  %0 = kernel.derive %x : (tensor<5x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @derive_c1_size(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: source 'tensor<?x4xf32>' has no known size}}
  %0 = kernel.derive %x : (tensor<?x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @resample_c1_grid(%x: tensor<5x4xf32>) {
  // expected-error @+1 {{C1: the grids must be two positive numbers, prefix and suffix not negative}}
  %0 = kernel.resample %x from [2, 2] to [3] prefix 1 : (tensor<5x4xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @resample_c1_shape(%x: tensor<5x4xf32>) {
  // expected-error @+1 {{C1: 'tensor<5x4xf32>' to 'tensor<9x4xf32>' is not [1 + 2*2, width] to [1 + 3*3, width]}}
  %0 = kernel.resample %x from [2, 2] to [3, 3] prefix 1 : (tensor<5x4xf32>) -> tensor<9x4xf32>
  return
}

// -----

// expected-error @+1 {{C1: rows must be 1 to 64 and group 0 or more, not 0 and 0}}
func.func private @blocked_c1(tensor<?x5x4xf32, #kernel.blocked<rows = 0>>)

// -----

// expected-error @+1 {{C2: a blocked tensor must be [batch, width] or [batch, tokens, width]}}
func.func private @blocked_c2_rank(tensor<4xf32, #kernel.blocked<rows = 6>>)

// -----

// expected-error @+1 {{C2: groups of 3 channels do not divide 4}}
func.func private @blocked_c2_group(tensor<?x5x4xf32, #kernel.blocked<rows = 6, group = 3>>)

// -----

// expected-error @+1 {{C1: cols must be 1 or a multiple of 16, groups 0 or more and interleave 1, 2 or 4, not 24, 0, 0 and 1}}
func.func private @panels_c1(tensor<4x4xf32, #kernel.panels<cols = 24>>)

// -----

// expected-error @+1 {{C1: panels of one column are not transposed: products with the transposed weight read the weight}}
func.func private @panels_c1_transposed(tensor<4x4xf32, #kernel.panels<cols = 1, transposed = true>>)

// -----

// expected-error @+1 {{C2: a tensor in panels must be [out, in]}}
func.func private @panels_c2_rank(tensor<4xf32, #kernel.panels<cols = 64>>)

// -----

// expected-error @+1 {{C2: groups of 4 channels do not divide 6}}
func.func private @panels_c2_group(tensor<4x6xf32, #kernel.panels<cols = 64, out_group = 2, in_group = 4>>)

// -----

// expected-error @+1 {{C1: group must be 0 or more, not -1}}
func.func private @channels_c1(tensor<4xf32, #kernel.channels<group = -1>>)

// -----

// expected-error @+1 {{C2: a tensor in channels must be [width], [rows, width] or [batch, tokens, width]}}
func.func private @channels_c2_rank(tensor<?x3x5x4xf32, #kernel.channels<>>)

// -----

// expected-error @+1 {{C2: groups of 3 channels do not divide 4}}
func.func private @channels_c2_group(tensor<4xf32, #kernel.channels<group = 3>>)

// -----

func.func @tile_c1(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: rows, cols and chunk must be positive, not 6, 16 and 0}}
  %0 = kernel.take %x from 0 tile<rows = 6, cols = 16, chunk = 0> : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @tile_c2(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C2: threads, thread_rows and thread_cols must be positive or all 0, not 64, 8 and 0}}
  %0 = kernel.take %x from 0 tile<rows = 6, cols = 16, chunk = 1, threads = 64, thread_rows = 8> : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @extent_c1(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: times and of must be 0 or more and per positive, not 1, 1 and 0}}
  kernel.dispatch @kernels::@f() units<times = 1, per = 0> slots [] scratch 0 family "map" flop<times = 0> : () -> ()
  return
}

// -----

func.func @launch_slots(%x: tensor<?x5x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{has 2 slots for 1 results}}
  %0 = kernel.mean %x from 0 slots [0, 1] : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @launch_ends(%x: tensor<?x4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has ends of results that it does not have}}
  %0 = kernel.sum batch %x ends [1] : (tensor<?x4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @slots_c1(%x: tensor<?x5x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{C1: slot 1 at 32 does not exist; slots are -1 or more, offsets multiples of 64}}
  %0 = kernel.mean %x from 0 slots [1 at 32] : (tensor<?x5x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @dispatch_c1(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{C1: has 0 slots for 1 results}}
  %0 = kernel.dispatch @kernels::@f(%x) units<times = 1> slots [] scratch 0 family "map" flop<times = 0> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @relative_positions_c1(%t: tensor<12x2xf32>) {
  // expected-error @+1 {{C1: 'tensor<12x2xf32>' and 'tensor<3x5x5xf32>' are not tables of 12 rows and [heads, 5, 5]}}
  %0 = kernel.relative_positions %t grid [2, 2] prefix 1 : (tensor<12x2xf32>) -> tensor<3x5x5xf32>
  return
}

// -----

func.func @rotate_c1(%x: tensor<?x5x8xf32>, %c: tensor<5x4xf32>) {
  // expected-error @+1 {{C1: 2 heads of 4 channels from 4 on of 'tensor<?x5x8xf32>' do not make 'tensor<?x5x8xf32>'}}
  %0 = kernel.rotate %x, %c, %c heads 2 head_dim 4 offset 4 pairs halves : (tensor<?x5x8xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @rotate_c2(%x: tensor<?x5x8xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+1 {{C2: the tables must be [5 tokens, 4 channels] with an even number of channels, not 'tensor<4x4xf32>'}}
  %0 = kernel.rotate %x, %c, %c heads 2 head_dim 4 offset 0 pairs halves : (tensor<?x5x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @attention_c3(%x: tensor<?x5x8xf32>, %b: tensor<2x5x4xf32>) {
  // expected-error @+1 {{C3: the bias must be [2 heads, 5, 5 tokens], not 'tensor<2x5x4xf32>'}}
  %0 = kernel.attention %x, %x, %x bias %b heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<2x5x4xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @quantize_c1(%x: tensor<?x5x8xf32>) {
  // expected-error @+1 {{'kernel.quantize' op C1: 'tensor<?x5x8xf32>' becomes i8 of its shape and f32 of one channel, not 'tensor<?x5x8xi8>' and 'tensor<?x5x8xf32>'}}
  %q, %s = kernel.quantize %x : (tensor<?x5x8xf32>) -> (tensor<?x5x8xi8>, tensor<?x5x8xf32>)
  return
}

// -----

func.func @row_scales_c1(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{'kernel.row_scales' op C1: the result must have 4 elements, not 'tensor<8xf32>'}}
  %s = kernel.row_scales %w : (tensor<4x8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @gemm_c2_types(%x: tensor<?x5x8xbf16>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'kernel.gemm' op C2: the weight must have the input's element type, but they are 'tensor<4x8xf32>' and 'tensor<?x5x8xbf16>'}}
  %y = kernel.gemm %x, %w {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x5x8xbf16>, tensor<4x8xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @derive_c2_type(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{'kernel.derive' op C2: a result with a migration must be i8 of rank 2, not 'tensor<4x8xbf16>'}}
  %0 = kernel.derive %w migration dense<1.0> : tensor<8xf32> : (tensor<4x8xf32>) -> tensor<4x8xbf16>
  return
}

// -----

func.func @derive_c2_count(%w: tensor<4x8xf32>) {
  // expected-error @+1 {{'kernel.derive' op C2: the migration must have 8 factors, not 'tensor<4xf32>'}}
  %0 = kernel.derive %w migration dense<1.0> : tensor<4xf32> : (tensor<4x8xf32>) -> tensor<4x8xi8>
  return
}

// -----

func.func @row_scales_c2(%w: tensor<4x2xf32>) {
  // expected-error @+1 {{'kernel.row_scales' op C2: factor 1 of the migration is 0.000000e+00; it must be 2^-60 to 2^60}}
  %0 = kernel.row_scales %w migration dense<[1.0, 0.0]> : tensor<2xf32> : (tensor<4x2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @gemm_c4(%x: tensor<?x4xbf16>, %w: tensor<6x4xbf16>) {
  // expected-error @+1 {{'kernel.gemm' op C4: tf32 requires operands of f32, not 'tensor<?x4xbf16>'}}
  %0 = kernel.gemm %x, %w tf32 {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (tensor<?x4xbf16>, tensor<6x4xbf16>) -> tensor<?x6xf32>
  return
}

// -----

func.func @attention_c4(%x: tensor<?x5x8xbf16>) {
  // expected-error @+1 {{'kernel.attention' op C4: tf32 requires operands of f32, not 'tensor<?x5x8xbf16>'}}
  %0 = kernel.attention %x, %x, %x heads 2 head_dim 4 offsets [0, 0, 0] scale 0.5 tf32
      : (tensor<?x5x8xbf16>, tensor<?x5x8xbf16>, tensor<?x5x8xbf16>) -> tensor<?x5x8xf32>
  return
}
