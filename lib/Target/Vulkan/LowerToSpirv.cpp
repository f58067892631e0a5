//===- LowerToSpirv.cpp - From GPU kernels to SPIR-V modules --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the upstream conversions and adds what they do not do: the interface of
// a kernel (bindings, push constants, read-only buffers), the version, the
// address spaces that the emitters share with CUDA, and what cooperative
// matrices need: operands of bf16 and the Vulkan memory model.
//
//===----------------------------------------------------------------------===//

#include "../Codegen/SimtCodegen.h"

#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/FuncToSPIRV/FuncToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Conversion/VectorToSPIRV/VectorToSPIRV.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_LOWERTOSPIRV
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using mlir::vit::simt::getMatrixKind;

namespace {
struct LowerToSpirvPass : mlir::vit::impl::LowerToSpirvBase<LowerToSpirvPass> {
  using LowerToSpirvBase::LowerToSpirvBase;
  void runOnOperation() override;

private:
  LogicalResult lower(gpu::GPUFuncOp kernel, OpBuilder &b);
};
} // namespace

template <typename OpT> static bool uses(gpu::GPUFuncOp kernel) {
  return kernel.walk([](OpT) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

namespace {
/// What a kernel uses that not every device has.
struct Uses {
  bool matrices, dotProducts;
  bool matricesAreBf16; ///< else f16

  explicit Uses(gpu::GPUFuncOp kernel)
      : matrices(uses<gpu::SubgroupMmaComputeOp>(kernel)),
        dotProducts(uses<spirv::SDotOp>(kernel)),
        matricesAreBf16(areBf16(getMatrixKind(kernel))) {}

  /// Vulkan 1.1 has SPIR-V 1.3. Devices with cooperative matrices or dot
  /// products of integers have Vulkan 1.3, and SPIR-V 1.6, of which the latter
  /// are part and which SPV_KHR_cooperative_matrix is written for.
  spirv::Version getVersion() const {
    return matrices || dotProducts ? spirv::Version::V_1_6
                                   : spirv::Version::V_1_3;
  }

  /// Those of the operands of matrices.
  SmallVector<spirv::Capability> getMatrixCapabilities() const {
    if (!matrices)
      return {};
    if (matricesAreBf16)
      return {spirv::Capability::BFloat16TypeKHR,
              spirv::Capability::BFloat16CooperativeMatrixKHR};
    return {spirv::Capability::Float16};
  }

private:
  static bool areBf16(const ::vit::format::MatrixKind *kind) {
    return kind && kind->product.a == ::vit::format::ElementType::BF16;
  }
};
} // namespace

/// All capabilities that a kernel may use; vit-verify-limits has checked it.
static spirv::TargetEnvAttr getTargetEnv(MLIRContext *context,
                                         const Uses &uses) {
  SmallVector<spirv::Capability> capabilities = {
      spirv::Capability::Shader, spirv::Capability::GroupNonUniform,
      spirv::Capability::GroupNonUniformArithmetic};
  SmallVector<spirv::Extension> extensions;
  if (uses.dotProducts) {
    capabilities.append({spirv::Capability::DotProduct,
                         spirv::Capability::DotProductInput4x8BitPacked});
    extensions.push_back(spirv::Extension::SPV_KHR_integer_dot_product);
  }
  if (uses.matrices) {
    capabilities.append({spirv::Capability::CooperativeMatrixKHR,
                         spirv::Capability::VulkanMemoryModel});
    capabilities.append(uses.getMatrixCapabilities());
    extensions.push_back(spirv::Extension::SPV_KHR_cooperative_matrix);
    if (uses.matricesAreBf16)
      extensions.push_back(spirv::Extension::SPV_KHR_bfloat16);
  }
  auto triple = spirv::VerCapExtAttr::get(uses.getVersion(), capabilities,
                                          extensions, context);
  return spirv::TargetEnvAttr::get(triple,
                                   spirv::getDefaultResourceLimits(context),
                                   spirv::ClientAPI::Vulkan);
}

/// Sets the bindings of the kernel's arguments and the workgroup size.
static void describeInterface(gpu::GPUFuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  for (unsigned i = 0, e = kernel.getNumArguments(); i < e; ++i)
    kernel.setArgAttr(i, spirv::getInterfaceVarABIAttrName(),
                      spirv::getInterfaceVarABIAttr(0, i, {}, context));
  kernel->setAttr(
      spirv::getEntryPointABIAttrName(),
      spirv::getEntryPointABIAttr(context, *kernel.getKnownBlockSize()));
  kernel.removeKnownBlockSizeAttr();
}

static void mapAddressSpaces(Operation *op) {
  AttrTypeReplacer replacer;
  replacer.addReplacement([](gpu::AddressSpaceAttr space) -> Attribute {
    auto storage = spirv::StorageClass::StorageBuffer;
    if (space.getValue() == gpu::AddressSpace::Workgroup)
      storage = spirv::StorageClass::Workgroup;
    else if (space.getValue() == gpu::AddressSpace::Private)
      storage = spirv::StorageClass::Function;
    return spirv::StorageClassAttr::get(space.getContext(), storage);
  });
  replacer.recursivelyReplaceElementsIn(op, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

/// The results of upstream's lowered loop are undefined if the loop does not
/// run. Selects the initial values in that case. Matrices cannot be selected;
/// loops that carry them always run (MatrixEmitters.h).
static void keepInitialValues(gpu::GPUModuleOp module) {
  module.walk([](scf::ForOp loop) {
    std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
    std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
    if (loop.getNumResults() == 0 || (from && to && *from < *to))
      return;
    ImplicitLocOpBuilder b(loop.getLoc(), loop.getContext());
    b.setInsertionPointAfter(loop);
    Value runs =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                              loop.getLowerBound(), loop.getUpperBound());
    for (auto [result, initial] :
         llvm::zip_equal(loop.getResults(), loop.getInitArgs())) {
      if (isa<gpu::MMAMatrixType>(result.getType()))
        continue;
      Value condition = runs;
      // SPIR-V 1.3 needs a vector condition to select vectors.
      if (auto vector = dyn_cast<VectorType>(result.getType()))
        condition =
            vector::BroadcastOp::create(b, vector.clone(b.getI1Type()), runs);
      auto select = arith::SelectOp::create(b, condition, result, initial);
      result.replaceAllUsesExcept(select, select);
    }
  });
}

static Type convertMatrix(gpu::MMAMatrixType type, bool isBf16) {
  Type element = type.getElementType();
  if (isBf16 && element.isF16())
    element = BFloat16Type::get(type.getContext());
  auto use =
      llvm::StringSwitch<spirv::CooperativeMatrixUseKHR>(type.getOperand())
          .Case("AOp", spirv::CooperativeMatrixUseKHR::MatrixA)
          .Case("BOp", spirv::CooperativeMatrixUseKHR::MatrixB)
          .Default(spirv::CooperativeMatrixUseKHR::MatrixAcc);
  return spirv::CooperativeMatrixType::get(element, type.getShape()[0],
                                           type.getShape()[1],
                                           spirv::Scope::Subgroup, use);
}

static LogicalResult convert(gpu::GPUModuleOp module, const Uses &uses) {
  MLIRContext *context = module.getContext();
  spirv::TargetEnvAttr env = spirv::lookupTargetEnvOrDefault(module);
  SPIRVTypeConverter types(env);
  types.addConversion([&](gpu::MMAMatrixType type) {
    return convertMatrix(type, uses.matricesAreBf16);
  });
  RewritePatternSet patterns(context);
  populateGPUToSPIRVPatterns(types, patterns);
  populateGpuWMMAToSPIRVCoopMatrixKHRConversionPatterns(types, patterns);
  ScfToSPIRVContext structured;
  populateSCFToSPIRVPatterns(types, structured, patterns);
  arith::populateArithToSPIRVPatterns(types, patterns);
  populateMathToSPIRVPatterns(types, patterns);
  populateMemRefToSPIRVPatterns(types, patterns);
  populateFuncToSPIRVPatterns(types, patterns);
  populateVectorToSPIRVPatterns(types, patterns);
  std::unique_ptr<ConversionTarget> target = SPIRVConversionTarget::get(env);
  return applyFullConversion(module, *target, std::move(patterns));
}

/// Whether any op stores to `variable`.
static bool isWritten(spirv::ModuleOp module,
                      spirv::GlobalVariableOp variable) {
  auto result = module.walk([&](spirv::StoreOp store) {
    auto access = store.getPtr().getDefiningOp<spirv::AccessChainOp>();
    auto address = access
                       ? access.getBasePtr().getDefiningOp<spirv::AddressOfOp>()
                       : nullptr;
    return address && address.getVariable() == variable.getSymName()
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// Marks parameters read only, unless the kernel is an update, and removes the
/// binding of push constants; upstream's passes do neither.
static void decorateVariables(spirv::ModuleOp module) {
  for (auto variable : module.getOps<spirv::GlobalVariableOp>()) {
    if (variable.storageClass() == spirv::StorageClass::PushConstant) {
      variable.removeBindingAttr();
      variable.removeDescriptorSetAttr();
    } else if (variable.getBinding() == 1 && !isWritten(module, variable)) {
      variable->setAttr("non_writable", UnitAttr::get(module.getContext()));
    }
  }
}

static bool isShared(Value pointer) {
  return cast<spirv::PointerType>(pointer.getType()).getStorageClass() ==
         spirv::StorageClass::Workgroup;
}

/// Cooperative matrices need the Vulkan memory model, in which workgroup memory
/// is private to an invocation unless each access says that it is not, and a
/// barrier makes writes available and visible only if it says so.
static void useVulkanMemoryModel(spirv::ModuleOp module) {
  MLIRContext *context = module.getContext();
  module.setMemoryModelAttr(
      spirv::MemoryModelAttr::get(context, spirv::MemoryModel::Vulkan));
  auto shared = spirv::MemoryAccessAttr::get(
      context, spirv::MemoryAccess::NonPrivatePointer);
  module.walk([&](Operation *op) {
    if (auto load = dyn_cast<spirv::LoadOp>(op);
        load && isShared(load.getPtr()))
      load.setMemoryAccessAttr(shared);
    else if (auto store = dyn_cast<spirv::StoreOp>(op);
             store && isShared(store.getPtr()))
      store.setMemoryAccessAttr(shared);
    else if (auto load = dyn_cast<spirv::KHRCooperativeMatrixLoadOp>(op))
      load.setMemoryOperandAttr(shared);
    else if (auto store = dyn_cast<spirv::KHRCooperativeMatrixStoreOp>(op))
      store.setMemoryOperandAttr(shared);
    else if (auto barrier = dyn_cast<spirv::ControlBarrierOp>(op))
      barrier.setMemorySemantics(barrier.getMemorySemantics() |
                                 spirv::MemorySemantics::MakeAvailable |
                                 spirv::MemorySemantics::MakeVisible);
  });
}

/// Sets the version of the target instead of the lowest one that is sufficient,
/// because the rules for interfaces depend on the version.
static void setVersion(spirv::ModuleOp module, const Uses &uses) {
  spirv::VerCapExtAttr found = *module.getVceTriple();
  SmallVector<spirv::Capability> capabilities;
  // Not deduced from built-ins, from the operands of matrices, nor from the
  // memory model.
  if (uses.matrices)
    capabilities.append({spirv::Capability::GroupNonUniform,
                         spirv::Capability::VulkanMemoryModel});
  capabilities.append(uses.getMatrixCapabilities());
  for (spirv::Capability capability : found.getCapabilities())
    if (capability != spirv::Capability::Matrix && // implied by Shader
        !llvm::is_contained(capabilities, capability))
      capabilities.push_back(capability);
  SmallVector<spirv::Extension> extensions;
  for (spirv::Extension extension : found.getExtensions())
    // These are part of 1.3 and 1.6.
    if (extension != spirv::Extension::SPV_KHR_storage_buffer_storage_class &&
        extension != spirv::Extension::SPV_KHR_integer_dot_product)
      extensions.push_back(extension);
  module.setVceTripleAttr(spirv::VerCapExtAttr::get(
      uses.getVersion(), capabilities, extensions, module.getContext()));
}

LogicalResult LowerToSpirvPass::lower(gpu::GPUFuncOp kernel, OpBuilder &b) {
  MLIRContext *context = &getContext();
  std::string name = kernel.getName().str();
  auto single = gpu::GPUModuleOp::create(b, kernel.getLoc(), name);
  Uses uses(kernel);
  kernel->removeAttr(mlir::vit::kMatricesAttr);
  single->setAttr(spirv::getTargetEnvAttrName(), getTargetEnv(context, uses));
  kernel->moveBefore(&single.getBodyRegion().front(),
                     single.getBodyRegion().front().end());
  if (!kernel.getKnownBlockSize())
    return kernel.emitError("kernel ")
           << name << " does not say how many threads run it";
  describeInterface(kernel);
  mapAddressSpaces(single);

  OpPassManager before(gpu::GPUModuleOp::getOperationName());
  before.addPass(createCanonicalizerPass());
  before.addPass(createCSEPass());
  if (failed(runPipeline(before, single)))
    return failure();
  keepInitialValues(single);
  Operation *next = single->getNextNode();
  if (failed(convert(single, uses)))
    return failure();
  auto module = cast<spirv::ModuleOp>(next->getPrevNode());

  OpPassManager after(spirv::ModuleOp::getOperationName());
  after.addPass(spirv::createSPIRVLowerABIAttributesPass());
  after.addPass(createCanonicalizerPass());
  after.addPass(createCSEPass());
  after.addPass(spirv::createSPIRVUpdateVCEPass());
  if (failed(runPipeline(after, module)))
    return failure();
  decorateVariables(module);
  if (uses.matrices)
    useVulkanMemoryModel(module);
  setVersion(module, uses);
  module.setName(name);
  for (auto function : module.getOps<spirv::FuncOp>())
    function->removeAttr("workgroup_attributions");
  module->removeAttr(spirv::getTargetEnvAttrName());
  return success();
}

void LowerToSpirvPass::runOnOperation() {
  SmallVector<gpu::GPUModuleOp> modules(
      getOperation().getOps<gpu::GPUModuleOp>());
  for (gpu::GPUModuleOp kernels : modules) {
    OpBuilder b(kernels);
    for (auto kernel :
         llvm::make_early_inc_range(kernels.getOps<gpu::GPUFuncOp>()))
      if (failed(lower(kernel, b)))
        return signalPassFailure();
    kernels.erase();
  }
}
