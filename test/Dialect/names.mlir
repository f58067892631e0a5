// RUN: not vit-interpret %s --entry name 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not vit-interpret %s --entry prefix 2>&1 | FileCheck %s --check-prefix=PREFIX
// RUN: not vit-interpret %s --entry whole 2>&1 | FileCheck %s --check-prefix=WHOLE
// RUN: not vit-interpret %s --entry none 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not vit-interpret %s --entry place 2>&1 | FileCheck %s --check-prefix=PLACE

// The name of an op for users; the interpreter adds it to errors.

// NAME: error: blocks.3.mlp.fc1: the reference
func.func @name(%x: tensor<?x4xf32>) {
  %0 = math.absf %x : tensor<?x4xf32> loc("blocks.3.mlp.fc1")
  return
}

// A fused op has the common prefix of the names, up to a whole component.
// PREFIX: error: blocks.3.attn: the reference
func.func @prefix(%x: tensor<?x4xf32>) {
  %0 = math.absf %x : tensor<?x4xf32> loc(fused["blocks.3.attn.key", "blocks.3.attn.kernel", "model.mlir":1:1])
  return
}

// WHOLE: error: blocks.3.attn: the reference
func.func @whole(%x: tensor<?x4xf32>) {
  %0 = math.absf %x : tensor<?x4xf32> loc(fused["blocks.3.attn", fused["blocks.3.attn.q"]])
  return
}

// NONE: error: norm+head: the reference
func.func @none(%x: tensor<?x4xf32>) {
  %0 = math.absf %x : tensor<?x4xf32> loc(fused["norm", "head", "norm"])
  return
}

// PLACE: error: model.mlir:12: the reference
func.func @place(%x: tensor<?x4xf32>) {
  %0 = math.absf %x : tensor<?x4xf32> loc("folder/model.mlir":12:3)
  return
}
