//===- TensorBuilder.cpp - Code for tensor cores --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;

using ::vit::format::ElementType;

//===----------------------------------------------------------------------===//
// Types of operands
//===----------------------------------------------------------------------===//

namespace {
struct OperandType {
  ElementType type;
  NVVM::MMATypes mma;
  uint32_t ones; ///< a word of them
};
} // namespace

static constexpr OperandType kOperandTypes[] = {
    {ElementType::F16, NVVM::MMATypes::f16, 0x3c003c00},
    {ElementType::BF16, NVVM::MMATypes::bf16, 0x3f803f80},
    {ElementType::TF32, NVVM::MMATypes::tf32, 0x3f800000}};

static const OperandType &find(Operands operands) {
  return *llvm::find_if(kOperandTypes, [&](const OperandType &row) {
    return row.type == operands.type;
  });
}

FloatType Operands::element(Builder &b) const {
  if (isTf32())
    return b.getF32Type();
  return type == ElementType::F16 ? FloatType(b.getF16Type()) : b.getBF16Type();
}

Value mlir::vit::cuda::emitRounded(CodeBuilder &b, Type element, Value vector) {
  auto type = cast<VectorType>(vector.getType()).clone(element);
  Value rounded = arith::TruncFOp::create(b, type, vector);
  if (!element.isF16())
    return rounded;
  // -0 and subnormals stay as they are, too.
  Value zero = b.constant(cast<TypedAttr>(b.getZeroAttr(type)));
  return math::FmaOp::create(b, rounded, zero, rounded);
}

//===----------------------------------------------------------------------===//
// Matrices in workgroup memory
//===----------------------------------------------------------------------===//

Value SharedMatrix::at(CodeBuilder &b, Value row, Value inRow) const {
  if (llvm::isPowerOf2_64(chunks)) {
    // The number of the row among the eight that are loaded at once. With fewer
    // than 8 chunks, several rows share the 128 bytes that have one bank each.
    Value number = b.add(b.mul(b.rem(b.div(row, run), 4), 2), b.rem(row, 2));
    int64_t sharing = kBankChunks / std::min(chunks, kBankChunks);
    number = b.div(number, sharing);
    inRow = arith::XOrIOp::create(b, inRow, number);
  }
  return b.mul(b.add(b.mul(row, pitch()), inRow), chunk);
}

TensorBuilder::TensorBuilder(simt::SimtBuilder &b, Operands operands)
    : operands(operands), b(b), warpValue(b.div(b.thread(), kWarp)),
      laneValue(b.rem(b.thread(), kWarp)) {}

SharedMatrix TensorBuilder::allocate(int64_t buffers, int64_t rows,
                                     int64_t chunks, int64_t run) {
  SharedMatrix matrix = {{}, rows, chunks, run, operands.chunk()};
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto type =
      MemRefType::get({buffers * matrix.bufferElements()}, operands.element(b),
                      MemRefLayoutAttrInterface(), space);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&b.function().getBody().front());
  matrix.memory = memref::AllocOp::create(b, type);
  return matrix;
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

/// Neighbouring threads copy neighbouring chunks, as many as divide the row,
/// but of eight rows at least, after which the permutation repeats.
static int64_t getAcross(int64_t threads, int64_t chunks) {
  constexpr int64_t period = 8;
  return std::min(chunks & -chunks, std::max<int64_t>(threads / period, 1));
}

bool mlir::vit::cuda::canShare(int64_t threads, int64_t rows, int64_t chunks,
                               int64_t run) {
  int64_t across = getAcross(threads, chunks), down = threads / across;
  bool isPermuted = llvm::isPowerOf2_64(chunks);
  return down * across == threads && chunks % across == 0 && down != 0 &&
         (down >= rows ||
          (rows % down == 0 && (!isPermuted || down % (4 * run) == 0))) &&
         (isPermuted || run == 2);
}

CopyShare TensorBuilder::share(const SharedMatrix &matrix) {
  CopyShare share;
  share.matrix = matrix;
  share.across = getAcross(b.threads(), matrix.chunks);
  share.down = b.threads() / share.across;
  share.row = b.div(b.thread(), share.across);
  share.chunk = b.rem(b.thread(), share.across);
  share.target = matrix.at(b, share.row, share.chunk);
  return share;
}

