//===- TrainingOps.cpp - Verifiers of losses, state and updates -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

using namespace mlir;
using namespace mlir::vit;

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

static LogicalResult verifyTargets(Operation *op, Value logitsValue,
                                   Value targetsValue) {
  RankedTensorType logits = tensorOf(logitsValue),
                   targets = tensorOf(targetsValue);
  if (logits.getRank() != 2 || logits.isDynamicDim(1))
    return op->emitOpError("C1: the logits must be [batch, classes] with known "
                           "classes, not ")
           << logits;
  bool labels = targets.getElementType().isInteger(32) &&
                targets.getRank() == 1 &&
                targets.getDimSize(0) == logits.getDimSize(0);
  if (!labels && targets != logits)
    return op->emitOpError("C2: the targets must be one i32 label per image or "
                           "of the logits' type, not ")
           << targets;
  return success();
}

static LogicalResult verifySmoothing(Operation *op, double smoothing) {
  if (smoothing >= 0.0 && smoothing < 1.0)
    return success();
  return op->emitOpError("C3: the smoothing ")
         << smoothing << " must be at least 0 and below 1";
}

LogicalResult CrossEntropyOp::verify() {
  if (failed(verifyTargets(*this, getLogits(), getTargets())))
    return failure();
  return verifySmoothing(*this, getSmoothing().convertToDouble());
}

LogicalResult CrossEntropyBackwardOp::verify() {
  if (failed(verifyTargets(*this, getLogits(), getTargets())))
    return failure();
  if (getResult().getType() != getLogits().getType())
    return emitOpError("C1: the result must have the logits' type, not ")
           << getResult().getType();
  return verifySmoothing(*this, getSmoothing().convertToDouble());
}

LogicalResult AccuracyOp::verify() {
  return verifyTargets(*this, getLogits(), getTargets());
}

static LogicalResult verifyPair(Operation *op, Value input, Value targets) {
  if (input.getType() == targets.getType() && tensorOf(input).getRank() > 0)
    return success();
  return op->emitOpError("C1: input and targets must have one type, of rank 1 "
                         "at least, not ")
         << input.getType() << " and " << targets.getType();
}

LogicalResult MseOp::verify() {
  return verifyPair(*this, getInput(), getTargets());
}

LogicalResult MseBackwardOp::verify() {
  if (failed(verifyPair(*this, getInput(), getTargets())))
    return failure();
  if (getResult().getType() != getInput().getType())
    return emitOpError("C1: the result must have the input's type, not ")
           << getResult().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// State and what changes it
//===----------------------------------------------------------------------===//

LogicalResult StateOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type ||
      !(type.getElementType().isF32() || type.getElementType().isInteger(32)) ||
      type.getRank() < 1 || type.getRank() > 4 ||
      !countElements(type.getShape()))
    return emitOpError("C1: the type must be a tensor of f32 or i32 with 1 to "
                       "4 known, positive sizes, not ")
           << getType();
  if (getLayers() && static_cast<int64_t>(*getLayers()) < 1)
    return emitOpError("C2: ") << static_cast<int64_t>(*getLayers())
                               << " layers; there must be at least one";
  return success();
}

LogicalResult StateOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getParameterAttr())
    return success();
  auto parameter =
      symbols.lookupNearestSymbolFrom<ParameterOp>(*this, getParameterAttr());
  if (!parameter || parameter.getType() != getType() ||
      parameter.getLayersAttr() != getLayersAttr())
    return emitOpError("C3: there is no vit.parameter ")
           << getParameterAttr() << " of the same type and layers";
  if (!getRole())
    return emitOpError("C3: a state of a parameter needs a role");
  return success();
}

/// Returns whether `op` also changes layer `layer` of `symbol`.
static bool changes(Operation *op, StringAttr symbol, IntegerAttr layer) {
  if (!isa<WriteOp, SgdOp, AdamOp, AdamwOp>(op) ||
      op->getAttrOfType<IntegerAttr>("layer") != layer)
    return false;
  return llvm::any_of(op->getAttrs(), [&](NamedAttribute attribute) {
    auto reference = dyn_cast<FlatSymbolRefAttr>(attribute.getValue());
    return reference && reference.getAttr() == symbol;
  });
}

