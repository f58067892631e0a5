//===- Amx.cpp - The tile registers of AMX --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Amx.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

// The numbers of the registers. Those of the right operand take turns.
static constexpr int64_t kSums = 0, kLeft = 4, kRight = 6, kRegisters = 8;

LogicalResult mlir::vit::cpu::verifyTileRows(Operation *op, int64_t rows) {
  if (rows <= kTileRows)
    return success();
  return op->emitOpError("has row blocks of ")
         << rows << "; tile registers hold at most " << kTileRows;
}

Value Tiles::number(int64_t tile) {
  return LLVM::ConstantOp::create(b, b.getI8Type(),
                                  b.getI8IntegerAttr(int8_t(tile)));
}

void Tiles::call(StringRef name, ValueRange arguments) {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86." + name),
                                arguments);
}

Value Tiles::addressOf(Value buffer, Value offset) {
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  Value address =
      b.add(base, b.mul(offset, element.getIntOrFloatBitWidth() / 8));
  Value integer = arith::IndexCastOp::create(b, b.getI64Type(), address);
  return LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                                  integer);
}

Value Tiles::integer(int64_t value) {
  return LLVM::ConstantOp::create(b, b.getI64Type(),
                                  b.getI64IntegerAttr(value));
}

Value Tiles::bytesOf(Value buffer, int64_t elements) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  return integer(elements * element.getIntOrFloatBitWidth() / 8);
}

Tiles::Tiles(KernelBuilder &b, int64_t rows) : b(b), rows(rows) {
  // Palette 1: bytes of a row of register i at 16 + 2 i, its rows at 48 + i. A
  // register of the right operand has a row for each word of a line.
  SmallVector<int8_t> config(kernel::kLineBytes, 0);
  config[0] = 1;
  for (int64_t i = 0; i < kRegisters; ++i) {
    config[16 + 2 * i] = kernel::kLineBytes;
    config[48 + i] = int8_t(i < kRight ? rows : kVectorLanes);
  }
  auto type = VectorType::get({kernel::kLineBytes}, b.getI8Type());
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value memory =
      LLVM::AllocaOp::create(b, pointer, type, integer(1), /*alignment=*/64);
  Value bytes = b.constant(DenseElementsAttr::get(type, ArrayRef(config)));
  LLVM::StoreOp::create(b, bytes, memory);
  call("ldtilecfg", memory);
}

Value Tiles::sum(Shape shape, int64_t tile, int64_t column) {
  return number(kSums + tile * shape.width + column);
}

void Tiles::zeroSums(Shape shape) {
  for (int64_t tile = 0; tile < shape.height; ++tile)
    for (int64_t column = 0; column < shape.width; ++column)
      call("tilezero", sum(shape, tile, column));
}

void Tiles::multiply(Shape shape, Value left, Value leftBase, int64_t leftRow,
                     int64_t leftTile, Value right, Value rightBase,
                     int64_t rightRow, int64_t rightVector) {
  auto loadRight = [&](int64_t column) {
    call("tileloadd64",
         {number(kRight + column % 2),
          addressOf(right, b.add(rightBase, column * rightVector)),
          bytesOf(right, rightRow)});
  };
  Type element = cast<MemRefType>(right.getType()).getElementType();
  StringRef dot = element.isInteger(8) ? "tdpbssd" : "tdpbf16ps";
  auto multiply = [&](int64_t tile, int64_t column) {
    call(dot, {sum(shape, tile, column), number(kLeft + tile),
               number(kRight + column % 2)});
  };
  for (int64_t column = 0; column < std::min<int64_t>(shape.width, 2); ++column)
    loadRight(column);
  for (int64_t tile = 0; tile < shape.height; ++tile) {
    call("tileloadd64", {number(kLeft + tile),
                         addressOf(left, b.add(leftBase, tile * leftTile)),
                         bytesOf(left, leftRow)});
    for (int64_t column = 0; column < std::min<int64_t>(shape.width, 2);
         ++column)
      multiply(tile, column);
  }
  for (int64_t column = 2; column < shape.width; ++column) {
    loadRight(column);
    multiply(0, column);
  }
}

void Tiles::forEachSum(Shape shape, Value buffer, Value base, int64_t row,
                       StringRef instruction) {
  for (int64_t tile = 0; tile < shape.height; ++tile)
    for (int64_t column = 0; column < shape.width; ++column) {
      Value offset = b.add(base, tile * rows * row + column * kVectorLanes);
      call(instruction, {sum(shape, tile, column), addressOf(buffer, offset),
                         bytesOf(buffer, row)});
    }
}

void Tiles::loadSums(Shape shape, Value source, Value base, int64_t row) {
  forEachSum(shape, source, base, row, "tileloadd64");
}

void Tiles::storeSums(Shape shape, Value target, Value base, int64_t row) {
  forEachSum(shape, target, base, row, "tilestored64");
}

void Tiles::release() { call("tilerelease", {}); }
