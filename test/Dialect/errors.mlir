// RUN: vit-opt %s -split-input-file -verify-diagnostics
// Functions are named after the constraint that they violate.

// expected-error @+1 {{'vit.parameter' op C1: the type must be a tensor of f32 with 1 to 4 known, positive sizes, not 'tensor<?x4xf32>'}}
vit.parameter @parameter_c1_dynamic : tensor<?x4xf32>

// -----

// expected-error @+1 {{C1: the type must be a tensor of f32}}
vit.parameter @parameter_c1_half : tensor<4xbf16>

// -----

// expected-error @+1 {{C1: the type must be a tensor of f32}}
vit.parameter @parameter_c1_scalar : tensor<f32>

// -----

// expected-error @+1 {{C1: the type must be a tensor of f32}}
vit.parameter @parameter_c1_size : tensor<4294967296x4294967296xf32>

// -----

// expected-error @+1 {{C2: -2 layers; there must be at least one}}
vit.parameter @parameter_c2_negative : -2 x tensor<4xf32>

// -----

// expected-error @+1 {{C2: 0 layers; there must be at least one}}
vit.parameter @parameter_c2_none : 0 x tensor<4xf32>

// -----

// expected-error @+1 {{C2: the stored name "w" must have {} once, where the layer's number stands}}
vit.parameter @parameter_c2_pattern : 2 x tensor<4xf32> stored<"w", [4], 0 to 4>

// -----

// expected-error @+1 {{C2: the stored name "w.{}" must not have {}: the parameter has no layers}}
vit.parameter @parameter_c2_no_layers : tensor<4xf32> stored<"w.{}", [4], 0 to 4>

// -----

// expected-error @+1 {{C3: the stored shape must be known, positive sizes}}
vit.parameter @parameter_c3_shape : tensor<8xf32> stored<"w", [8, -1], 0 to 8>

// -----

// expected-error @+1 {{C3: rows 4 to 12 do not lie in a stored tensor of 8 rows}}
vit.parameter @parameter_c3_range : tensor<8xf32> stored<"w", [8], 4 to 12>

// -----

// expected-error @+1 {{C3: rows 0 to 4 hold 12 numbers, the parameter 'tensor<4x4xf32>' has 16}}
vit.parameter @parameter_c3_count : tensor<4x4xf32> stored<"w", [4, 3], 0 to 4>

// -----

func.func @read_c1_unknown() {
  // expected-error @+1 {{C1: there is no vit.parameter or vit.state @nothing; declare it}}
  %0 = vit.read @nothing : tensor<4xf32>
  return
}

// -----

