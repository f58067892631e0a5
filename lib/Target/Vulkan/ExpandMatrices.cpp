//===- ExpandMatrices.cpp - Plain code for cooperative matrices -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests: kernels of cooperative matrices run on devices without them. Of
// each matrix a lane has what it needs for its own sums, rows 2 * (lane / 4)
// and the one after it, columns 4 * (lane % 4) to 4 * (lane % 4) + 3, which are
// all sums of matrices of all kinds:
//   sums: a vector of the columns for each row;
//   left operand: the rows, each as vectors of depths;
//   right operand: for each depth a vector of the columns.
//
//===----------------------------------------------------------------------===//

#include "../Codegen/SimtCodegen.h"
#include "MatrixEmitters.h"

#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::vit {
#define GEN_PASS_DEF_EXPANDMATRICES
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::vulkan;
using simt::kVectorLanes;

static constexpr int64_t kRows = 2;        ///< of a lane
static constexpr int64_t kLanesAcross = 4; ///< lanes that share rows

/// The kind of matrices of the kernel that contains `op`; null if it is not
/// known or its sums are not those of the lanes.
static const ::vit::format::MatrixKind *getKind(Operation *op) {
  const ::vit::format::MatrixKind *kind =
      simt::getMatrixKind(op->getParentOfType<gpu::GPUFuncOp>());
  if (!kind || kind->product.n != kLanesAcross * kVectorLanes ||
      kind->product.m * kLanesAcross != kRows * kind->subgroup)
    return nullptr;
  return kind;
}

/// The depth of a matrix that is an operand.
static int64_t getDepth(gpu::MMAMatrixType type) {
  return type.getShape()[type.getOperand() == "AOp" ? 1 : 0];
}

namespace {
/// Short names for what the patterns build, in a kernel with subgroups of
/// `lanes`.
class LaneBuilder {
public:
  LaneBuilder(OpBuilder &b, Location location, int64_t lanes = 0)
      : b(b), location(location), lanes(lanes) {}

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, location, value);
  }
  Value add(Value x, Value y) {
    return arith::AddIOp::create(b, location, x, y);
  }
  Value add(Value x, int64_t y) { return add(x, index(y)); }
  Value mul(Value x, int64_t y) {
    return arith::MulIOp::create(b, location, x, index(y));
  }
  Value div(Value x, int64_t y) {
    return arith::DivUIOp::create(b, location, x, index(y));
  }
  Value rem(Value x, int64_t y) {
    return arith::RemUIOp::create(b, location, x, index(y));
  }
  Value thread() {
    return gpu::ThreadIdOp::create(b, location, gpu::Dimension::x);
  }
  Value subgroup() { return div(thread(), lanes); }
  Value lane() { return rem(thread(), lanes); }
  Value row() { return mul(div(lane(), kLanesAcross), kRows); }
  Value across() { return rem(lane(), kLanesAcross); }
  VectorType vectorType() {
    return VectorType::get({kVectorLanes}, b.getF32Type());
  }
  Value broadcast(Value scalar) {
    return vector::BroadcastOp::create(b, location, vectorType(), scalar);
  }
  Value extract(Value vector, int64_t lane) {
    return vector::ExtractOp::create(b, location, vector,
                                     ArrayRef<int64_t>{lane});
  }
  Value extract(Value vector, Value lane) {
    return vector::ExtractOp::create(b, location, vector, OpFoldResult(lane));
  }
  Value fromElements(ValueRange scalars) {
    return vector::FromElementsOp::create(b, location, vectorType(), scalars);
  }
  Value load(Value memory, Value at) {
    return memref::LoadOp::create(b, location, memory, ValueRange{at});
  }
  /// Loads four elements of an operand, vector<2xi32>, as f32.
  Value loadWidened(Value memory, Value at, bool isBf16) {
    Value words = load(memory, at);
    return fromElements(isBf16 ? widenBf16(words) : widenF16(words));
  }

