//===- KernelBuilder.cpp - Builds the body of a kernel --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "../Common/Math.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit::cpu;

int64_t KernelBuilder::stripVectors(int64_t rows, int64_t vectors,
                                    int64_t limit) const {
  // Registers that one vector of 16 f32 takes.
  int64_t parts = kVectorLanes * sizeof(float) / level.vectorBytes;
  // Registers for the sums, one row of the right operand, and one broadcast
  // element.
  auto fits = [&](int64_t n) {
    return (rows * n + n + 1) * parts <= level.registers + (parts - 1);
  };
  for (int64_t n = std::min(vectors, limit); n > 1; --n)
    if (vectors % n == 0 && fits(n))
      return n;
  return 1;
}

const ::vit::format::Product &KernelBuilder::getProduct(Type element) const {
  using ::vit::format::ElementType;
  const ::vit::format::Product *product =
      ::vit::format::findProduct(level, element.isF32()    ? ElementType::F32
                                        : element.isF16()  ? ElementType::F16
                                        : element.isBF16() ? ElementType::BF16
                                                           : ElementType::I8);
  assert(product && "every CPU level multiplies f32, f16, bf16 and i8");
  return *product;
}

Value KernelBuilder::intrinsic(StringRef name, Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(
             *this, type, getStringAttr("llvm.x86." + name), operands)
      .getResult(0);
}

Value KernelBuilder::intrinsicOfRegisters(StringRef of512, StringRef of256,
                                          ValueRange operands) {
  auto words = VectorType::get({kVectorLanes}, getI32Type());
  if (level.vectorBytes == 64)
    return intrinsic(of512, words, operands);
  constexpr int64_t half = kVectorLanes / 2;
  SmallVector<Value> parts;
  for (int64_t part = 0; part < 2; ++part) {
    SmallVector<Value> own;
    for (Value operand : operands) {
      int64_t lanes = cast<VectorType>(operand.getType()).getNumElements() / 2;
      own.push_back(shuffle(
          operand, operand,
          llvm::to_vector(llvm::seq(part * lanes, (part + 1) * lanes))));
    }
    parts.push_back(
        intrinsic(of256, VectorType::get({half}, getI32Type()), own));
  }
  return shuffle(parts[0], parts[1],
                 llvm::to_vector(llvm::seq(int64_t(0), kVectorLanes)));
}

KernelBuilder::KernelBuilder(func::FuncOp function, const Level &level)
    : CodeBuilder(function.getLoc(), function.getBody().front()), level(level),
      vectorType(VectorType::get({kVectorLanes}, getF32Type())),
      function(function) {}

//===----------------------------------------------------------------------===//
// The calling convention
//===----------------------------------------------------------------------===//

Value KernelBuilder::argument(unsigned i) { return function.getArgument(i); }
Value KernelBuilder::batch() {
  return argument(function.getNumArguments() - 4);
}
Value KernelBuilder::begin() {
  return argument(function.getNumArguments() - 3);
}
Value KernelBuilder::end() { return argument(function.getNumArguments() - 2); }
Value KernelBuilder::scratch(int64_t byteOffset, Type element) {
  Value bytes = argument(function.getNumArguments() - 1);
  auto type = MemRefType::get({ShapedType::kDynamic},
                              element ? element : Type(getF32Type()));
  // The length is never used.
  return memref::ViewOp::create(*this, type, bytes, index(byteOffset),
                                ValueRange{index(1)});
}

