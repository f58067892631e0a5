//===- ExpandTiles.cpp - Plain code for the ops of AMX --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests: code for tiles runs on processors without them. The number of rows
// of each register is what the kernel has configured, its columns are always a
// whole line.
//
//===----------------------------------------------------------------------===//

#include "ExpandTiles.h"

#include "Emitters.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

static constexpr int64_t kRegisters = 8, kRows = 16, kWords = kVectorLanes;
/// Where the configuration has the rows of register 0; one byte each.
static constexpr int64_t kConfiguredRows = 48;

namespace {
/// Expands the ops of one function.
class Expansion {
public:
  Expansion(func::FuncOp function, const Level &level);
  LogicalResult expand(LLVM::CallIntrinsicOp op);

private:
  using Operands = OperandRange;
  void configure(Operands operands);
  void release(Operands operands);
  void zero(Operands operands);
  void load(Operands operands);
  void store(Operands operands);
  void multiplyBf16(Operands operands);
  void multiplyInt8(Operands operands);

  /// The op `llvm.x86.` + `name` and what expands it.
  struct Row {
    StringLiteral name;
    void (Expansion::*expand)(Operands);
  };
  static const Row kOps[];

  Value getRows(Value tile);
  Value wordOffset(Value tile, Value row);
  Value rowAddress(Value pointer, Value stride, Value row);
  std::pair<Value, Value> widenPairs(Value words);
  Value flush(Value vector);

  KernelBuilder b;
  Value registers; ///< [kRegisters][kRows][kWords], f32
  Value config;    ///< bytes
};
} // namespace

const Expansion::Row Expansion::kOps[] = {
    {"ldtilecfg", &Expansion::configure},
    {"tilerelease", &Expansion::release},
    {"tilezero", &Expansion::zero},
    {"tileloadd64", &Expansion::load},
    {"tilestored64", &Expansion::store},
    {"tdpbf16ps", &Expansion::multiplyBf16},
    {"tdpbssd", &Expansion::multiplyInt8}};

Expansion::Expansion(func::FuncOp function, const Level &level)
    : b(function, level) {
  auto allocate = [&](int64_t elements, Type type) {
    return memref::AllocaOp::create(b, MemRefType::get({elements}, type),
                                    b.getI64IntegerAttr(kernel::kLineBytes));
  };
  registers = allocate(kRegisters * kRows * kWords, b.getF32Type());
  config = allocate(kernel::kLineBytes, b.getI8Type());
}

static int64_t getTile(Value number) {
  APInt value;
  bool isConstant = matchPattern(number, m_ConstantInt(&value));
  assert(isConstant && "registers are numbered by constants");
  (void)isConstant;
  return value.getSExtValue();
}

Value Expansion::getRows(Value tile) {
  return arith::IndexCastUIOp::create(
      b, b.getIndexType(),
      b.loadScalar(config, b.index(kConfiguredRows + getTile(tile))));
}

Value Expansion::wordOffset(Value tile, Value row) {
  return b.add(b.mul(row, kWords), getTile(tile) * kRows * kWords);
}

Value Expansion::rowAddress(Value pointer, Value stride, Value row) {
  Value number = arith::IndexCastOp::create(b, b.getI64Type(), row);
  Value offset = arith::MulIOp::create(b, number, stride);
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{offset});
}

/// Denormals count as zero, as operands and as results.
Value Expansion::flush(Value vector) {
  constexpr int32_t magnitude = 0x7fffffff;
  Value bits = b.bitcast(vector, b.getI32Type());
  Value absolute = b.bitcast(
      arith::AndIOp::create(b, bits, b.splatBits(bits.getType(), magnitude)),
      b.getF32Type());
  Value sign = b.bitcast(
      arith::AndIOp::create(b, bits, b.splatBits(bits.getType(), ~magnitude)),
      b.getF32Type());
  Value isTiny = b.compare(arith::CmpFPredicate::OLT, absolute,
                           b.splat(std::numeric_limits<float>::min()));
  return b.select(isTiny, sign, vector);
}

std::pair<Value, Value> Expansion::widenPairs(Value words) {
  auto [first, second] = mlir::vit::cpu::widenPairs(b, words);
  return {flush(first), flush(second)};
}

//===----------------------------------------------------------------------===//
// The ops
//===----------------------------------------------------------------------===//

void Expansion::configure(Operands operands) {
  auto type = VectorType::get({kernel::kLineBytes}, b.getI8Type());
  b.storeLine(LLVM::LoadOp::create(b, type, operands[0], /*alignment=*/1),
              config, b.index(0));
}

void Expansion::release(Operands) {
  auto type = VectorType::get({kernel::kLineBytes}, b.getI8Type());
  b.storeLine(b.constant(DenseElementsAttr::get(type, b.getI8IntegerAttr(0))),
              config, b.index(0));
}

