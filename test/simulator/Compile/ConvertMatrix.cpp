//===- ConvertMatrix.cpp - Matrix operations of warps ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ldmatrix, mma.sync, and the conversions to the types of their operands.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

#include "../Runtime/Interface.h"

#include "mlir/IR/Matchers.h"

namespace vit::sim {

/// The words that mma.sync needs.
static constexpr unsigned scratchWords = 4 + 2 + 4;

Value Converter::getScratch() {
  if (scratch)
    return scratch;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(entry);
  scratch = LLVM::AllocaOp::create(
      builder, location, pointer(),
      LLVM::LLVMArrayType::get(builder.getI32Type(), scratchWords),
      constant(1));
  return scratch;
}

static Value getWord(OpBuilder &builder, Location location, Value scratch,
                     int32_t word) {
  return LLVM::GEPOp::create(builder, location, scratch.getType(),
                             builder.getI32Type(), scratch,
                             ArrayRef<LLVM::GEPArg>{word});
}

void Converter::storeWord(Value value, int32_t word) {
  LLVM::StoreOp::create(builder, location, value,
                        getWord(builder, location, getScratch(), word));
}

void Converter::replaceByWords(Operation *op, int32_t first) {
  auto load = [&](Type type, int32_t word) -> Value {
    return LLVM::LoadOp::create(builder, location, type,
                                getWord(builder, location, getScratch(), word));
  };
  Type type = op->getResult(0).getType();
  Value result;
  if (auto parts = dyn_cast<LLVM::LLVMStructType>(type)) {
    result = LLVM::UndefOp::create(builder, location, type);
    for (auto [i, part] : llvm::enumerate(parts.getBody()))
      result = LLVM::InsertValueOp::create(
          builder, location, result,
          load(part, first + static_cast<int32_t>(i)),
          ArrayRef<int64_t>{static_cast<int64_t>(i)});
  } else {
    result = load(type, first);
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

LogicalResult Converter::convertLoadMatrices(NVVM::LdMatrixOp op) {
  auto shape = op.getShape();
  if (shape.getM() != 8 || shape.getN() != 8 ||
      op.getEltType() != NVVM::LdStMatrixEltType::B16)
    return op.emitError("the simulator knows ldmatrix of 8 x 8 x b16 alone");
  call("sim_load_matrices", {},
       {op.getPtr(), constant(op.getNum()),
        constant(op.getLayout() == NVVM::MMALayout::col), getScratch(),
        getSite(op)});
  replaceByWords(op, 0);
  return success();
}

LogicalResult Converter::convertStoreMatrices(NVVM::StMatrixOp op) {
  auto shape = op.getShape();
  if (shape.getM() != 8 || shape.getN() != 8 ||
      op.getEltType() != NVVM::LdStMatrixEltType::B16)
    return op.emitError("the simulator knows stmatrix of 8 x 8 x b16 alone");
  for (auto [i, word] : llvm::enumerate(op.getSources()))
    storeWord(word, static_cast<int32_t>(i));
  call("sim_store_matrices", {},
       {op.getPtr(), constant(static_cast<uint32_t>(op.getSources().size())),
        constant(op.getLayout() == NVVM::MMALayout::col), getScratch(),
        getSite(op)});
  op.erase();
  return success();
}

LogicalResult Converter::convertMultiply(NVVM::MmaOp op) {
  auto shape = op.getShape();
  auto typeA = op.getMultiplicandAPtxType(),
       typeB = op.getMultiplicandBPtxType();
  std::optional<MatrixType> type;
  if (typeA == NVVM::MMATypes::bf16 && typeB == typeA)
    type = MatrixType::Bf16;
  if (typeA == NVVM::MMATypes::f16 && typeB == typeA)
    type = MatrixType::F16;
  if (typeA == NVVM::MMATypes::tf32 && typeB == typeA)
    type = MatrixType::Tf32;
  uint32_t depth = shape.getK();
  if (!type || shape.getM() != 16 || shape.getN() != 8 ||
      op.accumPtxType() != NVVM::MMATypes::f32 ||
      op.getLayoutA() != NVVM::MMALayout::row ||
      op.getLayoutB() != NVVM::MMALayout::col)
    return op.emitError("the simulator knows mma.sync m16n8 alone, row times "
                        "col, of bf16, f16 or tf32 with sums in f32");
  MatrixFragment fragment(*type, depth);
  if (op.getOperandA().size() != fragment.a ||
      op.getOperandB().size() != fragment.b || op.getOperandC().size() != 4)
    return op.emitError("has another number of operands than m16n8k") << depth;
  int32_t words = 0;
  for (Value operand : op->getOperands())
    storeWord(operand, words++);
  call("sim_multiply", {},
       {getScratch(), constant(static_cast<uint32_t>(*type)), constant(depth),
        getSite(op)});
  replaceByWords(op, words - 4);
  return success();
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

Value Converter::roundBits(Value value, unsigned dropped,
                           NVVM::FPRoundingMode mode) {
  Type type = builder.getI32Type();
  auto vector = dyn_cast<VectorType>(value.getType());
  if (vector)
    type = vector.clone(type);
  auto splat = [&](uint32_t word) -> Value {
    Attribute attribute = builder.getI32IntegerAttr(static_cast<int32_t>(word));
    if (vector)
      attribute = DenseElementsAttr::get(cast<ShapedType>(type), attribute);
    return LLVM::ConstantOp::create(builder, location, type,
                                    cast<TypedAttr>(attribute));
  };
  uint32_t unit = 1u << dropped;
  Value bits = LLVM::BitcastOp::create(builder, location, type, value);
  Value rounded = bits;
  if (mode == NVVM::FPRoundingMode::RNA) {
    rounded = LLVM::AddOp::create(builder, location, rounded, splat(unit / 2));
  } else if (mode == NVVM::FPRoundingMode::RN) {
    Value last = LLVM::LShrOp::create(builder, location, bits, splat(dropped));
    last = LLVM::AndOp::create(builder, location, last, splat(1));
    rounded =
        LLVM::AddOp::create(builder, location, rounded, splat(unit / 2 - 1));
    rounded = LLVM::AddOp::create(builder, location, rounded, last);
  }
  rounded = LLVM::AndOp::create(builder, location, rounded, splat(-unit));
  // The NaN of the PTX manual.
  Value isNan = LLVM::FCmpOp::create(builder, location,
                                     LLVM::FCmpPredicate::uno, value, value);
  return LLVM::SelectOp::create(builder, location, isNan, splat(0x7fffffff),
                                rounded);
}

Value Converter::roundToBf16(Value value, NVVM::FPRoundingMode mode) {
  Value bits = roundBits(value, 16, mode);
  Type half = builder.getI16Type(), result = builder.getBF16Type();
  Value sixteen = constant(16);
  if (auto vector = dyn_cast<VectorType>(value.getType())) {
    half = vector.clone(half);
    result = vector.clone(result);
    sixteen = LLVM::ConstantOp::create(
        builder, location, bits.getType(),
        DenseElementsAttr::get(cast<ShapedType>(bits.getType()),
                               builder.getI32IntegerAttr(16)));
  }
  Value upper = LLVM::LShrOp::create(builder, location, bits, sixteen);
  upper = LLVM::TruncOp::create(builder, location, half, upper);
  return LLVM::BitcastOp::create(builder, location, result, upper);
}

void Converter::replaceNans(Operation *op) {
  builder.setInsertionPointAfter(op);
  Value halves = op->getResult(0);
  TypedAttr bits = builder.getFloatAttr(
      builder.getF16Type(), APFloat(APFloat::IEEEhalf(), APInt(16, 0x7fff)));
  if (auto vector = dyn_cast<VectorType>(halves.getType()))
    bits = DenseElementsAttr::get(vector, Attribute(bits));
  Value nan =
      LLVM::ConstantOp::create(builder, location, halves.getType(), bits);
  auto isNan = LLVM::FCmpOp::create(builder, location, LLVM::FCmpPredicate::uno,
                                    halves, halves);
  auto result = LLVM::SelectOp::create(builder, location, isNan, nan, halves);
  halves.replaceAllUsesExcept(result,
                              SmallPtrSet<Operation *, 2>{isNan, result});
}

LogicalResult Converter::convertTruncation(LLVM::FPTruncOp op) {
  Type element = getElementTypeOrSelf(op.getType());
  if (!element.isBF16() && !element.isF16())
    return success();
  if (!getElementTypeOrSelf(op.getArg().getType()).isF32())
    return op.emitError("the simulator knows ")
           << element << " made of f32 alone";
  if (element.isF16()) { // the host rounds as the GPU, but for NaNs
    replaceNans(op);
    return success();
  }
  op.getResult().replaceAllUsesWith(
      roundToBf16(op.getArg(), NVVM::FPRoundingMode::RN));
  op.erase();
  return success();
}

LogicalResult Converter::convertFma(LLVM::FMAOp op) {
  // The host would round twice, which changes nothing if a factor is zero.
  if (!matchPattern(op.getB(), m_AnyZeroFloat()))
    return op.emitError("the simulator knows fma in f16 by zero alone");
  replaceNans(op);
  return success();
}

LogicalResult Converter::convertExtension(LLVM::FPExtOp op) {
  Type from = op.getArg().getType(), to = op.getType();
  Type element = getElementTypeOrSelf(from);
  if (!element.isBF16() && !element.isF16())
    return success();
  if (!getElementTypeOrSelf(to).isF32())
    return op.emitError("the simulator knows ")
           << element << " widened to f32 alone";
  if (element.isF16())
    return success(); // as on the GPU
  Type half = builder.getI16Type(), word = builder.getI32Type();
  TypedAttr sixteen = builder.getI32IntegerAttr(16);
  if (auto vector = dyn_cast<VectorType>(from)) {
    half = vector.clone(half);
    word = vector.clone(word);
    sixteen = DenseElementsAttr::get(cast<ShapedType>(word), sixteen);
  }
  Value bits = LLVM::BitcastOp::create(builder, location, half, op.getArg());
  bits = LLVM::ZExtOp::create(builder, location, word, bits);
  Value count = LLVM::ConstantOp::create(builder, location, word, sixteen);
  bits = LLVM::ShlOp::create(builder, location, bits, count);
  op.getResult().replaceAllUsesWith(
      LLVM::BitcastOp::create(builder, location, to, bits).getResult());
  op.erase();
  return success();
}

LogicalResult Converter::convertConstant(LLVM::ConstantOp op) {
  if (!getElementTypeOrSelf(op.getType()).isBF16())
    return success();
  Type type = builder.getI16Type();
  TypedAttr bits;
  if (auto elements = dyn_cast<DenseElementsAttr>(op.getValue())) {
    bits = elements.bitcast(type);
    type = bits.getType();
  } else {
    bits = builder.getIntegerAttr(
        type, cast<FloatAttr>(op.getValue()).getValue().bitcastToAPInt());
  }
  Value value = LLVM::ConstantOp::create(builder, location, type, bits);
  op.getResult().replaceAllUsesWith(
      LLVM::BitcastOp::create(builder, location, op.getType(), value)
          .getResult());
  op.erase();
  return success();
}

LogicalResult Converter::convertDot(NVVM::DotAccumulate4WayOp op) {
  auto bytes = cast<VectorType>(op.getA().getType());
  auto integers = VectorType::get(bytes.getShape(), builder.getI32Type());
  auto widen = [&](Value value, NVVM::DotAccumulateType type) -> Value {
    if (type == NVVM::DotAccumulateType::SIGNED)
      return LLVM::SExtOp::create(builder, location, integers, value);
    return LLVM::ZExtOp::create(builder, location, integers, value);
  };
  Value products =
      LLVM::MulOp::create(builder, location, widen(op.getA(), op.getAType()),
                          widen(op.getB(), op.getBType()));
  Value sum = op.getC();
  for (int64_t i = 0; i < bytes.getNumElements(); ++i)
    sum = LLVM::AddOp::create(
        builder, location, sum,
        LLVM::ExtractElementOp::create(builder, location, products,
                                       constant(static_cast<uint32_t>(i))));
  op.getRes().replaceAllUsesWith(sum);
  op.erase();
  return success();
}

LogicalResult Converter::convertToBf16(NVVM::ConvertF32x2ToBF16x2Op op) {
  auto mode = op.getRnd();
  if ((mode != NVVM::FPRoundingMode::RN && mode != NVVM::FPRoundingMode::RZ) ||
      op.getRelu() || op.getSat() != NVVM::SaturationMode::NONE)
    return op.emitError("the simulator knows the modes rn and rz alone");
  Value pair = LLVM::UndefOp::create(builder, location, op.getType());
  for (auto [i, value] : {std::pair<uint32_t, Value>(0, op.getSrcLo()),
                          std::pair<uint32_t, Value>(1, op.getSrcHi())})
    pair = LLVM::InsertElementOp::create(builder, location, pair,
                                         roundToBf16(value, mode), constant(i));
  op.getResult().replaceAllUsesWith(pair);
  op.erase();
  return success();
}

LogicalResult Converter::convertToTf32(NVVM::ConvertFloatToTF32Op op) {
  auto mode = op.getRnd();
  if (mode == NVVM::FPRoundingMode::NONE || op.getRelu() ||
      op.getSat() != NVVM::SaturationMode::NONE)
    return op.emitError("the simulator knows the modes rna, rn and rz alone");
  op.getResult().replaceAllUsesWith(roundBits(op.getSrc(), 13, mode));
  op.erase();
  return success();
}

} // namespace vit::sim
