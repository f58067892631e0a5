//===- VitInterfaces.td - Interfaces of the vit ops --------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_INTERFACES_TD
#define VIT_INTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mlir::vit";
  let description = [{
    An op that knows its adjoint: ops of the same dialect that make the
    gradients of its operands from those of its results. `generate-backward`
    calls it on ops in reverse order.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the adjoint at `builder`'s place, with `location` on every op: for
      each operand that `gradients` wants (`isWanted`) its gradient, handed over
      with `add`. `gradients.get(result)` is the gradient of a result, null
      where nothing depends on it; of at least one result it is not. Reports
      an error and fails where there is no adjoint.
    }],
    "::llvm::LogicalResult", "buildAdjoint",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$location,
         "::mlir::vit::Gradients &":$gradients)>
  ];
}

def Vit_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;

#endif // VIT_INTERFACES_TD
