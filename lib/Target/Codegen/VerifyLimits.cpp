//===- VerifyLimits.cpp - Check GPU kernels against a level ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SimtCodegen.h"

#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

namespace mlir::vit {
#define GEN_PASS_DEF_VERIFYLIMITS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace ::vit::format;

namespace {
/// Checks one kernel. A check that fails emits an error.
class KernelVerifier {
public:
  KernelVerifier(gpu::GPUFuncOp kernel, const Level &level)
      : kernel(kernel), level(level.name), limits(level.limits),
        features(level.features),
        hasSubgroups(level.features.has(Feature::SubgroupArithmetic)),
        hasDotProducts(level.features.has(Feature::IntegerDotProduct)),
        matrices(simt::getMatrixKind(kernel)),
        isVulkan(level.target == Target::Vulkan) {}

  LogicalResult verify();

private:
  LogicalResult verifyThreads();
  LogicalResult verifyMatrices();
  LogicalResult verifyArguments();
  LogicalResult verifySharedMemory();
  LogicalResult verifyOp(Operation *op);
  LogicalResult verifyType(Operation *op, Type type);
  /// Whether a matrix of this type is of the kind of the kernel.
  bool hasMatrix(gpu::MMAMatrixType type) const;

  InFlightDiagnostic error(Operation *op) {
    return op->emitError("kernel ") << kernel.getName() << " ";
  }

  gpu::GPUFuncOp kernel;
  StringRef level;
  const ::vit::format::KernelLimits &limits;
  FeatureSet features; ///< of the level
  bool hasSubgroups, hasDotProducts;
  const MatrixKind *matrices; ///< null: it has none
  bool isVulkan;
};

struct VerifyLimitsPass : mlir::vit::impl::VerifyLimitsBase<VerifyLimitsPass> {
  using VerifyLimitsBase::VerifyLimitsBase;

