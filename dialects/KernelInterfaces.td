//===- KernelInterfaces.td - What a kernel op promises -----*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes ask these interfaces and know no op by name. None of the methods has a
// default: an op that leaves one out does not compile.
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_INTERFACES_TD
#define KERNEL_INTERFACES_TD

include "mlir/IR/OpBase.td"

def KernelOpInterface : OpInterface<"KernelOpInterface"> {
  let cppNamespace = "::mlir::vit::kernel";
  let description = [{
    An op that is one launch of generated code. Ops of the kernel dialect that
    do not implement it run when the module is loaded (`kernel.derive`,
    `kernel.resample`), name memory (`kernel.arena`, `kernel.concat`), are a
    launch already (`kernel.dispatch`) or belong to scalar code.
  }];
  let methods = [
    InterfaceMethod<"The tile sizes; null before `vit-tile`.",
      "::mlir::vit::kernel::TileAttr", "getTileAttr", (ins),
      [{ return $_op.getTileAttr(); }]>,
    InterfaceMethod<"", "void", "setTileAttr", (ins "::mlir::vit::kernel::TileAttr":$tile),
      [{ $_op.setTileAttr(tile); }]>,
    InterfaceMethod<[{
        Where each result lives; null before `vit-plan`, and where the caller
        provides the memory of all results.
      }],
      "::mlir::vit::kernel::SlotsAttr", "getSlotsAttr", (ins),
      [{ return $_op.getSlotsAttr(); }]>,
    InterfaceMethod<"", "void", "setSlotsAttr", (ins "::mlir::vit::kernel::SlotsAttr":$slots),
      [{ $_op.setSlotsAttr(slots); }]>,
    InterfaceMethod<[{
        Numbers of the results without a batch whose memory ends with their last
        element. Behind the last element of all others lie zeros up to a
        multiple of 16 elements, which the kernel writes. Null: no such result.
      }],
      "::mlir::DenseI64ArrayAttr", "getEndsAttr", (ins),
      [{ return $_op.getEndsAttr(); }]>,
    InterfaceMethod<"", "void", "setEndsAttr", (ins "::mlir::DenseI64ArrayAttr":$ends),
      [{ $_op.setEndsAttr(ends); }]>,
    InterfaceMethod<[{
        The cost of recomputing the op instead of keeping its result:
        kElementwiseCost (as good as none) or more, to be compared with that of
        other ops; nullopt if it cannot be recomputed.
      }],
      "::std::optional<int>", "getRecomputeCost">,
    InterfaceMethod<"The memory layout in which the op reads operand `index`.",
      "::mlir::vit::kernel::OperandLayout", "getOperandLayout", (ins "unsigned":$index)>,
    InterfaceMethod<[{
        The channels of a group (an attention head) where the op works on groups
        of channels, each of which is padded by itself; 0 if it works on whole
        rows; nullopt if any grouping of its operands is fine.
      }],
      "::std::optional<int64_t>", "getGroupSize">,
    InterfaceMethod<"What one unit of work computes.",
      "::mlir::vit::kernel::WorkUnit", "getWorkUnit">
  ];
  let verify = [{ return ::mlir::vit::kernel::verifyLaunch($_op); }];
}

def EpilogueOpInterface : OpInterface<"EpilogueOpInterface"> {
  let cppNamespace = "::mlir::vit::kernel";
  let description = [{
    A kernel with scalar code of each element of its result, into which further
    element-wise ops can be fused. Its last operands are the extras.
  }];
  let methods = [
    InterfaceMethod<"The scalar code.", "::mlir::Region &", "getEpilogue", (ins),
      [{ return $_op.getEpilogue(); }]>,
    InterfaceMethod<"The operands that only the scalar code reads.",
      "::mlir::OperandRange", "getExtras", (ins), [{ return $_op.getExtras(); }]>
  ];
}

#endif // KERNEL_INTERFACES_TD
