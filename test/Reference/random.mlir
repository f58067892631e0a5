// RUN: vit-interpret %s --batch 1 --values=-1 --set 0=1 --set 1=5 --start random_seed=1,-2 | FileCheck %s
// RUN: vit-interpret %s --batch 1 --values=-1 --set 0=1 --set 1=6 --start random_seed=1,-2 | FileCheck %s --check-prefix=STEP
// RUN: vit-interpret %s --batch 1 --values=-1 --set 0=1 --set 1=5 --start random_seed=2,-2 | FileCheck %s --check-prefix=SEED
// RUN: vit-interpret %s --entry path --batch 8 --values=-1 --set 0=1 --set 1=5 --start random_seed=1,-2 | FileCheck %s --check-prefix=PATH
// RUN: vit-interpret %s --entry share --batch 1000 --set 0=1 | FileCheck %s --check-prefix=SHARE
// RUN: vit-interpret %s --entry inference --batch 1 --values=-1 --set 0=1 | FileCheck %s --check-prefix=INFERENCE

// Expected values: a Python implementation of Philox-4x32-10 and XXH64.
vit.state @random_seed role "random_seed" : tensor<2xi32>

// CHECK: result_0 [1, 24] {{.*}}: 2 0 2 0 2 2 2 2 2 2 0 0 0 2 2 2 0 2 2 2 2 2 2 0{{$}}
// CHECK: result_1 [1, 24] {{.*}}: 2 2 2 2 0 2 2 0 2 2 0 0 2 0 2 2 2 0 2 0 2 0 2 2{{$}}
// STEP: result_0 [1, 24] {{.*}}: 2 0 2 2 2 2 2 0 2 0 2 2 2 2 0 2 2 2 2 2 2 2 2 2{{$}}
// SEED: result_0 [1, 24] {{.*}}: 0 2 2 0 2 2 2 2 0 2 2 0 2 2 2 2 2 2 2 2 0 2 0 2{{$}}
func.func @forward(%one: tensor<?x24xf32>, %step: tensor<i32>) -> (tensor<?x24xf32>, tensor<?x24xf32>) {
  %seed = vit.read @random_seed : tensor<2xi32>
  %x = vit.scale %one by 1.5 : tensor<?x24xf32>
  %0 = vit.dropout %x probability 0.25 random "blocks.3.drop", %seed, %step : tensor<?x24xf32>
  %1 = vit.dropout %x probability 0.25 random "blocks.3.drop.1", %seed, %step : tensor<?x24xf32>
  return %0, %1 : tensor<?x24xf32>, tensor<?x24xf32>
}
// A whole image or nothing.
// PATH: result_0 [8, 2] {{.*}}: 0 0 2 2 2 2 0 0 2 2 2 2 0 0 0 0{{$}}
func.func @path(%x: tensor<?x2xf32>, %step: tensor<i32>) -> tensor<?x2xf32> {
  %seed = vit.read @random_seed : tensor<2xi32>
  %0 = vit.drop_path %x probability 0.5 random "path", %seed, %step : tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
// 8959 of 10000 elements are kept: the sum is 8959 / 0.9.
// SHARE: result_0 [1000, 10] sum 9954.44444
func.func @share(%x: tensor<?x10xf32>, %step: tensor<i32>) -> tensor<?x10xf32> {
  %seed = vit.read @random_seed : tensor<2xi32>
  %0 = vit.dropout %x probability 0.1 random "x", %seed, %step : tensor<?x10xf32>
  return %0 : tensor<?x10xf32>
}
// INFERENCE: result_0 [1, 4] {{.*}}: 1 1 1 1{{$}}
func.func @inference(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.dropout %x probability 0.5 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