void CopyShare::forEach(CodeBuilder &b,
                        function_ref<void(int64_t, int64_t)> body) const {
  auto forAll = [&] {
    for (int64_t i = 0; i < rowCount(); ++i)
      for (int64_t j = 0; j < matrix.chunks / across; ++j)
        body(i, j);
  };
  if (down <= matrix.rows)
    forAll();
  else
    b.ifThen(b.isLess(row, b.index(matrix.rows)), forAll);
}

Value CopyShare::at(CodeBuilder &b, Value base, int64_t i, int64_t j) const {
  return b.add(b.add(base, target),
               i * down * matrix.rowElements() + j * across * matrix.chunk);
}

void TensorBuilder::copy(unsigned argument, Value from,
                         const SharedMatrix &matrix, Value to, Value exists) {
  Value count;
  if (exists)
    count = b.select(exists, b.index(matrix.chunk), b.index(0));
  nvgpu::DeviceAsyncCopyOp::create(
      b, nvgpu::DeviceAsyncTokenType::get(b.getContext()), matrix.memory,
      ValueRange{to}, b.function().getArgument(argument), ValueRange{from},
      b.getIndexAttr(matrix.chunk), count, /*bypassL1=*/b.getUnitAttr());
}

void TensorBuilder::copyTile(unsigned argument, const CopyShare &share,
                             Value base, Value row, Value rows, Value channel,
                             int64_t width) {
  const SharedMatrix &matrix = share.matrix;
  share.forEach(b, [&](int64_t i, int64_t j) {
    Value from = b.add(b.add(row, share.row), i * share.down), exists;
    Value at = b.add(channel,
                     b.mul(b.add(share.chunk, j * share.across), matrix.chunk));
    if (rows) {
      exists = b.isLess(from, rows);
      from = b.min(from, b.sub(rows, b.index(1)));
    }
    if (width % (matrix.chunks * matrix.chunk) != 0) {
      Value isInRow = b.isLess(at, b.index(width));
      exists = exists ? b.both(exists, isInRow) : isInRow;
      at = b.min(at, b.index(width - matrix.chunk));
    }
    copy(argument, b.add(b.mul(from, width), at), matrix,
         share.at(b, base, i, j), exists);
  });
}

void TensorBuilder::commit() { NVVM::CpAsyncCommitGroupOp::create(b); }

void TensorBuilder::wait(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(b, static_cast<uint32_t>(pending));
}

SmallVector<Value>
TensorBuilder::ifElse(Value condition, function_ref<SmallVector<Value>()> then,
                      function_ref<SmallVector<Value>()> otherwise) {
  auto body = [&](function_ref<SmallVector<Value>()> values) {
    return [&, values](OpBuilder &builder, Location) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(builder.getInsertionBlock());
      scf::YieldOp::create(b, values());
    };
  };
  auto op = scf::IfOp::create(b, condition, body(then), body(otherwise));
  return SmallVector<Value>(op.getResults());
}