void Expansion::zero(Operands operands) {
  b.loop(0, kRows, [&](Value row) {
    b.store(b.splat(0), registers, wordOffset(operands[0], row));
  });
}

void Expansion::load(Operands operands) {
  b.loop(b.index(0), getRows(operands[0]), [&](Value row) {
    Value from = rowAddress(operands[1], operands[2], row);
    b.store(LLVM::LoadOp::create(b, b.vectorType, from, /*alignment=*/1),
            registers, wordOffset(operands[0], row));
  });
}

void Expansion::store(Operands operands) {
  b.loop(b.index(0), getRows(operands[0]), [&](Value row) {
    Value to = rowAddress(operands[1], operands[2], row);
    LLVM::StoreOp::create(b, b.load(registers, wordOffset(operands[0], row)),
                          to, /*alignment=*/1);
  });
}

/// The first products of all words are one chain of FMAs, the second ones
/// another, as in the pseudo code of TDPBF16PS.
void Expansion::multiplyBf16(Operands operands) {
  Value sums = operands[0], left = operands[1], right = operands[2];
  auto addProduct = [&](Value x, Value y, Value sum) {
    return flush(b.fma(x, y, sum));
  };
  b.loop(b.index(0), getRows(sums), [&](Value row) {
    SmallVector<Value> chains = b.loop(
        kWords, ValueRange{b.splat(0), b.splat(0)},
        [&](Value word, ValueRange carried) {
          Value one =
              b.loadScalar(registers, b.add(wordOffset(left, row), word));
          Value line = b.load(registers, wordOffset(right, word));
          auto x = widenPairs(b.bitcast(b.broadcast(one), b.getI32Type()));
          auto y = widenPairs(b.bitcast(line, b.getI32Type()));
          return SmallVector<Value>{addProduct(x.first, y.first, carried[0]),
                                    addProduct(x.second, y.second, carried[1])};
        });
    Value products = flush(b.addf(chains[0], chains[1]));
    Value at = wordOffset(sums, row);
    Value before = flush(b.load(registers, at));
    b.store(flush(b.addf(before, products)), registers, at);
  });
}

/// Adds the products of the four signed bytes of each word.
void Expansion::multiplyInt8(Operands operands) {
  Value sums = operands[0], left = operands[1], right = operands[2];
  constexpr int32_t bits = 8, word = 32;
  auto signedByte = [&](Value words, int32_t number) {
    auto all = [&](int32_t value) {
      return b.splatBits(words.getType(), value);
    };
    Value top =
        arith::ShLIOp::create(b, words, all(word - bits * (number + 1)));
    return arith::ShRSIOp::create(b, top, all(word - bits)).getResult();
  };
  auto asWords = [&](Value line) { return b.bitcast(line, b.getI32Type()); };
  b.loop(b.index(0), getRows(sums), [&](Value row) {
    Value at = wordOffset(sums, row);
    Value before = asWords(b.load(registers, at));
    SmallVector<Value> after =
        b.loop(kWords, ValueRange{before}, [&](Value depth, ValueRange sum) {
          Value one =
              b.loadScalar(registers, b.add(wordOffset(left, row), depth));
          Value x = asWords(b.broadcast(one));
          Value y = asWords(b.load(registers, wordOffset(right, depth)));
          Value next = sum[0];
          for (int32_t i = 0; i < word / bits; ++i)
            next = arith::AddIOp::create(
                b, next,
                arith::MulIOp::create(b, signedByte(x, i), signedByte(y, i)));
          return SmallVector<Value>{next};
        });
    b.store(b.bitcast(after[0], b.getF32Type()), registers, at);
  });
}

LogicalResult Expansion::expand(LLVM::CallIntrinsicOp op) {
  StringRef name = op.getIntrin();
  if (!name.consume_front("llvm.x86.") ||
      !(name.starts_with("t") || name == kOps[0].name))
    return success();
  const Row *row =
      llvm::find_if(kOps, [&](const Row &known) { return known.name == name; });
  if (row == std::end(kOps))
    return op.emitOpError("has no plain code");
  b.setInsertionPoint(op);
  (this->*row->expand)(op.getArgs());
  op.erase();
  return success();
}

LogicalResult mlir::vit::cpu::expandTileOps(ModuleOp kernels,
                                            const Level &level) {
  for (auto function : kernels.getOps<func::FuncOp>()) {
    SmallVector<LLVM::CallIntrinsicOp> ops;
    function.walk([&](LLVM::CallIntrinsicOp op) { ops.push_back(op); });
    if (ops.empty())
      continue;
    Expansion expansion(function, level);
    for (LLVM::CallIntrinsicOp op : ops)
      if (failed(expansion.expand(op)))
        return failure();
  }
  return success();
}
