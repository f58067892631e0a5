//===- LowerToNvvm.cpp - From GPU kernels to LLVM IR ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerToNvvm.h"

#include "../Codegen/Llvm.h"

#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "format/DeclaredMemory.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVGPUToNVVM/NVGPUToNVVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace mlir::vit::cuda;

namespace mlir::vit {
#define GEN_PASS_DEF_LOWERTONVVM
#include "Passes.h.inc"
} // namespace mlir::vit

void mlir::vit::cuda::registerLowering(DialectRegistry &registry) {
  registry.insert<LLVM::LLVMDialect, NVVM::NVVMDialect, cf::ControlFlowDialect,
                  gpu::GPUDialect, arith::ArithDialect, math::MathDialect,
                  memref::MemRefDialect, nvgpu::NVGPUDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

//===----------------------------------------------------------------------===//
// Before the conversion
//===----------------------------------------------------------------------===//

/// Lanes of a warp.
static constexpr unsigned kWarp = 32;
/// The number of workgroup memory among the address spaces of NVPTX.
static constexpr unsigned kSharedSpace = 3;
/// The largest alignment, which lets four floats be one load or store.
static constexpr uint64_t kAlignment = 16;

/// Removes what says which parameters are tensor maps; returns their number.
/// They are the last ones.
static unsigned takeTensorMaps(gpu::GPUFuncOp function) {
  unsigned count = 0;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    count += function.removeArgAttr(i, mlir::vit::kTensorMapAttr) != nullptr;
  function->removeAttr(mlir::vit::kResidentAttr);
  return count;
}

/// Bare pointers require memrefs of static shape. The size is arbitrary:
/// nothing reads it.
static void makeArgumentsStatic(gpu::GPUFuncOp function) {
  SmallVector<Type> inputs;
  for (BlockArgument argument :
       function.getBody().front().getArguments().take_front(
           function.getNumArguments())) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (type && type.getRank() == 1 && type.isDynamicDim(0))
      argument.setType(MemRefType::get({INT32_MAX}, type.getElementType(),
                                       type.getLayout(),
                                       type.getMemorySpace()));
    inputs.push_back(argument.getType());
  }
  function.setFunctionType(
      FunctionType::get(function.getContext(), inputs, {}));
}

static bool isWorkgroupMemory(MemRefType type) {
  auto space = dyn_cast_or_null<gpu::AddressSpaceAttr>(type.getMemorySpace());
  return space && space.getValue() == gpu::AddressSpace::Workgroup;
}

/// Turns allocations of workgroup memory into attributions of the function.
static void attributeWorkgroupMemory(gpu::GPUFuncOp function) {
  OpBuilder b(function.getContext());
  function.walk([&](memref::AllocOp op) {
    if (!isWorkgroupMemory(op.getType()))
      return;
    unsigned index = function.getNumWorkgroupAttributions();
    Value memory = function.addWorkgroupAttribution(op.getType(), op.getLoc());
    function.setWorkgroupAttributionAttr(
        index, b.getStringAttr(LLVM::LLVMDialect::getAlignAttrName()),
        b.getI64IntegerAttr(
            std::max(kAlignment, op.getAlignment().value_or(0))));
    op.replaceAllUsesWith(memory);
    op.erase();
  });
}

/// Vectors of up to 16 bytes are at a multiple of their size.
template <typename OpTy> static void align(OpTy op, Type vector) {
  auto type = dyn_cast<VectorType>(vector);
  if (!type || op.getAlignment())
    return;
  uint64_t bytes =
      uint64_t(type.getNumElements()) * type.getElementTypeBitWidth() / 8;
  if (llvm::isPowerOf2_64(bytes) && bytes <= kAlignment)
    op.setAlignment(bytes);
}

/// The upstream lowering of vector.fma leaves it to the backend whether to
/// fuse.
static void fuseAlways(vector::FMAOp op) {
  OpBuilder b(op);
  Value result = math::FmaOp::create(b, op.getLoc(), op.getLhs(), op.getRhs(),
                                     op.getAcc());
  op.replaceAllUsesWith(result);
  op.erase();
}

/// Offsets stay below 2^31 (nsw), so that LLVM may split them into a register
/// and an immediate operand.
template <typename OpTy> static void markNoWrap(Operation *op) {
  if (auto sum = dyn_cast<OpTy>(op); sum && sum.getType().isIndex())
    sum.setOverflowFlags(sum.getOverflowFlags() |
                         arith::IntegerOverflowFlags::nsw);
}

