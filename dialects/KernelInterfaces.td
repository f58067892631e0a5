//===- KernelInterfaces.td - Interfaces of the kernel ops --*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes use these interfaces instead of testing for specific ops. No method
// has a default implementation: an op that omits one does not compile.
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
    `kernel.resample`), denote memory (`kernel.arena`, `kernel.concat`), are
    already a launch (`kernel.dispatch`) or belong to scalar code.
  }];
  let methods = [
    InterfaceMethod<"The tile sizes; null before `vit-tile`.",
      "::mlir::vit::kernel::TileAttr", "getTileAttr", (ins),
      [{ return $_op.getTileAttr(); }]>,
    InterfaceMethod<"", "void", "setTileAttr", (ins "::mlir::vit::kernel::TileAttr":$tile),
      [{ $_op.setTileAttr(tile); }]>,
    InterfaceMethod<[{
        The slot of each result; null before `vit-plan`, and if the caller
        provides the memory of all results.
      }],
      "::mlir::vit::kernel::SlotsAttr", "getSlotsAttr", (ins),
      [{ return $_op.getSlotsAttr(); }]>,
    InterfaceMethod<"", "void", "setSlotsAttr", (ins "::mlir::vit::kernel::SlotsAttr":$slots),
      [{ $_op.setSlotsAttr(slots); }]>,
    InterfaceMethod<[{
        Numbers of the results without a batch whose memory has no padding. The
        kernel pads the other results without a batch with zeros to a multiple
        of 16 elements. Null if all of them are padded.
      }],
      "::mlir::DenseI64ArrayAttr", "getEndsAttr", (ins),
      [{ return $_op.getEndsAttr(); }]>,
    InterfaceMethod<"", "void", "setEndsAttr", (ins "::mlir::DenseI64ArrayAttr":$ends),
      [{ $_op.setEndsAttr(ends); }]>,
    InterfaceMethod<[{
        The cost of recomputing the op instead of keeping its result, relative
        to other ops: kElementwiseCost (negligible) or more; nullopt if it
        cannot be recomputed.
      }],
      "::std::optional<int>", "getRecomputeCost">,
    InterfaceMethod<"The memory layout in which the op reads operand `index`.",
      "::mlir::vit::kernel::OperandLayout", "getOperandLayout", (ins "unsigned":$index)>,
    InterfaceMethod<[{
        The number of channels of a group (an attention head) if the op works on
        groups of channels, each of which is padded separately; 0 if it works on
        whole rows; nullopt if it accepts any grouping of its operands.
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
    A kernel that applies scalar code to each element of its result, into which
    further element-wise ops can be fused. The extras are its last operands.
  }];
  let methods = [
    InterfaceMethod<"The scalar code.", "::mlir::Region &", "getEpilogue", (ins),
      [{ return $_op.getEpilogue(); }]>,
    InterfaceMethod<"The operands that only the scalar code reads.",
      "::mlir::OperandRange", "getExtras", (ins), [{ return $_op.getExtras(); }]>
  ];
}

#endif // KERNEL_INTERFACES_TD