SmallVector<Value> TensorBuilder::pipeline(int64_t stages, Value steps,
                                           ValueRange init, Copy startCopies,
                                           Use use) {
  for (int64_t step = 0; step < stages - 1; ++step) {
    Value number = b.index(step);
    b.ifThen(b.isLess(number, steps), [&] { startCopies(number, number); });
    commit();
  }
  SmallVector<Value> carried(init);
  carried.push_back(b.index(0));
  auto body = [&](Value step, ValueRange values) {
    Value buffer = values.back();
    wait(stages - 2);
    // Also orders the loads of the last step before the copies to its buffer.
    b.barrier();
    Value next = b.add(step, stages - 1);
    b.ifThen(b.isLess(next, steps), [&] {
      Value isFirst = b.isEqual(buffer, b.index(0));
      startCopies(next, b.select(isFirst, b.index(stages - 1),
                                 b.sub(buffer, b.index(1))));
    });
    commit();
    SmallVector<Value> results = use(step, buffer, values.drop_back());
    Value isLast = b.isEqual(buffer, b.index(stages - 1));
    results.push_back(b.select(isLast, b.index(0), b.add(buffer, 1)));
    return results;
  };
  SmallVector<Value> results = b.loop(b.index(0), steps, 1, carried, body);
  results.pop_back();
  return results;
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

SmallVector<Value> TensorBuilder::load(const SharedMatrix &matrix,
                                       Value element) {
  return loadMatrices(matrix, element, /*transposed=*/false);
}

SmallVector<Value> TensorBuilder::loadMatrices(const SharedMatrix &matrix,
                                               Value element, bool transposed) {
  constexpr int64_t count = 4;
  auto memory = cast<MemRefType>(matrix.memory.getType());
  auto type = VectorType::get({count, operands.isTf32() ? 1 : 2},
                              memory.getElementType());
  Value loaded =
      nvgpu::LdMatrixOp::create(b, type, matrix.memory, ValueRange{element},
                                transposed, static_cast<int32_t>(count));
  SmallVector<Value> words;
  auto word = VectorType::get({1}, b.getI32Type());
  for (int64_t i = 0; i < count; ++i) {
    if (operands.isTf32()) {
      words.push_back(toTf32(
          vector::ExtractOp::create(b, loaded, ArrayRef<int64_t>{i, 0})));
      continue;
    }
    Value pair = vector::ExtractOp::create(b, loaded, ArrayRef<int64_t>{i});
    words.push_back(b.extract(vector::BitCastOp::create(b, word, pair), 0));
  }
  return words;
}

Value TensorBuilder::leftElement(const SharedMatrix &matrix, Value row,
                                 int64_t chunk) {
  // Lanes 16-31 give the rows of the second half of the depth.
  Value half = b.div(lane(), kMmaRows);
  Value inBlock = b.rem(lane(), kMmaRows);
  return b.add(matrix.at(b, inBlock, b.add(half, chunk)),
               b.mul(row, matrix.rowElements()));
}

Value TensorBuilder::rightElement(const SharedMatrix &matrix, Value row,
                                  int64_t chunk) {
  // Lanes 16-31 give the second 8 rows, every second group of 8 lanes the
  // second half of the depth.
  Value inBlock = b.add(b.rem(lane(), kMmaColumns),
                        b.mul(b.div(lane(), kMmaRows), kMmaColumns));
  Value half = b.rem(b.div(lane(), kMmaColumns), 2);
  return b.add(matrix.at(b, inBlock, b.add(half, chunk)),
               b.mul(row, matrix.rowElements()));
}

TransposedOperand TensorBuilder::planTransposed(const SharedMatrix &matrix,
                                                Value channel, int64_t count,
                                                bool isLeft) {
  TransposedOperand operand = {matrix, isLeft, {}};
  Value chunk = b.div(channel, matrix.chunk);
  if (!operands.isTf32()) {
    // Of the four matrices of a load, the second and the third differ: on the
    // left the second has the next 8 channels, on the right the next 8 rows.
    Value half = b.div(lane(), 16), eighth = b.rem(b.div(lane(), 8), 2);
    Value row =
        isLeft ? b.add(b.rem(lane(), 8), b.mul(half, 8)) : b.rem(lane(), 16);
    for (int64_t i = 0; i < count; ++i)
      operand.elements.push_back(matrix.at(
          b, row, b.add(b.add(chunk, isLeft ? eighth : half), 2 * i)));
    return operand;
  }
  Value row = b.mul(b.rem(lane(), 4), 2), column = b.div(lane(), 4);
  Value inChunk = b.rem(column, matrix.chunk);
  chunk = b.add(chunk, b.div(column, matrix.chunk));
  // Where chunks are permuted, what is added to their numbers is not added to
  // elements: of each sum modulo 8 there is an element.
  bool isPermuted = llvm::isPowerOf2_64(matrix.chunks);
  int64_t variants = isPermuted ? std::min(matrix.chunks, kBankChunks) : 1;
  for (int64_t i = 0; i < variants; ++i)
    operand.elements.push_back(
        b.add(matrix.at(b, row, arith::XOrIOp::create(b, chunk, b.index(i))),
              inChunk));
  return operand;
}

SmallVector<Value>
TensorBuilder::loadTransposed(const TransposedOperand &operand, Value base,
                              int64_t row, int64_t index) {
  const SharedMatrix &matrix = operand.matrix;
  if (!operands.isTf32())
    return loadMatrices(
        matrix,
        b.add(b.add(base, operand.elements[index]), row * matrix.rowElements()),
        /*transposed=*/true);
  SmallVector<Value> words;
  for (int64_t word = 0; word < kLeftWords; ++word) {
    // The second of two rows; the second 8 of the channels.
    int64_t second = operand.isLeft ? word / 2 : word % 2;
    int64_t half = operand.isLeft ? word % 2 : word / 2;
    int64_t chunk =
        operands.pairChunks() * index + operands.pairChunks() / 2 * half;
    int64_t variant = chunk % static_cast<int64_t>(operand.elements.size());
    // Rows 2t and 2t + 1 are permuted alike where rows share 128 bytes.
    int64_t other =
        operand.elements.size() == kBankChunks ? variant ^ second : variant;
    Value from = b.add(b.add(base, operand.elements[other]),
                       (row + second) * matrix.rowElements() +
                           (chunk - variant) * matrix.chunk);
    words.push_back(
        toTf32(memref::LoadOp::create(b, matrix.memory, ValueRange{from})));
  }
  return words;
}

ColumnOperand TensorBuilder::planColumns(const SharedMatrix &matrix,
                                         Value channel, int64_t together) {
  ColumnOperand operand = {matrix, together, {}};
  Value column = b.mul(b.div(lane(), 4), together);
  Value inChunk = b.rem(column, matrix.chunk);
  Value chunk =
      b.add(b.div(channel, matrix.chunk), b.div(column, matrix.chunk));
  int64_t perWord = operands.perWord();
  Value row = b.mul(b.rem(lane(), 4), perWord);
  // Where chunks are permuted, what is added to their numbers is not added to
  // elements: there are elements for each sum modulo 8 that groups begin at.
  int64_t variants = 1;
  if (llvm::isPowerOf2_64(matrix.chunks))
    variants = std::max<int64_t>(
        std::min(matrix.chunks, kBankChunks) / operand.groupChunks(), 1);
  for (int64_t variant = 0; variant < variants; ++variant)
    for (int64_t i = 0; i < perWord; ++i)
      operand.elements.push_back(
          b.add(matrix.at(b, b.add(row, i),
                          b.add(chunk, variant * operand.groupChunks())),
                inChunk));
  return operand;
}

SmallVector<Value> TensorBuilder::loadColumns(const ColumnOperand &operand,
                                              Value base, int64_t row,
                                              int64_t group) {
  const SharedMatrix &matrix = operand.matrix;
  int64_t together = operand.together;
  int64_t perWord = operands.perWord();
  auto variants = static_cast<int64_t>(operand.elements.size()) / perWord;
  int64_t variant = group % variants;
  int64_t further = (group - variant) * operand.groupChunks() * matrix.chunk;
  auto type = VectorType::get({together}, operands.element(b));
  auto loadRow = [&](int64_t half, int64_t inWord) -> Value {
    Value from = b.add(
        b.add(base, operand.elements[variant * perWord + inWord]),
        (row + half * operands.depth() / 2) * matrix.rowElements() + further);
    auto load =
        vector::LoadOp::create(b, type, matrix.memory, ValueRange{from});
    load.setAlignment(together * kChunkBytes / matrix.chunk);
    return load;
  };
  SmallVector<Value> words(together * kRightWords);
  auto word = VectorType::get({1}, b.getI32Type());
  for (int64_t half = 0; half < kRightWords; ++half) {
    Value first = loadRow(half, 0);
    Value second = operands.isTf32() ? Value() : loadRow(half, 1);
    for (int64_t i = 0; i < together; ++i) {
      Value &target = words[i * kRightWords + half];
      if (operands.isTf32()) {
        target = toTf32(b.extract(first, i));
        continue;
      }
      Value pair = vector::ShuffleOp::create(
          b, first, second, ArrayRef<int64_t>{i, together + i});
      target = b.extract(vector::BitCastOp::create(b, word, pair), 0);
    }
  }
  return words;
}

void TensorBuilder::multiplyPair(ArrayRef<Value> left, ArrayRef<Value> words,
                                 MutableArrayRef<Value> sums, int64_t pair) {
  for (int64_t i : {0, 1}) {
    MutableArrayRef<Value> own = sums.slice((2 * pair + i) * kSums, kSums);
    llvm::copy(multiply(left, words.slice(i * kRightWords, kRightWords), own),
               own.begin());
  }
}

SmallVector<Value> TensorBuilder::multiply(ArrayRef<Value> left,
                                           ArrayRef<Value> right,
                                           ValueRange sums) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(kSums, b.getF32Type()));
  NVVM::MMATypes element = find(operands).mma;
  SmallVector<Value> words[] = {llvm::to_vector(left), llvm::to_vector(right)};
  if (element == NVVM::MMATypes::f16) // the op takes pairs of these
    for (Value &word : llvm::concat<Value>(words[0], words[1]))
      word = LLVM::BitcastOp::create(b, VectorType::get({2}, b.getF16Type()),
                                     word);
  Value result = NVVM::MmaOp::create(
      b, type, words[0], words[1], sums,
      ArrayRef<int64_t>{kMmaRows, kMmaColumns, operands.depth()},
      /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt,
      std::array{element, element},
      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  SmallVector<Value> values;
  for (int64_t i = 0; i < kSums; ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, result, i));
  return values;
}

