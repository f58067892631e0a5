//===- NarrowTokens.cpp - Compute only those tokens that are taken --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops are visited once, users before producers, so that a take moves up through
// as many ops as possible.
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "mlir/IR/IRMapping.h"

#include <limits>

namespace mlir::vit {
#define GEN_PASS_DEF_NARROWTOKENS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct NarrowTokensPass : vit::impl::NarrowTokensBase<NarrowTokensPass> {
  using Base::Base;
  void runOnOperation() override;
};

/// Tokens [begin, end) that the users of a value take.
struct Span {
  int64_t begin = std::numeric_limits<int64_t>::max();
  int64_t end = 0;
  /// Whether all users take one token, as [batch, width].
  bool single = true;
};
} // namespace

/// Returns the tokens that the users of `value` take, or nullopt if it has
/// other users.
static std::optional<Span> getTakenSpan(Value value) {
  Span span;
  for (Operation *user : value.getUsers()) {
    auto take = dyn_cast<TakeTokensOp>(user);
    if (!take)
      return std::nullopt;
    int64_t start = take.getStart(), count = take.getCount().value_or(1);
    span.begin = std::min(span.begin, start);
    span.end = std::max(span.end, start + count);
    span.single &= !take.getCount();
  }
  if (span.end == 0)
    return std::nullopt;
  span.single &= span.end - span.begin == 1;
  return span;
}

/// Returns the operands whose tokens correspond to those of the result, if `op`
/// works on each token separately. Returns none if it does not, or if an
/// operand cannot be narrowed.
static SmallVector<OpOperand *> getTokenOperands(Operation *op) {
  if (isa<LinearOp, LayerNormOp, RmsNormOp, L2NormalizeOp, GeluOp, ReluOp,
          SiluOp, TanhOp, SoftmaxOp, ScaleOp, LayerScaleOp>(op))
    return {&op->getOpOperand(0)};
  // A random mask depends on the position in the full tensor.
  if (isa<DropoutOp, DropPathOp>(op))
    return op->getNumOperands() == 1
               ? SmallVector<OpOperand *>{&op->getOpOperand(0)}
               : SmallVector<OpOperand *>{};
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    bool alone = !attention.getProbabilities() ||
                 attention.getProbabilities().use_empty();
    // The bias has a row for each query.
    alone = alone && !attention.getBias();
    return alone ? SmallVector<OpOperand *>{&attention.getQueryMutable()}
                 : SmallVector<OpOperand *>{};
  }
  SmallVector<OpOperand *> operands;
  if (!isa<AddOp, MulOp>(op))
    return operands;
  for (OpOperand &operand : op->getOpOperands()) {
    if (operand.get().getType() == op->getResult(0).getType())
      operands.push_back(&operand);
    else if (tensorOf(operand.get()).getRank() != 1)
      return {}; // a table of positions, or a token per image
  }
  return operands;
}

/// Changes `op` to compute only the tokens of `span`.
static void narrow(Operation *op, ArrayRef<OpOperand *> operands, Span span) {
  OpBuilder builder(op);
  // The query of attention must keep the dimension of tokens.
  bool single = span.single && !isa<AttentionOp>(op);
  auto taken = [&](Value value) {
    RankedTensorType type = tensorOf(value);
    SmallVector<int64_t> shape = {type.getDimSize(0)};
    if (!single)
      shape.push_back(span.end - span.begin);
    shape.push_back(type.getDimSize(2));
    return RankedTensorType::get(shape, type.getElementType());
  };

  IRMapping mapping;
  for (OpOperand *operand : operands) {
    Value value = operand->get();
    if (mapping.contains(value))
      continue;
    mapping.map(value,
                TakeTokensOp::create(
                    builder, op->getLoc(), taken(value), value,
                    builder.getI64IntegerAttr(span.begin),
                    single ? IntegerAttr()
                           : builder.getI64IntegerAttr(span.end - span.begin)));
  }

  Value narrowed;
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    // Query, key and value may be one value; only the query is narrowed.
    Value query = mapping.lookup(attention.getQuery());
    narrowed = AttentionOp::create(
                   builder, op->getLoc(), taken(attention.getResult()), Type(),
                   query, attention.getKey(), attention.getValue(),
                   /*bias=*/Value(), attention.getHeadsAttr(),
                   attention.getScaleAttr(), attention.getPrecision())
                   .getResult();
  } else {
    Operation *clone = builder.clone(*op, mapping);
    clone->getResult(0).setType(taken(op->getResult(0)));
    narrowed = clone->getResult(0);
  }

  for (Operation *user :
       llvm::make_early_inc_range(op->getResult(0).getUsers())) {
    auto take = cast<TakeTokensOp>(user);
    if (take.getType() == narrowed.getType()) {
      take.replaceAllUsesWith(narrowed);
      take.erase();
    } else {
      take.getInputMutable().assign(narrowed);
      take.setStart(take.getStart() - span.begin);
    }
  }
  op->erase();
}

void NarrowTokensPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  // New ops are inserted between `op` and `next`, so `next` has not been
  // visited yet.
  Block &block = entry.getBody().front();
  for (Operation *op = &block.back(); op;) {
    Operation *next = op->getPrevNode();
    SmallVector<OpOperand *> operands = getTokenOperands(op);
    if (!operands.empty()) {
      RankedTensorType type = tensorOf(op->getResult(0));
      std::optional<Span> span = getTakenSpan(op->getResult(0));
      if (span && type.getRank() == 3 &&
          (span->end - span->begin) * 2 <= type.getDimSize(1)) {
        narrow(op, operands, *span);
        ++opsNarrowed;
      }
    }
    op = next;
  }
}