static LogicalResult prepare(gpu::GPUModuleOp kernels) {
  for (auto function : kernels.getOps<gpu::GPUFuncOp>()) {
    makeArgumentsStatic(function);
    attributeWorkgroupMemory(function);
  }
  kernels.walk([](Operation *op) {
    if (auto load = dyn_cast<vector::LoadOp>(op))
      align(load, load.getType());
    if (auto store = dyn_cast<vector::StoreOp>(op))
      align(store, store.getValueToStore().getType());
    markNoWrap<arith::AddIOp>(op);
    markNoWrap<arith::MulIOp>(op);
    markNoWrap<arith::SubIOp>(op);
    if (auto fma = dyn_cast<vector::FMAOp>(op))
      fuseAlways(fma);
  });
  RewritePatternSet patterns(kernels.getContext());
  populateGpuLowerSubgroupReduceToShufflePatterns(patterns, kWarp);
  return applyPatternsGreedily(kernels, std::move(patterns));
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

namespace {
/// The address of workgroup memory, which is a cast of it before.
struct ConvertAddress : OpConversionPattern<UnrealizedConversionCastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(UnrealizedConversionCastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op->getNumOperands() != 1 ||
        !isa<MemRefType>(op.getOperand(0).getType()) ||
        !isa<LLVM::LLVMPointerType>(op.getResult(0).getType()))
      return failure();
    rewriter.replaceOp(op, MemRefDescriptor(adaptor.getInputs()[0])
                               .alignedPtr(rewriter, op.getLoc()));
    return success();
  }
};
} // namespace

static LogicalResult convert(gpu::GPUModuleOp kernels) {
  MLIRContext *context = kernels.getContext();
  if (failed(mlir::vit::lowerStructured(kernels)))
    return failure();

  LowerToLLVMOptions options(context);
  options.overrideIndexBitwidth(32);
  options.useBarePtrCallConv = true;
  LLVMTypeConverter types(context, options);
  configureGpuToNVVMTypeConverter(types);
  // Nothing uses the token of a copy.
  types.addConversion([](nvgpu::DeviceAsyncTokenType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  RewritePatternSet patterns(context);
  cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  arith::populateArithToLLVMConversionPatterns(types, patterns);
  populateVectorToLLVMConversionPatterns(types, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(types, patterns);
  populateGpuToNVVMConversionPatterns(types, patterns);
  populateNVGPUToNVVMConversionPatterns(types, patterns);
  // Take precedence over the patterns that call libdevice.
  populateMathToLLVMConversionPatterns(types, patterns,
                                       /*approximateLog1p=*/false,
                                       /*benefit=*/2);
  patterns.add<ConvertAddress>(types, context);
  LLVMConversionTarget target(*context);
  target.addIllegalDialect<gpu::GPUDialect, nvgpu::NVGPUDialect>();
  target.addLegalDialect<NVVM::NVVMDialect>();
  target.addLegalOp<gpu::GPUModuleOp>();
  target.addIllegalOp<UnrealizedConversionCastOp>();
  return applyFullConversion(kernels, target, std::move(patterns));
}

/// Passes tensor maps by value, in the memory of the parameters.
static void passByValue(LLVM::LLVMFuncOp kernel, unsigned maps) {
  constexpr int64_t bytes = 128, alignment = 64;
  OpBuilder b(kernel);
  Type type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
  unsigned count = kernel.getNumArguments();
  for (unsigned i = count - maps; i < count; ++i) {
    kernel.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(type));
    kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                      b.getI64IntegerAttr(alignment));
    kernel.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                      b.getUnitAttr());
  }
}

/// The upstream lowering of asynchronous copies truncates indices to 32 bits,
/// which they have.
static void dropEmptyTruncations(gpu::GPUModuleOp kernels) {
  kernels.walk([](LLVM::TruncOp op) {
    if (op.getType() != op.getArg().getType())
      return;
    op.replaceAllUsesWith(op.getArg());
    op.erase();
  });
}

/// Bytes of a global, an array of numbers or vectors of them.
static int64_t getBytes(LLVM::GlobalOp global) {
  auto array = cast<LLVM::LLVMArrayType>(global.getType());
  Type element = array.getElementType();
  int64_t count = array.getNumElements();
  if (auto vector = dyn_cast<VectorType>(element))
    count *= vector.getNumElements();
  return count * getElementTypeOrSelf(element).getIntOrFloatBitWidth() / 8;
}