/// Stores a vector of f32 as elements of the type of the argument.
static void storeVector(simt::SimtBuilder &b, Value vector, unsigned argument,
                        Value to) {
  Value memory = b.function().getArgument(argument);
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  auto type = cast<VectorType>(vector.getType());
  if (element != type.getElementType())
    vector = emitRounded(b, element, vector);
  auto store = vector::StoreOp::create(b, vector, memory, ValueRange{to});
  store.setAlignment(type.getNumElements() * element.getIntOrFloatBitWidth() /
                     8);
}

void TensorBuilder::store(ArrayRef<Value> vectors, unsigned argument,
                          Value to) {
  Value vector = vectors.front();
  if (vectors.size() == 2)
    vector = vector::ShuffleOp::create(
        b, vectors[0], vectors[1],
        llvm::to_vector(llvm::seq<int64_t>(2 * simt::kVectorLanes)));
  storeVector(b, vector, argument, to);
}

void TensorBuilder::storePair(ArrayRef<Value> pair, unsigned argument,
                              Value to) {
  auto type = VectorType::get({2}, b.getF32Type());
  storeVector(b, vector::FromElementsOp::create(b, type, pair), argument, to);
}

void TensorBuilder::storeWords(ArrayRef<Value> words, unsigned argument,
                               Value to) {
  int64_t count = static_cast<int64_t>(words.size());
  auto type = VectorType::get({count}, b.getI32Type());
  Value vector = vector::BitCastOp::create(
      b, VectorType::get({2 * count}, b.elementType(argument)),
      vector::FromElementsOp::create(b, type, words));
  auto store = vector::StoreOp::create(
      b, vector, b.function().getArgument(argument), ValueRange{to});
  store.setAlignment(count * 4);
}

