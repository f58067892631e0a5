//===- Simplify.cpp - Remove what inference does not need -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::vit {
#define GEN_PASS_DEF_SIMPLIFY
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct SimplifyPass : vit::impl::SimplifyBase<SimplifyPass> {
  using Base::Base;
  void runOnOperation() override;
};

/// Dropout and drop path without random numbers are the identity.
template <typename Op> struct DropDropout : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const final {
    if (op.getRandom())
      return failure();
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};
} // namespace

/// Taking all tokens of [batch, tokens, width] is the identity.
static LogicalResult takeAllTokens(TakeTokensOp op, PatternRewriter &rewriter) {
  if (op.getType() != op.getInput().getType())
    return failure();
  rewriter.replaceOp(op, op.getInput());
  return success();
}

/// A take of a take is one take.
static LogicalResult mergeTakes(TakeTokensOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<TakeTokensOp>();
  if (!inner)
    return failure();
  int64_t start = inner.getStart() + op.getStart();
  rewriter.modifyOpInPlace(op, [&] {
    op.getInputMutable().assign(inner.getInput());
    op.setStart(start);
  });
  return success();
}

/// Resampling a grid to its own size is exactly the identity.
static LogicalResult resampleToSame(ResamplePositionsOp op,
                                    PatternRewriter &rewriter) {
  if (op.getFrom() != op.getTo())
    return failure();
  rewriter.replaceOp(op, op.getInput());
  return success();
}

/// relu(relu(x)) is relu(x).
static LogicalResult mergeRelus(ReluOp op, PatternRewriter &rewriter) {
  if (!op.getInput().getDefiningOp<ReluOp>())
    return failure();
  rewriter.replaceOp(op, op.getInput());
  return success();
}

static int64_t countOps(func::FuncOp entry) {
  int64_t count = 0;
  entry.getBody().walk([&](Operation *) { ++count; });
  return count;
}

void SimplifyPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  opsBefore += countOps(entry);

  MLIRContext *context = &getContext();
  RewritePatternSet patterns(context);
  patterns.add<DropDropout<DropoutOp>, DropDropout<DropPathOp>>(context);
  patterns.add(takeAllTokens);
  patterns.add(mergeTakes);
  patterns.add(resampleToSame);
  patterns.add(mergeRelus);
  AttentionOp::getCanonicalizationPatterns(patterns, context);
  ScaleOp::getCanonicalizationPatterns(patterns, context);
  // If the rewriting does not converge, the graph is still correct, so this is
  // no error.
  (void)applyPatternsGreedily(entry, std::move(patterns));

  IRRewriter rewriter(context);
  DominanceInfo dominance(entry);
  eliminateCommonSubExpressions(rewriter, dominance, entry);
  opsAfter += countOps(entry);
}