/// A kernel may declare format::kDeclaredSharedBytes of workgroup memory.
/// Replaces more by one array without a size, which the launch gives one.
static void makeSharedMemoryDynamic(ModuleOp module, LLVM::LLVMFuncOp kernel) {
  SmallVector<std::pair<LLVM::AddressOfOp, LLVM::GlobalOp>> uses;
  llvm::MapVector<Operation *, int64_t> offsets;
  int64_t bytes = 0;
  uint64_t alignment = kAlignment;
  kernel.walk([&](LLVM::AddressOfOp op) {
    auto global = module.lookupSymbol<LLVM::GlobalOp>(op.getGlobalName());
    if (!global || global.getAddrSpace() != kSharedSpace)
      return;
    uses.push_back({op, global});
    uint64_t own = std::max(kAlignment, global.getAlignment().value_or(0));
    bytes = llvm::alignTo(bytes, own);
    alignment = std::max(alignment, own);
    if (offsets.insert({global, bytes}).second)
      bytes += llvm::alignTo(getBytes(global), kAlignment);
  });
  if (bytes <= ::vit::format::kDeclaredSharedBytes)
    return;
  OpBuilder b(kernel);
  Type byte = b.getI8Type();
  auto memory = LLVM::GlobalOp::create(
      b, kernel.getLoc(), LLVM::LLVMArrayType::get(byte, 0),
      /*isConstant=*/false, LLVM::Linkage::External,
      (kernel.getName() + "_shared").str(), /*value=*/Attribute(), alignment,
      kSharedSpace);
  for (auto [op, global] : uses) {
    b.setInsertionPoint(op);
    Value base = LLVM::AddressOfOp::create(b, op.getLoc(), memory);
    Value at = LLVM::GEPOp::create(
        b, op.getLoc(), op.getType(), byte, base,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offsets[global])});
    op.replaceAllUsesWith(at);
    op.erase();
  }
  for (auto &[global, offset] : offsets)
    global->erase();
}

/// Removes unused memref descriptors and common subexpressions.
static void simplify(ModuleOp module) {
  MLIRContext *context = module.getContext();
  RewritePatternSet patterns(context);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    if (isa<LLVM::LLVMDialect>(name.getDialect()))
      name.getCanonicalizationPatterns(patterns, context);
  (void)applyPatternsGreedily(module, std::move(patterns));
  IRRewriter rewriter(context);
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    DominanceInfo dominance(function);
    eliminateCommonSubExpressions(rewriter, dominance, function);
  }
}

FailureOr<ModuleOp> mlir::vit::cuda::lowerToNvvm(gpu::GPUModuleOp kernels) {
  llvm::StringMap<unsigned> maps;
  for (auto function : kernels.getOps<gpu::GPUFuncOp>())
    maps[function.getName()] = takeTensorMaps(function);
  if (failed(prepare(kernels)) || failed(convert(kernels)))
    return failure();
  dropEmptyTruncations(kernels);
  for (auto kernel : kernels.getOps<LLVM::LLVMFuncOp>())
    passByValue(kernel, maps.lookup(kernel.getName()));
  OpBuilder b(kernels);
  auto module =
      ModuleOp::create(b, kernels.getLoc(), StringRef(kernels.getName()));
  module.getBody()->getOperations().splice(
      module.getBody()->end(), kernels.getBodyRegion().front().getOperations());
  kernels.erase();
  for (auto kernel :
       llvm::make_early_inc_range(module.getOps<LLVM::LLVMFuncOp>()))
    makeSharedMemoryDynamic(module, kernel);
  simplify(module);
  return module;
}

LogicalResult mlir::vit::cuda::expandPtx(ModuleOp module) {
  MLIRContext *context = module.getContext();
  RewritePatternSet patterns(context);
  populateNVVMToLLVMConversionPatterns(patterns);
  LLVMConversionTarget target(*context);
  target.addDynamicallyLegalDialect<NVVM::NVVMDialect>([](Operation *op) {
    auto builder = dyn_cast<NVVM::BasicPtxBuilderInterface>(op);
    return !builder || builder.hasIntrinsic();
  });
  return applyPartialConversion(module, target, std::move(patterns));
}

namespace {
struct LowerToNvvmPass : mlir::vit::impl::LowerToNvvmBase<LowerToNvvmPass> {
  using LowerToNvvmBase::LowerToNvvmBase;

  void runOnOperation() override {
    for (auto kernels :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      if (failed(lowerToNvvm(kernels)))
        return signalPassFailure();
  }
};
} // namespace