void TensorBuilder::storeRow(ArrayRef<Value> values, unsigned argument,
                             Value to, Value exists) {
  Value quarter = b.rem(lane(), 4);
  SmallVector<SmallVector<Value>> blocks;
  for (size_t i = 0; b.isNarrow(argument) && i + 8 <= values.size(); i += 8) {
    SmallVector<Value> words;
    for (size_t j = i; j < i + 8; j += 2)
      words.push_back(pack(b.elementType(argument), values[j], values[j + 1],
                           /*isBounded=*/false));
    blocks.push_back(transpose(words));
  }
  auto storeAll = [&] {
    for (auto [i, words] : llvm::enumerate(blocks)) {
      Value block = b.add(quarter, 4 * static_cast<int64_t>(i));
      storeWords(words, argument, b.add(to, b.mul(block, kMmaColumns)));
    }
    for (size_t i = 8 * blocks.size(); i < values.size(); i += 2) {
      int64_t column = static_cast<int64_t>(i) / 2 * kMmaColumns;
      storePair(values.slice(i, 2), argument,
                b.add(to, b.add(b.mul(quarter, 2), column)));
    }
  };
  if (exists)
    b.ifThen(exists, storeAll);
  else
    storeAll();
}

Value TensorBuilder::exchange(Value value, int32_t distance) {
  return gpu::ShuffleOp::create(b, value, distance, static_cast<int32_t>(kWarp),
                                gpu::ShuffleMode::XOR)
      .getShuffleResult();
}