/// C3: the block of `change` neither reads nor changes `symbol` after it.
static LogicalResult verifyLast(Operation *change, FlatSymbolRefAttr symbol,
                                IntegerAttr layer) {
  for (Operation *op = change->getNextNode(); op; op = op->getNextNode()) {
    if (changes(op, symbol.getAttr(), layer))
      return op->emitOpError("C3: changes ")
             << symbol << ", which has been changed before";
    for (Value operand : op->getOperands()) {
      auto read = operand.getDefiningOp<ReadOp>();
      if (read && read.getParameterAttr() == symbol &&
          read.getLayerAttr() == layer)
        return op->emitOpError("C3: uses ")
               << symbol << " as it was before it is changed; move it up";
    }
  }
  return success();
}

LogicalResult WriteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyNamedTensor(*this, symbols, getSymbolAttr(),
                               getValue().getType(), getLayer().has_value(),
                               getLayer())))
    return failure();
  return verifyLast(*this, getSymbolAttr(), getLayerAttr());
}

/// C1 to C3 of an update with these states.
template <typename Op>
static LogicalResult verifyUpdate(Op op, SymbolTableCollection &symbols,
                                  ArrayRef<FlatSymbolRefAttr> states) {
  Type type = op.getGradient().getType();
  bool indexed = op.getLayer().has_value();
  if (failed(verifyNamedTensor(op, symbols, op.getParameterAttr(), type,
                               indexed, op.getLayer(), Only::Parameter)))
    return failure();
  for (FlatSymbolRefAttr state : states)
    if (failed(verifyNamedTensor(op, symbols, state, type, indexed,
                                 op.getLayer(), Only::State)) ||
        failed(verifyLast(op, state, op.getLayerAttr())))
      return failure();
  return verifyLast(op, op.getParameterAttr(), op.getLayerAttr());
}

LogicalResult SgdOp::verifySymbolUses(SymbolTableCollection &symbols) {
  SmallVector<FlatSymbolRefAttr> states;
  if (getBufferAttr())
    states.push_back(getBufferAttr());
  return verifyUpdate(*this, symbols, states);
}

LogicalResult SgdOp::verify() {
  double momentum = getMomentum().convertToDouble();
  if (!(momentum >= 0.0 && momentum < 1.0))
    return emitOpError("C4: the momentum ")
           << momentum << " must be at least 0 and below 1";
  if (!(getDecay().convertToDouble() >= 0.0))
    return emitOpError("C4: the decay must not be negative");
  if (getBufferAttr() ? momentum == 0.0 : momentum != 0.0)
    return emitOpError("C4: give a state exactly where there is momentum");
  if (getNesterov() && momentum == 0.0)
    return emitOpError("C4: nesterov needs momentum");
  return success();
}

template <typename Op> static LogicalResult verifyAdam(Op op) {
  ArrayRef<double> betas = op.getBetas();
  if (betas.size() != 2 || !llvm::all_of(betas, [](double beta) {
        return beta >= 0.0 && beta < 1.0;
      }))
    return op.emitOpError("C4: betas must be two numbers, at least 0 and below "
                          "1, such as [0.9, 0.999]");
  if (!(op.getEpsilon().convertToDouble() >= 0.0) ||
      !(op.getDecay().convertToDouble() >= 0.0))
    return op.emitOpError("C4: epsilon and decay must not be negative");
  if (static_cast<int64_t>(op.getEvery()) < 1)
    return op.emitOpError("C4: an update is made of at least one micro-batch");
  if (op.getFirst() == op.getSecond())
    return op.emitOpError("C1: the two states must be different");
  return success();
}

LogicalResult AdamOp::verify() { return verifyAdam(*this); }
LogicalResult AdamwOp::verify() { return verifyAdam(*this); }

LogicalResult AdamOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyUpdate(*this, symbols, {getFirstAttr(), getSecondAttr()});
}

LogicalResult AdamwOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyUpdate(*this, symbols, {getFirstAttr(), getSecondAttr()});
}

LogicalResult AllReduceOp::verify() { return verifyAllReduce(*this); }

LogicalResult ClipByGlobalNormOp::verify() {
  if (getGradients().empty())
    return emitOpError("C1: there must be at least one gradient");
  if (!(getMaxNorm().convertToDouble() > 0.0))
    return emitOpError("C2: max_norm must be positive");
  return success();
}