vit.parameter @w : tensor<4xf32>
func.func @read_c1_type() {
  // expected-error @+1 {{C1: @w is 'tensor<4xf32>', not 'tensor<5xf32>'}}
  %0 = vit.read @w : tensor<5xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<4xf32>
func.func @read_c2_missing() {
  // expected-error @+1 {{C2: @w has 2 layers; say which, as in @w[%i]}}
  %0 = vit.read @w : tensor<4xf32>
  return
}

// -----

vit.parameter @w : tensor<4xf32>
func.func @read_c2_needless() {
  // expected-error @+1 {{C2: @w is one tensor, not one per layer; use it without an index}}
  %0 = vit.read @w[0] : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<4xf32>
func.func @read_c2_range() {
  // expected-error @+1 {{C2: layer 2 of @w does not exist; it has 2 layers, from 0 on}}
  %0 = vit.read @w[2] : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<4xf32>
func.func @read_c2_negative() {
  // expected-error @+1 {{C2: layer -1 of @w does not exist}}
  %0 = vit.read @w[-1] : tensor<4xf32>
  return
}

// -----

vit.parameter @w : 2 x tensor<4xf32>
func.func @read_c2_both(%i: index) {
  // expected-error @+1 {{C2: has both an index and a constant layer; give one}}
  %0 = "vit.read"(%i) {parameter = @w, layer = 1} : (index) -> tensor<4xf32>
  return
}

// -----

func.func @layers_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{attribute 'count' failed to satisfy constraint: 64-bit signless integer attribute whose minimum value is 1}}
  %0 = vit.layers 0 (%i, %y = %x) : tensor<?x4xf32> {
    vit.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @layers_c2_arguments(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: the body's arguments must be an index and one value per operand}}
  %0 = "vit.layers"(%x) <{count = 2}> ({
  ^bb0(%i: index, %y: tensor<?x5xf32>):
    "vit.yield"(%y) : (tensor<?x5xf32>) -> ()
  }) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @layers_c2_yield(%x: tensor<?x4xf32>, %z: tensor<?x5xf32>) {
  %0 = vit.layers 2 (%i, %y = %x) : tensor<?x4xf32> {
    // expected-error @+1 {{C2: a layer must yield values of the types it takes, ('tensor<?x4xf32>'), not ('tensor<?x5xf32>')}}
    vit.yield %z : tensor<?x5xf32>
  }
  return
}

// -----

func.func @layers_c2_results(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: the results must have the operands' types}}
  %0 = "vit.layers"(%x) <{count = 2}> ({
  ^bb0(%i: index, %y: tensor<?x4xf32>):
    "vit.yield"(%y) : (tensor<?x4xf32>) -> ()
  }) : (tensor<?x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @layers_types(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{1 values but 2 types; give one type per value after the colon}}
  %0:2 = vit.layers 2 (%i, %y = %x) : tensor<?x4xf32>, tensor<?x4xf32> {
    vit.yield %y : tensor<?x4xf32>
  }
  return
}

// -----

func.func @output_c1_no_pattern(%x: tensor<?x4xf32>) {
  vit.layers 2 (%i) {
    // expected-error @+1 {{C1: the name "hidden" must have {} once, where the layer's number stands}}
    vit.output "hidden"[%i] = %x : tensor<?x4xf32>
    vit.yield
  }
  return
}

// -----

func.func @output_c1_no_index(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the name "hidden_{}" must be a name without {}, or be given an index}}
  vit.output "hidden_{}" = %x : tensor<?x4xf32>
  return
}

// -----

func.func @output_c2_twice(%x: tensor<?x4xf32>) {
  vit.output "final" = %x : tensor<?x4xf32>
  // expected-error @+1 {{C2: the function already has an output "final"; give each its own name}}
  vit.output "final" = %x : tensor<?x4xf32>
  return
}

// -----

func.func @output_c2_result(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "final"}) {
  // expected-error @+1 {{C2: the function already has an output "final"; give each its own name}}
  vit.output "final" = %x : tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{results 0 and 1 are both named "logits"}}
func.func @result_names(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "logits"}, tensor<?x4xf32> {vit.name = "logits"}) {
  return %x, %x : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// expected-error @+1 {{vit.name of result 0 must be a string, such as "logits"}}
func.func @result_name_type(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = 1}) {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{vit.labels must be an array of strings, one per class}}
module attributes {vit.labels = [1, 2]} {}

// -----

// expected-error @+1 {{vit.preprocessing must be a dictionary}}
module attributes {vit.preprocessing = "resize"} {}

// -----

// expected-error @+1 {{vit.problem_type must be "single_label_classification", "multi_label_classification" or "regression"}}
module attributes {vit.problem_type = "multi_label"} {}

// -----

// expected-error @+1 {{vit.prefix_tokens must be an array of "class", "distillation" and "register"}}
module attributes {vit.patch_grid = array<i64: 4, 4>, vit.prefix_tokens = ["cls"]} {}

// -----

// expected-error @+1 {{vit.resampling must be "antialias" or "none"}}
module attributes {vit.resampling = "bicubic"} {}

// -----

// expected-error @+1 {{beside vit.patch_grid}}
module attributes {vit.prefix_tokens = ["class"]} {}

// -----

// expected-error @+1 {{vit.patch_grid must be array<i64: rows, columns>}}
module attributes {vit.patch_grid = array<i64: 4, 0>} {}

// -----

func.func @patchify_c1_rank(%x: tensor<?x8x8xf32>) {
  // expected-error @+1 {{'vit.patchify' op C1: the input must be [batch, channels, height, width], not 'tensor<?x8x8xf32>'}}
  %0 = vit.patchify %x patch [4, 4] order chw : (tensor<?x8x8xf32>) -> tensor<?x4x16xf32>
  return
}

// -----

func.func @patchify_c1_dynamic(%x: tensor<?x3x?x8xf32>) {
  // expected-error @+1 {{C1: channels, height and width must be known, only the batch may be ?}}
  %0 = vit.patchify %x patch [4, 4] order chw : (tensor<?x3x?x8xf32>) -> tensor<?x4x48xf32>
  return
}

// -----

func.func @patchify_c1_size(%x: tensor<?x4294967296x4294967296x4294967296xf32>) {
  // expected-error @+1 {{C1: a picture of 4294967296x4294967296 is too large}}
  %0 = vit.patchify %x patch [4, 4] order chw : (tensor<?x4294967296x4294967296x4294967296xf32>) -> tensor<?x4x48xf32>
  return
}

// -----

func.func @patchify_c2_patch(%x: tensor<?x3x8x8xf32>) {
  // expected-error @+1 {{C2: the patch must be two positive numbers, [height, width]}}
  %0 = vit.patchify %x patch [4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  return
}

// -----

func.func @patchify_c2_small(%x: tensor<?x3x15x224xf32>) {
  // expected-error @+1 {{C2: a picture of 15x224 has no patch of 16x16; resize it to 16x224 or choose a smaller patch}}
  %0 = vit.patchify %x patch [16, 16] order chw : (tensor<?x3x15x224xf32>) -> tensor<?x0x768xf32>
  return
}

// -----

func.func @repeat_tokens_c1(%t: tensor<8xf32>, %x: tensor<?x4x8xf32>) {
  // expected-error @+1 {{C1: the tokens must be [number, width], not 'tensor<8xf32>'}}
  %0 = vit.repeat_tokens %t for %x : (tensor<8xf32>, tensor<?x4x8xf32>) -> tensor<?x1x8xf32>
  return
}

// -----

func.func @repeat_tokens_c2(%t: tensor<1x8xf32>, %x: tensor<f32>) {
  // expected-error @+1 {{C2: the batch must be that of a value whose first dimension it is, but 'tensor<f32>' has none}}
  %0 = vit.repeat_tokens %t for %x : (tensor<1x8xf32>, tensor<f32>) -> tensor<?x1x8xf32>
  return
}

// -----

func.func @concat_channels_c1_one(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: there must be two inputs or more, not 1}}
  %0 = vit.concat_channels %x : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @concat_channels_c1_width(%x: tensor<?x8xf32>, %y: tensor<?x?xf32>) {
  // expected-error @+1 {{C1: the inputs must be [batch, width] or [batch, tokens, width] with known widths, but there is 'tensor<?x?xf32>'}}
  %0 = vit.concat_channels %x, %y : (tensor<?x8xf32>, tensor<?x?xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @concat_channels_c2(%x: tensor<?x3x8xf32>, %y: tensor<?x4x8xf32>) {
  // expected-error @+1 {{C2: tensor<?x3x8xf32> and tensor<?x4x8xf32> must be alike except for the width}}
  %0 = vit.concat_channels %x, %y : (tensor<?x3x8xf32>, tensor<?x4x8xf32>) -> tensor<?x3x16xf32>
  return
}

// -----

func.func @concat_channels_result(%x: tensor<?x8xf32>, %y: tensor<?x4xf32>) {
  // expected-error @+1 {{'vit.concat_channels' op the result must be 'tensor<?x12xf32>', not 'tensor<?x16xf32>'}}
  %0 = vit.concat_channels %x, %y : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'vit.rms_norm' op C1: 3 groups do not divide width 4}}
  %0 = vit.rms_norm %x epsilon 1.0e-6 groups 3 : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<?x4xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{'vit.rms_norm' op C2: the scale must be [4], not 'tensor<3xf32>'}}
  %0 = vit.rms_norm %x scale %s epsilon 1.0e-6 : (tensor<?x4xf32>, tensor<3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'vit.rms_norm' op C3: epsilon must be positive, such as 1.0e-06}}
  %0 = vit.rms_norm %x epsilon 0.0 : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @l2_normalize_c1(%x: tensor<?x?xf32>) {
  // expected-error @+1 {{C1: the input's width must be known, but it is 'tensor<?x?xf32>'}}
  %0 = vit.l2_normalize %x epsilon 1.0e-12 : (tensor<?x?xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @l2_normalize_c2(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: epsilon must be positive, such as 1.0e-12}}
  %0 = vit.l2_normalize %x epsilon 0.0 : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @patchify_result(%x: tensor<?x3x8x8xf32>) {
  // expected-error @+1 {{'vit.patchify' op the result must be 'tensor<?x4x48xf32>', not 'tensor<?x16x12xf32>'}}
  %0 = vit.patchify %x patch [4, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x16x12xf32>
  return
}

// -----

func.func @prepend_tokens_c1_input(%x: tensor<?x8xf32>, %t: tensor<1x8xf32>) {
  // expected-error @+1 {{C1: the input must be [batch, tokens, width], not 'tensor<?x8xf32>'}}
  %0 = vit.prepend_tokens %x, %t : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x9x8xf32>
  return
}

// -----

func.func @prepend_tokens_c1_width(%x: tensor<?x4x8xf32>, %t: tensor<1x6xf32>) {
  // expected-error @+1 {{C1: the tokens must be [number, width 8], not 'tensor<1x6xf32>'}}
  %0 = vit.prepend_tokens %x, %t : (tensor<?x4x8xf32>, tensor<1x6xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @take_tokens_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: the input must be [batch, tokens, width]}}
  %0 = vit.take_tokens %x from 0 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @take_tokens_c2_beyond(%x: tensor<?x4x8xf32>) {
  // expected-error @+1 {{C2: 4 tokens from 1 are beyond the input's 4 tokens}}
  %0 = vit.take_tokens %x from 1 count 4 : (tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  return
}

// -----

func.func @take_tokens_c2_negative(%x: tensor<?x4x8xf32>) {
  // expected-error @+1 {{C2: 1 tokens from -1 cannot be taken; start at 0 or later and take at least one}}
  %0 = vit.take_tokens %x from -1 : (tensor<?x4x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @mean_tokens_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: the input must be [batch, tokens, width]}}
  %0 = vit.mean_tokens %x from 0 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @mean_tokens_c2(%x: tensor<?x4x8xf32>) {
  // expected-error @+1 {{C2: the mean from token 4 on has no tokens; the input has 4}}
  %0 = vit.mean_tokens %x from 4 : (tensor<?x4x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @sincos_positions_c1_grid() {
  // expected-error @+1 {{C1: the grid must be two positive numbers, [rows, columns]}}
  %0 = vit.sincos_positions grid [2, 0] width 8 temperature 10000.0 : tensor<0x8xf32>
  return
}

// -----

func.func @sincos_positions_c1_width() {
  // expected-error @+1 {{C1: width 30 must be a multiple of 4 and at least 8; use 32}}
  %0 = vit.sincos_positions grid [2, 2] width 30 temperature 10000.0 : tensor<4x30xf32>
  return
}

// -----

func.func @sincos_positions_c1_size() {
  // expected-error @+1 {{C1: the grid must be two positive numbers, [rows, columns]}}
  %0 = vit.sincos_positions grid [4294967296, 4294967296] width 8 temperature 10000.0 : tensor<0x8xf32>
  return
}

// -----

func.func @sincos_positions_c2() {
  // expected-error @+1 {{C2: the temperature must be positive, such as 1.0e+04}}
  %0 = vit.sincos_positions grid [2, 2] width 8 temperature 0.0 : tensor<4x8xf32>
  return
}

// -----

func.func @resample_positions_c1(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{C1: the table must be [1 + 2*2, width], not 'tensor<4x8xf32>'}}
  %0 = vit.resample_positions %x from [2, 2] to [3, 3] prefix 1 : (tensor<4x8xf32>) -> tensor<10x8xf32>
  return
}

// -----

func.func @resample_positions_c2_grid(%x: tensor<5x8xf32>) {
  // expected-error @+1 {{C2: both grids must be two positive numbers, [rows, columns]}}
  %0 = vit.resample_positions %x from [2, 2] to [0, 3] prefix 1 : (tensor<5x8xf32>) -> tensor<1x8xf32>
  return
}

// -----

func.func @resample_positions_c2_prefix(%x: tensor<5x8xf32>) {
  // expected-error @+1 {{C2: the prefix or suffix -1 must be a number of rows, 0 or more}}
  %0 = vit.resample_positions %x from [2, 3] to [2, 3] prefix -1 : (tensor<5x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

func.func @linear_c1_width(%x: tensor<?x5x4xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{C1: the input's width 4 is not the weight's 6 inputs; the weight must be [out, in] = [4, 4]}}
  %0 = vit.linear %x, %w : (tensor<?x5x4xf32>, tensor<4x6xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @linear_c1_rank(%x: tensor<?x5x4xf32>, %w: tensor<6x4x1xf32>) {
  // expected-error @+1 {{C1: the weight must be [out, in], not 'tensor<6x4x1xf32>'}}
  %0 = vit.linear %x, %w : (tensor<?x5x4xf32>, tensor<6x4x1xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C2: the bias must be [6], one number per output, not 'tensor<4xf32>'}}
  %0 = vit.linear %x, %w, %b : (tensor<?x5x4xf32>, tensor<6x4xf32>, tensor<4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c3(%x: tensor<?x2x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C3: the input must be [batch, width] or [batch, tokens, width], not 'tensor<?x2x5x4xf32>'}}
  %0 = vit.linear %x, %w : (tensor<?x2x5x4xf32>, tensor<6x4xf32>) -> tensor<?x2x5x6xf32>
  return
}

// -----

func.func @layer_norm_c1_groups(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: 3 groups do not divide width 4}}
  %0 = vit.layer_norm %x epsilon 1.0e-6 groups 3 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @layer_norm_c1_width(%x: tensor<?x?xf32>) {
  // expected-error @+1 {{C1: the input's width must be known, but it is 'tensor<?x?xf32>'}}
  %0 = vit.layer_norm %x epsilon 1.0e-6 : (tensor<?x?xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @layer_norm_c2_scale(%x: tensor<?x5x4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{C2: the scale must be [2], not 'tensor<4xf32>'}}
  %0 = vit.layer_norm %x scale %s epsilon 1.0e-6 groups 2 : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @layer_norm_c2_bias(%x: tensor<?x5x4xf32>, %s: tensor<5xf32>) {
  // expected-error @+1 {{C2: the bias must be [4], not 'tensor<5xf32>'}}
  %0 = vit.layer_norm %x bias %s epsilon 1.0e-6 : (tensor<?x5x4xf32>, tensor<5xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @layer_norm_c3(%x: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C3: epsilon must be positive, such as 1.0e-06}}
  %0 = vit.layer_norm %x epsilon 0.0 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c1_rank(%q: tensor<?x6xf32>) {
  // expected-error @+1 {{C1: query, key and value must be [batch, tokens, width], not 'tensor<?x6xf32>'}}
  %0 = vit.attention %q, %q, %q heads 2 scale 1.0 : (tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @attention_c1_width(%q: tensor<?x5x6xf32>, %k: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C1: the query's width 6 is not the key's 4}}
  %0 = vit.attention %q, %k, %k heads 2 scale 1.0 : (tensor<?x5x6xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c1_known(%q: tensor<?x5x?xf32>) {
  // expected-error @+1 {{C1: the widths must be known, but there is 'tensor<?x5x?xf32>'}}
  %0 = vit.attention %q, %q, %q heads 2 scale 1.0 : (tensor<?x5x?xf32>, tensor<?x5x?xf32>, tensor<?x5x?xf32>) -> tensor<?x5x?xf32>
  return
}

// -----

func.func @attention_c1_tokens(%k: tensor<?x5x4xf32>, %v: tensor<?x6x4xf32>) {
  // expected-error @+1 {{C1: the key has 5 tokens, the value 6}}
  %0 = vit.attention %k, %k, %v heads 2 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x6x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

// The sizes of the CIFAR-10 tutorial.
func.func @attention_c2_divides(%q: tensor<?x65x100xf32>) {
  // expected-error @+1 {{C2: 3 heads do not divide width 100; use 4 heads or a width that is a multiple of 3}}
  %0 = vit.attention %q, %q, %q heads 3 scale 1.0 : (tensor<?x65x100xf32>, tensor<?x65x100xf32>, tensor<?x65x100xf32>) -> tensor<?x65x100xf32>
  return
}

// -----

func.func @attention_c2_positive(%q: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C2: 0 heads; there must be at least one}}
  %0 = vit.attention %q, %q, %q heads 0 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @attention_c3_result(%q: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C3: the result must have the query's tokens and the value's width, not 'tensor<?x5x6xf32>'}}
  %0 = vit.attention %q, %q, %q heads 2 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @attention_c3_probabilities(%q: tensor<?x5x4xf32>) {
  // expected-error @+1 {{C3: the probabilities must be [batch, 2 heads, 5, 5 tokens], not 'tensor<?x5x5xf32>'}}
  %0, %1 = vit.attention %q, %q, %q heads 2 scale 1.0 : (tensor<?x5x4xf32>, tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> (tensor<?x5x4xf32>, tensor<?x5x5xf32>)
  return
}

// -----

func.func @add_c1(%x: tensor<?x5x4xf32>, %y: tensor<6x4xf32>) {
  // expected-error @+1 {{C1: tensor<?x5x4xf32> and tensor<6x4xf32> cannot be broadcast: from the last dimension on, sizes must be equal, or 1, or missing}}
  %0 = vit.add %x, %y : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @mul_c1(%x: tensor<?x5x4xf32>, %y: tensor<2xf32>) {
  // expected-error @+1 {{C1: tensor<?x5x4xf32> and tensor<2xf32> cannot be broadcast}}
  %0 = vit.mul %x, %y : (tensor<?x5x4xf32>, tensor<2xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @layer_scale_c1(%x: tensor<?x5x4xf32>, %g: tensor<5xf32>) {
  // expected-error @+1 {{C1: gamma must be one number per channel of tensor<?x5x4xf32>, not 'tensor<5xf32>'}}
  %0 = vit.layer_scale %x, %g : (tensor<?x5x4xf32>, tensor<5xf32>) -> tensor<?x5x4xf32>
  return
}

// -----

func.func @dropout_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the probability 1.000000e+00 must be at least 0 and below 1}}
  %0 = vit.dropout %x probability 1.0 : tensor<?x4xf32>
  return
}

// -----

func.func @dropout_c3(%x: tensor<?x4xf32>, %i: index) {
  // expected-error @+1 {{C3: give the last layer's probability, at least 0 and below 1, and the layer's number, as in to 0.1 over %layer, or neither}}
  %0 = vit.dropout %x probability 0.0 to 1.0 over %i : tensor<?x4xf32>
  return
}

// -----

func.func @drop_path_c3(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C3: give the last layer's probability}}
  %0 = "vit.drop_path"(%x) <{probability = 0.1 : f64, last = 0.2 : f64, operandSegmentSizes = array<i32: 1, 0, 0, 0>}> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @drop_path_c1(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: the probability -1.000000e-01 must be at least 0 and below 1}}
  %0 = vit.drop_path %x probability -0.1 : tensor<?x4xf32>
  return
}

// -----

// expected-error @+1 {{C1: the initialiser's value must be a number, 0 or more}}
vit.parameter @init_c1_deviation : tensor<4xf32> init<normal, -1.0>

// -----

// expected-error @+1 {{C1: the initialiser's value must be a number}}
vit.parameter @init_c1_number : tensor<4xf32> init<constant, 0x7FF0000000000000>

// -----

func.func @relative_positions_c1_grid(%t: tensor<18x2xf32>) {
  // expected-error @+1 {{C1: the grid must be two positive numbers, [rows, columns]}}
  %0 = vit.relative_positions %t grid [2, 0] prefix 1 : (tensor<18x2xf32>) -> tensor<2x7x7xf32>
  return
}

// -----

func.func @relative_positions_c1_prefix(%t: tensor<18x2xf32>) {
  // expected-error @+1 {{C1: the prefix 5 must be 1 with a class token, or 0}}
  %0 = vit.relative_positions %t grid [2, 3] prefix 5 : (tensor<18x2xf32>) -> tensor<2x7x7xf32>
  return
}

// -----

func.func @relative_positions_c2_rows(%t: tensor<18x2xf32>) {
  // expected-error @+1 {{C2: each table must be [15, heads] for a grid of 2x3, not 'tensor<18x2xf32>'}}
  %0 = vit.relative_positions %t grid [2, 3] prefix 0 : (tensor<18x2xf32>) -> tensor<2x6x6xf32>
  return
}

// -----

func.func @relative_positions_c2_heads(%t: tensor<18x2xf32>, %u: tensor<18x3xf32>) {
  // expected-error @+1 {{C2: each table must be [18, heads] for a grid of 2x3, not 'tensor<18x3xf32>'}}
  %0 = vit.relative_positions %t, %u grid [2, 3] prefix 1 : (tensor<18x2xf32>, tensor<18x3xf32>) -> tensor<2x7x7xf32>
  return
}

// -----

func.func @relative_positions_result(%t: tensor<18x2xf32>) {
  // expected-error @+1 {{the result must be 'tensor<2x7x7xf32>', not 'tensor<2x6x6xf32>'}}
  %0 = vit.relative_positions %t grid [2, 3] prefix 1 : (tensor<18x2xf32>) -> tensor<2x6x6xf32>
  return
}

// -----

func.func @relative_positions_backward_c2(%d: tensor<2x6x6xf32>) {
  // expected-error @+1 {{C2: the gradient must be [heads, 7, 7], not 'tensor<2x6x6xf32>'}}
  %0 = vit.relative_positions_backward %d grid [2, 3] prefix 1 : (tensor<2x6x6xf32>) -> tensor<18x2xf32>
  return
}

// -----

func.func @rotary_positions_c1() {
  // expected-error @+1 {{C1: width 5 must be even and at least 2: half of it is for rows, half for columns}}
  %0 = vit.rotary_positions grid [2, 2] width 5 temperature 100.0 order yx : tensor<4x5xf32>
  return
}

// -----

func.func @rotary_positions_c2_temperature() {
  // expected-error @+1 {{C2: the temperature must be positive, such as 1.0e+02}}
  %0 = vit.rotary_positions grid [2, 2] width 4 temperature -1.0 order yx : tensor<4x4xf32>
  return
}

// -----

func.func @rotary_positions_c2_extent() {
  // expected-error @+1 {{C2: the extent must be positive}}
  %0 = vit.rotary_positions grid [2, 2] width 4 temperature 1.0 order yx extent 0.0 : tensor<4x4xf32>
  return
}

// -----

func.func @rotary_positions_c2_centered() {
  // expected-error @+1 {{C2: centered coordinates need an extent}}
  %0 = vit.rotary_positions grid [2, 2] width 4 temperature 1.0 order yx centered : tensor<4x4xf32>
  return
}

// -----

func.func @rotate_c1(%x: tensor<?x5x6xf32>, %a: tensor<4x1xf32>) {
  // expected-error @+1 {{C1: the width of 'tensor<?x5x6xf32>' must be an even number of channels for each of 2 heads}}
  %0 = vit.rotate %x, %a heads 2 prefix 1 pairs halves : (tensor<?x5x6xf32>, tensor<4x1xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @rotate_c2_prefix(%x: tensor<?x5x8xf32>, %a: tensor<4x2xf32>) {
  // expected-error @+1 {{C2: a prefix of 5 tokens leaves none to rotate in 'tensor<?x5x8xf32>'}}
  %0 = vit.rotate %x, %a heads 2 prefix 5 pairs halves : (tensor<?x5x8xf32>, tensor<4x2xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @rotate_c2_angles(%x: tensor<?x5x8xf32>, %a: tensor<5x2xf32>) {
  // expected-error @+1 {{C2: the angles must be [4, 2], or with 4 columns one set for each head, not 'tensor<5x2xf32>'}}
  %0 = vit.rotate %x, %a heads 2 prefix 1 pairs halves : (tensor<?x5x8xf32>, tensor<5x2xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @attention_c4(%q: tensor<?x5x6xf32>, %b: tensor<5x5xf32>) {
  // expected-error @+1 {{C4: the bias must be [3 heads, 5, 5 tokens], not 'tensor<5x5xf32>'}}
  %0 = vit.attention %q, %q, %q bias %b heads 3 scale 1.0 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<5x5xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @attention_backward_c4(%q: tensor<?x5x6xf32>) {
  // expected-error @+1 {{C4: there is no bias, so it has no gradient}}
  %0:4 = vit.attention_backward %q, %q, %q, %q heads 3 scale 1.0 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>) -> (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<3x5x5xf32>)
  return
}

// -----

func.func @resample_positions_c3(%t: tensor<5x8xf32>) {
  // expected-error @+1 {{C3: only the filter cubic has antialiasing}}
  %0 = vit.resample_positions %t from [2, 2] to [3, 3] prefix 1 antialias filter linear : (tensor<5x8xf32>) -> tensor<10x8xf32>
  return
}

// -----

func.func @resample_positions_c3_odd(%t: tensor<4x8xf32>) {
  // expected-error @+1 {{C3: the filter geometric needs grids of odd sizes, which have a middle row and column}}
  %0 = vit.resample_positions %t from [1, 1] to [3, 4] prefix 0 suffix 3 filter geometric : (tensor<4x8xf32>) -> tensor<15x8xf32>
  return
}

// -----

func.func @resample_positions_suffix(%t: tensor<5x8xf32>) {
  // expected-error @+1 {{C1: the table must be [1 + 1*1 + 2, width], not 'tensor<5x8xf32>'}}
  %0 = vit.resample_positions %t from [1, 1] to [3, 4] prefix 1 suffix 2 : (tensor<5x8xf32>) -> tensor<15x8xf32>
  return
}

// -----

func.func @attention_c5(%x: tensor<?x5x8xf32>) {
  // expected-error @+1 {{'vit.attention' op C5: the precision must not be int8, in which attention has no products}}
  %a = vit.attention %x, %x, %x heads 2 scale 0.5 precision int8 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return
}

// -----

func.func @linear_c4_scale(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C4: input_scale and migration require precision int8}}
  %0 = vit.linear %x, %w precision bf16 input_scale 1.0 : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c4_migration(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C4: input_scale and migration require precision int8}}
  %0 = vit.linear %x, %w migration dense<1.0> : tensor<4xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c5_zero(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C5: the input_scale is 0.000000e+00; it must be 2^-60 to 2^60}}
  %0 = vit.linear %x, %w precision int8 input_scale 0.0 : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c5_nan(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C5: the input_scale is nan; it must be 2^-60 to 2^60}}
  %0 = vit.linear %x, %w precision int8 input_scale 0x7FC00000 : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c5_negative(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C5: factor 2 of the migration is -1.000000e+00; it must be 2^-60 to 2^60}}
  %0 = vit.linear %x, %w precision int8 migration dense<[1.0, 2.0, -1.0, 1.0]> : tensor<4xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c5_infinite(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C5: factor 0 of the migration is INF; it must be 2^-60 to 2^60}}
  %0 = vit.linear %x, %w precision int8 migration dense<[0x7F800000, 2.0, -1.0, 1.0]> : tensor<4xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

func.func @linear_c6(%x: tensor<?x5x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'vit.linear' op C6: the migration must have 4 factors, not 'tensor<6xf32>'}}
  %0 = vit.linear %x, %w precision int8 migration dense<1.0> : tensor<6xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  return
}

// -----

// expected-error @+1 {{vit.kept must be an array of ["name", #vit<precision bf16>]}}
func.func @kept() attributes {vit.kept = [["blocks.0.mlp.fc1", "bf16"]]} {
  return
}
