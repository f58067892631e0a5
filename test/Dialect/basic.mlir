// RUN: vit-opt %s > %t.1 && vit-opt %t.1 > %t.2 && diff %t.1 %t.2
// RUN: vit-opt %s | FileCheck %s
// RUN: vit-opt %s --mlir-print-op-generic | vit-opt | diff - %t.1

// CHECK: module attributes {vit.labels = ["cat", "dog"], vit.preprocessing = {height = 8 : i64, width = 8 : i64}}
module attributes {vit.labels = ["cat", "dog"], vit.preprocessing = {height = 8 : i64, width = 8 : i64}} {

// CHECK: vit.parameter @weight : tensor<6x4xf32> init<trunc_normal, 2.000000e-02>
vit.parameter @weight : tensor<6x4xf32> init<trunc_normal, 0.02>
// CHECK: vit.parameter @bias : tensor<6xf32> init<constant, 0.000000e+00>
vit.parameter @bias : tensor<6xf32> init<constant, 0.0>
// CHECK: vit.parameter @plain : tensor<4xf32>{{$}}
vit.parameter @plain : tensor<4xf32>
// CHECK: vit.parameter @gamma : 3 x tensor<4xf32> init<normal, 1.000000e+00> stored<"blocks.{}.ls.gamma", [8], 4 to 8>
vit.parameter @gamma : 3 x tensor<4xf32> init<normal, 1.0> stored<"blocks.{}.ls.gamma", [8], 4 to 8>
// CHECK: vit.parameter @uniform : tensor<2x2xf32> init<uniform, 1.000000e-01>
vit.parameter @uniform : tensor<2x2xf32> init<uniform, 0.1>
// CHECK: vit.parameter @conv : tensor<2x12xf32> init<xavier_uniform, 1.000000e+00> stored<"proj.weight", [2, 3, 2, 2], 0 to 2>
vit.parameter @conv : tensor<2x12xf32> init<xavier_uniform, 1.0> stored<"proj.weight", [2, 3, 2, 2], 0 to 2>

// CHECK-LABEL: func.func @parameters
func.func @parameters() {
  // CHECK: vit.read @weight : tensor<6x4xf32>
  %w = vit.read @weight : tensor<6x4xf32>
  // CHECK: vit.read @gamma[2] : tensor<4xf32>
  %g = vit.read @gamma[2] : tensor<4xf32>
  // CHECK: vit.layers 3 (%{{.*}}) {
  vit.layers 3 (%i) {
    // CHECK: vit.read @gamma[%{{.*}}] : tensor<4xf32>
    %x = vit.read @gamma[%i] : tensor<4xf32>
    // CHECK: vit.output "gamma_{}"[%{{.*}}] = %{{.*}} : tensor<4xf32>
    vit.output "gamma_{}"[%i] = %x : tensor<4xf32>
    vit.yield
  }
  return
}

// CHECK-LABEL: func.func @layers
// CHECK-SAME: (tensor<?x5x4xf32> {vit.name = "features"})
func.func @layers(%a: tensor<?x5x4xf32>, %b: tensor<?x4xf32>) -> (tensor<?x5x4xf32> {vit.name = "features"}) {
  // CHECK: %[[R:.*]]:2 = vit.layers 2 (%[[I:.*]], %[[X:.*]] = %arg0, %[[Y:.*]] = %arg1) : tensor<?x5x4xf32>, tensor<?x4xf32> attributes {tag = "encoder"} {
  // CHECK-NEXT: vit.output "hidden_{}"[%[[I]]] = %[[X]] : tensor<?x5x4xf32>
  // CHECK-NEXT: vit.yield %[[X]], %[[Y]] : tensor<?x5x4xf32>, tensor<?x4xf32>
  %x, %y = vit.layers 2 (%i, %u = %a, %v = %b) : tensor<?x5x4xf32>, tensor<?x4xf32> attributes {tag = "encoder"} {
    vit.output "hidden_{}"[%i] = %u : tensor<?x5x4xf32>
    vit.yield %u, %v : tensor<?x5x4xf32>, tensor<?x4xf32>
  }
  // CHECK: vit.output "final" = %[[R]]#0 : tensor<?x5x4xf32>
  vit.output "final" = %x : tensor<?x5x4xf32>
  return %x : tensor<?x5x4xf32>
}

// CHECK-LABEL: func.func @tokens
func.func @tokens(%image: tensor<?x3x8x4xf32>, %x: tensor<?x6x8xf32>, %t: tensor<2x8xf32>, %p: tensor<5x8xf32>) {
  // CHECK: vit.patchify %arg0 patch [2, 4] order chw : (tensor<?x3x8x4xf32>) -> tensor<?x4x24xf32>
  %0 = vit.patchify %image patch [2, 4] order chw : (tensor<?x3x8x4xf32>) -> tensor<?x4x24xf32>
  // CHECK: vit.patchify %arg0 patch [3, 3] order chw : (tensor<?x3x8x4xf32>) -> tensor<?x2x27xf32>
  %rest = vit.patchify %image patch [3, 3] order chw : (tensor<?x3x8x4xf32>) -> tensor<?x2x27xf32>
  // CHECK: vit.repeat_tokens %arg2 for %arg1 : (tensor<2x8xf32>, tensor<?x6x8xf32>) -> tensor<?x2x8xf32>
  %repeated = vit.repeat_tokens %t for %x : (tensor<2x8xf32>, tensor<?x6x8xf32>) -> tensor<?x2x8xf32>
  // CHECK: vit.concat_channels %arg1, %arg1 : (tensor<?x6x8xf32>, tensor<?x6x8xf32>) -> tensor<?x6x16xf32>
  %both = vit.concat_channels %x, %x : (tensor<?x6x8xf32>, tensor<?x6x8xf32>) -> tensor<?x6x16xf32>
  // CHECK: vit.rms_norm %arg1 epsilon 1.000000e-05 groups 2 : (tensor<?x6x8xf32>) -> tensor<?x6x8xf32>
  %rms = vit.rms_norm %x epsilon 1.0e-5 groups 2 : (tensor<?x6x8xf32>) -> tensor<?x6x8xf32>
  // CHECK: vit.l2_normalize %arg1 epsilon 9.999999{{.*}}E-13 : (tensor<?x6x8xf32>) -> tensor<?x6x8xf32>
  %l2 = vit.l2_normalize %x epsilon 1.0e-12 : (tensor<?x6x8xf32>) -> tensor<?x6x8xf32>
  // CHECK: vit.patchify %arg0 patch [4, 4] order hwc : (tensor<?x3x8x4xf32>) -> tensor<?x2x48xf32>
  %1 = vit.patchify %image patch [4, 4] order hwc : (tensor<?x3x8x4xf32>) -> tensor<?x2x48xf32>
  // CHECK: vit.prepend_tokens %arg1, %arg2 : (tensor<?x6x8xf32>, tensor<2x8xf32>) -> tensor<?x8x8xf32>
  %2 = vit.prepend_tokens %x, %t : (tensor<?x6x8xf32>, tensor<2x8xf32>) -> tensor<?x8x8xf32>
  // CHECK: vit.take_tokens %arg1 from 1 : (tensor<?x6x8xf32>) -> tensor<?x8xf32>
  %3 = vit.take_tokens %x from 1 : (tensor<?x6x8xf32>) -> tensor<?x8xf32>
  // CHECK: vit.take_tokens %arg1 from 1 count 5 : (tensor<?x6x8xf32>) -> tensor<?x5x8xf32>
  %4 = vit.take_tokens %x from 1 count 5 : (tensor<?x6x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.mean_tokens %arg1 from 1 : (tensor<?x6x8xf32>) -> tensor<?x8xf32>
  %5 = vit.mean_tokens %x from 1 : (tensor<?x6x8xf32>) -> tensor<?x8xf32>
  // CHECK: vit.sincos_positions grid [2, 3] width 8 temperature 1.000000e+04 exclusive : tensor<6x8xf32>
  %exclusive = vit.sincos_positions grid [2, 3] width 8 temperature 10000.0 exclusive : tensor<6x8xf32>
  // CHECK: vit.sincos_positions grid [2, 3] width 8 temperature 1.000000e+04 : tensor<6x8xf32>
  %6 = vit.sincos_positions grid [2, 3] width 8 temperature 10000.0 : tensor<6x8xf32>
  // CHECK: vit.resample_positions %arg3 from [2, 2] to [3, 3] prefix 1 : (tensor<5x8xf32>) -> tensor<10x8xf32>
  %7 = vit.resample_positions %p from [2, 2] to [3, 3] prefix 1 : (tensor<5x8xf32>) -> tensor<10x8xf32>
  // CHECK: vit.resample_positions %arg3 from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  %8 = vit.resample_positions %p from [2, 2] to [3, 3] prefix 1 antialias : (tensor<5x8xf32>) -> tensor<10x8xf32>
  // CHECK: vit.resample_positions %arg3 from [1, 1] to [3, 3] prefix 1 suffix 3 filter geometric : (tensor<5x8xf32>) -> tensor<13x8xf32>
  %9 = vit.resample_positions %p from [1, 1] to [3, 3] prefix 1 suffix 3 filter geometric : (tensor<5x8xf32>) -> tensor<13x8xf32>
  return
}

// CHECK-LABEL: func.func @linear_and_norm
func.func @linear_and_norm(%x: tensor<?x5x4xf32>, %r: tensor<?x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>, %s: tensor<4xf32>, %h: tensor<2xf32>) {
  // CHECK: vit.linear %arg0, %arg2 : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  %0 = vit.linear %x, %w : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  // CHECK: vit.linear %arg0, %arg2 precision int8 input_scale 2.500000e-02 migration dense<[1.000000e+00, 5.000000e-01, 4.000000e+00, 3.000000e+00]> : tensor<4xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  %8 = vit.linear %x, %w precision int8 input_scale 2.5e-02 migration dense<[1.0, 0.5, 4.0, 3.0]> : tensor<4xf32> : (tensor<?x5x4xf32>, tensor<6x4xf32>) -> tensor<?x5x6xf32>
  // CHECK: vit.linear %arg1, %arg2, %arg3 : (tensor<?x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x6xf32>
  %1 = vit.linear %r, %w, %b : (tensor<?x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x6xf32>
  // CHECK: vit.layer_norm %arg0 scale %arg4 bias %arg4 epsilon 9.9999999999999998E-13 : (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  %2 = vit.layer_norm %x scale %s bias %s epsilon 1.0e-12 : (tensor<?x5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.layer_norm %arg0 bias %arg5 epsilon 1.000000e-05 groups 2 : (tensor<?x5x4xf32>, tensor<2xf32>) -> tensor<?x5x4xf32>
  %3 = vit.layer_norm %x bias %h epsilon 1.0e-5 groups 2 : (tensor<?x5x4xf32>, tensor<2xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.layer_norm %arg0 epsilon 1.000000e-05 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %4 = vit.layer_norm %x epsilon 1.0e-5 : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.layer_scale %arg0, %arg4 : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  %5 = vit.layer_scale %x, %s : (tensor<?x5x4xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<?x5x6xf32>, %k: tensor<?x7x6xf32>, %v: tensor<?x7x9xf32>) {
  // CHECK: vit.attention %arg0, %arg1, %arg2 heads 3 scale 5.000000e-01 : (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x9xf32>) -> tensor<?x5x9xf32>
  %0 = vit.attention %q, %k, %v heads 3 scale 0.5 : (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x9xf32>) -> tensor<?x5x9xf32>
  // CHECK: %{{.*}}, %{{.*}} = vit.attention {{.*}} -> (tensor<?x5x9xf32>, tensor<?x3x5x7xf32>)
  %1, %p = vit.attention %q, %k, %v heads 3 scale 1.0 : (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x9xf32>) -> (tensor<?x5x9xf32>, tensor<?x3x5x7xf32>)
  return
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<?x5x4xf32>, %p: tensor<5x4xf32>, %one: tensor<1x4xf32>, %h: tensor<?x4xbf16>) {
  // CHECK: vit.gelu erf %arg0 : tensor<?x5x4xf32>
  %0 = vit.gelu erf %x : tensor<?x5x4xf32>
  // CHECK: vit.gelu tanh %arg0 : tensor<?x5x4xf32>
  %1 = vit.gelu tanh %x : tensor<?x5x4xf32>
  // CHECK: vit.gelu quick %arg3 : tensor<?x4xbf16>
  %2 = vit.gelu quick %h : tensor<?x4xbf16>
  // CHECK: vit.relu %arg0 : tensor<?x5x4xf32>
  %3 = vit.relu %x : tensor<?x5x4xf32>
  // CHECK: vit.silu %arg0 : tensor<?x5x4xf32>
  %4 = vit.silu %x : tensor<?x5x4xf32>
  // CHECK: vit.tanh %arg0 : tensor<?x5x4xf32>
  %5 = vit.tanh %x : tensor<?x5x4xf32>
  // CHECK: vit.softmax %arg0 : tensor<?x5x4xf32>
  %6 = vit.softmax %x : tensor<?x5x4xf32>
  // CHECK: vit.add %arg0, %arg1 : (tensor<?x5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x4xf32>
  %7 = vit.add %x, %p : (tensor<?x5x4xf32>, tensor<5x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.mul %arg2, %arg0 : (tensor<1x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %8 = vit.mul %one, %x : (tensor<1x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  // CHECK: vit.scale %arg0 by 5.000000e-01 : tensor<?x5x4xf32>
  %9 = vit.scale %x by 0.5 : tensor<?x5x4xf32>
  // CHECK: vit.dropout %arg0 probability 1.000000e-01 : tensor<?x5x4xf32>
  %10 = vit.dropout %x probability 0.1 : tensor<?x5x4xf32>
  // CHECK: vit.drop_path %arg0 probability 0.000000e+00 : tensor<?x5x4xf32>
  %11 = vit.drop_path %x probability 0.0 : tensor<?x5x4xf32>
  // CHECK: vit.layers 2 (%[[I:.+]], %[[X:.+]] = %arg0)
  // CHECK-NEXT: vit.dropout %[[X]] probability 1.000000e-01 to 0.000000e+00 over %[[I]] : tensor<?x5x4xf32>
  // CHECK-NEXT: vit.drop_path %{{.+}} probability 0.000000e+00 to 2.000000e-01 over %[[I]] : tensor<?x5x4xf32>
  %12 = vit.layers 2 (%i, %y = %x) : tensor<?x5x4xf32> {
    %13 = vit.dropout %y probability 0.1 to 0.0 over %i : tensor<?x5x4xf32>
    %14 = vit.drop_path %13 probability 0.0 to 0.2 over %i : tensor<?x5x4xf32>
    vit.yield %14 : tensor<?x5x4xf32>
  }
  return
}

}

// CHECK-LABEL: func.func @relative_and_rotary
func.func @relative_and_rotary(%t: tensor<18x2xf32>, %x: tensor<?x5x8xf32>) {
  // CHECK: %[[B:.*]] = vit.relative_positions %arg0 grid [2, 3] prefix 1 : (tensor<18x2xf32>) -> tensor<2x7x7xf32>
  %b = vit.relative_positions %t grid [2, 3] prefix 1 : (tensor<18x2xf32>) -> tensor<2x7x7xf32>
  // CHECK: vit.relative_positions %arg0, %arg0 grid [2, 3] prefix 1 :
  %two = vit.relative_positions %t, %t grid [2, 3] prefix 1 : (tensor<18x2xf32>, tensor<18x2xf32>) -> tensor<2x7x7xf32>
  // CHECK: vit.relative_positions_backward %[[B]] grid [2, 3] prefix 1 : (tensor<2x7x7xf32>) -> tensor<18x2xf32>
  %d = vit.relative_positions_backward %b grid [2, 3] prefix 1 : (tensor<2x7x7xf32>) -> tensor<18x2xf32>
  // CHECK: %[[A:.*]] = vit.rotary_positions grid [2, 2] width 2 temperature 1.000000e+02 order yx origin 5.000000e-01 extent 1.200000e+01 centered : tensor<4x2xf32>
  %a = vit.rotary_positions grid [2, 2] width 2 temperature 100.0 order yx origin 0.5 extent 12.0 centered : tensor<4x2xf32>
  // CHECK: vit.rotary_positions grid [2, 2] width 4 temperature 1.000000e+04 order xy : tensor<4x4xf32>
  %xy = vit.rotary_positions grid [2, 2] width 4 temperature 10000.0 order xy : tensor<4x4xf32>
  // CHECK: vit.rotate %arg1, %[[A]] heads 2 prefix 1 pairs halves : (tensor<?x5x8xf32>, tensor<4x2xf32>) -> tensor<?x5x8xf32>
  %r = vit.rotate %x, %a heads 2 prefix 1 pairs halves : (tensor<?x5x8xf32>, tensor<4x2xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.rotate %arg1, %{{.*}} heads 2 prefix 1 pairs neighbours inverse : (tensor<?x5x8xf32>, tensor<4x4xf32>) -> tensor<?x5x8xf32>
  %i = vit.rotate %x, %xy heads 2 prefix 1 pairs neighbours inverse : (tensor<?x5x8xf32>, tensor<4x4xf32>) -> tensor<?x5x8xf32>
  return
}

// CHECK-LABEL: func.func @biased_attention
func.func @biased_attention(%q: tensor<?x5x6xf32>, %k: tensor<?x7x6xf32>, %b: tensor<3x5x7xf32>) {
  // CHECK: vit.attention %arg0, %arg1, %arg1 bias %arg2 heads 3 scale 5.000000e-01 : (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x6xf32>, tensor<3x5x7xf32>) -> tensor<?x5x6xf32>
  %0 = vit.attention %q, %k, %k bias %b heads 3 scale 0.5 : (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x6xf32>, tensor<3x5x7xf32>) -> tensor<?x5x6xf32>
  // CHECK: vit.attention_backward %arg0, %arg0, %arg1, %arg1 bias %arg2 heads 3 {{.*}} -> (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x6xf32>, tensor<3x5x7xf32>)
  %1:4 = vit.attention_backward %q, %q, %k, %k bias %b heads 3 scale 0.5 : (tensor<?x5x6xf32>, tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x6xf32>, tensor<3x5x7xf32>) -> (tensor<?x5x6xf32>, tensor<?x7x6xf32>, tensor<?x7x6xf32>, tensor<3x5x7xf32>)
  return
}