  void runOnOperation() override {
    const Level *found = level.empty() ? &defaultLevel(Target::Vulkan)
                                       : findLevel(level.getValue());
    if (!found || found->target == Target::Cpu) {
      getOperation().emitError("there is no GPU level '")
          << level << "'; choose one of "
          << Twine(levelNames(Target::Vulkan).text) << ", "
          << Twine(levelNames(Target::Cuda).text);
      return signalPassFailure();
    }
    if (failed(simt::verifyLimits(getOperation(), *found)))
      signalPassFailure();
  }
};
} // namespace

LogicalResult mlir::vit::simt::verifyLimits(gpu::GPUModuleOp kernels,
                                            const Level &level) {
  for (auto kernel : kernels.getOps<gpu::GPUFuncOp>())
    if (failed(KernelVerifier(kernel, level).verify()))
      return failure();
  return success();
}

static bool isIn(MemRefType type, spirv::StorageClass storage) {
  Attribute space = type.getMemorySpace();
  if (auto attribute = dyn_cast_or_null<gpu::AddressSpaceAttr>(space))
    return attribute.getValue() == gpu::AddressSpace::Workgroup &&
           storage == spirv::StorageClass::Workgroup;
  auto attribute = dyn_cast_or_null<spirv::StorageClassAttr>(space);
  return attribute && attribute.getValue() == storage;
}

/// Bytes of a memref of static shape with scalar or vector elements.
static int64_t getBytes(MemRefType type) {
  Type element = type.getElementType();
  int64_t count = type.getNumElements();
  if (auto vector = dyn_cast<VectorType>(element)) {
    count *= vector.getNumElements();
    element = vector.getElementType();
  }
  return count * llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

LogicalResult KernelVerifier::verify() {
  if (failed(verifyThreads()) || failed(verifyMatrices()) ||
      failed(verifyArguments()) || failed(verifySharedMemory()))
    return failure();
  WalkResult result = kernel.walk([&](Operation *op) {
    return succeeded(verifyOp(op)) ? WalkResult::advance()
                                   : WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult KernelVerifier::verifyThreads() {
  auto size = kernel.getKnownBlockSize();
  if (!size || (*size)[1] != 1 || (*size)[2] != 1)
    return error(kernel) << "needs a one-dimensional known_block_size";
  if ((*size)[0] < 1 || (*size)[0] > limits.threads)
    return error(kernel) << "has " << (*size)[0]
                         << " threads in a workgroup; level " << level
                         << " allows " << limits.threads;
  return success();
}

LogicalResult KernelVerifier::verifyMatrices() {
  Attribute kind = kernel->getAttr(kMatricesAttr);
  if (!kind || (matrices && features.has(matrices->feature)))
    return success();
  return error(kernel) << "has matrices of the kind " << kind << "; level "
                       << level << " has none";
}

LogicalResult KernelVerifier::verifyArguments() {
  int64_t bindings = 0, push = 0;
  for (Type type : kernel.getArgumentTypes()) {
    if (failed(verifyType(kernel, type)))
      return failure();
    auto memref = dyn_cast<MemRefType>(type);
    if (!isVulkan)
      continue;
    if (!memref)
      return error(kernel) << "takes a value of type " << type
                           << "; on Vulkan arguments are buffers and push "
                              "constants";
    if (isIn(memref, spirv::StorageClass::PushConstant))
      push += memref.hasStaticShape() ? getBytes(memref) : INT32_MAX;
    else
      ++bindings;
  }
  if (!isVulkan) {
    // Every parameter counts as a pointer.
    int64_t count = kernel.getNumArguments();
    if (count > limits.arguments)
      return error(kernel) << "has " << count << " parameters; level " << level
                           << " allows " << limits.arguments;
    return success();
  }
  if (bindings > limits.bindings)
    return error(kernel) << "has " << bindings << " storage buffers; level "
                         << level << " allows " << limits.bindings;
  if (push > limits.pushBytes)
    return error(kernel) << "has " << push / 4 << " words of push constants; "
                         << "level " << level << " allows "
                         << limits.pushBytes / 4;
  return success();
}

/// Calls `use` with each workgroup memory type and the op that declares it.
static LogicalResult
forEachSharedMemory(gpu::GPUFuncOp kernel,
                    function_ref<LogicalResult(Operation *, MemRefType)> use) {
  auto isShared = [](MemRefType type) {
    return isIn(type, spirv::StorageClass::Workgroup);
  };
  for (BlockArgument memory : kernel.getWorkgroupAttributions())
    if (failed(use(kernel, cast<MemRefType>(memory.getType()))))
      return failure();
  WalkResult result = kernel.walk([&](memref::AllocOp op) {
    return isShared(op.getType()) && failed(use(op, op.getType()))
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static int64_t addShared(int64_t bytes, MemRefType type) {
  return llvm::alignTo(bytes, 16) + getBytes(type);
}

int64_t mlir::vit::simt::getSharedBytes(gpu::GPUFuncOp kernel) {
  int64_t bytes = 0;
  (void)forEachSharedMemory(kernel, [&](Operation *, MemRefType type) {
    bytes = addShared(bytes, type);
    return success();
  });
  return bytes;
}

LogicalResult KernelVerifier::verifySharedMemory() {
  int64_t bytes = 0;
  int64_t most = std::max(limits.sharedBytes, limits.dynamicSharedBytes);
  auto add = [&](Operation *op, MemRefType type) -> LogicalResult {
    if (!type.hasStaticShape())
      return error(op) << "has workgroup memory of a size that is not known";
    bytes = addShared(bytes, type);
    if (bytes > most)
      return error(op) << "uses " << bytes << " bytes of workgroup memory; "
                       << "level " << level << " allows " << most;
    return success();
  };
  return forEachSharedMemory(kernel, add);
}

bool KernelVerifier::hasMatrix(gpu::MMAMatrixType type) const {
  if (!matrices)
    return false;
  const Product &product = matrices->product;
  StringRef operand = type.getOperand();
  return type.getShape()[0] == (operand == "BOp" ? product.k : product.m) &&
         type.getShape()[1] == (operand == "AOp" ? product.k : product.n);
}

LogicalResult KernelVerifier::verifyType(Operation *op, Type type) {
  if (!isVulkan)
    return success();
  if (auto matrix = dyn_cast<gpu::MMAMatrixType>(type)) {
    if (hasMatrix(matrix))
      return success();
    return error(op) << "uses " << type << ", which is not of its "
                     << kMatricesAttr;
  }
  Type element = type;
  bool inMemory = false;
  if (auto memref = dyn_cast<MemRefType>(element)) {
    element = memref.getElementType();
    inMemory = true;
  }
  if (auto vector = dyn_cast<VectorType>(element)) {
    if (vector.getRank() != 1 ||
        (vector.getNumElements() != 2 && vector.getNumElements() != 4))
      return error(op) << "uses " << type << "; vectors have 2 or 4 elements";
    element = vector.getElementType();
  }
  bool known = element.isF32() || element.isSignlessInteger(32) ||
               (!inMemory && (element.isIndex() || element.isInteger(1)));
  if (!known)
    return error(op) << "uses " << type << "; Vulkan's minimum has 32-bit "
                     << "floats and integers only";
  return success();
}

/// Math ops that every target has as instructions, with the same results.
static bool isKnownFunction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::FloorOp, math::FmaOp, math::RoundEvenOp, math::RsqrtOp,
             math::SqrtOp>(op);
}

LogicalResult KernelVerifier::verifyOp(Operation *op) {
  if (isa<math::MathDialect>(op->getDialect()) && !isKnownFunction(op))
    return error(op) << "uses " << op->getName()
                     << ", which needs a library: expand it";
  if (!hasSubgroups &&
      isa<gpu::SubgroupReduceOp, gpu::ShuffleOp, gpu::LaneIdOp,
          gpu::SubgroupIdOp, gpu::SubgroupSizeOp, gpu::NumSubgroupsOp>(op))
    return error(op) << "uses " << op->getName() << "; level " << level
                     << " has no subgroup operations";
  if (!hasDotProducts && isa<spirv::SDotOp>(op))
    return error(op) << "uses " << op->getName() << "; level " << level
                     << " has no dot products of integers";
  if (isVulkan && isa<vector::LoadOp, vector::StoreOp>(op))
    return error(op) << "uses " << op->getName()
                     << "; on Vulkan a vector is an element of its buffer";
  for (Type type : op->getOperandTypes())
    if (failed(verifyType(op, type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(verifyType(op, type)))
      return failure();
  return success();
}
