//===- SimtBuilder.cpp - Builds the body of a GPU kernel ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SimtBuilder.h"

#include "../Common/Math.h"
#include "NarrowVectors.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static MemRefType getVulkanBuffer(MLIRContext *context, Type element,
                                  int64_t size, spirv::StorageClass storage) {
  return MemRefType::get({size}, element, MemRefLayoutAttrInterface(),
                         spirv::StorageClassAttr::get(context, storage));
}

static gpu::GPUFuncOp createKernel(Operation *op,
                                   ArrayRef<KernelArgument> arguments,
                                   StringRef name, gpu::GPUModuleOp kernels,
                                   const Level &level) {
  MLIRContext *context = op->getContext();
  OpBuilder b = OpBuilder::atBlockEnd(kernels.getBody());
  SmallVector<Type> types;
  if (level.target == ::vit::format::Target::Vulkan) {
    auto vector = VectorType::get({kVectorLanes}, b.getF32Type());
    types.assign(2, getVulkanBuffer(context, vector, ShapedType::kDynamic,
                                    spirv::StorageClass::StorageBuffer));
    // Batch, first unit, argument bases.
    types.push_back(getVulkanBuffer(context, b.getI32Type(),
                                    level.limits.pushBytes / sizeof(int32_t),
                                    spirv::StorageClass::PushConstant));
  } else {
    for (const KernelArgument &argument : arguments) {
      Type element = argument.type.getElementType();
      types.push_back(MemRefType::get(
          {ShapedType::kDynamic},
          element.isInteger(8) ? Type(b.getI32Type()) : element));
    }
    types.append(2, b.getI32Type());
  }
  auto kernel = gpu::GPUFuncOp::create(b, op->getLoc(), name,
                                       b.getFunctionType(types, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  return kernel;
}

SimtBuilder::SimtBuilder(Operation *op, ArrayRef<KernelArgument> arguments,
                         StringRef name, gpu::GPUModuleOp kernels,
                         const Level &level)
    : SimtBuilder(op, arguments,
                  createKernel(op, arguments, name, kernels, level), level) {}

SimtBuilder::SimtBuilder(Operation *op, ArrayRef<KernelArgument> arguments,
                         gpu::GPUFuncOp kernel, const Level &level)
    : CodeBuilder(op->getLoc(), kernel.getBody().front()), level(level),
      vectorType(VectorType::get({kVectorLanes}, getF32Type())),
      arguments(arguments), kernel(kernel) {
  auto tile = op->getAttrOfType<kernel::TileAttr>("tile");
  setThreads(tile && tile.isGpu() ? tile.getThreads() : level.threads);

  // `finish` erases those that are not used.
  Value first;
  if (isVulkan()) {
    batchValue = pushWord(0);
    first = pushWord(1);
    for (unsigned i = 0; i < arguments.size(); ++i)
      bases.push_back(pushWord(2 + i));
  } else {
    unsigned count = kernel.getNumArguments();
    batchValue = toIndex(kernel.getArgument(count - 2));
    first = toIndex(kernel.getArgument(count - 1));
  }
  threadValue = gpu::ThreadIdOp::create(*this, gpu::Dimension::x);
  unitValue = arith::AddIOp::create(
      *this, first, gpu::BlockIdOp::create(*this, gpu::Dimension::x));

  setAccessWords(/*inVectors=*/{});
  if (integers)
    setBuffers();
}

void SimtBuilder::setAccessWords(ArrayRef<unsigned> inVectors) {
  accessWords.fill(kVectorLanes);
  for (unsigned i = 0; i < arguments.size(); ++i) {
    if (!isNarrow(i) && !isInt8(i))
      continue;
    integers = true;
    int64_t needed = isNarrow(i)                        ? kVectorLanes / 2
                     : llvm::is_contained(inVectors, i) ? kVectorLanes
                                                        : 1;
    int64_t &words = accessWords[bufferOf(i)];
    words = std::min(words, needed);
  }
}

Value SimtBuilder::pushWord(unsigned word) {
  return toIndex(memref::LoadOp::create(*this, kernel.getArgument(2),
                                        ValueRange{index(word)}));
}

Value SimtBuilder::toIndex(Value i32) {
  return arith::IndexCastOp::create(*this, getIndexType(), i32);
}

void SimtBuilder::setThreads(int64_t threads) {
  threadCount = threads;
  kernel.setKnownBlockSize(SmallVector<int32_t>{int32_t(threads), 1, 1});
}

void SimtBuilder::finish() {
  Block &block = kernel.getBody().front();
  setInsertionPointToEnd(&block);
  gpu::ReturnOp::create(*this);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

void SimtBuilder::useScalars() {
  accessWords[0] = 1;
  setBuffers();
}

void SimtBuilder::useByteVectors(ArrayRef<unsigned> read) {
  setAccessWords(read);
  setBuffers();
}

void SimtBuilder::useIntegers() {
  integers = true;
  setBuffers();
}

void SimtBuilder::setBuffers() {
  if (!isVulkan())
    return;
  Type lane = integers ? Type(getI32Type()) : getF32Type();
  SmallVector<Type> types(kernel.getArgumentTypes());
  for (unsigned i : {0, 1}) {
    Type element = lane;
    if (accessWords[i] > 1)
      element = VectorType::get({accessWords[i]}, lane);
    types[i] = getVulkanBuffer(getContext(), element, ShapedType::kDynamic,
                               spirv::StorageClass::StorageBuffer);
    kernel.getArgument(i).setType(types[i]);
  }
  kernel.setFunctionType(getFunctionType(types, {}));
}

Value SimtBuilder::buffer(unsigned argument) {
  if (!isVulkan())
    return kernel.getArgument(argument);
  return kernel.getArgument(bufferOf(argument));
}

static Value castTo(SimtBuilder &b, Type element, Value value) {
  if (getElementTypeOrSelf(value) == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(element);
  return arith::BitcastOp::create(b, type, value);
}
Value SimtBuilder::asFloat(Value value) {
  return castTo(*this, getF32Type(), value);
}
Value SimtBuilder::asInteger(Value value) {
  return castTo(*this, getI32Type(), value);
}

SmallVector<Value> SimtBuilder::getAccesses(unsigned argument, Value number,
                                            int64_t count) {
  int64_t words = wordsPerAccess(argument);
  Value first = add(mul(bases[argument], kVectorLanes / count), number);
  first = mul(first, count / words);
  SmallVector<Value> accesses;
  for (int64_t i = 0; i < count / words; ++i)
    accesses.push_back(add(first, i));
  return accesses;
}

Value SimtBuilder::loadWords(unsigned argument, Value number, int64_t count) {
  Value from = buffer(argument);
  SmallVector<Value> loads, words;
  for (Value at : getAccesses(argument, number, count))
    loads.push_back(memref::LoadOp::create(*this, from, ValueRange{at}));
  if (loads.size() == 1)
    return loads[0];
  for (Value load : loads)
    if (auto type = dyn_cast<VectorType>(load.getType()))
      for (int64_t i = 0; i < type.getNumElements(); ++i)
        words.push_back(extract(load, i));
    else
      words.push_back(load);
  return vector::FromElementsOp::create(
      *this, VectorType::get({count}, words[0].getType()), words);
}

void SimtBuilder::storeWords(Value words, unsigned argument, Value number) {
  auto type = cast<VectorType>(words.getType());
  int64_t each = wordsPerAccess(argument);
  SmallVector<Value> accesses =
      getAccesses(argument, number, type.getNumElements());
  for (auto [i, at] : llvm::enumerate(accesses)) {
    Value part = words;
    if (each == 1) {
      part = extract(words, i);
    } else if (accesses.size() > 1) {
      SmallVector<Value> lanes;
      for (int64_t lane = 0; lane < each; ++lane)
        lanes.push_back(extract(words, i * each + lane));
      part = vector::FromElementsOp::create(
          *this, VectorType::get({each}, type.getElementType()), lanes);
    }
    memref::StoreOp::create(*this, part, buffer(argument), ValueRange{at});
  }
}

Value SimtBuilder::widenBytes(Value word) {
  auto type = VectorType::get({kVectorLanes}, getI32Type());
  Value words = vector::BroadcastOp::create(*this, type, word);
  // Each byte to the top, then down with its sign.
  Value up = constant(DenseIntElementsAttr::get(type, {24, 16, 8, 0}));
  Value bytes = arith::ShRSIOp::create(
      *this, arith::ShLIOp::create(*this, words, up), splatBits(type, 24));
  return arith::SIToFPOp::create(*this, vectorType, bytes);
}
Value SimtBuilder::packBytes(Value integers) {
  auto type = cast<VectorType>(integers.getType());
  Value bytes = arith::AndIOp::create(*this, integers, splatBits(type, 0xff));
  Value up = constant(DenseIntElementsAttr::get(type, {0, 8, 16, 24}));
  bytes = arith::ShLIOp::create(*this, bytes, up);
  Value word = extract(bytes, 0);
  for (int64_t lane = 1; lane < kVectorLanes; ++lane)
    word = arith::OrIOp::create(*this, word, extract(bytes, lane));
  return word;
}

/// An f32 from the half of a word of bf16, or of each word of a vector. The
/// first element is in the low half.
static Value widenLow(SimtBuilder &b, Value words) {
  Value bits = b.splatBits(words.getType(), 16);
  return castTo(b, b.getF32Type(), arith::ShLIOp::create(b, words, bits));
}
static Value widenHigh(SimtBuilder &b, Value words) {
  Value mask = b.splatBits(words.getType(), int32_t(0xffff0000));
  return castTo(b, b.getF32Type(), arith::AndIOp::create(b, words, mask));
}

/// Vulkan: the two elements of a word of f16 or bf16, as f32, the first from
/// the low half.
static std::array<Value, 2> widenWord(SimtBuilder &b, Type element,
                                      Value word) {
  if (element.isF16()) {
    Value pair = spirv::GLUnpackHalf2x16Op::create(
        b, VectorType::get({2}, b.getF32Type()), word);
    return {b.extract(pair, 0), b.extract(pair, 1)};
  }
  return {widenLow(b, word), widenHigh(b, word)};
}

Value SimtBuilder::loadNarrow4(unsigned argument, Value vector) {
  return loadWords(argument, vector, kVectorLanes / 2);
}

Value SimtBuilder::loadBytes16(unsigned argument, Value vector) {
  if (isVulkan())
    return loadWords(argument, vector, kVectorLanes);
  return vector::LoadOp::create(
      *this, VectorType::get({kVectorLanes}, getI32Type()), buffer(argument),
      ValueRange{mul(vector, kVectorLanes)});
}

Value SimtBuilder::addDot(Value a, Value b, Value sum) {
  if (isVulkan()) {
    auto format = spirv::PackedVectorFormatAttr::get(
        getContext(), spirv::PackedVectorFormat::PackedVectorFormat4x8Bit);
    Value dot = spirv::SDotOp::create(*this, getI32Type(), a, b, format);
    return arith::AddIOp::create(*this, sum, dot);
  }
  auto type = VectorType::get({kVectorLanes}, getI8Type());
  auto isSigned = NVVM::DotAccumulateType::SIGNED;
  return NVVM::DotAccumulate4WayOp::create(
      *this, getI32Type(), LLVM::BitcastOp::create(*this, type, a), isSigned,
      LLVM::BitcastOp::create(*this, type, b), isSigned, sum);
}

Value SimtBuilder::load4(unsigned argument, Value vector) {
  if (isInt8(argument))
    return widenBytes(loadElement(argument, vector));
  if (isVulkan() && isNarrow(argument))
    return emitWiden4(*this, elementType(argument),
                      loadNarrow4(argument, vector));
  if (isVulkan())
    return asFloat(loadWords(argument, vector, kVectorLanes));
  auto type = VectorType::get({kVectorLanes}, elementType(argument));
  Value value = vector::LoadOp::create(*this, type, buffer(argument),
                                       ValueRange{mul(vector, kVectorLanes)});
  return isNarrow(argument) ? arith::ExtFOp::create(*this, vectorType, value)
                            : value;
}

Value mlir::vit::simt::emitWiden4(SimtBuilder &b, Type element, Value words) {
  if (element.isF16()) {
    auto first = widenWord(b, element, b.extract(words, 0));
    auto second = widenWord(b, element, b.extract(words, 1));
    return b.fromElements({first[0], first[1], second[0], second[1]});
  }
  Value low = widenLow(b, words), high = widenHigh(b, words);
  return b.fromElements({b.extract(low, 0), b.extract(high, 0),
                         b.extract(low, 1), b.extract(high, 1)});
}

Value mlir::vit::simt::emitNarrow4(SimtBuilder &b, Type element, Value vector) {
  // The bits of an element where it is first in its word, and second.
  Value low, high, half = b.splatBits(b.vectorType, 16);
  if (element.isF16()) {
    low = emitF16Bits(b, vector);
    high = arith::ShLIOp::create(b, low, half);
  } else {
    high = castTo(b, b.getI32Type(), emitRoundToBf16(b, vector));
    low = arith::ShRUIOp::create(b, high, half);
  }
  SmallVector<Value> words;
  for (int64_t i = 0; i < kVectorLanes; i += 2)
    words.push_back(
        arith::OrIOp::create(b, b.extract(low, i), b.extract(high, i + 1)));
  return vector::FromElementsOp::create(
      b, VectorType::get({kVectorLanes / 2}, b.getI32Type()), words);
}

void SimtBuilder::store4(Value value, unsigned argument, Value vector) {
  if (isInt8(argument))
    return storeElement(packBytes(emitRoundToInt8(*this, value)), argument,
                        vector);
  if (!isVulkan()) {
    if (isNarrow(argument))
      value = emitNarrow(*this, elementType(argument), value);
    vector::StoreOp::create(*this, value, buffer(argument),
                            ValueRange{mul(vector, kVectorLanes)});
    return;
  }
  if (integers)
    value = asInteger(value);
  if (isNarrow(argument))
    value = emitNarrow4(*this, elementType(argument), asFloat(value));
  storeWords(value, argument, vector);
}

Value SimtBuilder::loadElement(unsigned argument, Value element) {
  Value from = buffer(argument);
  if (!isVulkan())
    return memref::LoadOp::create(*this, from, ValueRange{element});
  int64_t words = wordsPerAccess(argument);
  Value base = mul(bases[argument], kVectorLanes / words);
  Value access = memref::LoadOp::create(
      *this, from, ValueRange{add(base, div(element, words))});
  return words == 1 ? access : extract(access, rem(element, words));
}

void SimtBuilder::storeElement(Value scalar, unsigned argument, Value element) {
  assert((!isVulkan() || wordsPerAccess(argument) == 1) &&
         "call useScalars first");
  if (isVulkan())
    element = add(mul(bases[argument], kVectorLanes), element);
  memref::StoreOp::create(*this, scalar, buffer(argument), ValueRange{element});
}

Value SimtBuilder::load(unsigned argument, Value element) {
  if (isInt8(argument))
    return extract(
        widenBytes(loadElement(argument, div(element, kVectorLanes))),
        rem(element, kVectorLanes));
  if (!isNarrow(argument))
    return asFloat(loadElement(argument, element));
  if (!isVulkan())
    return arith::ExtFOp::create(*this, getF32Type(),
                                 loadElement(argument, element));
  Value word = loadElement(argument, div(element, 2));
  auto [low, high] = widenWord(*this, elementType(argument), word);
  return select(isEqual(rem(element, 2), index(0)), low, high);
}

void SimtBuilder::store(Value scalar, unsigned argument, Value element) {
  assert(!isNarrow(argument) && !isInt8(argument) &&
         "narrow elements share a word");
  bool isInteger = isVulkan() && integers;
  storeElement(isInteger ? asInteger(scalar) : scalar, argument, element);
}

Value SimtBuilder::loadInteger(unsigned argument, Value element) {
  assert(integers && "call useIntegers first");
  return asInteger(loadElement(argument, element));
}

void SimtBuilder::storeInteger(Value integer, unsigned argument,
                               Value element) {
  assert(integers && "call useIntegers first");
  storeElement(integer, argument, element);
}

//===----------------------------------------------------------------------===//
// Workgroup memory
//===----------------------------------------------------------------------===//

Value SimtBuilder::allocate(int64_t size, Type element) {
  auto space =
      gpu::AddressSpaceAttr::get(getContext(), gpu::AddressSpace::Workgroup);
  auto type =
      MemRefType::get({size}, element, MemRefLayoutAttrInterface(), space);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(&kernel.getBody().front());
  return memref::AllocOp::create(*this, type);
}

Value SimtBuilder::allocateShared4(int64_t vectors) {
  return allocate(vectors, vectorType);
}
Value SimtBuilder::allocateNarrow(int64_t vectors) {
  return allocate(vectors, VectorType::get({kVectorLanes / 2}, getI32Type()));
}
Value SimtBuilder::allocateBytes16(int64_t vectors) {
  return allocate(vectors, VectorType::get({kVectorLanes}, getI32Type()));
}
Value SimtBuilder::allocateShared(int64_t elements) {
  return allocate(elements, getF32Type());
}
Value SimtBuilder::loadShared(Value array, Value index) {
  return memref::LoadOp::create(*this, array, ValueRange{index});
}
void SimtBuilder::storeShared(Value value, Value array, Value index) {
  memref::StoreOp::create(*this, value, array, ValueRange{index});
}
void SimtBuilder::barrier() { gpu::BarrierOp::create(*this); }

Value SimtBuilder::reduceWorkgroup(Reduction kind, Value scalar,
                                   int64_t segment) {
  if (segment == 0)
    segment = threads();
  assert(llvm::isPowerOf2_64(segment) && threads() % segment == 0 &&
         "segments of a power of two that make up the workgroup");
  if (segment == 1)
    return scalar;
  if (!reductionArray)
    reductionArray = allocateShared(threads());
  Value lane = segment == threads() ? thread() : rem(thread(), segment);
  storeShared(scalar, reductionArray, thread());
  barrier();
  for (int64_t half = segment / 2; half >= 1; half /= 2) {
    ifThen(isLess(lane, index(half)), [&] {
      Value mine = loadShared(reductionArray, thread());
      Value other = loadShared(reductionArray, add(thread(), half));
      storeShared(combine(kind, mine, other), reductionArray, thread());
    });
    barrier();
  }
  Value result = loadShared(reductionArray, sub(thread(), lane));
  // The next reduction overwrites the array.
  barrier();
  return result;
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value SimtBuilder::roundAs(unsigned argument, Value value) {
  Type element = elementType(argument), type = value.getType();
  if (!isNarrow(argument))
    return value;
  if (!isVulkan())
    return arith::ExtFOp::create(*this, type,
                                 emitNarrow(*this, element, value));
  if (element.isBF16())
    return emitRoundToBf16(*this, value);
  if (type == vectorType)
    return emitWiden4(*this, element, emitNarrow4(*this, element, value));
  return widenWord(*this, element, emitF16Bits(*this, value))[0];
}
Value SimtBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(*this, vectorType, scalar);
}
Value SimtBuilder::extract(Value vector, int64_t lane) {
  return vector::ExtractOp::create(*this, vector, ArrayRef<int64_t>{lane});
}
Value SimtBuilder::extract(Value vector, Value lane) {
  APInt number;
  if (matchPattern(lane, m_ConstantInt(&number)))
    return extract(vector, number.getSExtValue());
  return vector::ExtractOp::create(*this, vector, OpFoldResult(lane));
}
Value SimtBuilder::fromElements(ValueRange scalars) {
  return vector::FromElementsOp::create(*this, vectorType, scalars);
}

Value SimtBuilder::select(Value condition, Value whenTrue, Value whenFalse) {
  auto type = dyn_cast<VectorType>(whenTrue.getType());
  if (type && condition.getType().isInteger(1))
    condition =
        vector::BroadcastOp::create(*this, type.clone(getI1Type()), condition);
  return CodeBuilder::select(condition, whenTrue, whenFalse);
}

Value SimtBuilder::reduce(Reduction kind, Value vector) {
  Value even = combine(kind, extract(vector, 0), extract(vector, 2));
  Value odd = combine(kind, extract(vector, 1), extract(vector, 3));
  return combine(kind, even, odd);
}