private:
  SmallVector<Value> widenF16(Value words) {
    SmallVector<Value> four;
    for (int64_t i = 0; i < kVectorLanes / 2; ++i) {
      Value pair = spirv::GLUnpackHalf2x16Op::create(
          b, location, VectorType::get({2}, b.getF32Type()), extract(words, i));
      four.append({extract(pair, 0), extract(pair, 1)});
    }
    return four;
  }
  SmallVector<Value> widenBf16(Value words) {
    auto type = cast<VectorType>(words.getType());
    auto constant = [&](int32_t bits) -> Value {
      return arith::ConstantOp::create(
          b, location, DenseElementsAttr::get(type, b.getI32IntegerAttr(bits)));
    };
    auto toFloat = [&](Value bits) -> Value {
      return arith::BitcastOp::create(b, location, type.clone(b.getF32Type()),
                                      bits);
    };
    constexpr int32_t half = 16, highHalf = static_cast<int32_t>(0xffff0000);
    Value low =
        toFloat(arith::ShLIOp::create(b, location, words, constant(half)));
    Value high =
        toFloat(arith::AndIOp::create(b, location, words, constant(highHalf)));
    return {extract(low, 0), extract(high, 0), extract(low, 1),
            extract(high, 1)};
  }

  OpBuilder &b;
  Location location;
  int64_t lanes;
};

struct ExpandLoad : OpConversionPattern<gpu::SubgroupMmaLoadMatrixOp> {
  using OpConversionPattern::OpConversionPattern;

  /// Returns the rows of a left operand, of which `depths` has vectors of four
  /// for each depth.
  static SmallVector<Value> transpose(LaneBuilder &b, ArrayRef<Value> depths) {
    SmallVector<Value> rows;
    for (int64_t row = 0; row < kRows; ++row) {
      Value lane = b.add(b.rem(b.row(), kVectorLanes), row);
      for (size_t i = 0; i < depths.size(); i += kVectorLanes) {
        SmallVector<Value> four;
        for (Value depth : depths.slice(i, kVectorLanes))
          four.push_back(b.extract(depth, lane));
        rows.push_back(b.fromElements(four));
      }
    }
    return rows;
  }

  LogicalResult
  matchAndRewrite(gpu::SubgroupMmaLoadMatrixOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = cast<gpu::MMAMatrixType>(op.getType());
    StringRef operand = type.getOperand();
    bool isLeft = operand == "AOp", isTransposed(op.getTranspose());
    if (operand == "COp" || op.getIndices().size() != 1)
      return rewriter.notifyMatchFailure(op, "not a load of an operand");
    const ::vit::format::MatrixKind *kind = getKind(op);
    if (!kind)
      return rewriter.notifyMatchFailure(op, "of no known kind");
    LaneBuilder b(rewriter, op.getLoc(), kind->subgroup);
    int64_t pitch = op.getLeadDimension().getSExtValue();
    int64_t depthCount = getDepth(type), rowVectors = depthCount / kVectorLanes;
    bool isBf16 = kind->product.a == ::vit::format::ElementType::BF16;
    auto load = [&](Value at) {
      return b.loadWidened(adaptor.getSrcMemref(), at, isBf16);
    };
    if (isLeft == isTransposed) {
      // The rows in memory are depths. Of each, a lane has one vector.
      Value part = isLeft ? b.div(b.row(), kVectorLanes) : b.across();
      Value base = b.add(op.getIndices()[0], part);
      SmallVector<Value> depths;
      for (int64_t depth = 0; depth < depthCount; ++depth)
        depths.push_back(load(b.add(base, depth * pitch)));
      if (isLeft)
        depths = transpose(b, depths);
      rewriter.replaceOpWithMultiple(op, ArrayRef<ValueRange>{depths});
      return success();
    }
    // The rows of the operand in memory are along the depth.
    Value first = isLeft ? b.row() : b.mul(b.across(), kVectorLanes);
    Value base = b.add(op.getIndices()[0], b.mul(first, pitch));
    SmallVector<Value> loaded; // 4 vectors of depths for each row in memory
    for (int64_t row = 0; row < (isLeft ? kRows : kVectorLanes); ++row)
      for (int64_t i = 0; i < rowVectors; ++i)
        loaded.push_back(load(b.add(base, row * pitch + i)));
    if (isLeft) {
      rewriter.replaceOpWithMultiple(op, ArrayRef<ValueRange>{loaded});
      return success();
    }
    SmallVector<Value> depths;
    for (int64_t depth = 0; depth < depthCount; ++depth) {
      SmallVector<Value> columns;
      for (int64_t column = 0; column < kVectorLanes; ++column)
        columns.push_back(
            b.extract(loaded[column * rowVectors + depth / kVectorLanes],
                      depth % kVectorLanes));
      depths.push_back(b.fromElements(columns));
    }
    rewriter.replaceOpWithMultiple(op, ArrayRef<ValueRange>{depths});
    return success();
  }
};

