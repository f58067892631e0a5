// RUN: vit-interpret %s --values=-1 | FileCheck %s --check-prefix=RESULT
// RUN: vit-interpret %s --values=-1 --outputs=hidden_2,hidden_0,sum | FileCheck %s --check-prefix=NAMED
// RUN: not vit-interpret %s --outputs=hidden_3 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: vit-interpret %s --entry parameters --outputs=a_0,a_1,b --values=1 | FileCheck %s --check-prefix=PARAMETERS

// Fibonacci: two values are carried between layers.
// RESULT: sum [1] {{.*}}: 5{{$}}
// NAMED: hidden_2 [1] {{.*}}: 2{{$}}
// NAMED-NEXT: hidden_0 [1] {{.*}}: 1{{$}}
// NAMED-NEXT: sum [1] {{.*}}: 5{{$}}
// UNKNOWN: error: @forward has no output "hidden_3"; it has hidden_0 to hidden_2
func.func @forward() -> (tensor<1xf32> {vit.name = "sum"}) {
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %a, %b = vit.layers 3 (%i, %x = %one, %y = %one) : tensor<1xf32>, tensor<1xf32> {
    vit.output "hidden_{}"[%i] = %x : tensor<1xf32>
    %z = vit.add %x, %y : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
    vit.yield %y, %z : tensor<1xf32>, tensor<1xf32>
  }
  return %b : tensor<1xf32>
}

// Each layer has its own parameters, by number or in a loop.
// PARAMETERS: a_0 [2] [[FIRST:.*]]
// PARAMETERS-NOT: a_1 [2] [[FIRST]]
// PARAMETERS: b [2] [[FIRST]]
vit.parameter @p : 2 x tensor<2xf32>
func.func @parameters() {
  vit.layers 2 (%i) {
    %a = vit.read @p[%i] : tensor<2xf32>
    vit.output "a_{}"[%i] = %a : tensor<2xf32>
    vit.yield
  }
  %b = vit.read @p[0] : tensor<2xf32>
  vit.output "b" = %b : tensor<2xf32>
  return
}
