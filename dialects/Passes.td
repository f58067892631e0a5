//===- Passes.td - The compiler's passes --------------------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_PASSES_TD
#define VIT_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

def UnrollLayers : Pass<"vit-unroll-layers", "::mlir::func::FuncOp"> {
  let summary = "Write out each layer of vit.layers";
  let dependentDialects = ["::mlir::vit::VitDialect"];
  let statistics = [Statistic<"layers", "layers-unrolled", "Number of layers written out">];
}

def SelectOutputs : Pass<"vit-select-outputs", "::mlir::func::FuncOp"> {
  let summary = "Make an entry return the outputs that are asked for, and only these";
  let options = [ListOption<"outputs", "outputs", "std::string",
      "Names to return, the first being the default; empty: the entry's own results">];
  let dependentDialects = ["::mlir::vit::VitDialect"];
}

def Simplify : Pass<"vit-simplify", "::mlir::func::FuncOp"> {
  let summary = "Remove what inference does not need and fold what is constant";
  let dependentDialects = ["::mlir::vit::VitDialect"];
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

def ConvertToKernels : Pass<"vit-convert-to-kernels", "::mlir::func::FuncOp"> {
  let summary = "Turn each op of the graph into one kernel";
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
}

def Fuse : Pass<"vit-fuse", "::mlir::func::FuncOp"> {
  let summary = "Fuse kernels: scalar code into its producer, q, k and v into one product";
  let options = [
    Option<"epilogues", "epilogues", "bool", "true", "Fuse element-wise kernels into the kernel before them">,
    Option<"qkv", "qkv", "bool", "true", "Fuse products of the same input that feed one attention">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
}

def Tile : Pass<"vit-tile", "::mlir::func::FuncOp"> {
  let summary = "Choose tile sizes for a CPU level";
  let options = [
    Option<"level", "level", "std::string", "\"avx512\"", "CPU level: avx2 or avx512">,
    Option<"batch", "batch", "int64_t", "1", "The batch to choose for; any batch stays right">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
}

def Layout : Pass<"vit-layout", "::mlir::func::FuncOp"> {
  let summary = "Give each tensor its memory layout and convert where an entry begins and ends";
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
}

def Plan : Pass<"vit-plan", "::mlir::func::FuncOp"> {
  let summary = "Assign each intermediate to a slot of the workspace by lifetime";
  let options = [Option<"share", "share", "bool", "true", "Let values with disjoint lifetimes share a slot">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect"];
}

//===----------------------------------------------------------------------===//
// Target: CPU
//===----------------------------------------------------------------------===//

def EmitCpu : Pass<"vit-emit-cpu", "::mlir::ModuleOp"> {
  let summary = "Replace kernels by dispatches of generated vector code";
  let options = [Option<"level", "level", "std::string", "\"avx512\"", "CPU level: avx2 or avx512">];
  let dependentDialects = ["::mlir::vit::kernel::KernelDialect", "::mlir::scf::SCFDialect",
      "::mlir::memref::MemRefDialect", "::mlir::vector::VectorDialect"];
}

#endif // VIT_PASSES_TD
