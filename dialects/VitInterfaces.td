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
    An op that can build its adjoint: ops of the same dialect that compute the
    gradients of its operands from the gradients of its results.
    `vit-generate-backward` visits the ops in reverse order.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the adjoint at the insertion point of `builder`, with `location` on
      every op, and passes the gradient of each operand that `isWanted` to
      `gradients.add`. `gradients.get(result)` is null if nothing depends on the
      result; it is not null for at least one result. Emits an error and fails
      if there is no adjoint.
    }],
    "::llvm::LogicalResult", "buildAdjoint",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$location,
         "::mlir::vit::Gradients &":$gradients)>
  ];
}

def Vit_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;

#endif // VIT_INTERFACES_TD