struct ExpandStore : OpConversionPattern<gpu::SubgroupMmaStoreMatrixOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(gpu::SubgroupMmaStoreMatrixOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const ::vit::format::MatrixKind *kind = getKind(op);
    if (!kind || op.getTranspose() || op.getIndices().size() != 1)
      return rewriter.notifyMatchFailure(op, "not a row-major store");
    LaneBuilder b(rewriter, op.getLoc(), kind->subgroup);
    int64_t pitch = op.getLeadDimension().getSExtValue();
    Value base =
        b.add(b.add(op.getIndices()[0], b.mul(b.row(), pitch)), b.across());
    for (auto [row, value] : llvm::enumerate(adaptor.getSrc()))
      memref::StoreOp::create(rewriter, op.getLoc(), value, op.getDstMemref(),
                              ValueRange{b.add(base, row * pitch)});
    rewriter.eraseOp(op);
    return success();
  }
};

struct ExpandCompute : OpConversionPattern<gpu::SubgroupMmaComputeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(gpu::SubgroupMmaComputeOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    LaneBuilder b(rewriter, op.getLoc());
    int64_t depths = getDepth(cast<gpu::MMAMatrixType>(op.getOpA().getType()));
    SmallVector<Value> sums(adaptor.getOpC());
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t depth = 0; depth < depths; ++depth) {
        Value left = adaptor.getOpA()[(row * depths + depth) / kVectorLanes];
        sums[row] = vector::FMAOp::create(
            rewriter, op.getLoc(),
            b.broadcast(b.extract(left, depth % kVectorLanes)),
            adaptor.getOpB()[depth], sums[row]);
      }
    rewriter.replaceOpWithMultiple(op, ArrayRef<ValueRange>{sums});
    return success();
  }
};

struct ExpandConstant : OpConversionPattern<gpu::SubgroupMmaConstantMatrixOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(gpu::SubgroupMmaConstantMatrixOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getType().getOperand() != "COp")
      return rewriter.notifyMatchFailure(op, "not of sums");
    LaneBuilder b(rewriter, op.getLoc());
    SmallVector<Value> rows(kRows, b.broadcast(adaptor.getValue()));
    rewriter.replaceOpWithMultiple(op, ArrayRef<ValueRange>{rows});
    return success();
  }
};

template <typename Op, Value (LaneBuilder::*number)()>
struct ExpandNumber : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const ::vit::format::MatrixKind *kind = getKind(op);
    if (!kind)
      return rewriter.notifyMatchFailure(op, "of no known kind");
    LaneBuilder b(rewriter, op.getLoc(), kind->subgroup);
    rewriter.replaceOp(op, (b.*number)());
    return success();
  }
};

struct ExpandMatricesPass
    : mlir::vit::impl::ExpandMatricesBase<ExpandMatricesPass> {
  using ExpandMatricesBase::ExpandMatricesBase;
  void runOnOperation() override;
};
} // namespace

void ExpandMatricesPass::runOnOperation() {
  MLIRContext *context = &getContext();
  TypeConverter types;
  types.addConversion([](Type type) { return type; });
  types.addConversion(
      [](gpu::MMAMatrixType type, SmallVectorImpl<Type> &converted) {
        StringRef operand = type.getOperand();
        int64_t count = operand == "COp" ? kRows : getDepth(type);
        if (operand == "AOp")
          count = count * kRows / kVectorLanes;
        Type f32 = Float32Type::get(type.getContext());
        converted.append(count, VectorType::get({kVectorLanes}, f32));
        return success();
      });
  ConversionTarget target(*context);
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  target
      .addIllegalOp<gpu::SubgroupMmaLoadMatrixOp, gpu::SubgroupMmaStoreMatrixOp,
                    gpu::SubgroupMmaComputeOp, gpu::SubgroupMmaConstantMatrixOp,
                    gpu::SubgroupIdOp, gpu::LaneIdOp>();
  RewritePatternSet patterns(context);
  patterns.add<ExpandLoad, ExpandStore, ExpandCompute, ExpandConstant,
               ExpandNumber<gpu::SubgroupIdOp, &LaneBuilder::subgroup>,
               ExpandNumber<gpu::LaneIdOp, &LaneBuilder::lane>>(types, context);
  scf::populateSCFStructuralTypeConversionsAndLegality(types, patterns, target);
  if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
    return signalPassFailure();
  for (auto kernel : getOperation().getOps<gpu::GPUFuncOp>())
    kernel->removeAttr(kMatricesAttr);
}
