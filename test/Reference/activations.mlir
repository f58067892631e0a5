// RUN: vit-interpret %s --values=-1 | FileCheck %s

// Expected values: Python's math module.
func.func @forward() -> (tensor<7xf32> {vit.name = "erf"}, tensor<7xf32> {vit.name = "gelu_tanh"}, tensor<7xf32> {vit.name = "quick"},
    tensor<7xf32> {vit.name = "relu"}, tensor<7xf32> {vit.name = "silu"}, tensor<7xf32> {vit.name = "tanh"}, tensor<1xf32> {vit.name = "nan"}) {
  %x = arith.constant dense<[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]> : tensor<7xf32>
  // CHECK: erf [7] {{.*}}: -0.00404969409 -0.158655254 -0.154268769 0 0.345731231 0.841344746 2.99595031{{$}}
  %0 = vit.gelu erf %x : tensor<7xf32>
  // CHECK: gelu_tanh [7] {{.*}}: -0.00363739208 -0.158808009 -0.15428599 0 0.34571401 0.841191991 2.99636261{{$}}
  %1 = vit.gelu tanh %x : tensor<7xf32>
  // CHECK: quick [7] {{.*}}: -0.0180713097 -0.154204234 -0.149611563 0 0.350388437 0.845795766 2.98192869{{$}}
  %2 = vit.gelu quick %x : tensor<7xf32>
  // CHECK: relu [7] {{.*}}: 0 0 0 0 0.5 1 3{{$}}
  %3 = vit.relu %x : tensor<7xf32>
  // CHECK: silu [7] {{.*}}: -0.14227762 -0.268941421 -0.188770334 0 0.311229666 0.731058579 2.85772238{{$}}
  %4 = vit.silu %x : tensor<7xf32>
  // CHECK: tanh [7] {{.*}}: -0.995054754 -0.761594156 -0.462117157 0 0.462117157 0.761594156 0.995054754{{$}}
  %5 = vit.tanh %x : tensor<7xf32>
  // A NaN is propagated.
  %n = arith.constant dense<0x7FC00000> : tensor<1xf32>
  // CHECK: nan [1] {{.*}}: nan{{$}}
  %6 = vit.relu %n : tensor<1xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<1xf32>
}
