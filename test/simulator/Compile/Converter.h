//===- Converter.h - Converts the NVVM dialect to host code -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_CONVERTER_H
#define VIT_SIMULATOR_CONVERTER_H

#include "InlinePtx.h"
#include "NvvmToHost.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace vit::sim {
using namespace mlir;

/// The implementation of convertNvvmToHost. Each convert function replaces one
/// op, at the insertion point of `builder`, or emits an error.
class Converter {
public:
  Converter(ModuleOp host, const HostOptions &options)
      : host(host), options(options), builder(host.getContext()) {}
  LogicalResult run(Operation *container);

private:
  LogicalResult convertGlobal(LLVM::GlobalOp global);
  LogicalResult convertKernel(LLVM::LLVMFuncOp kernel);
  LogicalResult convertOp(Operation *op);
  LogicalResult convertNvvm(Operation *op);
  LogicalResult convertShuffle(NVVM::ShflOp op);
  // ConvertAsync.cpp
  LogicalResult replaceByCall(Operation *op, StringRef name,
                              ValueRange operands);
  LogicalResult convertCopy(NVVM::CpAsyncOp op);
  LogicalResult convertBarrier(NVVM::BarrierOp op);
  LogicalResult convertMapa(NVVM::MapaOp op);
  LogicalResult convertTensorCopy(Operation *op);
  LogicalResult convertProduct(NVVM::WgmmaMmaAsyncOp op);
  LogicalResult convertInlinePtx(LLVM::InlineAsmOp op);
  /// The memory of the thread through which sums of a type go.
  Value getSumMemory(Type type);
  /// Has uses of sums of products checked.
  void convertUseOfSums(LLVM::ExtractValueOp op);
  void convertMakingOfSums(LLVM::InsertValueOp op);
  /// Nothing: `op` is not one that sm_90 adds.
  std::optional<LogicalResult> convertAsync(Operation *op);
  Value storeCoordinates(ValueRange coordinates);
  // ConvertMatrix.cpp
  LogicalResult convertLoadMatrices(NVVM::LdMatrixOp op);
  LogicalResult convertStoreMatrices(NVVM::StMatrixOp op);
  LogicalResult convertMultiply(NVVM::MmaOp op);
  LogicalResult convertDot(NVVM::DotAccumulate4WayOp op);
  LogicalResult convertToBf16(NVVM::ConvertF32x2ToBF16x2Op op);
  LogicalResult convertToTf32(NVVM::ConvertFloatToTF32Op op);
  LogicalResult convertIntrinsic(LLVM::CallIntrinsicOp op);
  LogicalResult convertTruncation(LLVM::FPTruncOp op);
  LogicalResult convertExtension(LLVM::FPExtOp op);
  /// One of f16.
  LogicalResult convertFma(LLVM::FMAOp op);
  /// Replaces NaNs of f16 in the result of `op` by that of the PTX manual.
  void replaceNans(Operation *op);
  LogicalResult convertConstant(LLVM::ConstantOp op);
  /// Adds counters of the ops of each basic block (CountOps.cpp).
  void countOps(LLVM::LLVMFuncOp kernel);
  LogicalResult checkAccess(Operation *op, Value address, Type type,
                            std::optional<uint64_t> alignment, bool write);
  void addEntry(LLVM::LLVMFuncOp kernel, StringRef name);
  void addManifest();
  /// Drops address spaces, and replaces bf16 by i16, since the host would hold
  /// a bf16 that several blocks use as f32 and call a function to round it.
  void replaceTypes();

  LLVM::CallOp call(StringRef name, Type result, ValueRange operands);
  /// The MatrixType of operands of 16 bits.
  Value getType(bool isF16);
  Value constant(uint32_t value) {
    return LLVM::ConstantOp::create(builder, location, builder.getI32Type(),
                                    builder.getI32IntegerAttr(value));
  }
  /// A number for the location of `op`, which the manifest describes.
  Value getSite(Operation *op);
  /// Words of the thread's memory for operands and results of calls.
  Value getScratch();
  void storeWord(Value value, int32_t word);
  /// Replaces `op` by words of the scratch memory from `first` on: one value,
  /// or a struct of them.
  void replaceByWords(Operation *op, int32_t first);
  /// The bits of `value` (f32 or a vector), rounded to a float whose last
  /// `dropped` bits are zero.
  Value roundBits(Value value, unsigned dropped, NVVM::FPRoundingMode mode);
  /// The upper halves of what roundBits returns, as bf16.
  Value roundToBf16(Value value, NVVM::FPRoundingMode mode);
  Type pointer() { return LLVM::LLVMPointerType::get(host.getContext()); }

  ModuleOp host;
  const HostOptions &options;
  OpBuilder builder;
  Location location = UnknownLoc::get(host.getContext());
  uint32_t sites = 0;
  std::map<std::string, uint32_t> shared; ///< indices of variables
  // Of the current kernel:
  std::vector<uint32_t> used; ///< variables
  std::vector<bool> byValue;  ///< arguments
  mlir::Block *entry = nullptr;
  llvm::DenseMap<Type, Value> sums; ///< memory of products, by type
  bool ordered = false;             ///< threads wait for some others
  std::string manifestOps;
  uint64_t smallest = 4; ///< bytes or alignment of an access, at most 4
  Value scratch;         ///< null: not needed yet
  std::string manifestShared, manifestSites, manifestKernels;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_CONVERTER_H
