// RUN: split-file %s %t
// RUN: vit-interpret %t/a.mlir --against %t/a.mlir | FileCheck %s --check-prefix=SAME
// RUN: vit-interpret %t/a.mlir --against %t/b.mlir | FileCheck %s --check-prefix=SAME
// RUN: not vit-interpret %t/a.mlir --against %t/c.mlir 2>&1 | FileCheck %s --check-prefix=DIFFERENT
// RUN: not vit-interpret %t/n.mlir --against %t/a.mlir 2>&1 | FileCheck %s --check-prefix=NAN
// RUN: vit-interpret %t/a.mlir --seed 1 > %t/1 && vit-interpret %t/a.mlir --seed 2 | not diff %t/1 -
// RUN: vit-interpret %t/a.mlir --seed 1 | diff %t/1 -

// Other tests rely on this tool: it must accept equal values only.
// SAME: y: same
// DIFFERENT: error: y differs by
// NAN: error: y differs by nan

//--- a.mlir
func.func @forward(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "y"}) {
  %0 = vit.scale %x by 0.5 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

//--- b.mlir
func.func @forward(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "y"}) {
  %0 = vit.scale %x by 0.50000001 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

//--- c.mlir
func.func @forward(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "y"}) {
  %0 = vit.scale %x by 0.5001 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

//--- n.mlir
func.func @forward(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {vit.name = "y"}) {
  %n = arith.constant dense<0x7FC00000> : tensor<4xf32>
  %0 = vit.mul %x, %n : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