Value ScratchLayout::take(int64_t elements, Type type) {
  Value buffer = b.scratch(bytes, type);
  bytes += kernel::padTo(elements * type.getIntOrFloatBitWidth() / 8,
                         kernel::kSlotAlignment);
  return buffer;
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

VectorType KernelBuilder::storedType(Value buffer) {
  return VectorType::get({kVectorLanes},
                         cast<MemRefType>(buffer.getType()).getElementType());
}
Value KernelBuilder::widen(Value vector) {
  return vector.getType() == vectorType
             ? vector
             : arith::ExtFOp::create(*this, vectorType, vector);
}
Value KernelBuilder::narrow(Value vector, Type element) {
  auto type = VectorType::get({kVectorLanes}, element);
  if (vector.getType() == type)
    return vector;
  if (type.getElementType().isInteger(8)) {
    // The comparison is false for a NaN, which has no other integer.
    Value least = splat(-127), most = splat(127);
    Value above = select(compare(arith::CmpFPredicate::OGT, vector, least),
                         vector, least);
    Value within =
        select(compare(arith::CmpFPredicate::OLT, above, most), above, most);
    Value whole = math::RoundEvenOp::create(*this, within);
    auto words = VectorType::get({kVectorLanes}, getI32Type());
    Value integers = arith::FPToSIOp::create(*this, words, whole);
    return arith::TruncIOp::create(*this, type, integers);
  }
  if (element.isF16() || level.features.has(::vit::format::Feature::Avx512bf16))
    return emitNarrow(*this, element, vector);
  // LLVM would call a function for each element.
  Value bits = bitcast(emitRoundToBf16(*this, vector), getI32Type());
  Value word = arith::ShRUIOp::create(*this, bits, splatBits(vectorType, 16));
  Value narrow = arith::TruncIOp::create(
      *this, VectorType::get({kVectorLanes}, getIntegerType(16)), word);
  return bitcast(narrow, type.getElementType());
}

Value KernelBuilder::load(Value buffer, Value offset) {
  return widen(vector::LoadOp::create(*this, storedType(buffer), buffer,
                                      ValueRange{offset}));
}
void KernelBuilder::store(Value vector, Value buffer, Value offset) {
  Type element = storedType(buffer).getElementType();
  vector::StoreOp::create(*this, narrow(vector, element), buffer,
                          ValueRange{offset});
}

Value KernelBuilder::loadWord(Value buffer, Value offset) {
  Type element = storedType(buffer).getElementType();
  auto type = VectorType::get({kernel::wordElements(element)}, element);
  Value word = vector::LoadOp::create(*this, type, buffer, ValueRange{offset});
  return vector::ExtractOp::create(*this, bitcast(word, getI32Type()),
                                   ArrayRef<int64_t>{0});
}
Value KernelBuilder::loadLine(Value buffer, Value offset) {
  Type element = storedType(buffer).getElementType();
  auto type = VectorType::get({kernel::lineElements(element)}, element);
  return vector::LoadOp::create(*this, type, buffer, ValueRange{offset});
}
void KernelBuilder::storeLine(Value line, Value buffer, Value offset) {
  vector::StoreOp::create(*this, line, buffer, ValueRange{offset});
}
Value KernelBuilder::bitcast(Value vector, Type element) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
  return vector::BitCastOp::create(
      *this,
      VectorType::get({bits / int64_t(element.getIntOrFloatBitWidth())},
                      element),
      vector);
}

Value KernelBuilder::laneMask(int64_t lanes) {
  SmallVector<bool> mask(kVectorLanes, false);
  std::fill_n(mask.begin(), lanes, true);
  auto type = VectorType::get({kVectorLanes}, getI1Type());
  return constant(DenseElementsAttr::get(type, ArrayRef<bool>(mask)));
}

Value KernelBuilder::keepLanes(Value vector, int64_t lanes, double other) {
  if (lanes == kVectorLanes)
    return vector;
  return select(laneMask(lanes), vector, splat(other));
}

Value KernelBuilder::laneNumbers() {
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, int32_t(kVectorLanes)));
  auto type = VectorType::get({kVectorLanes}, getI32Type());
  return constant(DenseElementsAttr::get(type, ArrayRef<int32_t>(numbers)));
}

Value KernelBuilder::loadLanes(Value buffer, Value offset, int64_t lanes) {
  if (lanes == kVectorLanes)
    return load(buffer, offset);
  return vector::MaskedLoadOp::create(
      *this, vectorType, buffer, ValueRange{offset}, laneMask(lanes), splat(0));
}
void KernelBuilder::storeLanes(Value vector, Value buffer, Value offset,
                               int64_t lanes) {
  if (lanes == kVectorLanes)
    return store(vector, buffer, offset);
  vector::MaskedStoreOp::create(*this, buffer, ValueRange{offset},
                                laneMask(lanes), vector);
}

Value KernelBuilder::loadScalar(Value buffer, Value offset) {
  return memref::LoadOp::create(*this, buffer, ValueRange{offset});
}
void KernelBuilder::storeScalar(Value scalar, Value buffer, Value offset) {
  memref::StoreOp::create(*this, scalar, buffer, ValueRange{offset});
}
Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(
      *this, VectorType::get({kVectorLanes}, scalar.getType()), scalar);
}
Value KernelBuilder::shuffle(Value a, Value b, ArrayRef<int64_t> lanes) {
  return vector::ShuffleOp::create(*this, a, b, lanes);
}

Value KernelBuilder::reduce(Reduction kind, Value vector) {
  for (int64_t half = kVectorLanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < half; ++lane) {
      low.push_back(lane);
      high.push_back(half + lane);
    }
    vector = combine(kind, shuffle(vector, vector, low),
                     shuffle(vector, vector, high));
  }
  return vector::ExtractOp::create(*this, vector, ArrayRef<int64_t>{0});
}
