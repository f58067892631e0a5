//===- MatrixEmitters.cpp - Kernels of cooperative matrices ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixEmitters.h"

#include "../Codegen/SimtCodegen.h"

#include "vit/Target/Codegen.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<KernelInfo> vulkan::emitMatrix(Operation *op, SimtBuilder &b) {
  using ::vit::format::ElementType;
  bool isBf16 = b.argumentType(0).getElementType().isBF16();
  const ::vit::format::MatrixKind *kind = ::vit::format::findMatrixKind(
      b.level, isBf16 ? ElementType::BF16 : ElementType::F16);
  b.function()->setAttr(
      kMatricesAttr,
      b.getStringAttr(::vit::format::featureName(kind->feature)));
  return TypeSwitch<Operation *, FailureOr<KernelInfo>>(op)
      .Case([&](kernel::GemmOp gemm) { return emitMatrixGemm(gemm, b); })
      .Case([&](kernel::WeightGradientOp gradient) {
        return emitMatrixWeightGradient(gradient, b);
      })
      .Case([&](kernel::AttentionOp attention) {
        return emitMatrixAttention(attention, b);
      })
      .Case([&](kernel::AttentionBackwardOp attention) {
        return emitMatrixAttentionBackward(attention, b);
      });
}

vulkan::MatrixShape vulkan::getMatrixShape(const SimtBuilder &b) {
  const ::vit::format::MatrixKind &kind = *getMatrixKind(b.function());
  return {kind.product.m, kind.product.n, kind.product.k, kind.subgroup};
}

static gpu::MMAMatrixType getMatrixType(SimtBuilder &b, StringRef operand) {
  Type element = operand == "COp" ? Type(b.getF32Type()) : b.getF16Type();
  vulkan::MatrixShape shape = vulkan::getMatrixShape(b);
  return gpu::MMAMatrixType::get(
      {operand == "BOp" ? shape.depth : shape.rows,
       operand == "AOp" ? shape.depth : shape.columns},
      element, operand);
}

static Value loadMatrix(SimtBuilder &b, StringRef operand, Value memory,
                        Value at, int64_t pitch, bool transposed) {
  return gpu::SubgroupMmaLoadMatrixOp::create(
      b, getMatrixType(b, operand), memory, ValueRange{at},
      b.getIndexAttr(pitch), transposed ? b.getUnitAttr() : UnitAttr());
}

Value vulkan::makeZeroMatrix(SimtBuilder &b) {
  return gpu::SubgroupMmaConstantMatrixOp::create(b, getMatrixType(b, "COp"),
                                                  b.scalar(0));
}

Value vulkan::loadLeft(SimtBuilder &b, Value memory, Value at, int64_t pitch,
                       bool transposed) {
  return loadMatrix(b, "AOp", memory, at, pitch, transposed);
}

Value vulkan::loadRight(SimtBuilder &b, Value memory, Value at, int64_t pitch,
                        bool transposed) {
  return loadMatrix(b, "BOp", memory, at, pitch, transposed);
}

Value vulkan::multiplyMatrices(SimtBuilder &b, Value left, Value right,
                               Value sum) {
  return gpu::SubgroupMmaComputeOp::create(b, sum.getType(), left, right, sum,
                                           /*a_transpose=*/UnitAttr(),
                                           /*b_transpose=*/UnitAttr());
}

void vulkan::storeMatrix(SimtBuilder &b, Value sum, Value memory, Value at,
                         int64_t pitch) {
  gpu::SubgroupMmaStoreMatrixOp::create(b, sum, memory, ValueRange{at},
                                        b.getIndexAttr(pitch),
                                        /*transpose=*/UnitAttr());
}
