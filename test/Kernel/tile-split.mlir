// Weight gradients by tensor cores are split over the rows where their tiles leave processors idle.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda batch=64}))' | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda batch=1}))' | FileCheck %s --check-prefix=ONE
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan batch=64}))' | FileCheck %s --check-prefix=ONE
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=coop batch=64}))' | FileCheck %s --check-prefix=COOP
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{batch=64}))' | FileCheck %s --check-prefix=ONE
// Other targets have no code for parts.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda batch=64},vit-layout,vit-plan))' | not vit-opt - --vit-emit-simt=target=vulkan 2>&1 | FileCheck %s --check-prefix=PARTS
// PARTS: error: 'kernel.weight_gradient' op splits the rows, for which this target has no code

!dy = tensor<?x65x192xbf16>
!x = tensor<?x65x192xbf16>

// 18 tiles of 32 x 64 for 132 processors: seven parts of the 4160 rows.
// CHECK-LABEL: func.func @small
// CHECK: %[[DW:.+]], %[[DB:.+]] = kernel.weight_gradient %{{.+}}, %{{.+}} tile<rows = 32, cols = 64, {{.+}}> : (tensor<?x65x192xbf16>, tensor<?x65x192xbf16>) -> (tensor<1344x192xf32>, tensor<1344xf32>)
// CHECK: kernel.sum groups %[[DW]] tile<{{.+}}> : (tensor<1344x192xf32>) -> tensor<192x192xf32>
// CHECK: kernel.sum groups %[[DB]] tile<{{.+}}> : (tensor<1344xf32>) -> tensor<192xf32>
// For 64 processors three parts.
// COOP-LABEL: func.func @small
// COOP: kernel.weight_gradient {{.*}} tile<rows = 32, cols = 64, chunk = 32, threads = 128, {{.*}}> {{.*}} -> (tensor<576x192xf32>, tensor<576xf32>)
// COOP-COUNT-2: kernel.sum groups
// Too few rows for parts; no tensor cores.
// ONE-LABEL: func.func @small
// ONE-NOT: kernel.sum
// ONE: return
func.func @small(%dy: !dy, %x: !x) -> (tensor<192x192xf32>, tensor<192xf32>) {
  %0:2 = kernel.weight_gradient %dy, %x : (!dy, !x) -> (tensor<192x192xf32>, tensor<192xf32>)
  return %0#0, %0#1 : tensor<192x192xf32>, tensor<192xf32>
}

!wide = tensor<?x65x3072xbf16>

// As many tiles as processors; f32.
// CHECK-LABEL: func.func @large
// CHECK-NOT: kernel.sum
// CHECK: return
func.func @large(%dy: !wide, %x: !wide, %f: tensor<?x65x192xf32>) -> (tensor<3072x3072xf32>, tensor<192x192xf32>) {
  %0 = kernel.weight_gradient %dy, %x : (!wide, !wide) -> tensor<3072x3072xf32>
  %1 = kernel.weight_gradient %f, %f : (tensor<?x65x192xf32>, tensor<?x65x192xf32>) -> tensor<192x192xf32>
  return %0, %1 : tensor<3072x3072xf32>, tensor<192x192xf32>
}