Value TensorBuilder::reduceRow(CodeBuilder::Reduction kind, Value value) {
  for (int32_t distance : {1, 2})
    value = b.combine(kind, value, exchange(value, distance));
  return value;
}

SmallVector<Value> TensorBuilder::transpose(ArrayRef<Value> values) {
  SmallVector<Value> result(values);
  for (int32_t distance : {1, 2}) {
    Value isOdd = b.isEqual(b.rem(b.div(lane(), distance), 2), b.index(1));
    for (int32_t i : {0, 3 - distance}) {
      Value &low = result[i], &high = result[i + distance];
      Value other = exchange(b.select(isOdd, low, high), distance);
      low = b.select(isOdd, other, low);
      high = b.select(isOdd, high, other);
    }
  }
  return result;
}

Value TensorBuilder::callIntrinsic(StringRef name, Value value) {
  return LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(name),
                                       value)
      .getResult(0);
}

Value TensorBuilder::exp2(Value value) {
  return callIntrinsic("llvm.nvvm.ex2.approx.ftz.f32", value);
}

Value TensorBuilder::log2(Value value) {
  return callIntrinsic("llvm.nvvm.lg2.approx.ftz.f", value);
}

Value TensorBuilder::ones() {
  return b.constant(
      b.getI32IntegerAttr(static_cast<int32_t>(find(operands).ones)));
}

Value TensorBuilder::pack(Type element, Value low, Value high, bool isBounded) {
  auto type = VectorType::get({2}, b.getF32Type());
  Value pair = vector::FromElementsOp::create(b, type, ValueRange{low, high});
  Value rounded = isBounded
                      ? arith::TruncFOp::create(b, type.clone(element), pair)
                      : emitRounded(b, element, pair);
  return b.extract(vector::BitCastOp::create(
                       b, VectorType::get({1}, b.getI32Type()), rounded),
                   0);
}

std::array<Value, 2> TensorBuilder::unpack(Value word) {
  auto asFloat = [&](Value bits) -> Value {
    return arith::BitcastOp::create(b, b.getF32Type(), bits);
  };
  Value half = b.constant(b.getI32IntegerAttr(16));
  Value high =
      b.constant(b.getI32IntegerAttr(static_cast<int32_t>(0xffff0000)));
  return {asFloat(arith::ShLIOp::create(b, word, half)),
          asFloat(arith::AndIOp::create(b, word, high))};
}

Value TensorBuilder::toTf32(Value value) {
  return NVVM::ConvertFloatToTF32Op::create(b, b.getI32Type(), value,
                                            NVVM::FPRoundingMode::RNA);
}

SmallVector<SmallVector<Value>> TensorBuilder::packLeft(ArrayRef<Value> sums) {
  if (operands.isTf32()) {
    SmallVector<SmallVector<Value>> words(sums.size() / kSums);
    for (auto [i, block] : llvm::enumerate(words))
      for (int64_t sum : {0, 2, 1, 3})
        block.push_back(toTf32(sums[i * kSums + sum]));
    return words;
  }
  SmallVector<SmallVector<Value>> words(sums.size() / (2 * kSums));
  for (size_t i = 0; i < sums.size(); i += 2)
    words[i / (2 * kSums)].push_back(
        pack(operands.element(b), sums[i], sums[i + 1], /*isBounded=*/true));
  return words;
}
