//===- Folds.cpp - Folders and canonicalisation of the vit ops ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::vit;

/// vit.read @p[%c3] becomes vit.read @p[3].
static LogicalResult makeLayerConstant(ReadOp op, PatternRewriter &rewriter) {
  APInt layer;
  if (!op.getIndex() || !matchPattern(op.getIndex(), m_ConstantInt(&layer)))
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    op.getIndexMutable().clear();
    op.setLayer(layer.getSExtValue());
  });
  return success();
}

void ReadOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *) {
  patterns.add(makeLayerConstant);
}

LogicalResult vit::dropProbabilities(AttentionOp op, RewriterBase &rewriter) {
  if (!op.getProbabilities() || !op.getProbabilities().use_empty())
    return failure();
  auto without = AttentionOp::create(
      rewriter, op.getLoc(), op.getResult().getType(), Type(), op.getQuery(),
      op.getKey(), op.getValue(), op.getBias(), op.getHeadsAttr(),
      op.getScaleAttr(), op.getPrecision());
  without->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  rewriter.replaceOp(op, {without.getResult(), Value()});
  return success();
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *) {
  patterns.add(+[](AttentionOp op, PatternRewriter &rewriter) {
    return dropProbabilities(op, rewriter);
  });
}

OpFoldResult ScaleOp::fold(FoldAdaptor) {
  if (getFactor().convertToDouble() == 1.0)
    return getInput();
  return {};
}

/// (x by a) by b becomes x by a b.
static LogicalResult mergeScales(ScaleOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<ScaleOp>();
  if (!inner || !inner->hasOneUse())
    return failure();
  double factor =
      inner.getFactor().convertToDouble() * op.getFactor().convertToDouble();
  Location location = rewriter.getFusedLoc({inner.getLoc(), op.getLoc()});
  rewriter.replaceOp(op, ScaleOp::create(rewriter, location, op.getType(),
                                         inner.getInput(),
                                         rewriter.getF64FloatAttr(factor)));
  return success();
}

void ScaleOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *) {
  patterns.add(mergeScales);
}
